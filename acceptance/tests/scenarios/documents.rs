//! Documents that were written for Data Lifecycle Manager's pre and post scripts, run around the hold: what they prove, and how each of
//! their failures ends.

use acceptance::{
    Error,
    moment::Moment,
    scene::{DATA_MOUNT, Scene, WAL_MOUNT},
};
use lab::cloud::{
    faults::{Effect, Fault},
    iam::User,
};
use serde_json::json;

use crate::{Scenario, scenarios};

pub(crate) fn all() -> Vec<Scenario> {
    scenarios![
        a_document_that_freezes_by_itself,
        a_document_around_a_pause,
        a_document_that_is_not_the_pinned_one,
        a_document_without_paths,
        a_document_whose_application_is_not_ready,
        a_pre_script_that_fails,
        a_pre_script_that_hangs,
        a_post_script_that_fails,
        a_document_whose_own_timer_thaws,
        a_document_outlives_everybody,
    ]
}

/// In the shape of the samples in the EBS user guide, for the lab's PostgreSQL; `mode` says how it behaves.
const DOCUMENT: &str = include_str!("documents/freeze.yaml");
/// A word of the document that nothing may repeat.
const CANARY: &str = "canary-0815";

/// Makes the document anew and answers its hash.
async fn written(scene: &Scene<'_>) -> Result<String, Error> {
    let lab = &scene.stage.lab;
    let refused = |error: lab::cloud::ApiError| Error::Unexpected(format!("{error:?}"));
    let _ = lab
        .call(
            User::Operator,
            "ssm:DeleteDocument",
            json!({"Name": "freeze-orders"}),
        )
        .await;
    let document = json!({
        "Name": "freeze-orders", "Content": DOCUMENT, "DocumentFormat": "YAML", "DocumentType": "Command",
    });
    let made = lab
        .call(User::Operator, "ssm:CreateDocument", document)
        .await;
    let made = made.map_err(refused)?;
    let hash = made["DocumentDescription"]["Hash"].as_str();
    Ok(hash.unwrap_or_default().to_owned())
}

/// A checkpoint of a busy server on a busy machine takes its time; one that hangs need not be waited for.
fn arguments(hash: &str, mode: &str, tail: &str) -> String {
    let limit = if mode == "pre-hangs" { 3 } else { 10 };
    format!(
        "  ssm_document = {{
    name            = \"freeze-orders\"
    hash            = \"{hash}\"
    parameters      = {{ mode = \"{mode}\" }}
    paths           = [\"{DATA_MOUNT}\", \"{WAL_MOUNT}\"]
    command_timeout = {limit}
  {tail}"
    )
}

/// An image with the document around it, in this mode; `tail` closes the engine's attribute.
pub(crate) async fn configure(scene: &Scene<'_>, mode: &str, tail: &str) -> Result<(), Error> {
    let hash = written(scene).await?;
    scene.configure(&arguments(&hash, mode, tail))
}

/// An apply that fails with these words, none of them the document's, with nothing left and a database that writes.
async fn fails(scene: &Scene<'_>, mode: &str, words: &[&str]) -> Result<(), Error> {
    configure(scene, mode, "}").await?;
    let outcome = scene.terraform.apply(&[]).await?;
    if outcome.output.contains(CANARY) {
        return Err(Error::Unexpected(outcome.output));
    }
    outcome.failed_saying_all(words)?;
    scene.holds_end_within(60).await?;
    scene.in_guest(&["rm", "-f", "/run/orders.frozen"]).await?;
    scene.nothing_left().await
}

/// Our freeze finds the mounts frozen already, proves them so at the end, and leaves the thaw to the document.
async fn a_document_that_freezes_by_itself(scene: &Scene<'_>) -> Result<(), Error> {
    configure(scene, "freezes", "}").await?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    let image = scene.image().await?;
    let shown = scene
        .stage
        .account
        .image(image["id"].as_str().unwrap_or_default())
        .await?;
    let shown = format!("{shown:?} {image}");
    let is_right = image["engine_version"] == "1"
        && image["evidence"]["method"] == "freeze"
        && !shown.contains(CANARY);
    if !is_right {
        return Err(Error::Unexpected(shown));
    }
    scene
        .in_guest(&["test", "!", "-e", "/run/orders.frozen"])
        .await?;
    scene.terraform.is_content().await?;
    scene.image_is_clean().await
}

/// One that freezes nothing that the server's processes would hang in.
async fn a_document_around_a_pause(scene: &Scene<'_>) -> Result<(), Error> {
    let service = scene.stage.engine.unit;
    let more = format!("  service = \"{service}\"\n  }}\n  quiesce = {{ method = \"pause\" }}");
    configure(scene, "gentle", &more).await?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    scene.image_is_clean().await
}

async fn a_document_that_is_not_the_pinned_one(scene: &Scene<'_>) -> Result<(), Error> {
    let hash = written(scene).await?;
    let other = "0".repeat(64);
    scene.configure(&arguments(&other, "freezes", "}"))?;
    // The plan of it fails.
    let planned = scene.terraform.apply(&[]).await?;
    planned.failed_saying_all(&["not the one that was pinned", &hash, &other])?;
    scene.never_held().await
}

async fn a_document_without_paths(scene: &Scene<'_>) -> Result<(), Error> {
    let hash = written(scene).await?;
    scene.configure(&format!(
        "  ssm_document = {{ name = \"freeze-orders\", hash = \"{hash}\" }}"
    ))?;
    // The plan of it fails.
    let planned = scene.terraform.apply(&[]).await?;
    planned.failed_saying_all(&["ssm_document", "\"paths\" is required"])?;
    configure(scene, "freezes", "}").await?;
    scene.never_held().await
}

async fn a_document_whose_application_is_not_ready(scene: &Scene<'_>) -> Result<(), Error> {
    fails(scene, "not-ready", &["dry-run", "code 206", "is not ready"]).await
}

async fn a_pre_script_that_fails(scene: &Scene<'_>) -> Result<(), Error> {
    fails(
        scene,
        "pre-fails",
        &["pre-script", "code 201", "was not frozen as it should be"],
    )
    .await
}

async fn a_pre_script_that_hangs(scene: &Scene<'_>) -> Result<(), Error> {
    fails(
        scene,
        "pre-hangs",
        &["pre-script", "did not end within 3 s"],
    )
    .await
}

/// It leaves the mounts frozen each time: they are thawed for it.
async fn a_post_script_that_fails(scene: &Scene<'_>) -> Result<(), Error> {
    fails(
        scene,
        "post-fails",
        &["post-script failed 3 times", "code 202"],
    )
    .await?;
    // Later sessions would warn of it.
    let left = "rm -f /run/consistent/sessions/*/left";
    scene.in_guest(&["sh", "-c", left]).await
}

async fn a_document_whose_own_timer_thaws(scene: &Scene<'_>) -> Result<(), Error> {
    let slow = Effect::DelayBefore { ms: 3_000 };
    scene.fault(Fault::on("ec2:CreateImage", slow));
    fails(
        scene,
        "timer",
        &[
            "code 203",
            "own timer had thawed",
            "was not frozen any more",
        ],
    )
    .await
}

/// Nobody is left to ask Systems Manager for the post-script.
async fn a_document_outlives_everybody(scene: &Scene<'_>) -> Result<(), Error> {
    scene.fault(Fault::on(
        "ec2:CreateImage",
        Effect::DelayBefore { ms: 20_000 },
    ));
    configure(scene, "freezes", "}\n  quiesce = { max_hold_seconds = 6 }").await?;
    let run = scene.terraform.start_apply(&[])?;
    scene.until(Moment::Held).await?;
    // In this order: the provider is found as a child of terraform's.
    run.kill_provider()?;
    run.kill_terraform();
    scene.finish(run).await?;
    scene.holds_end_within(6).await?;
    scene.writes_again().await?;
    scene
        .in_guest(&["test", "!", "-e", "/run/orders.frozen"])
        .await?;
    scene.mend();
    // What is left of it is removed by the next one.
    configure(scene, "freezes", "}").await?;
    scene.terraform.apply(&[]).await?.succeeded().map(drop)
}
