//! The life of an instance, from attached volumes to detached ones: boots it, boots it again when it asks for a
//! reboot, and clears up behind it however it ended.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use tokio::{
    process::{Child, Command},
    sync::watch,
};

use super::{BootSpec, Ended, Inner, Machine, MachineState, console::Console};
use crate::host::{
    cgroup::Cgroup,
    command::in_cgroup,
    disk::Disk,
    error::{Context, HostError, Result},
    inventory::Inventory,
    store::Store,
};

const BOOT_SH: &str = include_str!("../../../guest/boot.sh");

/// systemd listens well under a second after it started; a loaded machine may need many times that.
const START_LIMIT: Duration = Duration::from_mins(1);

/// What reboot(2) in a pid namespace kills the namespace's first process with (`man 7 pid_namespaces`).
const REBOOT_SIGNAL: i32 = 1;
const POWER_OFF_SIGNAL: i32 = 2;

/// What all instances of a host share.
#[derive(Clone, Debug)]
pub(in crate::host) struct Birthplace {
    /// `<lab>/machines`
    pub(in crate::host) dir: PathBuf,
    pub(in crate::host) cgroup: PathBuf,
    /// Becomes `/run/lab/lab` in the instance.
    pub(in crate::host) lab_binary: PathBuf,
    pub(in crate::host) inventory: Arc<Inventory>,
    pub(in crate::host) store: Arc<Store>,
}

impl Birthplace {
    /// Boots an instance. Returns when its systemd answers; services are still starting then.
    pub(in crate::host) async fn boot(&self, spec: BootSpec) -> Result<Machine> {
        let dir = self.dir.join(&spec.name);
        fs::create_dir_all(&dir).context(|| dir.display().to_string())?;
        let cgroup = Cgroup::create(self.cgroup.join(&spec.name))?;
        let attachments: Vec<_> = [&spec.root]
            .into_iter()
            .chain(&spec.data)
            .cloned()
            .collect();
        let disks = Disk::attach_all(&attachments).await?;
        self.inventory.add(&spec.name, &disks);
        let machine = Machine(Arc::new(Inner {
            dir,
            cgroup,
            disks,
            store: Arc::clone(&self.store),
            state: watch::Sender::new(MachineState::Rebooting { boots: 0 }),
            commands: AtomicU64::new(0),
            spec,
        }));
        let life = Life {
            machine: machine.clone(),
            birthplace: self.clone(),
        };
        match life.start(1).await {
            Ok(child) => {
                tokio::spawn(life.supervise(child));
                Ok(machine)
            }
            Err(error) => {
                life.clear_up().await;
                Err(error)
            }
        }
    }
}

struct Life {
    machine: Machine,
    birthplace: Birthplace,
}

/// The outer process of a booted instance: it waits for the instance's first process.
struct Booted {
    outer: Child,
    _console: Console,
}

impl Life {
    /// Waits for the end, over as many reboots as the instance wants.
    async fn supervise(self, mut booted: Booted) {
        let mut boots = 1;
        let ended = loop {
            let ended = match booted.outer.wait().await {
                Ok(status) => self.end_of(status),
                Err(error) => Some(Ended::Crashed(error.to_string())),
            };
            if let Some(ended) = ended {
                break ended;
            }
            self.set(MachineState::Rebooting { boots });
            boots += 1;
            booted = match self.restart(boots).await {
                Ok(booted) => booted,
                Err(error) => break Ended::Crashed(error.to_string()),
            };
        };
        tracing::info!(instance = self.machine.name(), ?ended, "instance ended");
        self.clear_up().await;
        self.set(MachineState::Stopped(ended));
    }

    /// `None` for a reboot.
    fn end_of(&self, status: ExitStatus) -> Option<Ended> {
        // unshare(1) ends as its child did, by the same signal; a shell in between would say 128 + signal.
        let signal = status.signal().or(status.code().map(|code| code - 128));
        match signal {
            Some(REBOOT_SIGNAL) => None,
            Some(POWER_OFF_SIGNAL) => Some(Ended::PoweredOff),
            Some(9) => Some(Ended::Killed),
            _ => Some(Ended::Crashed(format!(
                "{status}; its console is in {}",
                self.machine.console().display()
            ))),
        }
    }

    /// Boots again once nothing of the last boot is left.
    async fn restart(&self, boots: u64) -> Result<Booted> {
        self.machine.0.cgroup.kill().await?;
        self.machine.0.cgroup.remove()?;
        Cgroup::create(self.machine.0.cgroup.path().to_owned())?;
        self.start(boots).await
    }

    async fn start(&self, boots: u64) -> Result<Booted> {
        let console = self.prepare()?;
        let outer = self.outer(&console)?.spawn();
        let mut outer = outer.context(|| "starting an instance".to_owned())?;
        let init = tokio::select! {
            init = self.answering() => init,
            status = outer.wait() => Err(self.not_started(&format!("{status:?}"))),
            () = tokio::time::sleep(START_LIMIT) => Err(self.not_started("no answer in time")),
        }?;
        self.set(MachineState::Running { boots, init });
        Ok(Booted {
            outer,
            _console: console,
        })
    }

    /// Writes what boot.sh reads.
    fn prepare(&self) -> Result<Console> {
        let Inner {
            dir, disks, spec, ..
        } = &*self.machine.0;
        let write = |name: &str, text: String| {
            let file = dir.join(name);
            fs::write(&file, text).context(|| file.display().to_string())
        };
        write("devices", Disk::manifest(disks))?;
        let id = fs::read_to_string("/proc/sys/kernel/random/uuid");
        write("boot_id", id.context(|| "a boot id".to_owned())?)?;
        let environment = spec.agent.iter().flat_map(|agent| &agent.environment);
        let lines = environment.map(|(name, value)| format!("{name}={value}\n"));
        write("agent.env", lines.collect())?;
        match fs::remove_file(dir.join("init.pid")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).context(|| dir.display().to_string());
            }
            _ => {}
        }
        Console::open(&self.machine.console())
    }

    fn outer(&self, console: &Console) -> Result<Command> {
        let Inner {
            dir, spec, cgroup, ..
        } = &*self.machine.0;
        let log = self.machine.console();
        let log = fs::OpenOptions::new().create(true).append(true).open(log);
        let log = log.context(|| "opening the console's log".to_owned())?;
        let mut command = in_cgroup(cgroup.path(), "unshare");
        command
            .args(["--mount", "--uts", "--ipc", "--net", "--cgroup", "--pid"])
            .args(["--fork", "--kill-child", "--propagation", "private"])
            .args(["sh", "-c", BOOT_SH, "boot.sh"])
            .arg(dir)
            .arg(&spec.name)
            .arg(&console.terminal)
            .arg(&self.birthplace.lab_binary)
            .args(spec.agent.iter().map(|agent| &agent.socket))
            .stdout(Stdio::null())
            .stderr(log);
        Ok(command)
    }

    /// The pid of its systemd, once that can be talked to.
    async fn answering(&self) -> Result<u32> {
        loop {
            let init = read_pid(&self.machine.0.dir.join("init.pid"));
            if let Some(init) = init
                && Path::new(&format!("/proc/{init}/root/run/systemd/private")).exists()
            {
                return Ok(init);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Leaves nothing behind but its directory with the console's log.
    async fn clear_up(&self) {
        let Inner {
            cgroup, disks, dir, ..
        } = &*self.machine.0;
        let steps = [
            cgroup.kill().await,
            Disk::detach_all(disks).await,
            cgroup.remove(),
        ];
        self.birthplace.inventory.remove(disks);
        for error in steps.into_iter().filter_map(Result::err) {
            tracing::error!(instance = self.machine.name(), %error, "left something behind");
        }
        for mount_point in ["root", "dev"] {
            let _ = fs::remove_dir(dir.join(mount_point));
        }
    }

    fn not_started(&self, why: &str) -> HostError {
        let console = fs::read_to_string(self.machine.console()).unwrap_or_default();
        let lines: Vec<&str> = console.lines().collect();
        let tail = lines[lines.len().saturating_sub(5)..].join("; ");
        self.machine
            .problem(format!("did not start ({why}): {tail}"))
    }

    fn set(&self, state: MachineState) {
        self.machine.0.state.send_replace(state);
    }
}

fn read_pid(file: &Path) -> Option<u32> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}
