//! Terraform itself is content: plans are empty after an apply, and every way to change or lose an image works.

use std::collections::BTreeSet;

use acceptance::{
    Error,
    configuration::Configuration,
    scene::{IMAGE, NAME, Scene},
};
use serde_json::Value;

use crate::{Scenario, scenarios};

pub(crate) fn all() -> Vec<Scenario> {
    scenarios![
        an_apply_sets_every_attribute_and_leaves_an_empty_plan,
        unknown_inputs_plan_and_apply,
        tags_change_in_place,
        a_trigger_replaces,
        replace_on_request,
        a_tainted_image_is_replaced,
        a_vanished_image_is_made_again,
        an_image_that_lost_its_proof_is_replaced,
        a_targeted_apply_leaves_the_rest,
        destroy_leaves_nothing,
    ]
}

const ARGUMENTS: &str = "  postgresql = {}";

/// Applies [`ARGUMENTS`] and returns the image's id.
async fn applied(scene: &Scene<'_>) -> Result<String, Error> {
    scene.configure(ARGUMENTS)?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    id(scene).await
}

async fn id(scene: &Scene<'_>) -> Result<String, Error> {
    text(&scene.image().await?["id"])
}

fn text(value: &Value) -> Result<String, Error> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| Error::Unexpected(format!("not a string: {value}")))
}

/// A new image in place of `old`, which is gone with its snapshots.
async fn replaced(scene: &Scene<'_>, old: &str) -> Result<(), Error> {
    let new = id(scene).await?;
    let added = scene.added().await?;
    if new == old || added.contains(old) || added.len() != 4 {
        return Err(Error::Unexpected(format!("{old} became {new}: {added:?}")));
    }
    scene.terraform.is_content().await
}

async fn an_apply_sets_every_attribute_and_leaves_an_empty_plan(
    scene: &Scene<'_>,
) -> Result<(), Error> {
    applied(scene).await?;
    scene.terraform.is_content().await?;
    nothing_drifted(scene).await?;
    let image = scene.image().await?;
    let attributes = [
        "id",
        "arn",
        "architecture",
        "root_device_name",
        "creation_date",
        "owner_id",
        "state",
        "engine_version",
        "recovery_point",
        "snapshots",
        "evidence",
    ];
    for attribute in attributes {
        set(&image, attribute)?;
    }
    let evidence = &image["evidence"];
    for attribute in [
        "session_id",
        "method",
        "data_paths",
        "volumes",
        "frozen_at",
        "released_at",
        "hold_ms",
        "attempts",
    ] {
        set(evidence, attribute)?;
    }
    snapshots_are_those_of_the_image(scene, &image).await?;
    scene.image_is_clean().await
}

/// A refresh finds what terraform knows, to the last bit.
async fn nothing_drifted(scene: &Scene<'_>) -> Result<(), Error> {
    scene.terraform.plan(&["-refresh-only"]).await?.is_empty()
}

fn set(object: &Value, attribute: &str) -> Result<(), Error> {
    match &object[attribute] {
        Value::Null => Err(Error::Unexpected(format!(
            "{attribute} is null in {object}"
        ))),
        Value::String(text) if text.is_empty() => Err(Error::Unexpected(format!(
            "{attribute} is empty in {object}"
        ))),
        Value::Array(all) if all.is_empty() => Err(Error::Unexpected(format!(
            "{attribute} is empty in {object}"
        ))),
        _ => Ok(()),
    }
}

async fn snapshots_are_those_of_the_image(scene: &Scene<'_>, image: &Value) -> Result<(), Error> {
    let listed = image["snapshots"].as_array().into_iter().flatten();
    let mut told: BTreeSet<String> = listed
        .map(|one| text(&one["snapshot_id"]))
        .collect::<Result<_, _>>()?;
    told.insert(text(&image["id"])?);
    let added = scene.added().await?;
    if told == added {
        return Ok(());
    }
    Err(Error::Unexpected(format!(
        "state has {told:?}, EC2 {added:?}"
    )))
}

/// Inputs that are known only when something else was applied.
async fn unknown_inputs_plan_and_apply(scene: &Scene<'_>) -> Result<(), Error> {
    let configuration = Configuration::new(&scene.stage.access()).with(&format!(
        r#"
resource "terraform_data" "server" {{
  input = "{instance}"
}}

resource "terraform_data" "build" {{
}}

resource "consistent_db_image" "orders" {{
  name               = "{NAME}-${{terraform_data.build.id}}"
  source_instance_id = terraform_data.server.output
  postgresql         = {{}}
  triggers           = {{ build = terraform_data.build.id }}
  tags               = {{ Build = terraform_data.build.id }}
}}
"#,
        instance = scene.stage.instance
    ));
    scene.terraform.configure(configuration.text())?;
    scene.terraform.plan(&[]).await?.has_changes()?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    scene.terraform.is_content().await
}

async fn tags_change_in_place(scene: &Scene<'_>) -> Result<(), Error> {
    let before = applied(scene).await?;
    scene.configure(&format!("{ARGUMENTS}\n  tags = {{ Team = \"orders\" }}"))?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    let after = id(scene).await?;
    let image = scene.stage.account.image(&after).await?;
    let tag = image.as_ref().and_then(|image| image.tag("Team"));
    if after != before || tag != Some("orders") {
        return Err(Error::Unexpected(format!(
            "{before} became {after} with tag {tag:?}"
        )));
    }
    scene.terraform.is_content().await
}

async fn a_trigger_replaces(scene: &Scene<'_>) -> Result<(), Error> {
    let old = applied(scene).await?;
    scene.configure(&format!("{ARGUMENTS}\n  triggers = {{ build = \"43\" }}"))?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    replaced(scene, &old).await
}

async fn replace_on_request(scene: &Scene<'_>) -> Result<(), Error> {
    let old = applied(scene).await?;
    let replace = format!("-replace={IMAGE}");
    scene.terraform.apply(&[&replace]).await?.succeeded()?;
    replaced(scene, &old).await
}

async fn a_tainted_image_is_replaced(scene: &Scene<'_>) -> Result<(), Error> {
    let old = applied(scene).await?;
    scene.terraform.run(&["taint", IMAGE]).await?.succeeded()?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    replaced(scene, &old).await
}

async fn a_vanished_image_is_made_again(scene: &Scene<'_>) -> Result<(), Error> {
    let old = applied(scene).await?;
    let account = &scene.stage.account;
    if let Some(image) = account.image(&old).await? {
        account.discard(&image).await?;
    }
    let plan = scene.terraform.plan(&[]).await?.has_changes()?;
    if !plan.said("1 to add, 0 to change, 0 to destroy") {
        return Err(Error::Unexpected(plan.to_string()));
    }
    scene.terraform.apply(&[]).await?.succeeded()?;
    replaced(scene, &old).await
}

async fn an_image_that_lost_its_proof_is_replaced(scene: &Scene<'_>) -> Result<(), Error> {
    let old = applied(scene).await?;
    scene.stage.account.untag(&old, "consistent:state").await?;
    let plan = scene.terraform.plan(&[]).await?.has_changes()?;
    if !plan.said("must be replaced") {
        return Err(Error::Unexpected(plan.to_string()));
    }
    scene.terraform.apply(&[]).await?.succeeded()?;
    replaced(scene, &old).await
}

async fn a_targeted_apply_leaves_the_rest(scene: &Scene<'_>) -> Result<(), Error> {
    let access = scene.stage.access();
    let configuration = Configuration::new(&access)
        .image("orders", NAME, &scene.stage.instance, ARGUMENTS)
        .with("\nresource \"terraform_data\" \"other\" {\n}\n");
    scene.terraform.configure(configuration.text())?;
    let other = scene
        .terraform
        .apply(&["-target=terraform_data.other"])
        .await?;
    other.succeeded()?;
    scene.never_held().await?;
    let target = format!("-target={IMAGE}");
    scene.terraform.apply(&[&target]).await?.succeeded()?;
    scene.terraform.is_content().await
}

async fn destroy_leaves_nothing(scene: &Scene<'_>) -> Result<(), Error> {
    applied(scene).await?;
    scene.terraform.destroy().await?.succeeded()?;
    scene.nothing_left().await?;
    scene.terraform.plan(&["-destroy"]).await?.is_empty()
}
