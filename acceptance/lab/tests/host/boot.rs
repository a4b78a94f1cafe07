//! Instances: real systemd on a real root volume, its disks under the names of a Nitro instance.

use std::time::Duration;

use lab::host::{Ended, Filesystem, HostError, MachineState};

use crate::support::{LONG, Lab, attachment, sh};

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_boots_reboots_and_powers_off() {
    let lab = Lab::open().await;
    let machine = lab.boot("i-0aaa", Vec::new()).await;
    let state = sh(
        &machine,
        "systemctl is-system-running; hostname; cat /proc/1/comm",
    )
    .await;
    assert_eq!(state, "running\ni-0aaa\nsystemd\n");
    let boot_id = "cat /proc/sys/kernel/random/boot_id";
    let first = sh(&machine, boot_id).await;
    sh(&machine, "echo kept >/root/file; echo lost >/run/file").await;

    machine.reboot(LONG).await.unwrap();
    assert!(matches!(
        machine.state(),
        MachineState::Running { boots: 2, .. }
    ));
    machine.booted(LONG).await.unwrap();
    assert_ne!(sh(&machine, boot_id).await, first);
    assert_eq!(
        sh(&machine, "cat /root/file; ls /run/file 2>/dev/null || true").await,
        "kept\n"
    );

    // The guest's own reboot is the same thing.
    let asked = machine.exec(&["systemctl", "reboot"], b"", LONG).await;
    drop(asked);
    let mut left = 300;
    while !matches!(machine.state(), MachineState::Running { boots: 3, .. }) {
        left -= 1;
        assert!(left > 0, "{:?}", machine.state());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    machine.booted(LONG).await.unwrap();
    machine.shutdown(LONG).await.unwrap();
    assert_eq!(machine.state(), MachineState::Stopped(Ended::PoweredOff));
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disks_are_named_as_on_nitro_and_numbered_as_the_kernel_does() {
    let lab = Lab::open().await;
    let data = lab
        .host()
        .create_volume(2, Some((Filesystem::Xfs, "data")))
        .await
        .unwrap();
    let blank = lab.host().create_volume(1, None).await.unwrap();
    let data = vec![
        attachment("/dev/sdf", "vol-0bb", data),
        attachment("/dev/sdg", "vol-0cc", blank),
    ];
    let machine = lab.boot("i-0bbb", data).await;
    let by_id = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0";
    let links =
        format!("readlink -f {by_id}aa {by_id}bb {by_id}cc {by_id}bb_1 /dev/disk/by-label/data");
    assert_eq!(
        sh(&machine, &links).await,
        "/dev/nvme0n1\n/dev/nvme1n1\n/dev/nvme2n1\n/dev/nvme1n1\n/dev/nvme1n1\n"
    );
    let numbers = "mkdir -p /data; mount LABEL=data /data
        for mount in / /data; do
            link=$(findmnt -nro MAJ:MIN $mount)
            [ -d /sys/dev/block/$link ] && echo $link
        done
        for node in nvme0n1 nvme1n1; do
            stat -c '%Hr:%Lr' /dev/$node
        done";
    let numbers = sh(&machine, numbers).await;
    let numbers: Vec<&str> = numbers.lines().collect();
    assert_eq!(numbers.len(), 4);
    assert_eq!(numbers[..2], numbers[2..]);
    machine.terminate().await.unwrap();
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_systemds_own() {
    let lab = Lab::open().await;
    let machine = lab.boot("i-0ccc", Vec::new()).await;
    let start = "cat >/etc/systemd/system/two.service <<'END'
[Service]
ExecStart=/bin/sh -c 'sleep 1001 & exec sleep 1000'
KillMode=process
END
        systemctl daemon-reload; systemctl start two
        until pgrep -fx 'sleep 1001' >/run/left; do sleep 0.05; done
        wc -l </sys/fs/cgroup/system.slice/two.service/cgroup.procs
        systemctl stop two; pgrep -afx 'sleep 100[01]' | cut -d' ' -f2-";
    assert_eq!(sh(&machine, start).await, "2\nsleep 1001\n");
    machine.terminate().await.unwrap();
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_hangs_is_ended_with_all_its_children() {
    let lab = Lab::open().await;
    let machine = lab.boot("i-0ddd", Vec::new()).await;
    let hang = machine.exec(
        &["sh", "-c", "sleep 1002 & sleep 1003"],
        b"",
        Duration::from_millis(300),
    );
    assert!(matches!(hang.await, Err(HostError::TimedOut { .. })));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        sh(&machine, "pgrep -cfx 'sleep 100[23]' || true").await,
        "0\n"
    );
    let echo = machine
        .exec(&["cat"], b"what it is told", LONG)
        .await
        .unwrap();
    assert_eq!(echo.stdout, "what it is told");
    machine.terminate().await.unwrap();
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pulling_the_plug_loses_what_was_only_in_memory() {
    let lab = Lab::open().await;
    let volume = lab
        .host()
        .create_volume(1, Some((Filesystem::Ext4, "data")))
        .await
        .unwrap();
    let data = || vec![attachment("/dev/sdf", "vol-0bb", volume.clone())];
    let machine = lab.boot("i-0eee", data()).await;
    sh(&machine, "mkdir -p /data; mount LABEL=data /data").await;
    sh(
        &machine,
        "echo synced >/data/synced; sync -f /data; echo lost >/data/lost",
    )
    .await;
    machine.pull_plug().await.unwrap();
    assert_eq!(machine.state(), MachineState::Stopped(Ended::Killed));

    let machine = lab.boot("i-0eef", data()).await;
    let found = sh(
        &machine,
        "mkdir -p /data; mount LABEL=data /data; cat /data/synced /data/lost 2>/dev/null || true",
    );
    assert_eq!(found.await, "synced\n");
    machine.terminate().await.unwrap();
    lab.close().await;
}

/// As a shutdown does with everything that runs: the command goes on, and whoever waits for it learns of its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_stopped_and_continued_ends() {
    let lab = Lab::open().await;
    let machine = lab.boot("i-0fff", Vec::new()).await;
    let script = "(sleep 0.5; kill -CONT $$) & kill -STOP $$; wait; echo on";
    let output = machine
        .exec(&["sh", "-c", script], b"", Duration::from_secs(20))
        .await
        .unwrap();
    assert_eq!(output.stdout, "on\n");
    machine.terminate().await.unwrap();
    lab.close().await;
}
