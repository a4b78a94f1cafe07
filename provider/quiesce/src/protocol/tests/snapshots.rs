//! Snapshots at one instant, and the image that is registered of them when nothing is held any more.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{always, once};
use crate::{
    Failure, Proof,
    capture::CaptureCall,
    error::{Cause, Database, ImageFate, Link, Step},
    evidence::Moment,
    ports::VolumeId,
    testing::{
        faults::{Call, Event, Fault, Rule},
        scene,
        trial::{Profile, Trial, World},
    },
};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn quick() -> Profile {
    Profile::quick().capturing(CaptureCall::CreateSnapshots)
}

async fn outcome(rules: &[Rule]) -> Result<Proof, Failure> {
    Trial::run(quick(), rules).await.outcome
}

async fn failure(rules: &[Rule]) -> Failure {
    outcome(rules).await.expect_err("a broken link")
}

#[tokio::test(start_paused = true)]
async fn the_answer_alone_ends_the_hold() {
    let proof = outcome(&[]).await.expect("a proof");
    let between = |from, to| proof.timeline.between(from, to).expect("both marks");
    assert_eq!(
        between(Moment::CaptureCalled, Moment::ReleaseSent),
        quick().service.latency
    );
    let other = Trial::run(Profile::quick(), &[]).await.outcome;
    let other = other.expect("a proof").evidence.hold;
    let saved = quick().service.lag + quick().service.stagger;
    assert!(proof.evidence.hold + saved < other, "{other:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_missed_a_volume_is_not_waited_for() {
    let detached = Fault::Meanwhile(Event::VolumeDetached);
    let broken = failure(&[once(Call::Begin, detached)]).await;
    assert!(matches!(broken.cause, Cause::Mismatch(_)), "{broken}");
    let missing = vec![VolumeId(scene::VOLUMES[2].0.to_owned())];
    assert_eq!(broken.broken, [Link::Captured { missing }]);
    let told = broken
        .timeline
        .between(Moment::CaptureCalled, Moment::ReleaseSent);
    assert_eq!(told, Some(quick().service.latency));
    assert_eq!(broken.image, ImageFate::Discarded);
}

#[tokio::test(start_paused = true)]
async fn what_can_be_repeated_or_found_out_does_not_cost_the_image() {
    for rule in [
        once(Call::Prepare, Fault::Throttled),
        once(Call::Begin, Fault::LostAnswer),
        once(Call::Begin, Fault::HangAfter),
        once(Call::Register, Fault::Throttled),
        once(Call::Register, Fault::LostAnswer),
        once(Call::Register, Fault::Hang),
        once(Call::Register, Fault::HangAfter),
        once(Call::Register, Fault::Twice(s(1))),
    ] {
        let proof = outcome(&[rule]).await;
        assert_eq!(
            proof.map(|it| it.evidence.attempts).ok(),
            Some(1),
            "{rule:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_refused_before_anything_is_held() {
    let refused = failure(&[once(Call::Prepare, Fault::Refused)]).await;
    assert_eq!(refused.step, Step::Probe);
    assert_eq!(
        (refused.database, refused.image),
        (Database::NeverHeld, ImageFate::None)
    );
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_registered_leaves_no_snapshot() {
    let trial = Trial::run(quick(), &[once(Call::Register, Fault::Refused)]).await;
    let refused = trial.outcome.as_ref().expect_err("no image");
    assert_eq!(refused.step, Step::Settle);
    assert_eq!(
        (&refused.database, &refused.image),
        (&Database::Released, &ImageFate::Discarded)
    );
    assert!(trial.world.imager.snapshots().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_image_that_lost_its_billing_is_discarded() {
    let lost = Fault::Meanwhile(Event::BillingLost);
    let broken = failure(&[once(Call::Register, lost)]).await;
    let Cause::Misbilled { source_billed, .. } = &broken.cause else {
        panic!("{broken}")
    };
    assert_eq!(source_billed, scene::BILLING);
    assert!(broken.advice().contains("create_image"));
    assert_eq!(broken.image, ImageFate::Discarded);
}

/// Stopped as the answer to a registration is lost, before the image is listed: it is waited for, and removed.
#[tokio::test(start_paused = true)]
async fn an_image_that_may_have_been_registered_is_looked_for_after_a_stop() {
    let slow = Profile::slow().capturing(CaptureCall::CreateSnapshots);
    let world = World::new(slow, &[always(Call::Register, Fault::LostAnswer)]);
    let (imager, stop) = (world.imager.clone(), world.stop.clone());
    tokio::spawn(async move {
        while imager.images().is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
        stop.cancel();
    });
    let stopped = world.execute(world.stop.clone()).await.expect_err("a stop");
    assert_eq!(
        (stopped.cause, stopped.image),
        (Cause::Stopped, ImageFate::Discarded)
    );
    let until = Instant::now() + s(1_200);
    while Instant::now() < until {
        sleep(s(1)).await;
        assert!(world.imager.images().is_empty() && world.imager.snapshots().is_empty());
    }
}
