//! The user's own commands around our hold, on a database of which the provider is told nothing but its paths.

use acceptance::{Error, scene::Scene, terraform::Outcome};

use super::says;
use crate::{Scenario, scenarios};

pub(super) fn all() -> Vec<Scenario> {
    scenarios![
        commands_that_do_nothing_give_one_cut,
        a_freeze_that_hangs,
        a_freeze_that_fails,
        a_freeze_that_talks_without_end,
        a_thaw_that_hangs,
        a_thaw_that_fails,
    ]
}

async fn applied(scene: &Scene<'_>, freeze: &str, thaw: &str) -> Result<Outcome, Error> {
    scene.configure(&format!(
        r#"  custom = {{
    paths           = ["/var/lib/postgresql", "/srv/wal"]
    freeze          = "{freeze}"
    thaw            = "{thaw}"
    command_timeout = 3
  }}"#
    ))?;
    scene.terraform.apply(&[]).await
}

/// Ends in these words, without an image, with a database that writes.
async fn fails(scene: &Scene<'_>, freeze: &str, thaw: &str, words: &[&str]) -> Result<(), Error> {
    says(applied(scene, freeze, thaw).await?, words)?;
    scene.nothing_left().await
}

async fn commands_that_do_nothing_give_one_cut(scene: &Scene<'_>) -> Result<(), Error> {
    applied(scene, "true", "true").await?.succeeded()?;
    scene.image_is_clean().await
}

async fn a_freeze_that_hangs(scene: &Scene<'_>) -> Result<(), Error> {
    fails(
        scene,
        "sleep 300",
        "true",
        &["freeze command", "did not end"],
    )
    .await
}

async fn a_freeze_that_fails(scene: &Scene<'_>) -> Result<(), Error> {
    fails(scene, "exit 3", "true", &["freeze command", "code 3"]).await
}

/// 10 MB.
async fn a_freeze_that_talks_without_end(scene: &Scene<'_>) -> Result<(), Error> {
    let talk = "head -c 10000000 /dev/zero | tr '[:cntrl:]' x";
    fails(scene, talk, "true", &["freeze command", "printed more"]).await
}

async fn a_thaw_that_hangs(scene: &Scene<'_>) -> Result<(), Error> {
    fails(scene, "true", "sleep 300", &["thaw command", "did not end"]).await
}

async fn a_thaw_that_fails(scene: &Scene<'_>) -> Result<(), Error> {
    fails(scene, "true", "exit 4", &["thaw command", "code 4"]).await
}
