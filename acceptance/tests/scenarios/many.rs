//! Many servers in one apply.

use std::collections::BTreeSet;

use acceptance::{Error, configuration::Configuration, scene::Scene};
use serde_json::Value;

use crate::{Scenario, scenarios};

pub(crate) fn all() -> Vec<Scenario> {
    scenarios![ten_servers_in_one_apply]
}

/// As many as terraform works on at a time by default.
const SERVERS: usize = 10;

async fn ten_servers_in_one_apply(scene: &Scene<'_>) -> Result<(), Error> {
    let mut servers = scene.stage.more_servers(SERVERS - 1).await?;
    servers.push(scene.stage.instance.clone());
    let configuration = Configuration::new(&scene.stage.access()).with(&format!(
        r#"
resource "consistent_db_image" "each" {{
  for_each           = toset({servers:?})
  name               = "orders-${{each.key}}"
  source_instance_id = each.key
  postgresql         = {{}}
}}
"#
    ));
    scene.terraform.configure(configuration.text())?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    scene.terraform.is_content().await?;
    all_proven(scene, &servers).await?;
    scene.terraform.destroy().await?.succeeded()?;
    for server in servers.iter().filter(|it| **it != scene.stage.instance) {
        scene.stage.account.terminate(server).await?;
    }
    Ok(())
}

/// One image of each server, each with a session of its own, and with its proof in EC2.
async fn all_proven(scene: &Scene<'_>, servers: &[String]) -> Result<(), Error> {
    let images = scene.terraform.resources().await?;
    let texts = |pointer: &str| -> BTreeSet<String> {
        let found = images
            .iter()
            .filter_map(|image| image.pointer(pointer)?.as_str());
        found.map(str::to_owned).collect()
    };
    let sessions = texts("/values/evidence/session_id");
    let of = texts("/values/source_instance_id");
    if sessions.len() != SERVERS || of != servers.iter().cloned().collect() {
        return Err(Error::Unexpected(format!("{}", Value::from(images))));
    }
    for id in texts("/values/id") {
        let image = scene.stage.account.image(&id).await?;
        let proven = image.is_some_and(|it| it.tag("consistent:state") == Some("proven"));
        if !proven {
            return Err(Error::Unexpected(format!("{id} is not proven")));
        }
    }
    Ok(())
}
