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
use tfplug::{Context, Diagnostic, Failure, Result, Value};
use tracing::info;

use super::{
    condition,
    model::{ImageModel, Quiesce},
    needed, preflight,
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
    let client = cx.client()?;
    let run = run(&client, &planned)?;
    let instance_id = needed(&planned.source_instance_id, "source_instance_id")?.clone();
    let ec2 = client
        .clients
        .ec2()
        .await
        .map_err(|error| diagnose::config(&error))?;
    let ssm = client
        .clients
        .ssm()
        .await
        .map_err(|error| diagnose::config(&error))?;
    wait_for_name(&client.clients, &run.image.name).await?;

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
async fn wait_for_name(clients: &Clients, name: &str) -> Result<()> {
    let ec2 = clients
        .ec2()
        .await
        .map_err(|error| diagnose::config(&error))?;
    let until = tokio::time::Instant::now() + NAME_RELEASE;
    loop {
        let holder = images::named(ec2, name)
            .await
            .map_err(|error| diagnose::call(&error))?;
        let Some(holder) = holder.filter(|image| image.is_proven() || !preflight::is_ours(image))
        else {
            return Ok(());
        };
        if !preflight::is_ours(&holder) || tokio::time::Instant::now() >= until {
            return Err(preflight::taken(&holder).into());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
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
    let hold_ms = proof.evidence.hold.as_millis();
    info!(image = %proof.image, hold_ms, method = %proof.evidence.method, "the image is proven");
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
