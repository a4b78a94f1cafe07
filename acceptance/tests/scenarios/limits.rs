//! `timeouts` shorter than the work: kept to the second, with a message that says what is so.

use std::time::Duration;

use acceptance::{Error, scene::Scene, terraform::Outcome};
use lab::cloud::{
    faults::{Effect, Fault},
    journal::Event,
};
use tokio::time::Instant;

use crate::{Scenario, scenarios};

pub(crate) fn all() -> Vec<Scenario> {
    scenarios![
        a_create_ends_in_time_and_leaves_nothing,
        an_update_ends_in_time_and_is_made_up_for,
        a_destroy_ends_in_time_and_is_made_up_for,
    ]
}

/// Seconds. Long enough for everything up to the capture.
const CREATE: u64 = 20;
/// Seconds. Shorter than [`SLOW`].
const CHANGE: u64 = 3;
const SLOW: u64 = 20_000;

/// What a busy machine adds: a process that has to be scheduled, terraform that has to print.
const LEEWAY: Duration = Duration::from_millis(2_500);

/// Longer than any of these commands takes until it begins with the work itself.
const BEGINS_WITHIN: Duration = Duration::from_mins(1);

fn arguments(work: &str, seconds: u64) -> String {
    format!("  postgresql = {{}}\n  timeouts   = {{ {work} = \"{seconds}s\" }}")
}

fn lasted(took: Duration, seconds: u64) -> Result<(), Error> {
    let limit = Duration::from_secs(seconds);
    // The clock here starts when a word of terraform's is read, which may be after the work began.
    if took + LEEWAY / 2 >= limit && took <= limit + LEEWAY {
        return Ok(());
    }
    let took = took.as_secs_f64();
    Err(Error::Unexpected(format!("{took:.1} s, not {seconds} s")))
}

/// Runs a command, and says how long it worked from the time when terraform says `begins` on.
async fn timed(
    scene: &Scene<'_>,
    command: &[&str],
    begins: &str,
) -> Result<(Outcome, Duration), Error> {
    let run = scene
        .terraform
        .start(&[command, &["-auto-approve", "-input=false"]].concat())?;
    run.until_said(begins, BEGINS_WITHIN).await?;
    let began = Instant::now();
    let outcome = scene.finish(run).await?;
    Ok((outcome, began.elapsed()))
}

/// The image is captured in time, but does not become available in time.
async fn a_create_ends_in_time_and_leaves_nothing(scene: &Scene<'_>) -> Result<(), Error> {
    scene.images_take(10 * 60 * 1_000);
    scene.configure(&arguments("create", CREATE))?;
    let outcome = scene.terraform.apply(&[]).await?;
    let outcome = outcome.failed_saying(&format!("took longer than {CREATE} s"))?;
    outcome.failed_saying("Raise timeouts.create")?;
    lasted(worked(scene)?, CREATE)?;
    scene.nothing_left().await
}

/// From the first script to the first call that undoes.
fn worked(scene: &Scene<'_>) -> Result<Duration, Error> {
    let entries = scene.journal()?;
    let first = |wanted: &str| {
        let began = entries.iter().find_map(|entry| match &entry.event {
            Event::Call { action, began, .. } if action == wanted => Some(*began),
            _ => None,
        });
        began.ok_or_else(|| Error::Unexpected(format!("no {wanted} in the journal")))
    };
    let (from, to) = (first("ssm:SendCommand")?, first("ec2:DeregisterImage")?);
    Ok(to - from)
}

async fn an_update_ends_in_time_and_is_made_up_for(scene: &Scene<'_>) -> Result<(), Error> {
    let arguments = arguments("update", CHANGE);
    scene.configure(&arguments)?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    let slow = Effect::DelayBefore { ms: SLOW };
    scene.fault(Fault::on("ec2:ModifyImageAttribute", slow));
    scene.configure(&format!("{arguments}\n  description = \"of the orders\""))?;
    let (outcome, took) = timed(scene, &["apply"], "Modifying...").await?;
    outcome.failed_saying(&format!("timeouts.update ({CHANGE} s) is over"))?;
    lasted(took, CHANGE)?;
    scene.mend();
    scene.terraform.plan(&[]).await?.has_changes()?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    scene.terraform.plan(&[]).await?.is_empty()
}

async fn a_destroy_ends_in_time_and_is_made_up_for(scene: &Scene<'_>) -> Result<(), Error> {
    scene.configure(&arguments("delete", CHANGE))?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    let slow = Effect::DelayBefore { ms: SLOW };
    scene.fault(Fault::on("ec2:DeregisterImage", slow));
    let (outcome, took) = timed(scene, &["destroy"], "Destroying...").await?;
    let outcome = outcome.failed_saying(&format!("timeouts.delete ({CHANGE} s) is over"))?;
    outcome.failed_saying("It stays in the state")?;
    lasted(took, CHANGE)?;
    scene.image().await?;
    scene.mend();
    scene.terraform.destroy().await?.succeeded()?;
    scene.nothing_left().await
}
