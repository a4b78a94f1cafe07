//! A lab of its own for each test, gone when the test ends, however it ends.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use lab::{
    engines::POSTGRESQL,
    host::{Attachment, BootSpec, DiskIdentity, Host, HostConfig, Machine, VolumeFile},
};
use tempfile::TempDir;

pub(crate) const LAB: &str = env!("CARGO_BIN_EXE_lab");
pub(crate) const LONG: Duration = Duration::from_secs(90);

pub(crate) struct Lab {
    host: Option<Host>,
    dir: PathBuf,
    temporary: Option<TempDir>,
}

impl Lab {
    pub(crate) async fn open() -> Self {
        Self::open_with(|_| ()).await
    }

    pub(crate) async fn open_with(change: impl FnOnce(&mut HostConfig)) -> Self {
        let temporary = directory();
        let mut lab = Self::open_in(temporary.path(), change).await;
        lab.temporary = Some(temporary);
        lab
    }

    pub(crate) async fn open_in(dir: &Path, change: impl FnOnce(&mut HostConfig)) -> Self {
        let mut config = HostConfig::new(dir, LAB);
        change(&mut config);
        let host = Host::open(config).await.expect("a lab");
        Self {
            host: Some(host),
            dir: dir.to_owned(),
            temporary: None,
        }
    }

    pub(crate) fn host(&self) -> &Host {
        self.host.as_ref().expect("an open lab")
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.clone()
    }

    /// Boots an instance of the base image with these data volumes.
    pub(crate) async fn boot(&self, name: &str, data: Vec<Attachment>) -> Machine {
        let base = self.host().base_image(&POSTGRESQL.server.root).await;
        let base = base.expect("a base image");
        let snapshot = &base.devices[0].snapshot;
        let root = self.host().volume_from_snapshot(snapshot, None).await;
        let spec = BootSpec {
            name: name.to_owned(),
            root: attachment("/dev/xvda", "vol-0aa", root.expect("a root volume")),
            data,
            agent: None,
        };
        let machine = self.host().boot(spec).await.expect("a booting instance");
        machine.booted(LONG).await.expect("a booted instance");
        machine
    }

    /// The orderly end; checks that nothing is left.
    pub(crate) async fn close(mut self) {
        let host = self.host.take().expect("an open lab");
        host.close().await.expect("an orderly end");
        assert_eq!(leftovers(&self.path()), Vec::<String>::new());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.host.take().is_some() {
            // The test has failed: the lab's lock is free now, and its own program sweeps up.
            let swept = Command::new(LAB)
                .args(["down", "--dir"])
                .arg(&self.dir)
                .status();
            assert!(swept.is_ok_and(|status| status.success()), "not swept");
        }
    }
}

/// On a real file system: /tmp may be a tmpfs, which knows no direct I/O.
pub(crate) fn directory() -> TempDir {
    let builder = tempfile::Builder::new()
        .prefix("lab-test-")
        .tempdir_in("/var/tmp");
    builder.expect("a directory in /var/tmp")
}

pub(crate) fn attachment(device_name: &str, volume_id: &str, volume: VolumeFile) -> Attachment {
    Attachment {
        device_name: device_name.to_owned(),
        identity: DiskIdentity::Ebs {
            volume_id: volume_id.to_owned(),
        },
        volume,
    }
}

/// Runs a script in the instance and returns what it printed.
pub(crate) async fn sh(machine: &Machine, script: &str) -> String {
    let output = machine.exec(&["sh", "-ec", script], b"", LONG).await;
    let output = output.expect("an answer");
    assert!(output.success(), "{script}: {output:?}");
    output.stdout
}

/// Mounts, loop devices, trace instances, cgroups and processes of the lab in `dir`. What the kernel will clear by itself, as
/// soon as somebody else's mount namespace lets go of it, is not the lab's any more.
pub(crate) fn leftovers(dir: &Path) -> Vec<String> {
    let find = "
        grep -F \" $1\" /proc/self/mountinfo
        losetup --list --noheadings --output AUTOCLEAR,NAME,BACK-FILE | grep '^ *0' | grep -F \" $1/\"
        name=lab-$(printf %s \"$1\" | sha256sum | cut -c1-8)
        find /sys/fs/cgroup /sys/kernel/tracing/instances -maxdepth 2 -name \"$name*\"
        pgrep -af -- \"$1\" | grep -v '^[0-9]* sh -c'
        true";
    let mut look = Command::new("sh");
    let found = look.args(["-c", find, "find"]).arg(dir).output();
    let text = String::from_utf8_lossy(&found.expect("a look around").stdout).into_owned();
    text.lines().map(str::to_owned).collect()
}
