//! `capture = "create_snapshots"`: one instant, the shortest hold, and an image that is made when nothing is held any more.

use std::time::Duration;

use acceptance::{Error, moment::Moment, scene::Scene, terraform::Outcome};
use lab::cloud::{
    faults::{Effect, Fault},
    settings::Billing,
};

use crate::{Scenario, scenarios};

pub(crate) fn all() -> Vec<Scenario> {
    scenarios![
        an_image_of_snapshots_is_clean_and_like_a_plain_one,
        a_slow_call_is_over_with_the_budget,
        lost_answers_cost_no_image,
        a_registration_that_is_refused_leaves_no_snapshot,
        an_image_that_lost_its_billing_is_discarded,
        a_licence_is_refused_by_the_plan,
        a_provider_killed_in_the_hold,
        a_provider_killed_before_it_registers,
        an_interrupt_before_it_registers,
    ]
}

const ARGUMENTS: &str = "  postgresql = {}\n  capture    = \"create_snapshots\"";

/// Seconds. A call that takes longer is not waited for.
const MAX_HOLD: u64 = 6;

/// How long snapshots are copied where something is to happen meanwhile.
const COPYING: Duration = Duration::from_secs(4);

/// Root, data, WAL.
const VOLUMES: usize = 3;

async fn applied(scene: &Scene<'_>) -> Result<Outcome, Error> {
    scene.configure(ARGUMENTS)?;
    scene.terraform.apply(&[]).await
}

async fn an_image_of_snapshots_is_clean_and_like_a_plain_one(
    scene: &Scene<'_>,
) -> Result<(), Error> {
    applied(scene).await?.succeeded()?;
    scene.terraform.plan(&[]).await?.is_empty()?;
    scene.image_is_clean().await?;
    let account = &scene.stage.account;
    let image = scene.image().await?["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let plain = account.plain_image(&scene.stage.instance, "plain").await?;
    let (ours, theirs) = (
        account.likeness(&image).await?,
        account.likeness(&plain.id).await?,
    );
    account.discard(&plain).await?;
    if ours == theirs {
        return Ok(());
    }
    Err(Error::Unexpected(format!(
        "{ours:?} is not like {theirs:?}"
    )))
}

async fn a_slow_call_is_over_with_the_budget(scene: &Scene<'_>) -> Result<(), Error> {
    let slow = Effect::DelayBefore {
        ms: (MAX_HOLD + 3) * 1000,
    };
    scene.fault(Fault::on("ec2:CreateSnapshots", slow));
    let limit = format!("{ARGUMENTS}\n  quiesce = {{ max_hold_seconds = {MAX_HOLD} }}");
    scene.configure(&limit)?;
    scene.terraform.apply(&[]).await?.failed_saying("hold")?;
    scene.holds_end_within(MAX_HOLD).await?;
    scene.nothing_left().await
}

/// What was begun is found by its tags, what was registered by its name.
async fn lost_answers_cost_no_image(scene: &Scene<'_>) -> Result<(), Error> {
    for call in ["ec2:CreateSnapshots", "ec2:RegisterImage"] {
        scene.fault(Fault::on(call, Effect::DropAfter).once());
    }
    applied(scene).await?.succeeded()?;
    only_the_image(scene).await
}

async fn a_registration_that_is_refused_leaves_no_snapshot(scene: &Scene<'_>) -> Result<(), Error> {
    let refused = Effect::Error {
        code: "InvalidParameterCombination".to_owned(),
        message: "No such image.".to_owned(),
        status: 400,
    };
    scene.fault(Fault::on("ec2:RegisterImage", refused));
    applied(scene).await?.failed_saying("ec2:RegisterImage")?;
    scene.held_times(1).await?;
    scene.nothing_left().await
}

async fn an_image_that_lost_its_billing_is_discarded(scene: &Scene<'_>) -> Result<(), Error> {
    scene.fault(Fault::on("ec2:RegisterImage", Effect::BillingLost));
    applied(scene).await?.failed_saying("billed")?;
    scene.nothing_left().await
}

async fn a_licence_is_refused_by_the_plan(scene: &Scene<'_>) -> Result<(), Error> {
    let licence = Billing {
        platform: "Red Hat Enterprise Linux".to_owned(),
        operation: "RunInstances:0010".to_owned(),
        product_codes: Vec::new(),
    };
    let lab = &scene.stage.lab;
    lab.configure(|settings| settings.instances.billing = Some(licence));
    scene.configure(ARGUMENTS)?;
    let plan = scene.terraform.plan(&[]).await?.is_refused()?;
    plan.failed_saying("RunInstances:0010")?;
    scene.never_held().await
}

async fn a_provider_killed_in_the_hold(scene: &Scene<'_>) -> Result<(), Error> {
    let limit = format!("{ARGUMENTS}\n  quiesce = {{ max_hold_seconds = {MAX_HOLD} }}");
    scene.configure(&limit)?;
    killed_at(scene, Moment::CaptureAnswered).await?;
    scene.holds_end_within(MAX_HOLD).await?;
    the_next_apply_cleans_up(scene).await
}

/// Nothing is held any more and no image exists yet: all that is left are snapshots.
async fn a_provider_killed_before_it_registers(scene: &Scene<'_>) -> Result<(), Error> {
    copying(scene);
    scene.configure(ARGUMENTS)?;
    killed_at(scene, Moment::Released).await?;
    let left = scene.added().await?;
    if left.len() != VOLUMES || !left.iter().all(|id| id.starts_with("snap-")) {
        return Err(Error::Unexpected(format!(
            "only snapshots expected: {left:?}"
        )));
    }
    scene.writes_again().await?;
    the_next_apply_cleans_up(scene).await
}

async fn an_interrupt_before_it_registers(scene: &Scene<'_>) -> Result<(), Error> {
    copying(scene);
    scene.configure(ARGUMENTS)?;
    let run = scene.terraform.start_apply(&[])?;
    scene.until(Moment::Released).await?;
    run.interrupt();
    scene.finish(run).await?.failed_saying("Stopped")?;
    scene.nothing_left().await
}

fn copying(scene: &Scene<'_>) {
    let ms = u64::try_from(COPYING.as_millis()).unwrap_or(u64::MAX);
    let lab = &scene.stage.lab;
    lab.configure(|settings| settings.capture.completes_after_ms = ms);
}

async fn killed_at(scene: &Scene<'_>, moment: Moment) -> Result<(), Error> {
    let run = scene.terraform.start_apply(&[])?;
    scene.until(moment).await?;
    run.kill_provider()?;
    let outcome = scene.finish(run).await?;
    if outcome.code == Some(0) {
        return Err(Error::Unexpected(format!("it went on: {outcome}")));
    }
    Ok(())
}

async fn the_next_apply_cleans_up(scene: &Scene<'_>) -> Result<(), Error> {
    applied(scene).await?.succeeded()?;
    only_the_image(scene).await?;
    scene.image_is_clean().await
}

async fn only_the_image(scene: &Scene<'_>) -> Result<(), Error> {
    let added = scene.added().await?;
    if added.len() == 1 + VOLUMES {
        return Ok(());
    }
    Err(Error::Unexpected(format!("one image expected: {added:?}")))
}
