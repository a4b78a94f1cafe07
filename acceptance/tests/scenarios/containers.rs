//! A server in a container: its volumes are found, its image is proven and clean, whatever holds the writes, and comes up in a container again.

use acceptance::{Error, scene::Scene};
use lab::engines::CONTAIN;

use crate::{Scenario, scenarios};

pub(crate) fn all() -> Vec<Scenario> {
    scenarios![an_image_by_freeze_is_clean, an_image_by_pause_is_clean]
}

async fn move_server(scene: &Scene<'_>, direction: &str) -> Result<(), Error> {
    scene
        .in_guest(&["sh", "-ec", CONTAIN, "contain", direction])
        .await?;
    scene.writes_again().await
}

/// The paths that it is proven by are the guest's, whatever the server calls them.
async fn clean(scene: &Scene<'_>, method: &str) -> Result<(), Error> {
    move_server(scene, "in").await?;
    let arguments = format!("  postgresql = {{}}\n  quiesce = {{ method = \"{method}\" }}");
    scene.configure(&arguments)?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    let image = scene.image().await?;
    let evidence = &image["evidence"];
    let paths = serde_json::json!([
        "/etc/postgresql/15/main/pg_hba.conf",
        "/etc/postgresql/15/main/pg_ident.conf",
        "/etc/postgresql/15/main/postgresql.conf",
        "/srv/wal/15-main",
        "/var/lib/postgresql/15/main"
    ]);
    if evidence["method"] != method || evidence["data_paths"] != paths {
        return Err(Error::Unexpected(image.to_string()));
    }
    scene.image_is_clean().await?;
    move_server(scene, "out").await
}

async fn an_image_by_freeze_is_clean(scene: &Scene<'_>) -> Result<(), Error> {
    clean(scene, "freeze").await
}

async fn an_image_by_pause_is_clean(scene: &Scene<'_>) -> Result<(), Error> {
    clean(scene, "pause").await
}
