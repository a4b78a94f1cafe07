//! The physical half of the lab: real volumes, snapshots and instances on one Linux machine, and an outside witness of
//! what happens in them. Knows nothing of AWS's APIs.
//!
//! Everything a [`Host`] makes on the machine lies in one directory, one cgroup and the loop devices of that directory's
//! files, so that [`Host::sweep`] finds and removes it whoever died in between.

mod cgroup;
mod clock;
mod command;
mod disk;
mod error;
mod golden;
pub mod guard;
mod inventory;
mod layout;
mod loopdev;
mod machine;
mod mounts;
mod rootfs;
mod store;
mod sweep;
mod text;
mod tool;
pub mod witness;

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    process::geteuid,
};

use cgroup::Cgroup;
pub use clock::Monotonic;
pub use command::Output;
pub use disk::{Attachment, DiskIdentity};
pub use error::HostError;
use error::{Context, Result};
pub use golden::{GoldenDevice, GoldenImage};
use guard::Guard;
use inventory::Inventory;
pub use layout::{Layout, Places, ServerSpec};
use machine::Birthplace;
pub use machine::{AgentLink, BootSpec, Ended, Machine, MachineState};
pub use rootfs::{Release, RootFs};
use store::Store;
pub use store::{Filesystem, SnapshotFile, VolumeFile};
pub use sweep::Swept;
pub(crate) use text::hex;
use witness::Witness;

/// Where and with what a host works.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// The lab's directory. Nobody else's files belong there.
    pub dir: PathBuf,
    /// What is built once and kept between labs: root file systems and servers.
    pub cache: PathBuf,
    /// Size of the store, sparse: it takes from the disk what is written.
    pub store_gib: u64,
    /// The `lab` program: it is the guard, and the SSM agent in the instances.
    pub lab_binary: PathBuf,
    /// How long anything may be held before the guard lets it go and the run has failed.
    pub guard_limit: Duration,
}

impl HostConfig {
    pub fn new(dir: impl Into<PathBuf>, lab_binary: impl Into<PathBuf>) -> Self {
        let cache = env::var_os("LAB_CACHE").unwrap_or_else(|| "/var/cache/consistent-lab".into());
        Self {
            dir: dir.into(),
            cache: cache.into(),
            store_gib: 60,
            lab_binary: lab_binary.into(),
            guard_limit: guard::LIMIT,
        }
    }
}

/// One machine's worth of AWS hardware. Clones mean the same one.
///
/// Dropping it leaves everything as it is, running instances too, for [`Self::sweep`] to find; [`Self::close`] is the
/// orderly end.
#[derive(Clone, Debug)]
pub struct Host(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: HostConfig,
    store: Arc<Store>,
    cgroup: Cgroup,
    birthplace: Birthplace,
    machines: Mutex<BTreeMap<String, Machine>>,
    witness: Witness,
    guard: Mutex<Option<Guard>>,
    lock: File,
}

impl Host {
    /// Takes the directory over, sweeps what a dead lab left in it, and starts with an empty store.
    pub async fn open(mut config: HostConfig) -> Result<Self> {
        require_root()?;
        fs::create_dir_all(&config.dir).context(|| config.dir.display().to_string())?;
        let dir = fs::canonicalize(&config.dir).context(|| config.dir.display().to_string())?;
        config.dir.clone_from(&dir);
        let lock = lock(&dir)?;
        sweep::sweep(&dir).await?;
        let cgroup = Cgroup::create(sweep::lab_cgroup(&dir).await?)?;
        let name = sweep::lab_name(&dir);
        let inventory = Arc::new(Inventory::new(&name));
        let store = Arc::new(Store::create(&dir, config.store_gib).await?);
        let witness = Witness::start(&dir, &name, Arc::clone(&inventory)).await?;
        let guard = Guard::start(&config.lab_binary, &dir, config.guard_limit).await?;
        let birthplace = Birthplace {
            dir: dir.join("machines"),
            cgroup: cgroup.path().to_owned(),
            lab_binary: config.lab_binary.clone(),
            inventory,
            store: Arc::clone(&store),
        };
        Ok(Self(Arc::new(Inner {
            config,
            store,
            cgroup,
            birthplace,
            machines: Mutex::default(),
            witness,
            guard: Mutex::new(Some(guard)),
            lock,
        })))
    }

    /// Ends every instance and leaves no process, mount, loop device or cgroup behind. Logs stay in the directory.
    pub async fn close(self) -> Result<()> {
        for machine in self.machines() {
            machine.terminate().await?;
        }
        let guard = locked(&self.0.guard).take();
        if let Some(guard) = guard {
            guard.dismiss().await?;
        }
        self.0.store.close().await?;
        self.0.cgroup.remove()?;
        sweep::sweep(&self.0.config.dir).await?;
        // Clones may live on in somebody's task; the directory is free all the same.
        flock(&self.0.lock, FlockOperation::Unlock).context(|| "unlocking the lab".to_owned())
    }

    /// Takes down what a lab that is dead, in whatever way, left behind of itself.
    pub async fn sweep(dir: &Path) -> Result<Swept> {
        require_root()?;
        if !dir.is_dir() {
            return Ok(Swept::default());
        }
        let dir = fs::canonicalize(dir).context(|| dir.display().to_string())?;
        let _lock = lock(&dir)?;
        sweep::sweep(&dir).await
    }

    /// A new volume, blank or with one file system (and its label) over its whole length.
    pub async fn create_volume(
        &self,
        size_gib: u64,
        filesystem: Option<(Filesystem, &str)>,
    ) -> Result<VolumeFile> {
        self.0.store.create_volume(size_gib, filesystem).await
    }

    /// A new volume with a snapshot's content, of the snapshot's size or a larger one.
    pub async fn volume_from_snapshot(
        &self,
        snapshot: &SnapshotFile,
        size_gib: Option<u64>,
    ) -> Result<VolumeFile> {
        self.0.store.volume_from(snapshot, size_gib).await
    }

    /// A snapshot of one volume, whatever is being written to it.
    pub async fn snapshot(&self, volume: &VolumeFile) -> Result<SnapshotFile> {
        self.0.store.snapshot(volume).await
    }

    /// Snapshots of several volumes of one instance that hold one instant, in the order given.
    pub async fn snapshot_at_once(
        &self,
        machine: &Machine,
        volumes: &[VolumeFile],
    ) -> Result<Vec<SnapshotFile>> {
        machine.cut(volumes).await
    }

    /// Deletes a volume that is not attached.
    pub fn delete_volume(&self, volume: &VolumeFile) -> Result<()> {
        volume.delete()
    }

    /// Deletes a snapshot; volumes made of it keep their content.
    pub fn delete_snapshot(&self, snapshot: &SnapshotFile) -> Result<()> {
        snapshot.delete()
    }

    /// Boots an instance. Returns when its systemd answers; services are still starting then.
    pub async fn boot(&self, spec: BootSpec) -> Result<Machine> {
        let name = spec.name.clone();
        let running = locked(&self.0.machines).get(&name).map(Machine::state);
        if running.is_some_and(|state| !matches!(state, MachineState::Stopped(_))) {
            let problem = "is running already".to_owned();
            return Err(HostError::Machine { name, problem });
        }
        let machine = self.0.birthplace.boot(spec).await?;
        locked(&self.0.machines).insert(name, machine.clone());
        Ok(machine)
    }

    /// The instances that have not ended.
    pub fn machines(&self) -> Vec<Machine> {
        let machines = locked(&self.0.machines);
        let alive = |machine: &&Machine| !matches!(machine.state(), MachineState::Stopped(_));
        machines.values().filter(alive).cloned().collect()
    }

    pub fn witness(&self) -> &Witness {
        &self.0.witness
    }

    /// Why the run has failed, if the guard had to let something go.
    pub fn guard_verdict(&self) -> Option<String> {
        locked(&self.0.guard).as_ref().and_then(Guard::verdict)
    }
}

fn require_root() -> Result<()> {
    if geteuid().is_root() {
        Ok(())
    } else {
        Err(HostError::NotRoot)
    }
}

/// Held until the process that took it ends, however it does.
fn lock(dir: &Path) -> Result<File> {
    let file = dir.join("lock");
    let opened = File::create(&file).context(|| file.display().to_string())?;
    match flock(&opened, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(opened),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(HostError::InUse(dir.to_owned())),
        Err(error) => Err(error).context(|| file.display().to_string()),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
