//! Every call, every occurrence, every fault; then faults together at random. Each case is judged from outside.
//!
//! `QUIESCE_SEED=17 cargo test -p quiesce at_random` repeats one random case.

use std::{collections::BTreeMap, time::Duration};

use super::{
    faults::{BadAnswer, Call, Event, Fault, Rule},
    trial::{Profile, Trial, World},
};
use crate::capture::CaptureCall;

const GUEST_CALLS: [Call; 4] = [Call::Probe, Call::Arm, Call::Hold, Call::Release];

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What can go wrong with any call.
const FAULTS: [Fault; 13] = [
    Fault::Refused,
    Fault::Throttled,
    Fault::LostAnswer,
    Fault::Hang,
    Fault::HangAfter,
    Fault::Slow(s(2)),
    Fault::Slow(s(40)),
    Fault::Late(s(2)),
    Fault::Late(s(40)),
    Fault::Late(s(256)),
    Fault::Twice(Duration::ZERO),
    Fault::Panic,
    Fault::Stop,
];

/// What can go wrong with a guest besides: its agent resubmits, its answer is anything.
const GUEST_FAULTS: [Fault; 8] = [
    Fault::Twice(s(8)),
    Fault::Resubmitted(s(8)),
    Fault::Resubmitted(s(40)),
    Fault::Answer(BadAnswer::Empty),
    Fault::Answer(BadAnswer::Noise),
    Fault::Answer(BadAnswer::Truncated),
    Fault::Answer(BadAnswer::ForeignSession),
    Fault::Answer(BadAnswer::OtherPhase),
];

/// What else can happen at the moment of a call.
const EVENTS: [Fault; 11] = [
    Fault::Meanwhile(Event::Reboot),
    Fault::Meanwhile(Event::ThawByHand),
    Fault::Meanwhile(Event::AgentGone(s(5))),
    Fault::Meanwhile(Event::AgentGone(s(100))),
    Fault::Meanwhile(Event::SnapshotFails),
    Fault::Meanwhile(Event::ImageFails),
    Fault::Meanwhile(Event::BillingLost),
    Fault::Meanwhile(Event::SnapshotLags(s(5))),
    Fault::Meanwhile(Event::SnapshotLags(s(70))),
    Fault::Meanwhile(Event::VolumeAttached),
    Fault::Meanwhile(Event::VolumeDetached),
];

fn faults_of(call: Call) -> Vec<Fault> {
    let more = if GUEST_CALLS.contains(&call) {
        &GUEST_FAULTS[..]
    } else {
        &[]
    };
    [&FAULTS[..], more, &EVENTS[..]].concat()
}

/// Both captures, in a quick world and in a slow one.
fn profiles() -> [Profile; 4] {
    let [image, snapshots] = CaptureCall::ALL;
    let (quick, slow) = (Profile::quick(), Profile::slow());
    [
        quick.capturing(image),
        slow.capturing(image),
        quick.capturing(snapshots),
        slow.capturing(snapshots),
    ]
}

/// Runs `case` in a runtime of its own whose time is simulated.
fn simulated<T>(case: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(case)
}

fn verdict(profile: Profile, rules: &[Rule], strictly: bool) -> Result<(), String> {
    simulated(async { Trial::run(profile, rules).await.judge(strictly).await })
}

fn assert_all_kept(broken: &[String], cases: usize) {
    assert!(
        broken.is_empty(),
        "{} of {cases} broken:\n{}",
        broken.len(),
        broken.join("\n")
    );
}

/// How often an undisturbed run makes each call.
fn calls(profile: Profile) -> BTreeMap<Call, usize> {
    let mut counts = simulated(async {
        let trial = Trial::run(profile, &[]).await;
        assert!(trial.outcome.is_ok(), "{:?}", trial.outcome.as_ref().err());
        trial.world.faults.counts()
    });
    counts.insert(Call::Discard, 1);
    counts
}

#[test]
fn undisturbed_runs_are_proven() {
    for profile in profiles() {
        calls(profile);
        assert_eq!(verdict(profile, &[], true), Ok(()));
    }
}

#[test]
fn no_fault_at_any_call_breaks_a_promise() {
    let (mut cases, mut broken) = (0, Vec::new());
    for profile in profiles() {
        for (call, count) in calls(profile) {
            for from in (0..count).filter(|n| *n < 4 || n + 3 > count) {
                for fault in faults_of(call) {
                    for times in [1, usize::MAX] {
                        let rule = Rule {
                            call,
                            from,
                            times,
                            fault,
                        };
                        cases += 1;
                        broken.extend(
                            verdict(profile, &[rule], true)
                                .err()
                                .map(|why| format!("{rule:?}: {why}")),
                        );
                    }
                }
            }
        }
    }
    assert!(cases > 3_000, "only {cases} cases");
    assert_all_kept(&broken, cases);
}

#[test]
fn no_two_or_three_faults_at_random_break_a_promise() {
    let seeds = match std::env::var("QUIESCE_SEED") {
        Ok(seed) => vec![seed.parse().expect("a number")],
        Err(_) => (0..800).collect(),
    };
    let cases = seeds.len();
    let worlds = profiles().map(|profile| (profile, calls(profile)));
    let broken = seeds.into_iter().filter_map(|seed| {
        let (profile, rules) = drawn(seed, &worlds);
        let why = verdict(profile, &rules, false).err()?;
        Some(format!("QUIESCE_SEED={seed} {rules:?}: {why}"))
    });
    assert_all_kept(&broken.collect::<Vec<_>>(), cases);
}

/// Instants of a run, since its start: every 7 ms until writes are let go, then more rarely.
fn moments() -> impl Iterator<Item = Duration> {
    let dense = (0..150).map(|n| Duration::from_millis(7 * n));
    dense.chain((0..40).map(|n| Duration::from_millis(1_050 + 500 * n)))
}

/// The same for both captures in a quick world.
fn quick_moments() -> impl Iterator<Item = (Profile, Duration)> {
    let quick = CaptureCall::ALL.map(|capture| Profile::quick().capturing(capture));
    quick
        .into_iter()
        .flat_map(|profile| moments().map(move |moment| (profile, moment)))
}

#[test]
fn a_stop_at_any_moment_undoes_everything() {
    let mut broken = Vec::new();
    for (profile, moment) in quick_moments() {
        let trial = Trial::with_stop(profile, &[], |stop| {
            tokio::spawn(async move {
                tokio::time::sleep(moment).await;
                stop.cancel();
            });
        });
        let verdict = simulated(async { trial.await.judge(true).await });
        broken.extend(
            verdict
                .err()
                .map(|why| format!("{}, stopped after {moment:?}: {why}", profile.capture)),
        );
    }
    assert_all_kept(&broken, quick_moments().count());
}

#[test]
fn a_future_dropped_at_any_moment_undoes_everything() {
    let mut broken = Vec::new();
    for (profile, moment) in quick_moments() {
        let verdict = simulated(async {
            let world = World::new(profile, &[]);
            let finished = tokio::time::timeout(moment, world.execute(world.stop.clone())).await;
            assert!(finished.is_err(), "a run takes longer than {moment:?}");
            tokio::time::sleep(s(2)).await;
            if world
                .guest
                .intervals()
                .iter()
                .any(|interval| interval.ended.is_none())
            {
                return Err("still held 2 s later".to_owned());
            }
            tokio::time::sleep(s(600)).await;
            if !world.imager.images().is_empty() || !world.imager.snapshots().is_empty() {
                return Err("something is left".to_owned());
            }
            world.judge_holds()?;
            world.judge_next_run().await
        });
        broken.extend(
            verdict
                .err()
                .map(|why| format!("{}, dropped after {moment:?}: {why}", profile.capture)),
        );
    }
    assert_all_kept(&broken, quick_moments().count());
}

/// The case of a seed.
fn drawn(seed: u64, worlds: &[(Profile, BTreeMap<Call, usize>)]) -> (Profile, Vec<Rule>) {
    let mut dice = Dice(seed);
    let (profile, calls) = &worlds[dice.below(worlds.len())];
    let calls: Vec<(Call, usize)> = calls.iter().map(|(call, count)| (*call, *count)).collect();
    let count = 2 + dice.below(2);
    let rules = (0..count).map(|_| {
        let (call, occurrences) = calls[dice.below(calls.len())];
        let faults = faults_of(call);
        let fault = faults[dice.below(faults.len())];
        let times = [1, 3, usize::MAX][dice.below(3)];
        Rule {
            call,
            from: dice.below(occurrences),
            times,
            fault,
        }
    });
    (*profile, rules.collect())
}

/// `SplitMix64`: the same numbers for the same seed on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).expect("small");
        usize::try_from((z ^ (z >> 31)) % bound).expect("small")
    }
}
