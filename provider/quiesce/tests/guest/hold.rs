//! Hold and release: what holds, what is refused, and every link whose break must show.

use std::time::Duration;

use quiesce::method::Method;

use crate::{
    cluster::{Cluster, Layout},
    machine::{Flavour, Guest},
    observer::Observer,
    scene::{METHODS, Scene},
    session::{Session, codes, links},
};

#[test]
fn every_method_holds_until_released_on_every_version() {
    for (version, methods) in [(10, &METHODS[..2]), (15, &METHODS[..]), (18, &METHODS[..])] {
        let scene = Scene::new();
        let cluster = scene.cluster_of(version);
        for &method in methods {
            let session = scene.session(method).lasting(Duration::from_secs(20));
            let observer = Observer::of_commits(&scene.guest, &cluster);
            let held = session.held();
            let position = held["recovery_points"]["postgresql"].as_str();
            assert!(position.is_some_and(|lsn| lsn.contains('/')), "{held:#}");
            assert_eq!(held["mounts"], serde_json::json!([scene.data, scene.wal]));
            scene.guest.sh("sleep 2");
            let released = session.release();
            assert_eq!(released["outcome"], "held", "{released:#}");
            observer.assert_stalled_for(&released["hold_ms"]);
            scene.assert_let_go(&cluster);
        }
    }
}

#[test]
fn every_method_works_under_bash_and_under_busybox_alone() {
    for flavour in [Flavour::Bash, Flavour::Busybox] {
        let scene = Scene::on(Guest::of(flavour));
        let cluster = scene.cluster();
        for method in METHODS {
            let session = scene.session(method).lasting(Duration::from_secs(20));
            let probed = session.probe();
            assert_eq!(probed["outcome"], "ready", "{flavour:?} {probed:#}");
            session.held();
            let released = session.release();
            assert_eq!(released["outcome"], "held", "{flavour:?} {released:#}");
            scene.assert_let_go(&cluster);
        }
        let abandoned = scene
            .session(Method::Freeze)
            .lasting(Duration::from_secs(1));
        abandoned.held();
        scene.guest.sh("sleep 1.5");
        scene.assert_let_go(&cluster);
        assert_eq!(abandoned.release()["outcome"], "lapsed");
    }
}

#[test]
fn frozen_volumes_take_no_write_for_as_long_as_is_claimed() {
    let scene = Scene::new();
    let _cluster = scene.cluster();
    let session = scene.session(Method::Freeze);
    let observer = Observer::of_writes(&scene.guest, &scene.data);
    session.held();
    scene.guest.sh("sleep 2");
    let released = session.release();
    assert_eq!(released["outcome"], "held", "{released:#}");
    observer.assert_stalled_for(&released["hold_ms"]);
}

#[test]
fn a_standby_is_held_at_what_it_has_replayed() {
    for version in [10, 15, 18] {
        let guest = Guest::new();
        let data = guest.volume("data", "ext4", 400, "0aaa");
        let layout = Layout {
            version,
            settings: "wal_level = replica\nmax_wal_senders = 4\nhot_standby = on",
            ..Layout::on(&data)
        };
        let primary = Cluster::start(&guest, &layout);
        let standby = primary.standby(6002);
        let replayed = if version >= 10 {
            "pg_last_wal_replay_lsn()"
        } else {
            "pg_last_xlog_replay_location()"
        };
        for method in [Method::Freeze, Method::Pause] {
            let session = Session::new(&guest, method, &[&data]).with("port", "6002");
            let before = standby.sql(&format!("SELECT {replayed}"));
            let held = session.held();
            assert_eq!(session.release()["outcome"], "held");
            let position = held["recovery_points"]["postgresql"]
                .as_str()
                .expect("an LSN");
            let in_order =
                format!("SELECT '{before}'::pg_lsn <= '{position}' AND '{position}' <= {replayed}");
            assert_eq!(standby.sql(&in_order), "t", "{before} {position}");
        }
    }
}

#[test]
fn a_server_with_a_cgroup_of_its_own_is_paused_by_it() {
    let scene = Scene::new();
    let cluster = scene.cluster();
    let group = Cgroup::around(&cluster, &scene.guest);
    let session = scene.session(Method::Pause);
    session.held();
    assert_eq!(
        scene
            .guest
            .sh(&format!("cat {}", session.state("cgroups")))
            .trim(),
        group.directory
    );
    assert_eq!(
        scene
            .guest
            .sh(&format!("cat {}/cgroup.freeze", group.directory)),
        "1\n"
    );
    assert_eq!(session.release()["outcome"], "held");
    scene.assert_let_go(&cluster);

    let thawed = scene.session(Method::Pause);
    thawed.held();
    scene.guest.sh(&format!(
        "echo 0 >{}/cgroup.freeze; sleep 0.5",
        group.directory
    ));
    let report = thawed.release();
    assert!(links(&report).contains(&"paused"), "{report:#}");
}

/// The kernel wakes a frozen process to note a signal - here of the timer with which a session waits for a lock - and freezes
/// it again: it has done nothing.
#[test]
fn a_timer_that_ends_in_a_frozen_process_breaks_nothing() {
    let scene = Scene::new();
    let cluster = scene.cluster();
    cluster.sql("CREATE TABLE contended (i int); INSERT INTO contended VALUES (1)");
    let update = "UPDATE contended SET i = i + 1";
    let holder = format!("BEGIN; {update}; SELECT pg_sleep(60)");
    // Later than the hold begins, earlier than it ends.
    let waiter = format!("SET deadlock_timeout = '4s'; {update}");
    let sessions = [holder, waiter].map(|query| {
        let session = scene.guest.start(&cluster.psql(&query));
        scene.guest.sh("sleep 0.4");
        session
    });
    let _group = Cgroup::around(&cluster, &scene.guest);
    let session = scene
        .session(Method::Pause)
        .lasting(Duration::from_secs(10));
    session.held();
    scene.guest.sh("sleep 4");
    let report = session.release();
    assert_eq!(report["outcome"], "held", "{report:#}");
    for mut session in sessions {
        let _ = session.kill();
        let _ = session.wait();
    }
}

/// A cgroup of this name; removed when dropped.
pub(crate) struct Cgroup<'a> {
    guest: &'a Guest,
    pub(crate) directory: String,
}

impl<'a> Cgroup<'a> {
    /// One that nobody is in.
    pub(crate) fn new(guest: &'a Guest, name: &str) -> Self {
        let root = guest.sh("awk '$(NF-2) == \"cgroup2\" { print $5 }' /proc/self/mountinfo");
        let directory = format!("{}/guest-test-{}-{name}", root.trim(), std::process::id());
        guest.sh(&format!("mkdir {directory}"));
        Self { guest, directory }
    }

    fn around(cluster: &Cluster<'_>, guest: &'a Guest) -> Self {
        let group = Self::new(guest, &cluster.pid().to_string());
        guest.sh(&format!(
            "for pid in {pid} $(cat /proc/{pid}/task/{pid}/children); do echo $pid >{directory}/cgroup.procs; done",
            pid = cluster.pid(),
            directory = group.directory
        ));
        group
    }
}

impl Drop for Cgroup<'_> {
    fn drop(&mut self) {
        let _ = self.guest.try_sh(&format!(
            "echo 0 >{d}/cgroup.freeze; for pid in $(cat {d}/cgroup.procs); do echo $pid >{d}/../cgroup.procs; done; rmdir {d}",
            d = self.directory
        ));
    }
}

#[test]
fn a_second_session_is_told_who_holds() {
    let scene = Scene::new();
    let _cluster = scene.cluster();
    let first = scene.session(Method::Pause);
    let second = scene.session(Method::Freeze);
    first.held();
    let report = second.arm();
    assert_eq!(codes(&report), ["hold_in_progress"], "{report:#}");
    let holder = &report["hold_in_progress"];
    assert_eq!(holder["session"], first.id.as_str());
    assert_eq!(holder["method"], "pause");
    assert!(
        holder["fires_in_ms"].as_u64().is_some_and(|ms| ms <= 4000),
        "{report:#}"
    );
    assert_eq!(first.release()["outcome"], "held");
    let third = scene.session(Method::Freeze);
    third.held();
    let probed = second.probe();
    assert_eq!(probed["hold_in_progress"]["session"], third.id.as_str());
    assert_eq!(third.release()["outcome"], "held");
}

// ---- every link that can break --------------------------------------------------------------------------------------------

/// Holds, lets `meddle` happen to the guest, releases: the links that are found broken.
fn broken_by(method: Method, meddle: impl Fn(&Scene, &Cluster<'_>, &Session<'_>)) -> Vec<String> {
    let scene = Scene::new();
    let cluster = scene.cluster();
    let session = scene.session(method);
    session.held();
    meddle(&scene, &cluster, &session);
    let report = session.release();
    assert_eq!(report["outcome"], "lapsed", "{report:#}");
    assert_eq!(report["released"], true, "{report:#}");
    assert!(scene.guest.writes_go_on());
    links(&report).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_thaw_by_hand_shows() {
    let broken = broken_by(Method::Freeze, |scene, _, _| {
        scene
            .guest
            .sh(&format!("fsfreeze --unfreeze {}", scene.wal));
    });
    assert_eq!(broken, ["frozen"]);
}

#[test]
fn a_thaw_and_a_new_freeze_show_by_what_was_written_between() {
    let broken = broken_by(Method::Freeze, |scene, _, _| {
        scene.guest.sh(&format!(
            "fsfreeze --unfreeze {d}; dd if=/dev/zero of={d}/sneaked count=1 conv=fsync 2>&1; fsfreeze --freeze {d}",
            d = scene.data
        ));
    });
    assert_eq!(broken, ["writes"]);
}

#[test]
fn a_process_that_is_gone_or_goes_on_shows() {
    let killed = broken_by(Method::Pause, |scene, cluster, _| {
        let children = format!("cat /proc/{0}/task/{0}/children", cluster.pid());
        scene
            .guest
            .sh(&format!("set -- $({children}); kill -KILL $2; sleep 0.2"));
    });
    assert!(killed.contains(&"paused".to_owned()), "{killed:?}");
    let resumed = broken_by(Method::Pause, |scene, cluster, _| {
        scene.guest.sh(&format!("kill -CONT {}", cluster.pid()));
    });
    assert!(resumed.contains(&"paused".to_owned()), "{resumed:?}");
}

/// Though the session that wrote is gone again, its parent has a trace of it.
#[test]
fn a_server_that_was_resumed_and_stopped_again_shows_by_what_it_did() {
    let broken = broken_by(Method::Pause, |scene, cluster, _| {
        let pid = cluster.pid();
        let insert = cluster.psql("CREATE TABLE sneaked (i int)");
        scene.guest.sh(&format!(
            "kill -CONT {pid}; {insert}; kill -STOP {pid}; sleep 0.2"
        ));
    });
    assert_eq!(broken, ["ran"]);
}

#[test]
fn a_server_started_during_the_hold_shows() {
    let broken = broken_by(Method::Stop, |_, cluster, _| cluster.ctl("start"));
    assert_eq!(broken, ["stopped"]);
    let broken = broken_by(Method::Stop, |_, cluster, _| {
        cluster.ctl("start");
        cluster.ctl("stop");
    });
    assert_eq!(broken, ["stopped"]);
}

#[test]
fn a_switch_that_fired_shows_and_fires_in_time() {
    for method in METHODS {
        let scene = Scene::new();
        let cluster = scene.cluster();
        let session = scene.session(method);
        let held = session.held();
        let fires = held["fires_uptime_ms"].as_u64().expect("a time");
        scene.guest.sh(&format!(
            "while read -r up _ </proc/uptime; [ ${{up%.*}}${{up#*.}}0 -lt {} ]; do sleep 0.05; done",
            fires + 1500
        ));
        assert!(scene.guest.writes_go_on());
        assert_eq!(cluster.sql("SELECT 1"), "1");
        let report = session.release();
        assert!(links(&report).contains(&"switch"), "{report:#}");
        assert_eq!(report["outcome"], "lapsed");
        let hold_ms = report["hold_ms"].as_u64().expect("a duration");
        assert!((4000..5500).contains(&hold_ms), "{method}: {hold_ms}");
        scene.assert_let_go(&cluster);
    }
}

#[test]
fn a_guest_that_booted_again_shows() {
    let scene = Scene::new();
    let _cluster = scene.cluster();
    let mut session = scene.session(Method::Freeze);
    session.held();
    session.boot_id = "11111111-2222-3333-4444-555555555555".into();
    let report = session.release();
    assert_eq!(links(&report), ["boot"], "{report:#}");
    assert!(scene.guest.writes_go_on());
}

// ---- the switches ---------------------------------------------------------------------------------------------------------

fn kill_switch(session: &Session<'_>, role: &str, signal: &str) {
    let file = session.state(&format!("switch.{role}"));
    session
        .guest
        .sh(&format!("read -r pid _ <{file}; kill -{signal} $pid"));
}

#[test]
fn one_switch_killed_makes_the_other_let_go_at_once() {
    for (method, role) in [(Method::Freeze, "first"), (Method::Pause, "spare")] {
        let scene = Scene::new();
        let cluster = scene.cluster();
        let session = scene.session(method).lasting(Duration::from_mins(1));
        session.held();
        kill_switch(&session, role, "KILL");
        scene.guest.sh("sleep 1");
        scene.assert_let_go(&cluster);
        let report = session.release();
        assert!(links(&report).contains(&"switch"), "{report:#}");
    }
}

#[test]
fn a_switch_told_to_end_lets_go_first() {
    let scene = Scene::new();
    let cluster = scene.cluster();
    let session = scene
        .session(Method::Freeze)
        .lasting(Duration::from_mins(1));
    session.held();
    kill_switch(&session, "first", "TERM");
    scene.guest.sh("sleep 1");
    scene.assert_let_go(&cluster);
}

#[test]
fn state_that_somebody_deletes_is_let_go_from_memory() {
    for method in [Method::Freeze, Method::Pause] {
        let scene = Scene::new();
        let cluster = scene.cluster();
        let session = scene.session(method).lasting(Duration::from_mins(1));
        session.held();
        scene.guest.sh("sleep 0.5; rm -rf /run/consistent; sleep 1");
        scene.assert_let_go(&cluster);
    }
}

#[test]
fn with_both_switches_killed_release_and_the_next_session_still_let_go() {
    for method in [Method::Freeze, Method::Pause] {
        let scene = Scene::new();
        let cluster = scene.cluster();
        let kill_both = |session: &Session<'_>| {
            let files = session.state("switch.*");
            scene
                .guest
                .sh(&format!("kill -KILL $(cut -d ' ' -f 1 {files})"));
        };
        let released = scene.session(method);
        released.held();
        kill_both(&released);
        let report = released.release();
        assert_eq!(links(&report), ["switch", "switch"], "{report:#}");
        scene.assert_let_go(&cluster);

        let abandoned = scene.session(Method::Freeze);
        abandoned.held();
        kill_both(&abandoned);
        let next = scene.session(method);
        // Its probe cannot ask a server that is held: the dead hold is let go first.
        let report = next.armed();
        let warning = report["warnings"][0].as_str().expect("a warning");
        assert!(warning.contains(abandoned.id.as_str()), "{report:#}");
        assert_eq!(next.hold()["outcome"], "held");
        assert_eq!(next.release()["outcome"], "held");
        scene.assert_let_go(&cluster);
    }
}

// ---- what a hold refuses, or gives up ---------------------------------------------------------------------------------------

#[test]
fn freezing_what_the_guest_needs_is_refused() {
    let scene = Scene::new();
    let _cluster = scene.cluster();
    scene.guest.sh(&format!(
        "mkdir {0}/tmp && mount --bind {0}/tmp /tmp",
        scene.data
    ));
    let report = scene.session(Method::Freeze).arm();
    assert_eq!(codes(&report), ["freeze_unsafe"], "{report:#}");
    let session = scene.session(Method::Pause);
    session.held();
    assert_eq!(session.release()["outcome"], "held");
    scene.guest.sh("umount /tmp");
}

#[test]
fn paths_off_the_mounts_asked_for_are_refused() {
    let scene = Scene::new();
    let _cluster = scene.cluster();
    let session = Session::new(&scene.guest, Method::Freeze, &[&scene.data]);
    assert_eq!(codes(&session.arm()), ["mounts_changed"]);
    assert_eq!(links(&session.release()), ["never-held"]);
}

/// Puts a script in the place of fsfreeze: `before` runs first where the log's volume is to be frozen, then the real one.
fn meddle_with_fsfreeze(scene: &Scene, before: &str) {
    scene.guest.sh(&format!(
        "mkdir /run/real && cp /usr/sbin/fsfreeze /run/real/
         cat >/run/fake <<'FAKE'\n#!/bin/bash\n[ $1$2 != --freeze{} ] || {before}\nexec /run/real/fsfreeze $*\nFAKE
         chmod 755 /run/fake && mount --bind /run/fake /usr/sbin/fsfreeze",
        scene.wal
    ));
}

#[test]
fn a_file_system_frozen_by_somebody_else_stays_theirs() {
    let scene = Scene::new();
    let _cluster = scene.cluster();
    meddle_with_fsfreeze(
        &scene,
        &format!("/run/real/fsfreeze --freeze {}", scene.wal),
    );
    let report = scene.session(Method::Freeze).fails_to_hold();
    assert_eq!(codes(&report), ["freeze_failed"], "{report:#}");
    assert!(!scene.guest.writes_go_on(), "their freeze has been thawed");
    scene
        .guest
        .sh(&format!("/run/real/fsfreeze --unfreeze {}", scene.wal));
    assert!(scene.guest.writes_go_on());
}

#[test]
fn a_freeze_that_hangs_is_given_up_and_thawed_when_it_lands() {
    let scene = Scene::new();
    let cluster = scene.cluster();
    meddle_with_fsfreeze(&scene, "sleep 4");
    let report = scene.session(Method::Freeze).fails_to_hold();
    assert_eq!(codes(&report), ["freeze_failed"], "{report:#}");
    scene.guest.sh("sleep 3");
    scene.assert_let_go(&cluster);
}

#[test]
fn a_server_that_does_not_stop_is_let_go() {
    let scene = Scene::new();
    let cluster = scene.cluster();
    let session = scene.session(Method::Stop).lasting(Duration::from_secs(3));
    session.armed();
    // A stopped child keeps the postmaster from shutting down.
    let child = scene.guest.sh(&format!(
        "set -- $(cat /proc/{0}/task/{0}/children); kill -STOP $2; echo $2",
        cluster.pid()
    ));
    let hold = scene.guest.start(&session.hold_text());
    scene.guest.sh(&format!(
        "until [ -e {began} ]; do sleep 0.01; done; sleep 4; kill -CONT {child}",
        began = session.state("start")
    ));
    let output = hold.wait_with_output().expect("it ends");
    let report = crate::session::checked_report(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(codes(&report), ["stop_failed"], "{report:#}");
    scene.guest.sh("sleep 2");
    assert_eq!(cluster.sql("SELECT 1"), "1");
}
