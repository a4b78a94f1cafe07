//! Images that come and stay in other ways than by an apply and a destroy: imported, moved, kept, protected, replaced
//! without a gap.

use std::{fs, os::unix::fs::symlink};

use acceptance::{
    Error, binaries,
    configuration::{Access, Configuration},
    scene::{IMAGE, NAME, Scene},
};
use lab::cloud::iam::User;
use serde_json::{Value, json};

use crate::{Scenario, scenarios};

pub(crate) fn all() -> Vec<Scenario> {
    scenarios![
        an_image_imports_into_an_empty_plan,
        settings_change_in_place,
        a_protected_image_is_not_destroyed,
        an_image_to_keep_is_only_forgotten,
        a_replacement_without_a_gap,
        an_image_of_hashicorp_aws_is_replaced_by_a_proven_one,
    ]
}

const ARGUMENTS: &str = "  postgresql = {}";

async fn id(scene: &Scene<'_>) -> Result<String, Error> {
    let image = scene.image().await?;
    let id = image["id"].as_str().map(str::to_owned);
    id.ok_or_else(|| Error::Unexpected(format!("no id in {image}")))
}

fn expect(holds: bool, what: impl Into<String>) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    Err(Error::Unexpected(what.into()))
}

async fn an_image_imports_into_an_empty_plan(scene: &Scene<'_>) -> Result<(), Error> {
    scene.configure(
        r#"  postgresql    = {}
  description   = "Before the upgrade"
  quiesce       = { max_hold_seconds = 30 }
  triggers      = { release = "2026.11" }
  tags          = { Team = "orders" }
  snapshot_tags = { Backup = "no" }
  timeouts      = { create = "50m", delete = "20m" }"#,
    )?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    let made = scene.image().await?;
    let id = id(scene).await?;
    scene
        .terraform
        .run(&["state", "rm", IMAGE])
        .await?
        .succeeded()?;
    scene
        .terraform
        .run(&["import", "-input=false", IMAGE, &id])
        .await?
        .succeeded()?;
    scene.terraform.is_content().await?;
    let imported = scene.image().await?;
    for attribute in ["recovery_point", "engine_version", "snapshots", "tags_all"] {
        expect(
            imported[attribute] == made[attribute],
            format!(
                "{attribute}: {} was {}",
                imported[attribute], made[attribute]
            ),
        )?;
    }
    Ok(())
}

async fn settings_change_in_place(scene: &Scene<'_>) -> Result<(), Error> {
    let configured = |settings: &str| scene.configure(&format!("{ARGUMENTS}\n{settings}"));
    configured("  description = \"first\"\n  deprecation_time = \"2031-01-31T00:00:20Z\"")?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    let before = id(scene).await?;
    scene.terraform.is_content().await?;
    for settings in [
        "  description = \"second\"\n  deprecation_time = \"2032-01-31T01:00:00+01:00\"",
        "  deregistration_protection = true",
        "  snapshot_tags = { Backup = \"no\" }\n  timeouts = { delete = \"20m\" }",
        "",
    ] {
        configured(settings)?;
        scene.terraform.apply(&[]).await?.succeeded()?;
        scene.terraform.is_content().await?;
    }
    let after = id(scene).await?;
    expect(before == after, format!("{before} became {after}"))?;
    scene.held_times(1).await
}

async fn a_protected_image_is_not_destroyed(scene: &Scene<'_>) -> Result<(), Error> {
    scene.configure(&format!("{ARGUMENTS}\n  deregistration_protection = true"))?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    let there = scene.added().await?;
    let refused = scene.terraform.destroy().await?;
    refused.failed_saying("The image is protected")?;
    let still = scene.added().await?;
    expect(still == there, format!("{there:?} became {still:?}"))?;
    scene.configure(ARGUMENTS)?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    scene.terraform.destroy().await?.succeeded()?;
    scene.nothing_left().await
}

async fn an_image_to_keep_is_only_forgotten(scene: &Scene<'_>) -> Result<(), Error> {
    scene.configure(&format!("{ARGUMENTS}\n  skip_destroy = true"))?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    let id = id(scene).await?;
    let there = scene.added().await?;
    scene.terraform.destroy().await?.succeeded()?;
    let still = scene.added().await?;
    expect(still == there, format!("{there:?} became {still:?}"))?;
    match scene.stage.account.image(&id).await? {
        Some(image) => scene.stage.account.discard(&image).await,
        None => Err(Error::Unexpected(format!("{id} is gone"))),
    }
}

/// One resource whose new image exists before the old one goes.
fn without_a_gap(scene: &Scene<'_>, access: &Access, arguments: &str) -> Result<(), Error> {
    let configuration = Configuration::new(access).with(&format!(
        r#"
resource "consistent_db_image" "orders" {{
  name_prefix        = "{NAME}-"
  source_instance_id = "{}"
{ARGUMENTS}
{arguments}

  lifecycle {{
    create_before_destroy = true
  }}
}}
"#,
        scene.stage.instance
    ));
    scene.terraform.configure(configuration.text())
}

async fn a_replacement_without_a_gap(scene: &Scene<'_>) -> Result<(), Error> {
    let access = scene.stage.access();
    without_a_gap(scene, &access, "  triggers = { build = \"1\" }")?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    scene.terraform.is_content().await?;
    let old = id(scene).await?;
    let failing = "  triggers = { build = \"2\" }\n  timeouts = { create = \"1s\" }";
    without_a_gap(scene, &access, failing)?;
    let failed = scene.terraform.apply(&[]).await?;
    expect(failed.code == Some(1), failed.to_string())?;
    let kept = scene.stage.account.image(&old).await?;
    let available = kept.is_some_and(|image| image.state == "available");
    expect(
        available,
        format!("{old} is gone before it was replaced: {failed}"),
    )?;
    without_a_gap(scene, &access, "  triggers = { build = \"2\" }")?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    let (new, added) = (id(scene).await?, scene.added().await?);
    let replaced = new != old && !added.contains(&old) && added.len() == 4;
    expect(replaced, format!("{old} became {new}: {added:?}"))?;
    scene.terraform.is_content().await
}

/// What hashicorp/aws has in its state of an image.
fn foreign_state(image: &acceptance::account::Image, instance: &str) -> Value {
    let devices = image.snapshots().enumerate().map(|(number, snapshot)| {
        json!({"device_name": format!("/dev/sd{number}"), "snapshot_id": snapshot, "volume_size": 8, "encrypted": false})
    });
    let attributes = json!({
        "id": image.id, "name": "plain", "source_instance_id": instance, "description": "", "tags": null, "tags_all": {},
        "ebs_block_device": devices.collect::<Vec<_>>(),
    });
    json!({
        "version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "l", "outputs": {},
        "resources": [{
            "mode": "managed", "type": "aws_ami_from_instance", "name": "orders",
            "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]",
            "instances": [{"schema_version": 0, "attributes": attributes}],
        }],
    })
}

/// A state of hashicorp/aws asks for a provider at its address, though nothing of it is used.
fn stand_in_for_aws(scene: &Scene<'_>) -> Result<(), Error> {
    let (directory, ours) = (scene.terraform.directory(), binaries::provider_directory()?);
    let stand_in = directory.join("stand-in");
    fs::create_dir(&stand_in).map_err(Error::io("stand-in"))?;
    let program = stand_in.join("terraform-provider-aws");
    symlink(ours.join(binaries::PROVIDER), program).map_err(Error::io("stand-in"))?;
    let overrides = format!(
        "provider_installation {{\n  dev_overrides {{\n    \"registry.terraform.io/consistent-db/consistent\" = \"{}\"\n    \
         \"registry.terraform.io/hashicorp/aws\" = \"{}\"\n  }}\n  direct {{}}\n}}\n",
        ours.display(),
        stand_in.display()
    );
    fs::write(directory.join("cli.tfrc"), overrides).map_err(Error::io("cli.tfrc"))
}

async fn an_image_of_hashicorp_aws_is_replaced_by_a_proven_one(
    scene: &Scene<'_>,
) -> Result<(), Error> {
    let instance = &scene.stage.instance;
    let plain = scene.stage.account.plain_image(instance, "plain").await?;
    stand_in_for_aws(scene)?;
    let state = foreign_state(&plain, instance).to_string();
    let directory = scene.terraform.directory();
    fs::write(directory.join("terraform.tfstate"), state).map_err(Error::io("a state"))?;
    // The old image bears none of our tags, so the policy of schemas/iam does not let it be destroyed.
    let operator = Access::of(&scene.stage.lab, User::Operator);
    without_a_gap(scene, &operator, "")?;
    let moved = "\nmoved {\n  from = aws_ami_from_instance.orders\n  to   = consistent_db_image.orders\n}\n";
    fs::write(directory.join("moved.tf"), moved).map_err(Error::io("moved.tf"))?;
    let planned = scene.terraform.plan(&[]).await?.has_changes()?;
    expect(
        planned.said("was not made by this provider, so nothing proves that it is consistent"),
        planned.to_string(),
    )?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    let added = scene.added().await?;
    let replaced = !added.contains(&plain.id) && added.len() == 4;
    expect(replaced, format!("{} is left: {added:?}", plain.id))?;
    scene.terraform.is_content().await
}
