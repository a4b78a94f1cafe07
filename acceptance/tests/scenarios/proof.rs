//! The proof cannot be fooled: whatever breaks the hold or the capture behind the provider's back ends in an error,
//! without an image, without a snapshot, with a database that writes.

use acceptance::{
    Error,
    moment::Moment,
    scene::{DATA_MOUNT, Scene, WAL_DEVICE, WAL_MOUNT},
    terraform::Outcome,
};
use lab::cloud::faults::{Effect, Fault};

use crate::{Scenario, scenarios};

pub(crate) fn all() -> Vec<Scenario> {
    scenarios![
        a_hand_thaw_of_one_mount,
        a_hand_thaw_and_a_freeze_again,
        a_hand_continue_under_pause,
        a_hand_start_under_stop,
        the_switch_fires_during_a_slow_create_image,
        a_snapshot_that_starts_after_the_budget,
        a_volume_missing_from_the_image,
        a_reboot_during_the_hold,
        success_without_a_report_for_the_probe,
        success_without_a_report_for_the_arm,
        success_without_a_report_for_the_hold,
        success_without_a_report_for_the_release,
        the_arm_delivered_twice,
        the_hold_delivered_twice,
        the_release_delivered_twice,
    ]
}

/// Seconds: the shortest hold in which a capture that goes well still fits, for scenarios that wait for the switch.
const MAX_HOLD: u64 = 6;

/// Seconds: room to meddle before the provider gives up by itself.
const AMPLE: u64 = 20;

/// Slower than the switch is patient.
const TOO_SLOW: u64 = (MAX_HOLD + 3) * 1000;

/// Leaves a scenario time to meddle while writes are held.
const SLOW: u64 = 1_500;

fn arguments(method: &str, max_hold: u64) -> String {
    format!(
        "  postgresql = {{}}\n  quiesce    = {{ method = \"{method}\", max_hold_seconds = {max_hold} }}"
    )
}

/// Applies while `meddle` does something in the guest as soon as writes are held.
async fn meddled(scene: &Scene<'_>, method: &str, meddle: &[&str]) -> Result<Outcome, Error> {
    scene.fault(Fault::on(
        "ec2:CreateImage",
        Effect::DelayBefore { ms: SLOW },
    ));
    scene.configure(&arguments(method, AMPLE))?;
    let run = scene.terraform.start_apply(&[])?;
    scene.until(Moment::Held).await?;
    scene.in_guest(meddle).await?;
    scene.finish(run).await
}

/// Applies with a fault in force.
async fn faulted(scene: &Scene<'_>, fault: Fault, max_hold: u64) -> Result<Outcome, Error> {
    scene.fault(fault);
    scene.configure(&arguments("freeze", max_hold))?;
    scene.terraform.apply(&[]).await
}

async fn a_hand_thaw_of_one_mount(scene: &Scene<'_>) -> Result<(), Error> {
    let outcome = meddled(scene, "freeze", &["fsfreeze", "--unfreeze", WAL_MOUNT]).await?;
    outcome.failed_saying(WAL_MOUNT)?;
    scene.nothing_left().await
}

/// All mounts are frozen at release, and yet the hold was broken: only the write counters know.
async fn a_hand_thaw_and_a_freeze_again(scene: &Scene<'_>) -> Result<(), Error> {
    let again = format!("fsfreeze -u {DATA_MOUNT}; sleep 0.5; fsfreeze -f {DATA_MOUNT}");
    let outcome = meddled(scene, "freeze", &["sh", "-c", &again]).await?;
    outcome.failed_saying("written during the hold")?;
    scene.nothing_left().await
}

async fn a_hand_continue_under_pause(scene: &Scene<'_>) -> Result<(), Error> {
    let go_on = "echo 0 > /sys/fs/cgroup/system.slice/system-postgresql.slice/postgresql@15-main.service/cgroup.freeze; \
                 pkill -CONT postgres";
    let outcome = meddled(scene, "pause", &["sh", "-c", go_on]).await?;
    outcome.failed_saying("paused")?;
    scene.nothing_left().await
}

async fn a_hand_start_under_stop(scene: &Scene<'_>) -> Result<(), Error> {
    let start = ["systemctl", "start", "postgresql@15-main"];
    let outcome = meddled(scene, "stop", &start).await?;
    outcome.failed_saying("started")?;
    scene.nothing_left().await
}

async fn the_switch_fires_during_a_slow_create_image(scene: &Scene<'_>) -> Result<(), Error> {
    let slow = Fault::on("ec2:CreateImage", Effect::DelayBefore { ms: TOO_SLOW });
    faulted(scene, slow, MAX_HOLD)
        .await?
        .failed_saying("hold")?;
    scene.holds_end_within(MAX_HOLD).await?;
    scene.nothing_left().await
}

async fn a_snapshot_that_starts_after_the_budget(scene: &Scene<'_>) -> Result<(), Error> {
    let late = Effect::SnapshotLate {
        device: Some(WAL_DEVICE.into()),
        ms: TOO_SLOW,
    };
    let outcome = faulted(scene, Fault::on("ec2:CreateImage", late), MAX_HOLD).await?;
    outcome.failed_saying("snapshot")?;
    scene.holds_end_within(MAX_HOLD).await?;
    scene.nothing_left().await
}

async fn a_volume_missing_from_the_image(scene: &Scene<'_>) -> Result<(), Error> {
    let omit = Effect::OmitVolume {
        device: WAL_DEVICE.into(),
    };
    let outcome = faulted(scene, Fault::on("ec2:CreateImage", omit), MAX_HOLD).await?;
    outcome.failed_saying("vol-")?;
    scene.nothing_left().await
}

/// A guest that shuts down waits for its database, which waits for the switch. Whether it is up again, and tells of its
/// boot, before the provider gives up asking is a matter of the machine's speed; what it comes to is not.
async fn a_reboot_during_the_hold(scene: &Scene<'_>) -> Result<(), Error> {
    let reboot = Fault::on("ec2:CreateImage", Effect::Reboot { ms: 0 }).once();
    let outcome = faulted(scene, reboot, AMPLE).await?;
    if !outcome.said("has booted since it was probed") {
        outcome.failed_saying("never answered that the hold was unbroken")?;
    }
    scene.stage.load_again().await?;
    scene.nothing_left().await
}

async fn success_without_a_report_for_the_probe(scene: &Scene<'_>) -> Result<(), Error> {
    without_a_report(scene, "probe").await
}

async fn success_without_a_report_for_the_arm(scene: &Scene<'_>) -> Result<(), Error> {
    without_a_report(scene, "arm").await
}

async fn success_without_a_report_for_the_hold(scene: &Scene<'_>) -> Result<(), Error> {
    without_a_report(scene, "hold").await
}

async fn success_without_a_report_for_the_release(scene: &Scene<'_>) -> Result<(), Error> {
    without_a_report(scene, "release").await?;
    scene.holds_end_within(MAX_HOLD).await
}

/// What SSM's command history calls the provider's scripts: faults find them by it.
fn script_comment(script: &str) -> String {
    format!("consistent: {script}")
}

/// Success, exit code 0, empty output: what an emulation of AWS answers that runs nothing.
async fn without_a_report(scene: &Scene<'_>, script: &str) -> Result<(), Error> {
    let empty =
        Fault::on("ssm:SendCommand", Effect::EmptySuccess).containing(&script_comment(script));
    faulted(scene, empty, MAX_HOLD)
        .await?
        .failed_saying("printed nothing")?;
    scene.nothing_left().await
}

/// The agent resubmits: a second `arm` neither locks nor flushes again, whatever the first one has come to.
async fn the_arm_delivered_twice(scene: &Scene<'_>) -> Result<(), Error> {
    delivered_twice(scene, "arm").await
}

/// The agent resubmits. A second `hold` that comes while the first one holds, or after the release, finds what was
/// done and does not do it again: the image is as good as any.
async fn the_hold_delivered_twice(scene: &Scene<'_>) -> Result<(), Error> {
    delivered_twice(scene, "hold").await
}

async fn the_release_delivered_twice(scene: &Scene<'_>) -> Result<(), Error> {
    delivered_twice(scene, "release").await
}

async fn delivered_twice(scene: &Scene<'_>, script: &str) -> Result<(), Error> {
    for (holds, after_ms) in (1..).zip([200, 4_000]) {
        let twice = Effect::DeliverTwice { ms: after_ms };
        let fault = Fault::on("ssm:SendCommand", twice).containing(&script_comment(script));
        faulted(scene, fault, AMPLE).await?.succeeded()?;
        scene.image_is_clean().await?;
        scene.terraform.destroy().await?.succeeded()?;
        scene.held_times(holds).await?;
        scene.nothing_left().await?;
    }
    Ok(())
}
