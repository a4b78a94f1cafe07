//! An EC2 instance: real systemd in namespaces of its own, on a root volume of its own.
//!
//! What it is not: there is no hypervisor below it, so it shares the host's kernel, clock and uptime (its boot id is
//! its own), and block devices keep the kernel's name for them in `/sys/block` and `/proc/partitions` (`loop7`) while
//! `/dev` and mountinfo say `nvme1n1`, with the same device numbers. Two mounts of XFS clones need `nouuid`.

mod console;
mod supervisor;

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{process::Command, sync::watch};

use super::{
    cgroup::Cgroup,
    command::{self, Output},
    disk::{Attachment, Disk},
    error::{HostError, Result},
    loopdev::{self, LoopDevice},
    store::{SnapshotFile, Store, VolumeFile},
};
pub(super) use supervisor::Birthplace;

/// How long the kernel may take to freeze an instance's processes before a snapshot over several volumes. One that is
/// stuck on a frozen file system does not write either, so nothing is lost by going on without it.
const STANDSTILL_LIMIT: Duration = Duration::from_millis(500);

/// What to boot.
#[derive(Clone, Debug)]
pub struct BootSpec {
    /// The instance id: names the cgroup, the directory and the host.
    pub name: String,
    pub root: Attachment,
    /// In the order of their `NVMe` names: the first is `/dev/nvme1n1`.
    pub data: Vec<Attachment>,
    pub agent: Option<AgentLink>,
}

/// How the SSM agent in the instance reaches its service.
#[derive(Clone, Debug)]
pub struct AgentLink {
    /// A unix socket that listens; in the instance it is `/run/lab/agent.sock`.
    pub socket: PathBuf,
    /// Environment of the agent's unit.
    pub environment: BTreeMap<String, String>,
}

/// Where an instance is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineState {
    /// Up, for the `boots`-th time.
    Running { boots: u64, init: u32 },
    /// Between two boots.
    Rebooting { boots: u64 },
    /// Over: nothing runs, the volumes are free.
    Stopped(Ended),
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// Its own operating system powered it off.
    PoweredOff,
    /// It was killed from outside.
    Killed,
    /// Its first process ended in some other way.
    Crashed(String),
}

/// A handle to a booted instance. Clones mean the same instance; dropping them all leaves it running.
#[derive(Clone, Debug)]
pub struct Machine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    spec: BootSpec,
    dir: PathBuf,
    cgroup: Cgroup,
    disks: Vec<Disk>,
    store: Arc<Store>,
    state: watch::Sender<MachineState>,
    commands: AtomicU64,
}

impl Machine {
    pub fn name(&self) -> &str {
        &self.0.spec.name
    }

    pub fn state(&self) -> MachineState {
        self.0.state.borrow().clone()
    }

    /// The subtree in which all of the instance's processes live.
    pub fn cgroup(&self) -> &Path {
        self.0.cgroup.path()
    }

    /// What its console showed.
    pub fn console(&self) -> PathBuf {
        self.0.dir.join("console.log")
    }

    /// The pid, on the host, of its systemd.
    pub fn init_pid(&self) -> Option<u32> {
        match self.state() {
            MachineState::Running { init, .. } => Some(init),
            _ => None,
        }
    }

    /// The volumes, the root first.
    pub fn volumes(&self) -> Vec<VolumeFile> {
        let disks = self.0.disks.iter();
        disks.map(|disk| disk.attachment.volume.clone()).collect()
    }

    /// How it ended, once it did; by then its volumes are detached.
    pub async fn stopped(&self) -> Ended {
        let mut state = self.0.state.subscribe();
        let over = state.wait_for(|state| matches!(state, MachineState::Stopped(_)));
        match over.await.as_deref() {
            Ok(MachineState::Stopped(ended)) => ended.clone(),
            _ => Ended::Crashed("its supervisor is gone".to_owned()),
        }
    }

    /// A command that runs as root in the instance, in a cgroup of its own, outside every unit.
    pub fn command<A: AsRef<OsStr>>(&self, argv: impl IntoIterator<Item = A>) -> Result<Command> {
        Ok(self.command_and_cgroup(argv)?.0)
    }

    /// Runs a command to its end, at most `within`: then it is killed.
    pub async fn exec(&self, argv: &[&str], stdin: &[u8], within: Duration) -> Result<Output> {
        let (command, cgroup) = self.command_and_cgroup(argv)?;
        let output = command::run(command, stdin, &cgroup, within).await;
        // What it left running keeps its cgroup.
        let _ = cgroup.remove();
        output
    }

    /// Waits until the operating system has started all that it starts, also what failed to.
    pub async fn booted(&self, within: Duration) -> Result<()> {
        let wait = ["systemctl", "is-system-running", "--wait"];
        let output = self.exec(&wait, b"", within).await?;
        match output.stdout.trim() {
            "running" | "degraded" => Ok(()),
            other => Err(self.problem(format!("did not start: {other} {}", output.stderr))),
        }
    }

    /// Shuts the operating system down and starts it again, on the same volumes.
    pub async fn reboot(&self, within: Duration) -> Result<()> {
        let MachineState::Running { boots, .. } = self.state() else {
            return Err(self.problem("is not running"));
        };
        let again = move |state: &MachineState| match state {
            MachineState::Running { boots: now, .. } => *now > boots,
            MachineState::Rebooting { .. } => false,
            MachineState::Stopped(_) => true,
        };
        self.systemctl("reboot", again, within).await?;
        match self.state() {
            MachineState::Stopped(ended) => Err(self.problem(format!("ended: {ended:?}"))),
            _ => Ok(()),
        }
    }

    /// Shuts the operating system down and powers off.
    pub async fn shutdown(&self, within: Duration) -> Result<()> {
        let over = |state: &MachineState| matches!(state, MachineState::Stopped(_));
        self.systemctl("poweroff", over, within).await
    }

    /// Ends it at once. What its page cache holds still reaches the volumes: see [`Self::pull_plug`].
    pub async fn terminate(&self) -> Result<()> {
        self.release_holds().await;
        let mut attempts = 0;
        // One that is between two boots may start again after it was killed.
        while !matches!(self.state(), MachineState::Stopped(_)) {
            self.0.cgroup.kill().await?;
            let over = tokio::time::timeout(Duration::from_secs(5), self.stopped());
            attempts += 1;
            if over.await.is_err() && attempts > 6 {
                return Err(self.problem("does not end"));
            }
        }
        Ok(())
    }

    /// Ends it as a power failure would: its volumes keep what the devices had been told to write at one instant, and
    /// what was only in the page cache is lost.
    pub async fn pull_plug(&self) -> Result<()> {
        let volumes = self.volumes();
        let content = self.cut(&volumes).await?;
        self.terminate().await?;
        for (volume, content) in volumes.iter().zip(&content) {
            volume.replace_by(content)?;
        }
        Ok(())
    }

    /// Snapshots of several volumes that hold one instant. No process of the instance runs meanwhile, so that nothing
    /// is written to one volume because of what was written to another.
    pub(super) async fn cut(&self, volumes: &[VolumeFile]) -> Result<Vec<SnapshotFile>> {
        if !self.0.cgroup.set_frozen(true, STANDSTILL_LIMIT).await? {
            tracing::warn!(instance = self.name(), "some process would not stand still");
        }
        let mut snapshots = Vec::new();
        let mut outcome = Ok(());
        for volume in volumes {
            match self.0.store.snapshot(volume).await {
                Ok(snapshot) => snapshots.push(snapshot),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        self.0.cgroup.set_frozen(false, STANDSTILL_LIMIT).await?;
        outcome.map(|()| snapshots)
    }

    /// Thaws its file systems and its cgroups: what is frozen cannot be taken down.
    async fn release_holds(&self) {
        if let Some(init) = self.init_pid() {
            let disks = self.0.disks.iter();
            let devices: Vec<LoopDevice> = disks.map(|disk| disk.device.clone()).collect();
            loopdev::thaw_mounts_of(init, &devices).await;
        }
        self.0.cgroup.thaw_all();
    }

    async fn systemctl(
        &self,
        verb: &str,
        done: impl FnMut(&MachineState) -> bool,
        within: Duration,
    ) -> Result<()> {
        let mut state = self.0.state.subscribe();
        let limit = HostError::TimedOut {
            what: format!("{verb} of {}", self.name()),
            limit: within,
        };
        let (mut command, _) = self.command_and_cgroup(["systemctl", verb])?;
        let asked = async {
            // Its own end is of no interest: the shutdown that it asks for kills it.
            let _ = command.output().await;
            state.wait_for(done).await.map(drop)
        };
        match tokio::time::timeout(within, asked).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.problem("has lost its supervisor")),
            Err(_) => Err(limit),
        }
    }

    fn command_and_cgroup<A: AsRef<OsStr>>(
        &self,
        argv: impl IntoIterator<Item = A>,
    ) -> Result<(Command, Cgroup)> {
        let init = self
            .init_pid()
            .ok_or_else(|| self.problem("is not running"))?;
        let number = self.0.commands.fetch_add(1, Ordering::Relaxed);
        let cgroup = Cgroup::create(self.cgroup().join(format!("command-{number}")))?;
        Ok((command::inside(init, cgroup.path(), argv), cgroup))
    }

    fn problem(&self, problem: impl Into<String>) -> HostError {
        HostError::Machine {
            name: self.name().to_owned(),
            problem: problem.into(),
        }
    }
}
