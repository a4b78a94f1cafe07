//! `terraform-provider-consistent doctor`: it finds what a killed run left, removes that alone, and leaves a live run alone.

use std::{process::Stdio, time::Duration};

use acceptance::{
    Error, binaries,
    configuration::Configuration,
    moment::Moment,
    scene::Scene,
    terraform::{Outcome, Run},
};
use serde_json::Value;
use tokio::{process::Command, time::timeout};

use crate::{Scenario, scenarios};

/// Exit codes, as docs/guides/doctor.md lists them.
const NOTHING: i32 = 0;
const FOUND: i32 = 2;

/// Seconds.
const MAX_HOLD: u64 = 8;
const ARGUMENTS: &str = "  postgresql = {}\n  quiesce    = { max_hold_seconds = 8 }";
/// The image, and its three snapshots.
const PARTS: usize = 4;
const LIMIT: Duration = Duration::from_mins(1);

pub(crate) fn all() -> Vec<Scenario> {
    scenarios![
        what_a_killed_run_left_is_shown_and_removed,
        a_live_run_is_left_alone,
    ]
}

async fn what_a_killed_run_left_is_shown_and_removed(scene: &Scene<'_>) -> Result<(), Error> {
    scene.images_take(60_000);
    killed(scene).await?;
    let shown = ended(doctor(scene, &[]).await?, FOUND)?;
    says(
        &shown,
        &[
            "began to hold writes by freeze",
            "2 of 2 switches live",
            "not proven, expires",
        ],
    )?;
    // Neither the hold nor the image is provably a dead run's yet.
    let untouched = ended(doctor(scene, &["--clean"]).await?, FOUND)?;
    says(
        &untouched,
        &[
            "not let go: its run may be alive",
            "not removed: it has not expired",
        ],
    )?;
    scene.holds_end_within(MAX_HOLD).await?;
    scene.writes_again().await?;
    let dead = scene.added().await?;

    scene.images_take(0);
    scene.configure(ARGUMENTS)?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    let account = &scene.stage.account;
    let foreign = account
        .plain_image(&scene.stage.instance, "foreign")
        .await?;
    // As if its time had passed.
    for id in &dead {
        account
            .tag(id, "consistent:expires", "2001-01-01T00:00:00Z")
            .await?;
    }
    let before = scene.added().await?;
    let cleaned = ended(doctor(scene, &["--clean"]).await?, NOTHING)?;
    let gone: Vec<String> = dead.iter().map(|id| format!("{id}: removed")).collect();
    says(
        &cleaned,
        &gone.iter().map(String::as_str).collect::<Vec<_>>(),
    )?;
    says(&cleaned, &["proven images, which are never touched: 1"])?;
    let (after, kept) = (
        scene.added().await?,
        before.difference(&dead).cloned().collect(),
    );
    if dead.len() != PARTS || after != kept || after.len() != 2 * PARTS {
        return Err(Error::Unexpected(format!(
            "of {before:?} {after:?} were kept, not {kept:?}"
        )));
    }
    account.discard(&foreign).await?;
    scene.writes_again().await
}

/// A run that is killed while it holds, terraform and provider.
async fn killed(scene: &Scene<'_>) -> Result<(), Error> {
    let configuration = Configuration::new(&scene.stage.access());
    let configuration = configuration.image("killed", "killed", &scene.stage.instance, ARGUMENTS);
    scene.terraform.configure(configuration.text())?;
    let run = held(scene).await?;
    run.kill_provider()?;
    run.kill_terraform();
    scene.finish(run).await.map(drop)
}

/// A run whose snapshots have all begun, and which does not know it yet.
async fn held(scene: &Scene<'_>) -> Result<Run, Error> {
    let run = scene.terraform.start_apply(&[])?;
    scene.until(Moment::CaptureAnswered).await?;
    Ok(run)
}

async fn a_live_run_is_left_alone(scene: &Scene<'_>) -> Result<(), Error> {
    let before: Value = json(&ended(doctor(scene, &["--json"]).await?, NOTHING)?)?;
    if before["server"]["asked"] != true || before["ec2"]["asked"] != true {
        return Err(Error::Unexpected(format!(
            "not everybody was asked: {before}"
        )));
    }
    // Long enough for the doctor to meet it.
    scene.images_take(8_000);
    scene.configure(ARGUMENTS)?;
    let run = held(scene).await?;
    let met = json(&ended(doctor(scene, &["--clean", "--json"]).await?, FOUND)?)?;
    if met["ec2"]["pending"][0]["expired"] != false {
        return Err(Error::Unexpected(format!("a live run expected: {met}")));
    }
    scene.finish(run).await?.succeeded()?;
    let after = json(&ended(doctor(scene, &["--json"]).await?, NOTHING)?)?;
    if after["ec2"]["proven_images"] != 1 {
        return Err(Error::Unexpected(format!(
            "one proven image expected: {after}"
        )));
    }
    scene.image_is_clean().await
}

/// The image maker asks about the production server, with credentials of the environment.
async fn doctor(scene: &Scene<'_>, options: &[&str]) -> Result<Outcome, Error> {
    let access = scene.stage.access();
    let program = binaries::provider_directory()?.join(binaries::PROVIDER);
    let mut command = Command::new(program);
    command
        .args([
            "doctor",
            "--instance",
            &scene.stage.instance,
            "--region",
            &access.region,
        ])
        .args(options)
        .env_clear()
        .env("HOME", scene.terraform.directory())
        .env("AWS_ACCESS_KEY_ID", &access.access_key)
        .env("AWS_SECRET_ACCESS_KEY", &access.secret_key)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    for service in ["ec2", "ssm", "sts"] {
        command
            .arg(format!("--endpoint-url-{service}"))
            .arg(&access.endpoint);
    }
    let output = timeout(LIMIT, command.output()).await;
    let output = output.map_err(|_elapsed| Error::timed_out("doctor", LIMIT))?;
    let output = output.map_err(Error::io("doctor"))?;
    let text = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    Ok(Outcome {
        command: format!("doctor {}", options.join(" ")),
        code: output.status.code(),
        output: text.concat(),
    })
}

fn ended(outcome: Outcome, code: i32) -> Result<Outcome, Error> {
    if outcome.code == Some(code) {
        return Ok(outcome);
    }
    Err(Error::Unexpected(format!("expected {code}: {outcome}")))
}

fn says(outcome: &Outcome, texts: &[&str]) -> Result<(), Error> {
    match texts.iter().find(|text| !outcome.said(text)) {
        Some(text) => Err(Error::Unexpected(format!("no {text:?} in: {outcome}"))),
        None => Ok(()),
    }
}

fn json(outcome: &Outcome) -> Result<Value, Error> {
    serde_json::from_str(&outcome.output)
        .map_err(|error| Error::Unexpected(format!("{error}: {outcome}")))
}
