//! Least privilege: the policies in schemas/iam are enough, and nothing beyond them is granted.

use std::collections::BTreeSet;

use acceptance::{
    Error,
    account::Account,
    configuration::{Access, Configuration},
    moment::Moment,
    scene::{NAME, Scene},
};
use lab::cloud::{
    iam::{IMAGE_MAKER_ROLE, User, role_arn},
    journal::Event,
};
use serde_json::Value;

use crate::{Scenario, documents, scenarios};

pub(crate) fn all() -> Vec<Scenario> {
    scenarios![
        every_permission_asked_for_is_needed,
        the_image_maker_may_do_nothing_else,
        somebody_without_permissions_is_told_which,
        a_role_can_be_assumed,
    ]
}

const ARGUMENTS: &str = "  postgresql = {}";
const POLICY: &str = include_str!("../../../schemas/iam/caller.json");

/// A whole life - made, changed in every way, destroyed, interrupted - uses each action of the policy at least once.
async fn every_permission_asked_for_is_needed(scene: &Scene<'_>) -> Result<(), Error> {
    scene.configure(ARGUMENTS)?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    let settings = [
        "tags = { Team = \"orders\" }",
        "description = \"of the orders\"",
        "deprecation_time = \"2031-01-31T00:00:00Z\"",
        "deregistration_protection = true",
        "",
    ];
    for setting in settings {
        scene.configure(&format!("{ARGUMENTS}\n  {setting}"))?;
        scene.terraform.apply(&[]).await?.succeeded()?;
    }
    scene.terraform.destroy().await?.succeeded()?;
    documents::configure(scene, "freezes", "}").await?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    scene.terraform.destroy().await?.succeeded()?;
    scene.configure(&format!("{ARGUMENTS}\n  capture = \"create_snapshots\""))?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    scene.terraform.destroy().await?.succeeded()?;
    let run = scene.terraform.start_apply(&[])?;
    scene.until(Moment::HoldDelivered).await?;
    run.interrupt();
    scene.finish(run).await?;
    let (used, listed) = (used(scene)?, listed()?);
    if used == listed {
        return Ok(());
    }
    Err(Error::Unexpected(format!(
        "used {used:?}, listed {listed:?}"
    )))
}

/// The actions that the image maker called and was allowed.
fn used(scene: &Scene<'_>) -> Result<BTreeSet<String>, Error> {
    let entries = scene.journal()?;
    let calls = entries.into_iter().filter_map(|entry| match entry.event {
        Event::Call {
            action,
            principal,
            outcome,
            ..
        } if principal.ends_with(User::ImageMaker.name()) && outcome == "ok" => Some(action),
        _ => None,
    });
    Ok(calls.collect())
}

fn listed() -> Result<BTreeSet<String>, Error> {
    let policy: Value =
        serde_json::from_str(POLICY).map_err(|error| Error::Unexpected(error.to_string()))?;
    let statements = policy["Statement"].as_array().into_iter().flatten();
    Ok(statements
        .flat_map(|statement| match &statement["Action"] {
            Value::Array(actions) => actions.clone(),
            one => vec![one.clone()],
        })
        .filter_map(|action| action.as_str().map(str::to_owned))
        .collect())
}

async fn the_image_maker_may_do_nothing_else(scene: &Scene<'_>) -> Result<(), Error> {
    let account = Account::new(&scene.stage.access());
    let golden = scene.stage.account.inventory().await?;
    let snapshot = golden.iter().find(|id| id.starts_with("snap-"));
    let image = golden.iter().find(|id| id.starts_with("ami-"));
    let (Some(snapshot), Some(image)) = (snapshot, image) else {
        return Err(Error::Unexpected(format!(
            "no image to begin with: {golden:?}"
        )));
    };
    let instance = &scene.stage.instance;
    refused(account.launch(image).await.map(drop))?;
    refused(account.terminate(instance).await)?;
    refused(account.deregister(image).await)?;
    refused(account.delete_snapshot(snapshot).await)?;
    refused(account.untag(image, "Name").await)?;
    refused(account.plain_image(instance, "untagged").await.map(drop))
}

fn refused(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.to_string().contains("UnauthorizedOperation") => Ok(()),
        other => Err(Error::Unexpected(format!("not refused: {other:?}"))),
    }
}

async fn somebody_without_permissions_is_told_which(scene: &Scene<'_>) -> Result<(), Error> {
    let nobody = Access::of(&scene.stage.lab, User::Nobody);
    scene.configure_as(&nobody, ARGUMENTS)?;
    let plan = scene.terraform.plan(&[]).await?.is_refused()?;
    plan.failed_saying("ec2:DescribeInstances")?;
    scene.never_held().await?;
    scene.configure(ARGUMENTS)
}

/// The deployer itself may only assume the role.
async fn a_role_can_be_assumed(scene: &Scene<'_>) -> Result<(), Error> {
    let deployer = Access::of(&scene.stage.lab, User::Deployer);
    let role = format!(
        "  assume_role {{\n    role_arn = \"{}\"\n  }}\n",
        role_arn(IMAGE_MAKER_ROLE)
    );
    let configuration = Configuration::with_provider(&deployer, &role);
    let image = configuration.image("orders", NAME, &scene.stage.instance, ARGUMENTS);
    scene.terraform.configure(image.text())?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    scene.terraform.plan(&[]).await?.is_empty()
}
