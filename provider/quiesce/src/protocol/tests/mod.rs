//! What a run comes to under one fault, where only one answer is right.

mod snapshots;
mod waits;

use std::time::Duration;

use crate::{
    Failure, Proof,
    error::{Cause, Database, ImageFate, Link, Step},
    evidence::Moment,
    testing::{
        faults::{BadAnswer, Call, Event, Fault, Rule},
        scene,
        trial::{Profile, Trial},
    },
};

fn once(call: Call, fault: Fault) -> Rule {
    Rule {
        call,
        from: 0,
        times: 1,
        fault,
    }
}

fn always(call: Call, fault: Fault) -> Rule {
    Rule {
        call,
        from: 0,
        times: usize::MAX,
        fault,
    }
}

async fn outcome(rules: &[Rule]) -> Result<Proof, Failure> {
    Trial::run(Profile::quick(), rules).await.outcome
}

async fn failure(rules: &[Rule]) -> Failure {
    outcome(rules).await.expect_err("a broken link")
}

fn guest_links(failure: &Failure) -> Vec<String> {
    let links = failure.broken.iter().filter_map(|link| match link {
        Link::Unbroken { link, .. } => Some(link.to_string()),
        _ => None,
    });
    links.collect()
}

#[tokio::test(start_paused = true)]
async fn an_undisturbed_run_tells_what_it_proves() {
    let trial = Trial::run(Profile::quick(), &[]).await;
    let proof = trial.outcome.as_ref().expect("a proof");
    assert_eq!(proof.evidence.attempts, 1);
    assert_eq!(proof.evidence.method.as_str(), "freeze");
    let paths: Vec<&str> = proof
        .evidence
        .data_paths
        .iter()
        .map(|path| &**path)
        .collect();
    assert_eq!(
        paths,
        [
            "/etc/postgresql/15/main",
            "/var/lib/postgresql/15/main",
            "/var/lib/postgresql/wal/15"
        ]
    );
    let devices: Vec<&str> = proof
        .snapshots
        .iter()
        .map(|s| s.device_name.as_str())
        .collect();
    assert_eq!(devices, scene::VOLUMES.map(|(_, device)| device));

    let sealed = trial.world.sealed().expect("a sealed image");
    let tag = |name: &str| sealed.tags[&format!("consistent:{name}")].as_str();
    assert_eq!(tag("session"), proof.evidence.session_id.as_str());
    assert_eq!((tag("state"), tag("method")), ("proven", "freeze"));
    assert_eq!(
        (tag("engine"), tag("engine-version")),
        ("postgresql", "15.14")
    );
    assert_eq!(tag("recovery-point"), scene::RECOVERY_POINT);
    assert_eq!(tag("hold-ms"), proof.evidence.hold.as_millis().to_string());
}

#[tokio::test(start_paused = true)]
async fn the_hold_adds_little_to_what_guest_and_service_take() {
    let proof = outcome(&[]).await.expect("a proof");
    let pace = Profile::quick();
    let volumes = u32::try_from(scene::VOLUMES.len()).expect("three");
    let floor = pace.guest.answer
        + pace.service.latency / 2
        + pace.service.stagger * volumes
        + pace.service.lag
        + pace.guest.dispatch;
    let added = proof.evidence.hold.saturating_sub(floor);
    assert!(
        added < Duration::from_millis(150),
        "{:?} of {:?}",
        added,
        proof.evidence.hold
    );
    let between = |from, to| proof.timeline.between(from, to).expect("both marks");
    let told = between(Moment::HoldAnswered, Moment::ReleaseSent);
    assert!(told < proof.evidence.hold);
    // The flush comes before, and nobody waits for it while anything is held.
    assert!(between(Moment::ArmSent, Moment::ArmAnswered) > pace.guest.flush);
    assert!(between(Moment::HoldSent, Moment::HoldAnswered) < pace.guest.flush);
}

#[tokio::test(start_paused = true)]
async fn what_can_be_repeated_or_found_out_does_not_cost_the_image() {
    let throttled = Rule {
        call: Call::Observe,
        from: 0,
        times: 3,
        fault: Fault::Throttled,
    };
    for rule in [
        throttled,
        once(Call::Instance, Fault::Throttled),
        once(Call::Probe, Fault::LostAnswer),
        once(Call::Arm, Fault::Twice(Duration::ZERO)),
        once(Call::Arm, Fault::Twice(Duration::from_secs(8))),
        once(Call::Hold, Fault::Twice(Duration::ZERO)),
        once(Call::Begin, Fault::LostAnswer),
        once(Call::Begin, Fault::HangAfter),
        once(Call::Observe, Fault::Hang),
        once(Call::Release, Fault::LostAnswer),
        once(Call::Release, Fault::Answer(BadAnswer::Empty)),
        once(Call::Release, Fault::Twice(Duration::from_secs(8))),
        once(Call::Seal, Fault::LostAnswer),
        always(Call::Leftovers, Fault::Refused),
    ] {
        assert!(outcome(&[rule]).await.is_ok(), "{rule:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn too_soon_means_release_wait_and_hold_again() {
    let twice = Rule {
        call: Call::Begin,
        from: 0,
        times: 2,
        fault: Fault::Throttled,
    };
    let trial = Trial::run(Profile::quick(), &[twice]).await;
    let proof = trial.outcome.as_ref().expect("the third attempt");
    assert_eq!(proof.evidence.attempts, 3);
    let holds = trial.world.guest.intervals();
    assert_eq!(holds.len(), 3);
    for (before, after) in holds.iter().zip(&holds[1..]) {
        let pause = after.began - before.ended.expect("released");
        assert!(
            pause >= Duration::from_secs(5),
            "held again after {pause:?}"
        );
        assert!(
            before.ended.expect("released") - before.held < Duration::from_secs(1),
            "waited while held"
        );
    }

    let exhausted = failure(&[always(Call::Begin, Fault::Throttled)]).await;
    assert_eq!((exhausted.attempts, exhausted.step), (3, Step::Capture));
    assert_eq!(
        (exhausted.database, exhausted.image),
        (Database::Released, ImageFate::None)
    );
}

#[tokio::test(start_paused = true)]
async fn the_guests_word_that_the_hold_broke_is_final() {
    for (event, link) in [(Event::ThawByHand, "thawed"), (Event::Reboot, "rebooted")] {
        let broken = failure(&[once(Call::Begin, Fault::Meanwhile(event))]).await;
        assert_eq!(
            (broken.step, &broken.cause),
            (Step::Release, &Cause::Lapsed),
            "{event:?}"
        );
        assert_eq!(guest_links(&broken), [link]);
        assert_eq!(
            (broken.database, broken.image),
            (Database::Released, ImageFate::Discarded)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_switch_that_fires_first_voids_the_image() {
    let gone = |seconds| {
        let event = Event::AgentGone(Duration::from_secs(seconds));
        [once(Call::Release, Fault::Meanwhile(event))]
    };
    let fired = failure(&gone(62)).await;
    assert_eq!(guest_links(&fired), ["switch-fired"]);
    assert_eq!(
        (fired.cause, fired.database),
        (Cause::Lapsed, Database::Released)
    );

    let silent = failure(&gone(100)).await;
    assert_eq!(silent.broken, [Link::Released]);
    assert!(matches!(silent.database, Database::LetsGoBy(_)));
    assert!(silent.to_string().contains("its own switch lets go by"));
}

#[tokio::test(start_paused = true)]
async fn a_capture_that_outlasts_the_hold_is_released_in_time() {
    let lags = Fault::Meanwhile(Event::SnapshotLags(Duration::from_secs(70)));
    let trial = Trial::run(Profile::quick(), &[once(Call::Begin, lags)]).await;
    let broken = trial.outcome.expect_err("a late snapshot");
    assert_eq!(
        (broken.step, &broken.cause),
        (
            Step::Capture,
            &Cause::HoldBudget {
                waited_for: "the capture"
            }
        )
    );
    let late = scene::VOLUMES[2].0;
    assert!(
        broken
            .to_string()
            .contains(&format!("not seen captured while writes were held: {late}"))
    );
    let [hold] = trial.world.guest.intervals().try_into().expect("one hold");
    assert!(!hold.ended_by_switch, "the release came in time");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_says_nothing_proves_nothing() {
    for call in [Call::Probe, Call::Arm, Call::Hold, Call::Release] {
        let broken = failure(&[always(call, Fault::Answer(BadAnswer::Empty))]).await;
        assert!(
            matches!(broken.cause, Cause::Report(_)),
            "{call:?}: {:?}",
            broken.cause
        );
        let told = match call {
            Call::Hold => broken.database == Database::Released,
            Call::Release => matches!(broken.database, Database::LetsGoBy(_)),
            _ => broken.database == Database::NeverHeld,
        };
        assert!(told, "{call:?}: {:?}", broken.database);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_never_armed_is_not_released_and_what_was_is_stood_down() {
    for (call, step, releases) in [
        (Call::Arm, Step::Arm, None),
        (Call::Hold, Step::Hold, Some(1)),
    ] {
        let trial = Trial::run(Profile::quick(), &[once(call, Fault::Refused)]).await;
        let refused = trial.outcome.expect_err("a refusal");
        assert_eq!(refused.step, step);
        assert_eq!(
            (refused.database, refused.image),
            (Database::NeverHeld, ImageFate::None)
        );
        let counts = trial.world.faults.counts();
        assert_eq!(counts.get(&Call::Release).copied(), releases, "{call:?}");
        let next = trial.world.execute(trial.world.stop.clone()).await;
        assert!(next.is_ok(), "{call:?}: the guest is still locked");
    }
}

#[tokio::test(start_paused = true)]
async fn throttled_before_anything_is_held_it_is_tried_again() {
    for call in [Call::Arm, Call::Hold] {
        let proof = outcome(&[once(call, Fault::Throttled)]).await;
        assert_eq!(proof.expect("the second attempt").evidence.attempts, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_defect_that_still_releases() {
    let defect = failure(&[once(Call::Observe, Fault::Panic)]).await;
    assert_eq!(defect.cause, Cause::Defect("a port that panics".into()));
    assert_eq!(
        (defect.step, defect.database),
        (Step::Capture, Database::Released)
    );
    assert_eq!(defect.image, ImageFate::Discarded);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_discarded_is_named_beside_the_cause() {
    let rules = [
        once(Call::Begin, Fault::Meanwhile(Event::ImageFails)),
        always(Call::Discard, Fault::Refused),
    ];
    let broken = failure(&rules).await;
    assert!(matches!(broken.cause, Cause::ImageFailed { .. }));
    assert!(matches!(
        broken.image,
        ImageFate::Left { error: Some(_), .. }
    ));
    assert!(broken.advice().contains(broken.session.as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_seal_that_nobody_can_be_sure_of_is_taken_back() {
    let trial = Trial::run(Profile::quick(), &[always(Call::Seal, Fault::LostAnswer)]).await;
    let unsure = trial.outcome.expect_err("no certainty");
    assert_eq!(
        (unsure.step, unsure.image),
        (Step::Seal, ImageFate::Discarded)
    );
    assert!(trial.world.imager.images().is_empty());
}
