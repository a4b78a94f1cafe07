//! Making an image: the run of the proof, and what becomes of its answer.

use std::{sync::Arc, time::Duration};

use consistent_aws::{
    ec2::{Ec2Imager, images},
    ssm::SsmGuest,
};
use quiesce::{
    Proof,
    error::ImageFate,
    method::Choice,
    plan::{Attempts, ImagePlan, MaxHold},
};
use tfplug::{Context, Diagnostic, Failure, Result, Value};
use tokio::time::{Instant, timeout};
use tracing::info;

use super::{
    capture, condition, documents, method,
    model::{ImageModel, Quiesce},
    naming, needed,
    private::{LEFT_SESSION, REPLACES},
    record,
    settings::Settings,
    snapshot_tags,
    timeouts::Work,
    young,
};
use crate::{client::Client, diagnose, tags};

/// How long EC2 may take for the settings of an image that is sealed.
const SET_UP: Duration = Duration::from_mins(1);

pub(super) async fn create(
    cx: &Context<Client>,
    mut planned: ImageModel,
) -> Result<ImageModel, Failure<ImageModel>> {
    let began = Instant::now();
    let client = cx.client()?;
    let replaced: Option<String> = cx.private().get(REPLACES)?;
    cx.private().remove(REPLACES);
    naming::name_uniquely(&mut planned);
    let mut run = run(&client, &planned)?;
    let instance_id = needed(&planned.source_instance_id, "source_instance_id")?.clone();
    let ec2 = client.clients.ec2().await.map_err(diagnose::config)?;
    let ssm = client.clients.ssm().await.map_err(diagnose::config)?;
    run.engines = documents::resolved(&client.clients, run.engines).await?;
    let (name, replaced) = (&run.image.name, replaced.as_deref());
    let waiting = Box::pin(naming::wait_for_name(
        &client.clients,
        name,
        replaced,
        cx.stop(),
    ));
    let waited = timeout(run.within, waiting).await;
    waited.unwrap_or_else(|_elapsed| Err(out_of_time(run.within).into()))?;
    let left = run.within.saturating_sub(began.elapsed());
    young::grow_up(&client.clients, &instance_id, left, cx.stop()).await?;
    run.spent = began.elapsed();

    info!(
        instance = instance_id,
        name = run.image.name,
        "taking a consistent image"
    );
    let guest = Arc::new(SsmGuest::new(ssm.clone(), &instance_id));
    let imager = Ec2Imager::new(ec2, &instance_id).noting(record::tags(&planned));
    match run
        .execute(guest, Arc::new(imager), cx.stop().clone())
        .await
    {
        Ok(proof) => {
            take_image(cx, &client, &mut planned, &proof).await;
            let ms = began.elapsed().as_millis();
            info!(image = proof.image.0, ms, "the image is made");
            Ok(planned)
        }
        Err(failure) => Err(failed(cx, &instance_id, planned, &failure)?),
    }
}

fn out_of_time(limit: Duration) -> Diagnostic {
    let seconds = limit.as_secs_f64();
    let detail = format!("timeouts.create ({seconds} s) was over before anything was begun.");
    Diagnostic::error("No image was made", detail).at("timeouts")
}

/// The configuration as the proof takes it.
fn run(client: &Client, planned: &ImageModel) -> Result<quiesce::Plan> {
    let quiesce = needed(&planned.quiesce, "quiesce")?;
    let own = tags::known(&planned.tags).unwrap_or_default();
    let of_snapshots = tags::known(&planned.snapshot_tags).unwrap_or_default();
    Ok(quiesce::Plan {
        image: ImagePlan {
            name: needed(&planned.name, "name")?.clone(),
            description: planned.description.known().cloned().unwrap_or_default(),
            tags: client.tags.wanted(&own),
            snapshot_tags: snapshot_tags::wanted(client, &own, &of_snapshots),
        },
        engines: planned.engines.chosen()?,
        method: choice(quiesce)?,
        capture: capture::call(needed(&planned.capture, "capture")?),
        max_hold: max_hold(quiesce)?,
        attempts: attempts(quiesce)?,
        within: Work::Create.limit(planned)?,
        spent: Duration::ZERO,
    })
}

fn choice(quiesce: &Quiesce) -> Result<Choice> {
    needed(&quiesce.method, "quiesce.method").map(|word| method::choice(word))
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
    set_up(cx, client, planned, &proof.image.0).await;
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

/// What `CreateImage` does not take. A state that says what was planned makes the next refresh see the difference.
async fn set_up(cx: &Context<Client>, client: &Client, planned: &ImageModel, id: &str) {
    let wanted = Settings::from(planned);
    let made = wanted.as_created();
    let making = Box::pin(made.become_in(&wanted, &client.clients, id));
    let done = tokio::select! {
        // First of all, for there may be nothing to make.
        biased;
        done = timeout(SET_UP, making) => done.unwrap_or_else(|_elapsed| {
            Err(not_set_up(&format!("EC2 took longer than {} s.", SET_UP.as_secs())).into())
        }),
        () = cx.stop().cancelled() => Err(not_set_up("The apply was stopped.").into()),
    };
    for problem in done.err().unwrap_or_default() {
        let detail = format!(
            "The image is sealed and complete, but not all of its settings were made; the next apply makes them. {}",
            problem.detail
        );
        cx.warn(Diagnostic::warning(problem.summary, detail).at(problem.path));
    }
}

fn not_set_up(why: &str) -> Diagnostic {
    Diagnostic::error("The image's settings are not made yet", why)
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
    use quiesce::capture::CaptureCall;
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
        planned.capture = "create_snapshots".into();
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
        planned.snapshot_tags = tags::shown([("backup".to_owned(), "no".to_owned())].into());
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
        assert_eq!(run.image.snapshot_tags.len(), 3);
        assert_eq!((run.method, run.attempts.as_u32()), (Choice::Auto, 3));
        assert_eq!(run.capture, CaptureCall::CreateSnapshots);
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

    #[tokio::test]
    async fn settings_that_ec2_refuses_cost_no_image() {
        let denied = "You are not authorized to perform this operation.";
        let aws =
            Aws::default().refusing("EnableImageDeprecation", "UnauthorizedOperation", denied);
        let client = aws.client(TagPolicy::default());
        let cx = testing::context(aws.client(TagPolicy::default()));
        let mut planned = planned();
        planned.deprecation_time = "2031-01-31T00:00:00Z".into();
        set_up(&cx, &client, &planned, fixtures::IMAGE).await;
        let warnings = cx.take_warnings();
        let told = warnings.iter().next().expect("a warning");
        assert_eq!(told.summary, "ec2:EnableImageDeprecation failed");
        assert_eq!(told.path, "deprecation_time".into());
        assert!(told.detail.contains("the next apply makes them"));
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
}
