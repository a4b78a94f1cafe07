//! A database of which the provider is told nothing but its paths, and commands of the user's own (commands.rs has their
//! failures beside a known one).

use acceptance::{Error, scene::Scene, terraform::Outcome};

use crate::{Scenario, scenarios};

pub(super) fn all() -> Vec<Scenario> {
    scenarios![commands_that_do_nothing_give_one_cut, a_thaw_that_hangs]
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

async fn commands_that_do_nothing_give_one_cut(scene: &Scene<'_>) -> Result<(), Error> {
    applied(scene, "true", "true").await?.succeeded()?;
    scene.image_is_clean().await
}

/// The database's own hold is ours, and goes on in time.
async fn a_thaw_that_hangs(scene: &Scene<'_>) -> Result<(), Error> {
    let outcome = applied(scene, "true", "sleep 300").await?;
    outcome.failed_saying_all(&["thaw command", "did not end"])?;
    scene.nothing_left().await
}
