//! Removing an image: deregistered, and every snapshot deleted; what is left keeps its place in the state.

use std::collections::BTreeMap;

use consistent_aws::{
    config::Clients,
    ec2::{
        Ec2Imager,
        images::{self, Snapshot},
        settings::Protection,
    },
};
use quiesce::{
    ports::{Imager, Leftover},
    session::SessionId,
};
use tfplug::{Context, Diagnostic, Result};
use tracing::info;

use super::{
    model::ImageModel,
    private::LEFT_SESSION,
    timeouts::{Unfinished, Work},
};
use crate::{client::Client, diagnose};

pub(super) async fn delete(cx: &Context<Client>, state: &ImageModel) -> Result<()> {
    let client = cx.client()?;
    let left_session: Option<String> = cx.private().get(LEFT_SESSION)?;
    // What a failed create left is no image to keep.
    if state.is_kept() && left_session.is_none() {
        info!(image = state.id.known(), "forgotten, as skip_destroy says");
        return Ok(());
    }
    let removing = Box::pin(remove(&client.clients, state, left_session.as_deref()));
    let left = Work::Delete
        .within_limit(state, cx.stop(), removing)
        .await
        .map_err(unfinished)??;
    if left.is_empty() {
        info!(
            image = state.id.known(),
            "the image and its snapshots are removed"
        );
        return Ok(());
    }
    Err(still_there(&left).into())
}

/// Before a destroy or a replacement is planned: what is protected by then is known to be in its way.
pub(super) fn plan(prior: &ImageModel) -> Result<()> {
    let is_protected = prior.deregistration_protection.known() == Some(&true);
    match prior.id.known() {
        Some(id) if is_protected && !prior.is_kept() => Err(protected(id).into()),
        _ => Ok(()),
    }
}

async fn remove(
    clients: &Clients,
    state: &ImageModel,
    left_session: Option<&str>,
) -> Result<Vec<Leftover>> {
    let ec2 = clients.ec2().await.map_err(diagnose::config)?;
    let session = state
        .session()
        .or(left_session)
        .and_then(|id| id.parse::<SessionId>().ok());
    match (state.id.known(), session) {
        (Some(id), session) => {
            let image = images::find(ec2, id).await.map_err(diagnose::call)?;
            if image.is_some_and(|image| image.protection() != Protection::Off) {
                return Err(protected(id).into());
            }
            let mut snapshots = state.snapshot_ids();
            if let Some(session) = session {
                let tagged = images::session_snapshots(ec2, &session).await;
                snapshots.extend(state.own(tagged.map_err(diagnose::call)?));
            }
            let left = images::destroy(ec2, id, &snapshots).await;
            left.map_err(|error| diagnose::call(error).into())
        }
        // Of a create that failed, only the session is known for certain.
        (None, Some(session)) => {
            let instance_id = state
                .source_instance_id
                .known()
                .cloned()
                .unwrap_or_default();
            let left = Ec2Imager::new(ec2, instance_id).discard(&session).await;
            left.map_err(|error| {
                Diagnostic::error(
                    "Nothing was removed",
                    diagnose::sentence(&error.to_string()),
                )
                .into()
            })
        }
        (None, None) => Ok(Vec::new()),
    }
}

impl ImageModel {
    fn is_kept(&self) -> bool {
        self.skip_destroy.known() == Some(&true)
    }

    /// Those of the session's snapshots that were taken of our volumes. Somebody's copy may have inherited the tags; EC2
    /// gives it another volume.
    fn own(&self, tagged: BTreeMap<String, Snapshot>) -> impl Iterator<Item = String> {
        let volumes = self.evidence.known().map(|evidence| &evidence.volumes);
        let is_ours = move |volume: &String| volumes.is_none_or(|ours| ours.contains(volume));
        tagged
            .into_iter()
            .filter(move |(_, snapshot)| is_ours(&snapshot.volume_id))
            .map(|(snapshot, _)| snapshot)
    }
}

fn protected(id: &str) -> Diagnostic {
    let detail = format!(
        "{id} is protected from deregistration, so nothing was removed. Set `deregistration_protection = false` and apply \
         that alone, then destroy or replace it; with a cooldown, EC2 refuses for 24 hours more."
    );
    Diagnostic::error("The image is protected", detail).at("deregistration_protection")
}

fn unfinished(Unfinished(why): Unfinished) -> Diagnostic {
    let detail = format!(
        "Removing the image did not come to its end: {why}. It stays in the state; destroy it again."
    );
    Diagnostic::error("The image is not removed yet", detail)
}

fn still_there(left: &[Leftover]) -> Diagnostic {
    let listed: Vec<String> = left
        .iter()
        .map(|it| format!("  - {}: {}", it.id, diagnose::sentence(&it.reason)))
        .collect();
    let detail = format!(
        "It stays in the state; remove what stands in the way, then destroy it again.\n\n{}",
        listed.join("\n")
    );
    Diagnostic::error("Not everything could be removed", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        image::fixtures,
        tags::TagPolicy,
        testing::{self, Aws},
    };

    const DONE: &str = "<return>true</return>";

    /// The image is there; its snapshot, and by its session's tag another one of its volume and somebody's copy.
    fn aws() -> Aws {
        Aws::default()
            .on(
                "DescribeSnapshots",
                fixtures::snapshots(&[
                    ("snap-1", "vol-1"),
                    ("snap-2", "vol-1"),
                    ("snap-3", "vol-f"),
                ]),
            )
            .on(
                "DescribeImages",
                fixtures::image("available", &fixtures::proof()),
            )
    }

    fn deleted(aws: &Aws) -> Vec<String> {
        let calls = aws.calls("DeleteSnapshot").into_iter();
        calls
            .filter_map(|body| Some(body.split("SnapshotId=").nth(1)?.to_owned()))
            .collect()
    }

    #[tokio::test]
    async fn image_and_all_its_snapshots_go_and_a_copy_stays() {
        let aws = aws().on("DeregisterImage", DONE).on("DeleteSnapshot", DONE);
        let cx = testing::context(aws.client(TagPolicy::default()));
        delete(&cx, &fixtures::state()).await.expect("removed");
        assert_eq!(aws.calls("DeregisterImage").len(), 1);
        assert_eq!(deleted(&aws), ["snap-1", "snap-2"]);
    }

    #[tokio::test]
    async fn an_image_to_keep_is_only_forgotten() {
        let aws = Aws::default();
        let cx = testing::context(aws.client(TagPolicy::default()));
        let mut state = fixtures::state();
        state.skip_destroy = true.into();
        delete(&cx, &state).await.expect("forgotten");
        assert!(aws.calls("DeregisterImage").is_empty());
        state.deregistration_protection = true.into();
        plan(&state).expect("protection is not in the way of forgetting");
    }

    #[tokio::test]
    async fn a_protected_image_keeps_everything() {
        for word in ["enabled-with-cooldown", "enabled-without-cooldown"] {
            let shown = fixtures::image("available", &fixtures::proof());
            let word = format!("<deregistrationProtection>{word}</deregistrationProtection>");
            let shown = shown.replace("<tagSet>", &format!("{word}<tagSet>"));
            let aws = Aws::default().on("DescribeImages", shown);
            let cx = testing::context(aws.client(TagPolicy::default()));
            let error = delete(&cx, &fixtures::state())
                .await
                .expect_err("protected");
            let told = error.iter().next().expect("one");
            assert_eq!(told.summary, "The image is protected");
            assert!(aws.calls("DeregisterImage").is_empty());
            assert!(aws.calls("DeleteSnapshot").is_empty());
        }
    }

    #[test]
    fn a_plan_to_destroy_knows_of_the_protection() {
        let mut state = fixtures::state();
        plan(&state).expect("not protected");
        state.deregistration_protection = true.into();
        let error = plan(&state).expect_err("protected");
        let told = error.iter().next().expect("one");
        assert_eq!(told.path, "deregistration_protection".into());
    }

    #[tokio::test]
    async fn what_is_gone_already_is_no_error() {
        let aws = Aws::default()
            .on("DescribeSnapshots", fixtures::NO_SNAPSHOTS)
            .on("DescribeImages", fixtures::NO_IMAGES)
            .refusing(
                "DeregisterImage",
                "InvalidAMIID.NotFound",
                "The image id does not exist",
            )
            .refusing(
                "DeleteSnapshot",
                "InvalidSnapshot.NotFound",
                "The snapshot does not exist",
            );
        let cx = testing::context(aws.client(TagPolicy::default()));
        delete(&cx, &fixtures::state()).await.expect("gone");
        assert_eq!(deleted(&aws), ["snap-1"], "the recorded one is tried");
    }

    #[tokio::test]
    async fn what_is_left_is_named() {
        let aws = aws().on("DeregisterImage", DONE).refusing(
            "DeleteSnapshot",
            "UnauthorizedOperation",
            "You are not authorized to perform this operation.",
        );
        let cx = testing::context(aws.client(TagPolicy::default()));
        let error = delete(&cx, &fixtures::state()).await.expect_err("left");
        let told = error.iter().next().expect("one");
        assert_eq!(told.summary, "Not everything could be removed");
        assert!(
            told.detail.contains("  - snap-1: ec2:DeleteSnapshot: "),
            "{}",
            told.detail
        );
        assert!(told.detail.contains("  - snap-2: "), "{}", told.detail);
    }

    #[tokio::test]
    async fn the_timeout_ends_it_and_says_so() {
        let aws = aws().on("DeregisterImage", DONE).refusing(
            "DeleteSnapshot",
            "InvalidSnapshot.InUse",
            "The snapshot is in use by an AMI",
        );
        let cx = testing::context(aws.client(TagPolicy::default()));
        let mut state = fixtures::state();
        let timeouts = super::super::model::Timeouts {
            delete: "1s".into(),
            ..Default::default()
        };
        state.timeouts = timeouts.into();
        let error = delete(&cx, &state).await.expect_err("too slow");
        let told = error.iter().next().expect("one");
        assert!(
            told.detail.contains("timeouts.delete (1 s) is over"),
            "{}",
            told.detail
        );
    }

    #[tokio::test]
    async fn a_stop_ends_it_at_once() {
        let aws = aws();
        let cx = testing::context(aws.client(TagPolicy::default()));
        cx.stop().cancel();
        let error = delete(&cx, &fixtures::state()).await.expect_err("stopped");
        assert!(
            error
                .iter()
                .next()
                .expect("one")
                .detail
                .contains("it was stopped")
        );
    }

    #[tokio::test]
    async fn what_a_failed_create_left_is_found_by_its_session() {
        let aws = aws_with_pending()
            .on("DeregisterImage", DONE)
            .on("DeleteSnapshot", DONE);
        let cx = testing::context(aws.client(TagPolicy::default()));
        cx.private()
            .set(LEFT_SESSION, &fixtures::SESSION)
            .expect("set");
        let mut state = fixtures::planned();
        state.id = tfplug::Value::Null;
        delete(&cx, &state).await.expect("removed");
        assert_eq!(aws.calls("DeregisterImage").len(), 1);
    }

    fn aws_with_pending() -> Aws {
        let tags = [
            ("consistent:state", "pending"),
            ("consistent:session", fixtures::SESSION),
        ];
        Aws::default()
            .on("DescribeImages", fixtures::image("pending", &tags))
            .on("DescribeSnapshots", fixtures::NO_SNAPSHOTS)
    }
}
