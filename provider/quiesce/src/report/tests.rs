use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::testing::{reply, scene};

const SESSION: &str = "00112233445566778899aabbccddeeff";

fn session() -> SessionId {
    SESSION.parse().unwrap()
}

fn probe() -> Value {
    scene::probe_report(SESSION, scene::BOOT_ID, 1_000)
}

fn armed() -> Value {
    json!({
        "report": 1, "session": SESSION, "phase": "arm", "outcome": "armed", "boot_id": scene::BOOT_ID,
        "uptime_ms": 1_900, "warnings": [], "problems": [], "method": "freeze",
        "stands_down_uptime_ms": 61_900, "durations_ms": {"guard": 20, "flush": 900},
    })
}

fn held() -> Value {
    json!({
        "report": 1, "session": SESSION, "phase": "hold", "outcome": "held", "boot_id": scene::BOOT_ID,
        "uptime_ms": 2_050, "warnings": ["slow \u{1b}[31mdisk"], "problems": [], "method": "freeze",
        "mounts": scene::MOUNTS, "held_at": "2026-11-22T16:00:00Z", "held_uptime_ms": 2_040,
        "hold_began_uptime_ms": 2_000, "fires_uptime_ms": 62_000,
        "recovery_points": {"postgresql": scene::RECOVERY_POINT}, "durations_ms": {"look": 100, "flush": 20, "hold": 40},
    })
}

fn released() -> Value {
    json!({
        "report": 1, "session": SESSION, "phase": "release", "outcome": "held", "boot_id": scene::BOOT_ID,
        "uptime_ms": 3_000, "warnings": [], "problems": [], "method": "freeze", "released": true,
        "released_at": "2026-11-22T16:00:01Z", "hold_ms": 990, "broken": [],
    })
}

fn read_value<B: Body>(report: &Value) -> Result<Report<B>, ReportError> {
    read(&reply(&report.to_string()), &session())
}

fn with(mut report: Value, field: &str, value: Value) -> Value {
    report[field] = value;
    report
}

#[test]
fn sound_reports_are_read() {
    let probe = read_value::<Probe>(&probe()).unwrap();
    assert_eq!(probe.body.mounts.len(), 3);
    assert_eq!(
        probe.body.mounts[2].needed_by_guest.as_deref(),
        Some("the root file system")
    );
    let ArmReport::Armed(armed) = read_value::<ArmReport>(&armed()).unwrap().body else {
        panic!("not armed")
    };
    assert_eq!(armed.stands_down.as_millis(), 61_900);
    let held = read_value::<HoldReport>(&held()).unwrap();
    assert_eq!(&*held.warnings[0], "slow [31mdisk");
    let HoldReport::Held(held) = held.body else {
        panic!("not held")
    };
    assert_eq!(held.fires.as_millis() - held.began.as_millis(), 60_000);
    let released = read_value::<ReleaseReport>(&released()).unwrap();
    assert!(released.body.released());
}

/// The fakes and these tests speak what the schema allows, else they would prove nothing about the real guest.
#[test]
fn the_reports_of_the_tests_keep_the_schema() {
    let schema = include_str!("../../../../schemas/guest-report.json");
    let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    for report in [probe(), armed(), held(), released()] {
        let errors: Vec<String> = schema
            .iter_errors(&report)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{report}: {errors:?}");
    }
    assert!(!schema.is_valid(&with(released(), "released", json!(false))));
}

#[test]
fn what_answers_something_else_is_no_answer() {
    let cases = [
        (
            with(held(), "session", json!("ffffffffffffffffffffffffffffffff")),
            "not for ours",
        ),
        (
            with(held(), "phase", json!("release")),
            "phase release, hold was asked",
        ),
        (armed(), "phase arm, hold was asked"),
        (with(held(), "report", json!(2)), "version 2"),
        (with(held(), "uptime_ms", json!(-1)), "not a report"),
        (with(held(), "uptime_ms", json!(u64::MAX)), "century"),
        (with(held(), "boot_id", json!("$(reboot)")), "not a boot id"),
        (
            with(held(), "mounts", json!(["/a\nb"])),
            "not a mount point",
        ),
        (with(held(), "held_at", json!("yesterday")), "not a report"),
        (with(held(), "outcome", json!("perhaps")), "not a report"),
        (
            with(held(), "hold_began_uptime_ms", json!(2_041)),
            "held before the hold began",
        ),
        (
            with(held(), "held_uptime_ms", json!(62_001)),
            "held after the switch fired",
        ),
    ];
    for (report, reason) in cases {
        let error = read_value::<HoldReport>(&report).unwrap_err().to_string();
        assert!(error.contains(reason), "{error:?} does not say {reason:?}");
    }
}

#[test]
fn a_release_that_contradicts_itself_proves_nothing() {
    let broken = json!([{"link": "switch-fired", "detail": ""}]);
    for report in [
        with(released(), "released", json!(false)),
        with(released(), "broken", broken),
        with(released(), "outcome", json!("lapsed")),
        with(released(), "hold_ms", Value::Null),
        with(released(), "method", Value::Null),
    ] {
        assert!(read_value::<ReleaseReport>(&report).is_err(), "{report}");
    }
}

#[test]
fn an_empty_success_is_told_with_what_stderr_said() {
    let silent = Reply {
        stderr: "sh: fsfreeze: not found".into(),
        ..reply(" \n")
    };
    let error = read::<HoldReport>(&silent, &session()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the command ended as Success and printed nothing; stderr: sh: fsfreeze: not found"
    );
}

#[test]
fn size_and_depth_are_limited() {
    let long = with(held(), "warnings", json!(["x".repeat(24_000)]));
    assert!(matches!(
        read_value::<HoldReport>(&long),
        Err(ReportError::TooLong { .. })
    ));
    let deep = "[".repeat(20_000);
    assert!(matches!(
        read::<HoldReport>(&reply(&deep), &session()),
        Err(ReportError::NotAReport { .. })
    ));
}

/// Any JSON, small.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,12}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn every_phase(reply: &Reply) -> Vec<String> {
    let session = session();
    let errors = [
        read::<Probe>(reply, &session).err(),
        read::<ArmReport>(reply, &session).err(),
        read::<HoldReport>(reply, &session).err(),
        read::<ReleaseReport>(reply, &session).err(),
    ];
    errors
        .into_iter()
        .flatten()
        .map(|error| error.to_string())
        .collect()
}

fn harmless(text: &str) -> bool {
    text.chars()
        .all(|c| !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c))
        && text.chars().count() < 4_000
}

proptest! {
    #[test]
    fn noise_is_refused_in_harmless_words(stdout in any::<String>(), stderr in any::<String>(), status in any::<String>()) {
        let noise = Reply { status, stderr, ..reply(&stdout) };
        let errors = every_phase(&noise);
        prop_assert_eq!(errors.len(), 4);
        prop_assert!(errors.iter().all(|error| harmless(error)), "{:?}", errors);
    }

    /// A sound report with one field replaced by anything is read or refused, without a panic and in harmless words.
    #[test]
    fn a_lying_guest_does_no_harm(which in 0..4_usize, field in 0..20_usize, lie in any_json()) {
        let mut report = [probe(), armed(), held(), released()][which].clone();
        let fields = report.as_object_mut().unwrap();
        let name = fields.keys().nth(field % fields.len()).unwrap().clone();
        fields.insert(name, lie);
        let errors = every_phase(&reply(&report.to_string()));
        prop_assert!(errors.len() >= 3, "a report of one phase was taken for another's");
        prop_assert!(errors.iter().all(|error| harmless(error)), "{:?}", errors);
    }

    #[test]
    fn a_mount_point_is_kept_exactly_or_refused(text in any::<String>()) {
        if let Ok(mount) = text.parse::<MountPoint>() {
            prop_assert_eq!(mount.as_str(), text.as_str());
            prop_assert!(harmless(&text) && text.starts_with('/'));
        }
    }
}
