//! The witness sees what holds writes, and when, as an independent prober feels it.

use std::{path::Path, time::Duration};

use lab::host::{
    Filesystem, Machine, Monotonic,
    witness::{EventKind, Hold, HoldMethod, Prober, stalls},
};

use crate::support::{Lab, attachment, sh};

/// What a loaded machine may add to any time.
const SLACK: Duration = Duration::from_millis(100);
const HELD: Duration = Duration::from_millis(1200);

#[tokio::test(flavor = "multi_thread")]
async fn freezes_of_two_file_systems_are_one_hold() {
    let lab = Lab::open().await;
    let machine = with_two_volumes(&lab, "i-0aaa").await;
    let prober = Prober::start(&machine, Path::new("/data/beat")).unwrap();
    while prober.beats().len() < 20 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let script =
        "fsfreeze -f /data; fsfreeze -f /wal; sleep 1.2; fsfreeze -u /data; fsfreeze -u /wal
        fsfreeze -u /wal 2>/dev/null || true";
    sh(&machine, script).await;
    lab.host().witness().settle().await.unwrap();

    let holds = lab.host().witness().holds("i-0aaa");
    let [hold] = holds.as_slice() else {
        panic!("{holds:?}");
    };
    assert_eq!(hold.method, HoldMethod::Freeze);
    assert_eq!(
        hold.targets,
        ["/dev/sdf", "/dev/sdg"].map(str::to_owned).into()
    );
    lasted(hold);
    let failed = |kind: &EventKind| matches!(kind, EventKind::ThawFailed { errno: 22, .. });
    assert!(
        lab.host()
            .witness()
            .events()
            .iter()
            .any(|event| failed(&event.kind))
    );

    tokio::time::sleep(SLACK).await;
    let stalls = stalls(&prober.beats(), HELD / 2);
    let [stall] = stalls.as_slice() else {
        panic!("{stalls:?}");
    };
    // The prober feels the first file system only, which was taken first and let go first.
    assert!(near(stall.began, hold.began), "{stall:?} {hold:?}");
    assert!(
        near(stall.ended, hold.release_began.unwrap()),
        "{stall:?} {hold:?}"
    );
    machine.terminate().await.unwrap();
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_processes_are_a_hold() {
    let lab = Lab::open().await;
    let machine = lab.boot("i-0bbb", Vec::new()).await;
    let started = Monotonic::now();
    let by_cgroup = "systemd-run --quiet --unit=busy sleep 1000
        until pgrep -f '^/usr/bin/sleep 1000'; do sleep 0.02; done
        freeze=/sys/fs/cgroup/system.slice/busy.service/cgroup.freeze
        echo 1 >$freeze; sleep 1.2; echo 0 >$freeze";
    sh(&machine, by_cgroup).await;
    sh(
        &machine,
        "pid=$(pgrep -f '^/usr/bin/sleep 1000'); kill -STOP $pid; sleep 1.2; kill -CONT $pid",
    )
    .await;
    lab.host().witness().settle().await.unwrap();

    let holds = lab.host().witness().holds("i-0bbb");
    let [by_cgroup, by_signal] = holds.as_slice() else {
        panic!("{holds:?}");
    };
    for hold in [by_cgroup, by_signal] {
        assert_eq!(hold.method, HoldMethod::Pause);
        assert!(hold.began >= started);
        lasted(hold);
    }
    assert!(
        by_cgroup.targets.contains("/system.slice/busy.service"),
        "{by_cgroup:?}"
    );
    machine.terminate().await.unwrap();
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_labs_own_cut_is_no_hold() {
    let lab = Lab::open().await;
    let machine = with_two_volumes(&lab, "i-0ccc").await;
    let volumes = machine.volumes();
    let snapshots = lab
        .host()
        .snapshot_at_once(&machine, &volumes)
        .await
        .unwrap();
    assert_eq!(snapshots.len(), 3);
    lab.host().witness().settle().await.unwrap();
    assert_eq!(lab.host().witness().holds("i-0ccc"), []);
    assert_eq!(sh(&machine, "echo on").await, "on\n");
    machine.terminate().await.unwrap();
    lab.close().await;
}

async fn with_two_volumes(lab: &Lab, name: &str) -> Machine {
    let host = lab.host();
    let data = host
        .create_volume(1, Some((Filesystem::Ext4, "data")))
        .await
        .unwrap();
    let wal = host
        .create_volume(1, Some((Filesystem::Xfs, "wal")))
        .await
        .unwrap();
    let data = vec![
        attachment("/dev/sdf", "vol-0bb", data),
        attachment("/dev/sdg", "vol-0cc", wal),
    ];
    let machine = lab.boot(name, data).await;
    sh(
        &machine,
        "mkdir -p /data /wal; mount LABEL=data /data; mount LABEL=wal /wal",
    )
    .await;
    machine
}

/// As long as the script slept. The kernel's trace reads its clock without locks, so it may be off by a few µs.
fn lasted(hold: &Hold) {
    let length = hold.let_go.expect("let go") - hold.held;
    let clock = Duration::from_millis(1);
    assert!(
        length + clock > HELD && length < HELD + 5 * SLACK,
        "{hold:?}"
    );
}

fn near(one: Monotonic, other: Monotonic) -> bool {
    one - other < SLACK && other - one < SLACK
}
