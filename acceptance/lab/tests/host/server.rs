//! Servers as people have them, and what becomes of their snapshots.

use std::{process::Stdio, time::Duration};

use lab::{
    engines::POSTGRESQL,
    host::{Attachment, BootSpec, GoldenImage, Host, Layout, Machine, ServerSpec, SnapshotFile},
};

use crate::support::{LONG, Lab, attachment, sh};

/// pgbench's invariant: what was moved is the same everywhere.
const SUMS: &str = "runuser -u postgres -- psql -qAt -F' ' -d pgbench -c \
    'SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(bbalance) FROM pgbench_branches), \
            (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT coalesce(sum(delta), 0) FROM pgbench_history), \
            (SELECT count(*) FROM pgbench_history)'";

#[tokio::test(flavor = "multi_thread")]
async fn every_layout_comes_up() {
    let lab = Lab::open().await;
    for layout in Layout::ALL {
        let image = golden(lab.host(), layout).await;
        let name = format!("i-{}", layout.name());
        let machine = boot(lab.host(), &name, &image).await;
        assert_eq!(
            sh(&machine, "systemctl is-system-running").await,
            "running\n"
        );
        let mounts = "findmnt -nro TARGET,SOURCE -t ext4,xfs | sed -n 's, /dev/nvme.*,,p' | sort";
        let mut expected: Vec<_> = layout.mount_points(&POSTGRESQL.server.places);
        if !expected.contains(&"/") {
            expected.push("/");
        }
        expected.sort_unstable();
        assert_eq!(sh(&machine, mounts).await, expected.join("\n") + "\n");
        let show = "runuser -u postgres -- psql -qAt -c 'SHOW data_directory' -c 'SHOW data_checksums' -c 'SHOW fsync'";
        assert_eq!(
            sh(&machine, show).await,
            "/var/lib/postgresql/15/main\non\non\n"
        );
        assert_eq!(sh(&machine, SUMS).await, "0 0 0 0 0\n");
        machine.shutdown(LONG).await.unwrap();
    }
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_of_one_instant_recovers_while_its_source_runs_on() {
    let lab = Lab::open().await;
    let host = lab.host();
    // XFS, since two mounts of one UUID on one kernel are its own difficulty.
    let image = golden(host, Layout::TwoXfs).await;
    let source = boot(host, "i-0aaa", &image).await;
    let load = [
        "runuser", "-u", "postgres", "--", "pgbench", "-n", "-c4", "-T60", "pgbench",
    ];
    let mut load = source.command(load).unwrap();
    let mut load = load
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let snapshots = host
        .snapshot_at_once(&source, &source.volumes())
        .await
        .unwrap();

    let clone = boot(host, "i-0bbb", &with_content(&image, snapshots)).await;
    let log = "journalctl -q --no-pager -u postgresql@15-main; cat /var/log/postgresql/*.log";
    let log = sh(&clone, log).await;
    assert!(log.contains("automatic recovery in progress"), "{log}");
    let sums = sh(&clone, SUMS).await;
    let sums: Vec<i64> = sums
        .split_whitespace()
        .map(|sum| sum.parse().unwrap())
        .collect();
    assert!(sums[1..4].iter().all(|sum| *sum == sums[0]), "{sums:?}");
    assert!(sums[4] > 0, "no load");
    sh(
        &clone,
        "runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_amcheck -d pgbench --heapallindexed --parent-check",
    )
    .await;

    load.kill().await.unwrap();
    source.terminate().await.unwrap();
    clone.terminate().await.unwrap();
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_witness_sees_a_server_stop_and_start() {
    let lab = Lab::open().await;
    let image = golden(lab.host(), Layout::AllOnRoot).await;
    let machine = boot(lab.host(), "i-0aaa", &image).await;
    sh(
        &machine,
        "unit=postgresql@15-main; systemctl stop $unit; sleep 0.5; systemctl start $unit",
    )
    .await;
    lab.host().witness().settle().await.unwrap();
    let holds = lab.host().witness().holds("i-0aaa");
    let [stop] = holds.as_slice() else {
        panic!("{holds:?}");
    };
    let length = stop.let_go.unwrap() - stop.held;
    assert!(
        length >= Duration::from_millis(500) && length < Duration::from_secs(5),
        "{length:?}"
    );
    machine.terminate().await.unwrap();
    lab.close().await;
}

async fn golden(host: &Host, layout: Layout) -> GoldenImage {
    let server = ServerSpec {
        size: 2,
        ..POSTGRESQL.server
    };
    host.golden(layout, &server).await.expect("a golden image")
}

fn with_content(image: &GoldenImage, snapshots: Vec<SnapshotFile>) -> GoldenImage {
    let mut image = image.clone();
    for (device, snapshot) in image.devices.iter_mut().zip(snapshots) {
        device.snapshot = snapshot;
    }
    image
}

async fn boot(host: &Host, name: &str, image: &GoldenImage) -> Machine {
    let mut attachments: Vec<Attachment> = Vec::new();
    for device in &image.devices {
        let volume = host
            .volume_from_snapshot(&device.snapshot, None)
            .await
            .unwrap();
        let volume_id = format!("vol-{:02x}", attachments.len());
        attachments.push(attachment(&device.device_name, &volume_id, volume));
    }
    let mut attachments = attachments.into_iter();
    let spec = BootSpec {
        name: name.to_owned(),
        root: attachments.next().unwrap(),
        data: attachments.collect(),
        agent: None,
    };
    let machine = host.boot(spec).await.expect("a booting instance");
    machine.booted(LONG).await.expect("a booted instance");
    machine
}
