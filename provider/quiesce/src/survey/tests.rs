//! What guest and service say, put together.

use serde_json::{Value, json};

use super::*;
use crate::testing::{
    faults::{Call, Event, Fault, Rule},
    reply, scene,
    trial::{Profile, World},
};

/// The scene, with the probe's report changed.
fn survey(change: impl FnOnce(&mut Value)) -> Survey {
    let session = SessionId::random();
    let mut report = scene::probe_report(session.as_str(), scene::BOOT_ID, 1_000);
    change(&mut report);
    let report = report::read(&reply(&report.to_string()), &session).expect("a sound report");
    let now = Instant::now();
    let exchange = Exchange {
        sent: now,
        received: now,
        uptime: Duration::ZERO,
    };
    Survey {
        instance: scene::instance(),
        exchange,
        report,
    }
}

fn codes(survey: &Survey, choice: Choice) -> Vec<String> {
    let problems = survey
        .assess(&scene::engines(), choice, CaptureCall::CreateImage)
        .problems;
    problems
        .iter()
        .map(|problem| problem.code.to_string())
        .collect()
}

#[test]
fn configuration_on_the_root_volume_does_not_keep_the_data_from_being_frozen() {
    let survey = survey(|_| {});
    let readiness = survey.assess(&scene::engines(), Choice::Auto, CaptureCall::CreateImage);
    assert!(readiness.ready());
    assert_eq!(readiness.method, Some(Method::Freeze));
    assert_eq!(
        readiness.data_volumes.len(),
        3,
        "but its volume has to be in the image"
    );
    let mounts: Vec<String> = survey
        .mounts_to_hold()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        mounts,
        [scene::MOUNTS[1], scene::MOUNTS[0]],
        "inner mounts first"
    );
}

#[test]
fn every_obstacle_is_named_at_once() {
    let broken = survey(|report| {
        report["mounts"][0]["leaves"] = json!([]);
        report["mounts"][0]["freezable"] = json!(false);
        report["mounts"][1]["leaves"][0]["volume_id"] = json!("vol-0fffffffffffffff0");
        report["servers"][0]["engine"] = json!("mysql");
    });
    let expected = [
        "no_server",
        "no_volume",
        "volume_not_in_image",
        "unsafe_freeze",
    ];
    assert_eq!(codes(&broken, Choice::Exactly(Method::Freeze)), expected);
    assert_eq!(codes(&broken, Choice::Auto), expected[..3]);
}

#[test]
fn a_hold_in_progress_is_named_with_the_end_of_its_patience() {
    let held = survey(|report| {
        report["hold_in_progress"] = json!({
            "session": "00112233445566778899aabbccddeeff", "method": "freeze", "held_for_ms": 9_000,
            "fires_in_ms": 51_000,
        });
    });
    let readiness = held.assess(&scene::engines(), Choice::Auto, CaptureCall::CreateImage);
    let [problem] = readiness.problems.as_slice() else {
        panic!("one problem")
    };
    assert!(
        problem.message.contains("00112233445566778899aabbccddeeff")
            && problem.message.contains("9 s")
    );
    assert!(problem.hint.contains("52 s"));
}

#[test]
fn what_registering_would_lose_is_refused_where_it_would_be_registered() {
    let mut bound = survey(|_| {});
    bound.instance.lost_by_registering = vec!["i-1 is billed for its licence".to_owned()];
    let codes = |call| {
        let readiness = bound.assess(&scene::engines(), Choice::Auto, call);
        let problems = readiness.problems.into_iter();
        problems.map(|it| it.code.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(codes(CaptureCall::CreateSnapshots), ["not_registrable"]);
    assert!(codes(CaptureCall::CreateImage).is_empty());
}

#[test]
fn a_refusing_guests_own_reasons_stand_alone() {
    let refused = survey(|report| {
        report["outcome"] = json!("refused");
        report["problems"] =
            json!([{"code": "fsync_off", "message": "fsync is off", "hint": "turn it on"}]);
        report["mounts"] = json!([]);
    });
    assert_eq!(codes(&refused, Choice::Auto), ["fsync_off"]);
}

#[tokio::test(start_paused = true)]
async fn inspecting_touches_nothing() {
    let detached = Fault::Meanwhile(Event::VolumeDetached);
    for (fault, ready) in [(None, true), (Some(detached), false)] {
        let rule = fault.map(|fault| Rule {
            call: Call::Instance,
            from: 0,
            times: 1,
            fault,
        });
        let world = World::new(Profile::quick(), rule.as_slice());
        let engines = scene::engines();
        let readiness = inspect(
            &world.guest,
            &world.imager,
            &engines,
            Choice::Auto,
            CaptureCall::CreateSnapshots,
            &world.stop,
        )
        .await;
        assert_eq!(readiness.expect("an answer").ready(), ready);
        let made: Vec<Call> = world.faults.counts().into_keys().collect();
        assert_eq!(made, [Call::Probe, Call::Instance]);
    }
}
