//! Scripts delivered twice, late, out of order or never, and what changes between arm and hold.

use std::{process::Child, time::Duration};

use quiesce::method::Method;

use crate::{
    machine::Guest,
    scene::{METHODS, Scene},
    session::{Session, codes, links},
};

/// What a delivery printed in the end.
fn answer(delivery: Child) -> String {
    let output = delivery.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The one answer of two deliveries at the same moment.
fn answer_of_twins(guest: &Guest, script: &str) -> String {
    let [one, other] = [guest.start(script), guest.start(script)].map(answer);
    assert_eq!(one, other, "twins give one answer");
    one
}

#[test]
fn a_repeated_delivery_is_answered_again_and_acts_once() {
    for method in METHODS {
        let scene = Scene::new();
        let cluster = scene.cluster();
        let session = scene.session(method).lasting(Duration::from_secs(10));
        let (arm, hold, release) = (
            session.arm_text(),
            session.hold_text(),
            session.release_text(),
        );
        answer_of_twins(&scene.guest, &arm);
        assert_eq!(scene.guest.report(&arm)["outcome"], "armed");
        answer_of_twins(&scene.guest, &hold);
        assert_eq!(scene.guest.report(&hold)["outcome"], "held");
        assert_eq!(scene.guest.report(&arm)["outcome"], "armed");
        answer_of_twins(&scene.guest, &release);
        let again = scene.guest.report(&release);
        assert_eq!(again["outcome"], "held", "{again:#}");
        for script in [arm, hold] {
            assert_eq!(codes(&scene.guest.report(&script)), ["session_over"]);
        }
        scene.assert_let_go(&cluster);
    }
}

/// The agent resubmits late: the first delivery's answer counts, not how late the second one is.
#[test]
fn a_twin_that_is_too_late_answers_as_the_first_did() {
    let scene = Scene::new();
    let cluster = scene.cluster();
    let session = scene.session(Method::Freeze);
    let past = Duration::from_millis(Guest::uptime() - 50);
    session.armed();
    let late = scene.guest.report(&session.arm_text_before(past));
    assert_eq!(late["outcome"], "armed", "{late:#}");
    assert_eq!(session.hold()["outcome"], "held");
    let late = scene.guest.report(&session.hold_text_before(past));
    assert_eq!(late["outcome"], "held", "{late:#}");
    assert_eq!(session.release()["outcome"], "held");
    scene.assert_let_go(&cluster);
}

#[test]
fn what_arrives_after_its_release_refuses() {
    let scene = Scene::new();
    let cluster = scene.cluster();
    let session = scene.session(Method::Freeze);
    let released = session.release();
    assert_eq!(links(&released), ["never-held"]);
    assert_eq!(released["released"], true);
    assert_eq!(codes(&session.arm()), ["session_over"]);
    assert_eq!(codes(&session.hold()), ["session_over"]);
    scene.assert_let_go(&cluster);
}

#[test]
fn a_release_of_what_is_only_armed_stands_it_down() {
    for method in METHODS {
        let scene = Scene::new();
        let cluster = scene.cluster();
        let session = scene.session(method);
        session.armed();
        let released = session.release();
        assert_eq!(links(&released), ["never-held"], "{released:#}");
        assert_eq!(released["hold_ms"], serde_json::Value::Null);
        assert_eq!(codes(&session.hold()), ["session_over"]);
        scene.assert_let_go(&cluster);
    }
}

/// Starts `script`, releases after `delay` (in s): nothing is held then, and nothing is held later.
fn release_during(scene: &Scene, session: &Session<'_>, script: &str, delay: &str) {
    let delivery = scene.guest.start(script);
    scene.guest.sh(&format!("sleep {delay}"));
    let released = session.release();
    assert_eq!(released["released"], true, "{released:#}");
    assert!(scene.guest.writes_go_on(), "after {delay} s");
    delivery.wait_with_output().expect("it ends");
    assert!(scene.guest.writes_go_on(), "after {delay} s");
}

#[test]
fn a_release_during_arm_or_hold_lets_go_for_good() {
    for delay in ["0.02", "0.05", "0.1", "0.15", "0.2", "0.25", "0.35"] {
        let scene = Scene::new();
        let cluster = scene.cluster();
        let session = || {
            let session = scene.session(Method::Freeze);
            session.lasting(Duration::from_secs(20))
        };
        let arming = session();
        release_during(&scene, &arming, &arming.arm_text(), delay);
        assert_eq!(arming.hold()["outcome"], "refused");
        let holding = session();
        holding.armed();
        release_during(&scene, &holding, &holding.hold_text(), delay);
        scene.assert_let_go(&cluster);
    }
}

#[test]
fn arm_and_hold_for_another_boot_or_delivered_too_late_refuse() {
    let scene = Scene::new();
    let cluster = scene.cluster();
    let past = Duration::from_millis(Guest::uptime() - 50);
    let session = scene.session(Method::Freeze);
    let late = scene.guest.report(&session.arm_text_before(past));
    assert_eq!(codes(&late), ["too_late"]);
    assert_eq!(codes(&session.hold()), ["session_over"]);

    let session = scene.session(Method::Freeze);
    session.armed();
    let late = scene.guest.report(&session.hold_text_before(past));
    assert_eq!(codes(&late), ["too_late"]);
    scene.assert_let_go(&cluster);
    assert_eq!(links(&session.release()), ["never-held"]);

    let mut session = scene.session(Method::Freeze);
    session.boot_id = "11111111-2222-3333-4444-555555555555".into();
    assert_eq!(codes(&session.arm()), ["rebooted"]);
    assert_eq!(links(&session.release()), ["boot", "never-held"]);
}

#[test]
fn a_hold_without_an_arm_refuses() {
    let scene = Scene::new();
    let cluster = scene.cluster();
    let session = scene.session(Method::Pause);
    assert_eq!(codes(&session.hold()), ["not_armed"]);
    // It has ended the session: an arm that comes only now must not leave the guest locked.
    assert_eq!(codes(&session.arm()), ["session_over"]);
    scene.assert_let_go(&cluster);
}

// ---- armed, and then --------------------------------------------------------------------------------------------------------

#[test]
fn armed_and_abandoned_the_guest_stands_down_in_time() {
    let scene = Scene::new();
    let cluster = scene.cluster();
    let session = scene
        .session(Method::Freeze)
        .armed_for(Duration::from_secs(2));
    let armed = session.armed();
    let told = armed["stands_down_uptime_ms"].as_u64().expect("a time");
    assert!(scene.guest.writes_go_on(), "arming holds nothing");
    let second = scene.session(Method::Freeze).arm();
    assert_eq!(codes(&second), ["hold_in_progress"], "{second:#}");
    assert_eq!(second["hold_in_progress"]["held_for_ms"], 0);
    scene
        .guest
        .sh("until [ ! -e /run/consistent/hold ]; do sleep 0.01; done");
    let stood_down = Guest::uptime();
    assert!(
        (told..told + 500).contains(&stood_down),
        "told {told}, at {stood_down}"
    );
    assert_eq!(codes(&session.hold()), ["session_over"]);
    assert_eq!(links(&session.release()), ["never-held"]);
    let next = scene.session(Method::Freeze);
    next.held();
    assert_eq!(next.release()["outcome"], "held");
    scene.assert_let_go(&cluster);
}

/// Whoever comes first, the hold or the end of waiting for it: it holds until released, or it holds nothing.
#[test]
fn a_hold_that_comes_as_the_guest_stands_down_holds_or_does_not() {
    let scene = Scene::new();
    let cluster = scene.cluster();
    let mut outcomes = Vec::new();
    for before_ms in [3_000, 500, 400, 350, 300, 250, 200, 100, 0] {
        let session = scene
            .session(Method::Freeze)
            .armed_for(Duration::from_secs(3))
            .lasting(Duration::from_secs(20));
        let armed = session.armed();
        let told = armed["stands_down_uptime_ms"].as_u64().expect("a time");
        let wait = (told - before_ms).saturating_sub(Guest::uptime());
        scene
            .guest
            .sh(&format!("sleep {}.{:03}", wait / 1000, wait % 1000));
        let printed = answer(scene.guest.start(&session.hold_text()));
        let released = session.release();
        assert_eq!(released["released"], true, "{released:#}");
        let held = printed.contains("\"outcome\":\"held\"");
        if released["outcome"] == "held" {
            assert!(held, "{printed}");
        }
        outcomes.push((before_ms, held));
        scene.assert_let_go(&cluster);
    }
    assert!(outcomes[0].1, "{outcomes:?}");
    assert!(!outcomes[outcomes.len() - 1].1, "{outcomes:?}");
}

#[test]
fn a_tablespace_made_between_arm_and_hold_is_refused() {
    for method in METHODS {
        let scene = Scene::new();
        let cluster = scene.cluster();
        let space = scene.guest.volume("space", "ext4", 64, "0ccc");
        let session = scene.session(method);
        session.armed();
        scene
            .guest
            .sh(&format!("install -d -o postgres '{space}/ts'"));
        cluster.sql(&format!("CREATE TABLESPACE ts LOCATION '{space}/ts'"));
        let report = session.hold();
        assert_eq!(report["outcome"], "refused", "{report:#}");
        assert_eq!(codes(&report), ["mounts_changed"], "{report:#}");
        scene.assert_let_go(&cluster);
        assert_eq!(links(&session.release()), ["never-held"]);
    }
}

#[test]
fn a_server_that_is_gone_by_the_hold_is_refused() {
    let scene = Scene::new();
    let cluster = scene.cluster();
    let session = scene.session(Method::Freeze);
    session.armed();
    cluster.ctl("stop");
    let report = session.hold();
    assert_eq!(codes(&report), ["no_server"], "{report:#}");
    cluster.ctl("start");
    scene.assert_let_go(&cluster);
}

/// Whatever gathered since the flush would lengthen the hold.
#[test]
fn every_mount_is_written_out_again_before_it_is_frozen() {
    let scene = Scene::new();
    let _cluster = scene.cluster();
    let session = scene.session(Method::Freeze);
    session.armed();
    scene.guest.sh(
        "mkdir /run/real && cp $(readlink -f /usr/bin/sync) /run/real/sync
         printf '#!/bin/bash\n[ -e /run/consistent/sessions/*/began ] || echo $2 >>/run/synced\nexec /run/real/sync $*\n' >/run/fake
         chmod 755 /run/fake && mount --bind /run/fake /usr/bin/sync",
    );
    assert_eq!(session.hold()["outcome"], "held");
    let synced = scene.guest.sh("sort /run/synced");
    assert_eq!(synced, format!("{}\n{}\n", scene.data, scene.wal));
    assert_eq!(session.release()["outcome"], "held");
}
