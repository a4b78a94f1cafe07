//! Making an image: the run of the proof, and what becomes of its answer.

use std::{sync::Arc, time::Duration};

use consistent_aws::{
    config::Clients,
    ec2::{Ec2Imager, images},
    ssm::SsmGuest,
};
use quiesce::{
    Proof,
    error::ImageFate,
    method::{Choice, Method},
    plan::{Attempts, ImagePlan, MaxHold},
};
use tfplug::{CancellationToken, Context, Diagnostic, Failure, Result, Value};
use tokio::time::{Instant, sleep};
use tracing::info;

use super::{
    condition,
    model::{ImageModel, Quiesce},
    needed, preflight, young,
};
use crate::{client::Client, diagnose, duration, tags};

/// The name under which private state keeps the session of a run that could not clean up after itself.
pub(super) const LEFT_SESSION: &str = "left_session";

/// `timeouts.create`, where it is not set.
const CREATE_TIMEOUT: Duration = Duration::from_hours(1);

/// EC2 may show an image, and keep its name, for a moment after it was deregistered.
const NAME_RELEASE: Duration = Duration::from_secs(15);

pub(super) async fn create(
    cx: &Context<Client>,
    mut planned: ImageModel,
) -> Result<ImageModel, Failure<ImageModel>> {
    let began = Instant::now();
    let client = cx.client()?;
    let mut run = run(&client, &planned)?;
    let instance_id = needed(&planned.source_instance_id, "source_instance_id")?.clone();
    let ec2 = client.clients.ec2().await.map_err(diagnose::config)?;
    let ssm = client.clients.ssm().await.map_err(diagnose::config)?;
    wait_for_name(&client.clients, &run.image.name, cx.stop()).await?;
    young::grow_up(&client.clients, &instance_id, run.within, cx.stop()).await?;
    run.within = run.within.saturating_sub(began.elapsed());

    info!(
        instance = instance_id,
        name = run.image.name,
        "taking a consistent image"
    );
    let guest = Arc::new(SsmGuest::new(ssm.clone(), &instance_id));
    let imager = Arc::new(Ec2Imager::new(ec2, &instance_id));
    match run.execute(guest, imager, cx.stop().clone()).await {
        Ok(proof) => {
            take_image(cx, &client, &mut planned, &proof).await;
            Ok(planned)
        }
        Err(failure) => Err(failed(cx, &instance_id, planned, &failure)?),
    }
}

/// The configuration as the proof takes it.
fn run(client: &Client, planned: &ImageModel) -> Result<quiesce::Plan> {
    let quiesce = needed(&planned.quiesce, "quiesce")?;
    let own = tags::known(&planned.tags).unwrap_or_default();
    let all = client.tags.wanted(&own);
    Ok(quiesce::Plan {
        image: ImagePlan {
            name: needed(&planned.name, "name")?.clone(),
            description: planned.description.known().cloned().unwrap_or_default(),
            tags: all.clone(),
            snapshot_tags: all,
        },
        engines: planned.engines.chosen()?,
        method: method(quiesce)?,
        max_hold: max_hold(quiesce)?,
        attempts: attempts(quiesce)?,
        within: within(planned)?,
    })
}

fn method(quiesce: &Quiesce) -> Result<Choice> {
    let name = needed(&quiesce.method, "quiesce.method")?;
    let methods = [Method::Freeze, Method::Pause, Method::Stop];
    // The attribute's validator lets no fourth word pass.
    let named = methods.into_iter().find(|method| method.as_str() == name);
    Ok(named.map_or(Choice::Auto, Choice::Exactly))
}

fn max_hold(quiesce: &Quiesce) -> Result<MaxHold> {
    let seconds = needed(&quiesce.max_hold_seconds, "quiesce.max_hold_seconds")?;
    MaxHold::from_seconds(*seconds)
        .map_err(|error| Diagnostic::error("quiesce.max_hold_seconds", error.to_string()).into())
}

fn attempts(quiesce: &Quiesce) -> Result<Attempts> {
    let count = needed(&quiesce.attempts, "quiesce.attempts")?;
    Attempts::new(*count)
        .map_err(|error| Diagnostic::error("quiesce.attempts", error.to_string()).into())
}

fn within(planned: &ImageModel) -> Result<Duration> {
    let limit = planned.timeouts.known().and_then(|it| it.create.known());
    limit.map_or(Ok(CREATE_TIMEOUT), |text| {
        duration::parse(text).map_err(|detail| {
            Diagnostic::error("Invalid timeout", detail)
                .at("timeouts")
                .into()
        })
    })
}

/// A name that is taken would else be noticed while writes are held. What a dead run left under it, the run removes.
async fn wait_for_name(clients: &Clients, name: &str, stop: &CancellationToken) -> Result<()> {
    let ec2 = clients.ec2().await.map_err(diagnose::config)?;
    let until = Instant::now() + NAME_RELEASE;
    loop {
        let holder = images::named(ec2, name).await.map_err(diagnose::call)?;
        let Some(holder) = holder.filter(|image| image.is_proven() || !preflight::is_ours(image))
        else {
            return Ok(());
        };
        if !preflight::is_ours(&holder) || Instant::now() >= until {
            return Err(preflight::taken(&holder).into());
        }
        tokio::select! {
            () = sleep(Duration::from_secs(1)) => {}
            () = stop.cancelled() => return Err(Diagnostic::error("Stopped: no image was made", "Nothing was begun.").into()),
        }
    }
}

/// The image is sealed: whatever goes wrong from here on is no reason to lose it.
async fn take_image(
    cx: &Context<Client>,
    client: &Client,
    planned: &mut ImageModel,
    proof: &Proof,
) {
    for warning in &proof.warnings {
        cx.warn(Diagnostic::warning(
            "The server has a remark",
            diagnose::sentence(warning),
        ));
    }
    let own = tags::known(&planned.tags).unwrap_or_default();
    planned.tags_all = tags::shown(client.tags.managed(&client.tags.wanted(&own)));
    planned.take_proof(proof);
    planned.state = condition::AVAILABLE.into();
    if let Err(detail) = take_facts(client, planned, &proof.image.0).await {
        planned.settle_facts();
        let detail = format!(
            "It is sealed and complete; the next refresh fills in what is missing. {detail}"
        );
        cx.warn(Diagnostic::warning(
            "EC2 did not describe the new image",
            detail,
        ));
    }
}

async fn take_facts(client: &Client, planned: &mut ImageModel, id: &str) -> Result<(), String> {
    let ec2 = client
        .clients
        .ec2()
        .await
        .map_err(|error| error.to_string())?;
    let region = client
        .clients
        .region()
        .await
        .map_err(|error| error.to_string())?;
    planned.arn = Value::Known(images::arn(&region, id));
    match images::find(ec2, id).await {
        Ok(Some(image)) => {
            planned.take_facts(&image, &region);
            Ok(())
        }
        Ok(None) => Err("EC2 does not list it yet.".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Where something is left, the state keeps its trace, so that a destroy can remove it.
fn failed(
    cx: &Context<Client>,
    instance_id: &str,
    mut planned: ImageModel,
    failure: &quiesce::Failure,
) -> Result<Failure<ImageModel>> {
    let told: Failure<ImageModel> = diagnose::failure(instance_id, failure).into();
    let ImageFate::Left { known, .. } = &failure.image else {
        return Ok(told);
    };
    cx.private().set(LEFT_SESSION, &failure.session.as_str())?;
    let image = known.iter().find(|left| left.id.starts_with("ami-"));
    planned.id = image.map(|left| left.id.clone()).into();
    planned.state = condition::UNPROVEN.into();
    Ok(told.keeping(planned))
}

#[cfg(test)]
mod tests {
    use tfplug::Cty;

    use super::*;
    use crate::{
        image::fixtures,
        tags::TagPolicy,
        testing::{self, Aws},
    };

    /// With an engine, and the defaults that a plan fills in.
    fn planned() -> ImageModel {
        let engine = ("postgresql".to_owned(), Cty::Map([].into()));
        let mut planned = fixtures::planned();
        planned.engines = tfplug::Model::from_cty(Cty::Map([engine].into())).expect("an engine");
        planned.quiesce = Quiesce::default().into();
        planned
    }

    async fn failure(aws: &Aws) -> Diagnostic {
        let cx = testing::context(aws.client(TagPolicy::default()));
        let failure = create(&cx, planned()).await.expect_err("no image");
        assert!(
            failure.state.is_none(),
            "nothing was begun, so nothing is stored"
        );
        failure
            .diagnostics
            .into_iter()
            .next()
            .expect("a diagnostic")
    }

    #[test]
    fn a_run_is_what_the_plan_says() {
        let mut planned = planned();
        planned.timeouts = super::super::model::Timeouts {
            create: "90s".into(),
            ..Default::default()
        }
        .into();
        planned.tags = tags::shown([("Name".to_owned(), "orders".to_owned())].into());
        let defaults = [("Team".to_owned(), "dba".to_owned())].into();
        let client = Aws::default().client(TagPolicy {
            defaults,
            ..TagPolicy::default()
        });
        let run = run(&client, &planned).expect("a run");
        assert_eq!(
            (run.image.name.as_str(), run.image.description.as_str()),
            ("orders", "")
        );
        assert_eq!(run.image.tags.len(), 2);
        assert_eq!(run.image.snapshot_tags, run.image.tags);
        assert_eq!((run.method, run.attempts.as_u32()), (Choice::Auto, 3));
        assert_eq!(
            (run.max_hold.as_duration().as_secs(), run.within.as_secs()),
            (60, 90)
        );
        assert_eq!(
            run.engines
                .iter()
                .map(quiesce::engines::Options::name)
                .collect::<Vec<_>>(),
            ["postgresql"]
        );
    }

    #[test]
    fn a_method_is_taken_by_its_name() {
        let quiesce = |method: &str| Quiesce {
            method: method.into(),
            ..Quiesce::default()
        };
        assert_eq!(
            method(&quiesce("pause")),
            Ok(Choice::Exactly(Method::Pause))
        );
        assert_eq!(method(&quiesce("auto")), Ok(Choice::Auto));
    }

    #[tokio::test]
    async fn a_refusal_says_that_nothing_was_touched() {
        let aws = Aws::default().on("DescribeImages", fixtures::NO_IMAGES).on(
            "DescribeInstances",
            fixtures::instance("stopped", "ebs", ""),
        );
        let told = failure(&aws).await;
        assert_eq!(
            told.summary,
            "No image: the server cannot be held safely as it is"
        );
        let paragraphs: Vec<&str> = told.detail.split("\n\n").collect();
        assert!(paragraphs[0].starts_with("Instance i-0123456789abcdef0, session "));
        assert!(paragraphs[1].starts_with(
            "  - Instance i-0123456789abcdef0 is stopped, not running. Start the instance"
        ));
        assert_eq!(
            paragraphs[2],
            "The database's writes were never held. No image was begun."
        );
        assert_eq!(paragraphs.len(), 3);
    }

    #[tokio::test]
    async fn a_server_that_cannot_be_asked_was_not_touched() {
        let aws = Aws::default()
            .on("DescribeImages", fixtures::NO_IMAGES)
            .on(
                "DescribeInstances",
                fixtures::instance("running", "ebs", ""),
            )
            .refusing("SendCommand", "InvalidInstanceId", "no such instance");
        let told = failure(&aws).await;
        assert_eq!(told.summary, "No image was made");
        assert!(
            told.detail.contains("Probe: The script was not sent"),
            "{}",
            told.detail
        );
        assert!(
            told.detail.contains("AmazonSSMManagedInstanceCore"),
            "{}",
            told.detail
        );
        assert!(
            told.detail
                .contains("The database's writes were never held."),
            "{}",
            told.detail
        );
    }

    #[tokio::test]
    async fn a_name_that_is_taken_is_noticed_before_anything_is_sent() {
        let aws = Aws::default().on("DescribeImages", fixtures::image("available", &[]));
        let told = failure(&aws).await;
        assert_eq!(
            (told.summary.as_str(), told.path),
            ("The image's name is taken", "name".into())
        );
        assert!(aws.calls("SendCommand").is_empty());
    }

    #[tokio::test]
    async fn a_name_that_is_just_being_released_is_waited_for() {
        let proven = fixtures::image("available", &fixtures::proof());
        let aws = Aws::default()
            .on("DescribeImages", proven)
            .on("DescribeImages", fixtures::NO_IMAGES);
        let client = aws.client(TagPolicy::default());
        wait_for_name(&client.clients, "orders", &CancellationToken::new())
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
        wait_for_name(&client.clients, "orders", &CancellationToken::new())
            .await
            .expect("swept by the run");
    }
}
