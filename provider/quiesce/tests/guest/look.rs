//! The read-only look at the sessions of a guest: what it shows of a live one and of a dead one, and that it touches nothing.

use std::time::Duration;

use quiesce::method::Method;
use serde_json::{Value, json};

use crate::{
    machine::{Flavour, Guest},
    scene::{METHODS, Scene},
    session::Session,
};

/// Everything below the guest's state directory with its time of change: what a look must not alter.
const STATE: &str = "ls -lRn --full-time /run/consistent";

/// Both switches killed at the same instant: nobody lets go any more.
const KILL_SWITCHES: &str = "kill -KILL $(cut -d' ' -f1 /run/consistent/sessions/*/switch.first /run/consistent/sessions/*/switch.spare)";

/// The one session that the look shows.
fn only(session: &Session<'_>) -> Value {
    let report = session.look();
    let sessions = report["sessions"].as_array().expect("sessions");
    assert_eq!(sessions.len(), 1, "{report:#}");
    assert_eq!(sessions[0]["session"], session.id.as_str());
    sessions[0].clone()
}

#[test]
fn a_hold_is_shown_as_it_is_and_not_touched() {
    for flavour in [Flavour::Debian, Flavour::Busybox] {
        let scene = Scene::on(Guest::of(flavour));
        let cluster = scene.cluster();
        for method in METHODS {
            let session = scene.session(method).lasting(Duration::from_secs(20));
            session.armed();
            let armed = only(&session);
            assert_eq!(armed["began_uptime_ms"], Value::Null, "{armed:#}");
            assert_eq!(armed["frozen"], json!([]));
            let held = session.hold();
            let before = scene.guest.sh(STATE);
            let seen = only(&session);
            assert_eq!(scene.guest.sh(STATE), before);
            assert_eq!(seen["method"], method.as_str(), "{seen:#}");
            assert_eq!(seen["switches"], 2);
            assert_eq!(seen["in_progress"], true);
            assert_eq!(seen["letting_go"], false);
            assert_eq!(seen["ends_uptime_ms"], held["fires_uptime_ms"]);
            let frozen = if method == Method::Freeze {
                json!([scene.data, scene.wal])
            } else {
                json!([])
            };
            assert_eq!(seen["frozen"], frozen, "{flavour:?} {seen:#}");
            assert_eq!(
                seen["paused"].as_u64() > Some(0),
                method == Method::Pause,
                "{seen:#}"
            );
            assert_eq!(seen["services"], method == Method::Stop);
            assert_eq!(session.release()["outcome"], "held");
            assert_eq!(session.look()["sessions"], json!([]), "it is over");
            scene.assert_let_go(&cluster);
        }
    }
}

#[test]
fn a_session_whose_switches_were_killed_is_dead_and_can_be_let_go_by_anybody() {
    let scene = Scene::new();
    let cluster = scene.cluster();
    let session = scene
        .session(Method::Freeze)
        .lasting(Duration::from_mins(1));
    session.held();
    scene.guest.sh(KILL_SWITCHES);
    let dead = only(&session);
    assert_eq!(dead["in_progress"], false, "{dead:#}");
    assert_eq!(dead["switches"], 0);
    assert!(!scene.guest.writes_go_on());
    // Nobody who finds it knows its engines.
    let text = quiesce::script::release(&session.id, &[], &session.boot_id).text;
    let released = scene.guest.report(&text);
    assert_eq!(released["released"], true, "{released:#}");
    assert_eq!(session.look()["sessions"], json!([]));
    scene.assert_let_go(&cluster);
}

#[test]
fn what_was_given_up_and_strange_names_are_told_in_harmless_words() {
    let scene = Scene::new();
    let session = scene.session(Method::Freeze);
    let directory = session.state("left");
    let directory = directory.trim_end_matches("/left");
    scene.guest.sh(&format!(
        "mkdir -p {directory} '/run/consistent/sessions/$(touch gone)' && printf 'thaw say \"x\" \\033[2J\\n' >{directory}/left"
    ));
    let report = session.look();
    assert_eq!(report["sessions"], json!([]), "{report:#}");
    assert_eq!(report["given_up"][0]["session"], session.id.as_str());
    assert_eq!(report["given_up"][0]["detail"], "say \"x\" \u{1b}[2J");
}
