//! How long a run waits for what does not come, and what the database goes through meanwhile.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{always, once};
use crate::{
    Failure,
    error::{Cause, Database, ImageFate, Link, Step},
    plan::Plan,
    script::FLUSH_LIMIT,
    testing::{
        faults::{Call, Event, Fault, Rule},
        scene,
        trial::{Profile, Trial, World, plan},
    },
};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A run that fails, and how long it took.
async fn timed(rules: &[Rule]) -> (Failure, Trial, Duration) {
    let started = Instant::now();
    let trial = Trial::run(Profile::quick(), rules).await;
    let took = started.elapsed();
    let failure = trial.outcome.as_ref().expect_err("a failure").clone();
    (failure, trial, took)
}

/// A run that is stopped `after` its start.
async fn stopped(rules: &[Rule], after: Duration) -> (Failure, Trial, Duration) {
    let started = Instant::now();
    let trial = Trial::with_stop(Profile::quick(), rules, |stop| {
        tokio::spawn(async move {
            sleep(after).await;
            stop.cancel();
        });
    });
    let trial = trial.await;
    let took = started.elapsed().saturating_sub(after);
    let failure = trial.outcome.as_ref().expect_err("a stop").clone();
    assert_eq!(failure.cause, Cause::Stopped);
    (failure, trial, took)
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_holds_writes_no_longer_than_the_budget() {
    for fault in [Fault::HangAfter, Fault::Late(s(256))] {
        for profile in [Profile::quick(), Profile::slow()] {
            let trial = Trial::run(profile, &[once(Call::Hold, fault)]).await;
            let lost = trial.outcome.as_ref().expect_err("no answer");
            assert_eq!(
                (lost.step, &lost.broken[..]),
                (Step::Hold, &[Link::Held][..])
            );
            assert_eq!(lost.database, Database::Released);
            let [hold] = trial.world.guest.intervals().try_into().expect("one hold");
            assert!(!hold.ended_by_switch, "{fault:?}: the release came in time");
            // A fifth of the hold, 3 s to 10 s, is left for the release.
            let margin = s(profile.max_hold_seconds / 5).clamp(s(3), s(10));
            let budget = s(profile.max_hold_seconds).saturating_sub(margin);
            let lasted = hold.ended.expect("released") - hold.began;
            assert!(
                lasted <= budget + profile.guest.dispatch,
                "{fault:?}: {lasted:?}"
            );
        }
    }
}

/// The connection breaks, and that is known: nothing more is waited for.
#[tokio::test(start_paused = true)]
async fn a_hold_whose_answer_is_known_to_be_lost_is_released_at_once() {
    let (lost, trial, _) = timed(&[once(Call::Hold, Fault::LostAnswer)]).await;
    assert_eq!(lost.database, Database::Released);
    let [hold] = trial.world.guest.intervals().try_into().expect("one hold");
    assert!(hold.ended.expect("released") - hold.began < s(1));
}

#[tokio::test(start_paused = true)]
async fn arming_is_waited_for_as_long_as_a_flush_may_take_and_holds_nothing() {
    let (lost, trial, took) = timed(&[once(Call::Arm, Fault::HangAfter)]).await;
    assert_eq!((lost.step, lost.database), (Step::Arm, Database::NeverHeld));
    assert!(trial.world.guest.intervals().is_empty());
    let patience = s(30) + FLUSH_LIMIT;
    assert!((patience..patience + s(5)).contains(&took), "{took:?}");
    assert_eq!(trial.world.judge_next_run().await, Ok(()));
}

/// Nothing is held: that the guest cannot be told to stand down is not worth a long wait.
#[tokio::test(start_paused = true)]
async fn a_guest_out_of_reach_that_was_armed_at_most_is_soon_given_up() {
    let gone = Fault::Meanwhile(Event::AgentGone(s(1_000)));
    let (lost, trial, took) = stopped(&[once(Call::Arm, gone)], s(2)).await;
    assert_eq!((lost.step, lost.database), (Step::Arm, Database::NeverHeld));
    assert!(took < s(60), "{took:?}");
    sleep(s(1_200)).await;
    assert!(trial.world.guest.intervals().is_empty());
}

/// The answer that the guest is armed comes when it has stood down: the hold is refused, and nothing was held.
#[tokio::test(start_paused = true)]
async fn a_guest_that_has_stood_down_does_not_hold() {
    let (late, trial, _) = timed(&[once(Call::Arm, Fault::Late(s(90)))]).await;
    assert!(
        matches!(late.cause, Cause::Refused { .. }),
        "{:?}",
        late.cause
    );
    assert_eq!(
        (late.step, late.database),
        (Step::Hold, Database::NeverHeld)
    );
    assert!(trial.world.guest.intervals().is_empty());
    assert_eq!(trial.world.judge_next_run().await, Ok(()));
}

/// The hold's budget would have lasted: it is the run's own time that was too short, and that is what is said.
#[tokio::test(start_paused = true)]
async fn a_run_that_is_out_of_time_in_a_capture_says_so() {
    let lags = Fault::Meanwhile(Event::SnapshotLags(s(70)));
    let world = World::new(Profile::quick(), &[once(Call::Begin, lags)]);
    let run = Plan {
        within: s(50),
        spent: s(30),
        ..plan(60)
    };
    let (guest, imager) = (
        Arc::new(world.guest.clone()),
        Arc::new(world.imager.clone()),
    );
    let late = run.execute(guest, imager, CancellationToken::new()).await;
    let late = late.expect_err("out of time");
    assert_eq!(late.step, Step::Capture);
    assert!(late.advice().contains("timeouts.create"), "{late}");
    let [hold] = world.guest.intervals().try_into().expect("one hold");
    assert!(hold.ended.expect("released") - hold.began < s(21));
}

// ---- discarding -----------------------------------------------------------------------------------------------------------

/// Everything that ever existed is gone, at once and for good.
async fn assert_nothing_appears(trial: &Trial) {
    for wait in [s(0), s(1_200)] {
        sleep(wait).await;
        assert!(trial.world.imager.images().is_empty());
        assert!(trial.world.imager.snapshots().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_mid_capture_returns_soon_after_the_last_snapshot_appears() {
    // Stopped after 2 s; the last snapshot appears after this long.
    for lag in [3, 6, 20] {
        let lags = Fault::Meanwhile(Event::SnapshotLags(s(lag)));
        let (stop, trial, took) = stopped(&[once(Call::Begin, lags)], s(2)).await;
        let missing = vec![crate::ports::VolumeId(scene::VOLUMES[2].0.to_owned())];
        assert_eq!(stop.broken, [Link::Captured { missing }]);
        assert_eq!(
            (stop.database, stop.image),
            (Database::Released, ImageFate::Discarded)
        );
        assert!(
            took + s(2) > s(lag) && took < s(lag + 5),
            "{lag} s: {took:?}"
        );
        // Nothing is removed while snapshots still follow, unless that takes long.
        let discards = trial.world.faults.counts()[&Call::Discard];
        assert_eq!(discards == 1, lag < 10, "{lag} s: {discards} times");
        assert_nothing_appears(&trial).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_capture_that_was_seen_whole_is_discarded_without_waiting() {
    let (stop, trial, took) = stopped(&[], s(5)).await;
    assert_eq!(
        (stop.step, stop.image),
        (Step::Settle, ImageFate::Discarded)
    );
    assert!(took < s(1), "{took:?}");
    assert_nothing_appears(&trial).await;
}

/// Nobody knows whether the capture began at all: a minute in which nothing shows.
#[tokio::test(start_paused = true)]
async fn a_capture_of_which_nothing_was_seen_is_waited_for() {
    let rules = [once(Call::Begin, Fault::Hang)];
    let (stop, trial, took) = stopped(&rules, s(2)).await;
    assert_eq!(stop.image, ImageFate::Discarded);
    assert!((s(60)..s(70)).contains(&took), "{took:?}");
    assert_nothing_appears(&trial).await;
}

/// The answer is lost and the capture begins late, while its remains are being looked for: it is seen, and that ends it.
#[tokio::test(start_paused = true)]
async fn a_capture_that_begins_late_is_seen_whole_while_it_is_discarded() {
    let rules = [once(Call::Begin, Fault::Slow(s(30)))];
    let (stop, trial, took) = stopped(&rules, s(2)).await;
    assert_eq!(stop.image, ImageFate::Discarded);
    assert!((s(28)..s(40)).contains(&took), "{took:?}");
    assert_nothing_appears(&trial).await;
}

/// Without a look nobody knows what was removed: the quiet minute is kept.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_looked_at_is_waited_for() {
    let rules = [
        once(Call::Begin, Fault::LostAnswer),
        always(Call::Observe, Fault::Hang),
    ];
    let (stop, trial, took) = stopped(&rules, s(2)).await;
    assert_eq!(stop.image, ImageFate::Discarded);
    assert!((s(60)..s(75)).contains(&took), "{took:?}");
    assert_nothing_appears(&trial).await;
}
