//! The name of an image to be made: unique where it is made of a prefix, and free before anything is begun.

use std::time::Duration;

use consistent_aws::{config::Clients, ec2::images};
use tfplug::{CancellationToken, Diagnostic, Result, Value};
use tokio::time::{Instant, sleep};

use super::{model::ImageModel, preflight, unique};
use crate::diagnose;

/// EC2 may show an image, and keep its name, for a moment after it was deregistered.
const NAME_RELEASE: Duration = Duration::from_secs(15);

/// A name that is not configured is made of its prefix.
pub(super) fn name_uniquely(planned: &mut ImageModel) {
    if let (None, Some(prefix)) = (planned.name.known(), planned.name_prefix.known()) {
        planned.name = Value::Known(unique::name(prefix));
    }
}

/// A name that is taken would else be noticed while writes are held. What a dead run left under it, the run removes.
pub(super) async fn wait_for_name(
    clients: &Clients,
    name: &str,
    replaced: Option<&str>,
    stop: &CancellationToken,
) -> Result<()> {
    let ec2 = clients.ec2().await.map_err(diagnose::config)?;
    let until = Instant::now() + NAME_RELEASE;
    loop {
        let holder = images::named(ec2, name).await.map_err(diagnose::call)?;
        let Some(holder) = holder.filter(|image| image.is_proven() || !preflight::is_ours(image))
        else {
            return Ok(());
        };
        let may_be_leaving = preflight::is_ours(&holder) || replaced == Some(&holder.id);
        if !may_be_leaving || Instant::now() >= until {
            return Err(preflight::taken(&holder, replaced).into());
        }
        tokio::select! {
            () = sleep(Duration::from_secs(1)) => {}
            () = stop.cancelled() => return Err(Diagnostic::error("Stopped: no image was made", "Nothing was begun.").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{image::fixtures, tags::TagPolicy, testing::Aws};

    #[test]
    fn a_name_is_made_of_its_prefix_where_none_is_configured() {
        let mut planned = fixtures::planned();
        planned.name_prefix = "orders-".into();
        name_uniquely(&mut planned);
        assert_eq!(planned.name, "orders".into(), "configured");
        planned.name = Value::Unknown;
        name_uniquely(&mut planned);
        assert!(unique::is_of(
            planned.name.known().expect("a name"),
            "orders-"
        ));
    }

    #[tokio::test]
    async fn an_image_that_is_replaced_gives_its_name_up_in_time() {
        let aws = Aws::default()
            .on("DescribeImages", fixtures::image("available", &[]))
            .on("DescribeImages", fixtures::NO_IMAGES);
        let client = aws.client(TagPolicy::default());
        let stop = CancellationToken::new();
        wait_for_name(&client.clients, "orders", Some(fixtures::IMAGE), &stop)
            .await
            .expect("free in the end");
    }

    #[tokio::test]
    async fn a_name_that_is_just_being_released_is_waited_for() {
        let proven = fixtures::image("available", &fixtures::proof());
        let aws = Aws::default()
            .on("DescribeImages", proven)
            .on("DescribeImages", fixtures::NO_IMAGES);
        let client = aws.client(TagPolicy::default());
        wait_for_name(&client.clients, "orders", None, &CancellationToken::new())
            .await
            .expect("free in the end");
        assert_eq!(aws.calls("DescribeImages").len(), 2);
    }

    #[tokio::test]
    async fn what_a_dead_run_left_is_the_runs_to_remove() {
        let pending = [
            ("consistent:state", "pending"),
            ("consistent:session", fixtures::SESSION),
        ];
        let aws = Aws::default().on("DescribeImages", fixtures::image("pending", &pending));
        let client = aws.client(TagPolicy::default());
        wait_for_name(&client.clients, "orders", None, &CancellationToken::new())
            .await
            .expect("swept by the run");
    }
}
