//! What Redis and Valkey have of their own: what they keep on disk at all.

use acceptance::{Error, scene::Scene};

use super::{arguments, refused};
use crate::{Scenario, scenarios};

pub(super) fn all() -> Vec<Scenario> {
    scenarios![a_server_that_keeps_nothing, a_snapshot_alone_is_complete]
}

/// Sets what the server keeps while `CONFIG` says so, and puts it back afterwards.
async fn configure(scene: &Scene<'_>, settings: &[&str]) -> Result<(), Error> {
    let cli = format!("{}-cli", scene.stage.engine.name);
    let settings = settings
        .iter()
        .map(|setting| format!("{cli} -e CONFIG SET {setting}; "));
    let script = format!("{}{cli} -e CONFIG REWRITE", settings.collect::<String>());
    scene.in_guest(&["sh", "-ec", &script]).await
}

const NOTHING: &[&str] = &["save ''", "appendonly no"];
const SNAPSHOTS: &[&str] = &["save '3600 1'", "appendonly no"];
const AS_BEFORE: &[&str] = &["save '3600 1 300 100 60 10000'", "appendonly yes"];

async fn a_server_that_keeps_nothing(scene: &Scene<'_>) -> Result<(), Error> {
    configure(scene, NOTHING).await?;
    let refused = refused(scene, "", &["keeps nothing"]).await;
    configure(scene, AS_BEFORE).await?;
    refused
}

/// The default of the packages: no append-only file. What clients were told before the hold is in the image all the same,
/// or the apply says that it is not, where a save takes longer than clients may wait.
async fn a_snapshot_alone_is_complete(scene: &Scene<'_>) -> Result<(), Error> {
    configure(scene, SNAPSHOTS).await?;
    scene.configure(&arguments(scene, "", "freeze"))?;
    let applied = scene.terraform.apply(&[]).await?.succeeded()?;
    let told = applied.said("are not in the image");
    let clean = scene.image_is_clean().await;
    configure(scene, AS_BEFORE).await?;
    if told { Ok(()) } else { clean }
}
