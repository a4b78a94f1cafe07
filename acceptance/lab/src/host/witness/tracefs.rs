//! The kernel's own trace of what freezes, pauses and stops, read through an instance of tracefs of our own.
//!
//! Events of a syscall say who called; which file system it was is seen from what the same thread does before the call
//! returns: both ext4 and XFS trace their sync on freeze, XFS traces the restart of its workers on thaw, and ext4
//! writes its superblock.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::host::{
    clock::Monotonic,
    error::{Context, HostError, Result},
    mounts,
    tool::Tool,
};

/// `FIFREEZE` and `FITHAW` of linux/fs.h: `_IOWR('X', 119, int)` and `_IOWR('X', 120, int)`.
pub(super) const FIFREEZE: u32 = 0xc004_5877;
pub(super) const FITHAW: u32 = 0xc004_5878;

/// Kilobytes per CPU. An event takes about 100 bytes; hundreds a second are many.
const BUFFER_KB: &str = "2048";

/// Event and filter (trace/events.rst of the kernel's documentation); an empty filter lets everything through.
const EVENTS: &[(&str, &str)] = &[
    (
        "syscalls/sys_enter_ioctl",
        "cmd==0xc0045877||cmd==0xc0045878",
    ),
    ("syscalls/sys_exit_ioctl", ""),
    ("ext4/ext4_sync_fs", ""),
    ("xfs/xfs_fs_sync_fs", ""),
    ("xfs/xfs_blockgc_start", ""),
    ("block/block_bio_queue", "sector<8"),
    ("cgroup/cgroup_freeze", ""),
    ("cgroup/cgroup_unfreeze", ""),
    ("cgroup/cgroup_notify_frozen", ""),
    ("signal/signal_generate", "sig==18||sig==19"),
    (
        "sched/sched_process_exec",
        "filename ~ \"*/bin/postgres\"||filename ~ \"*/sbin/mysqld\"||filename ~ \"*/sbin/mariadbd\"||\
         filename ~ \"*/bin/redis-server\"||filename ~ \"*/bin/valkey-server\"",
    ),
];

/// Of threads, the last of each process; older kernels do not know which one that is.
const EXIT: (&str, &str) = ("sched/sched_process_exit", "group_dead==1");

const READER_LIMIT: Duration = Duration::from_secs(5);

/// An instance of the tracing system. It goes on until it is removed.
#[derive(Debug)]
pub(in crate::host) struct TraceInstance {
    dir: PathBuf,
}

impl TraceInstance {
    /// Starts tracing. `lab` is where tracefs is mounted when it is not mounted yet.
    pub(in crate::host) async fn create(lab: &Path, name: &str) -> Result<Self> {
        let instances = tracefs(lab).await?.join("instances");
        let dir = instances.join(name);
        if dir.is_dir() {
            remove(&dir).await?;
        }
        fs::create_dir(&dir).context(|| dir.display().to_string())?;
        let instance = Self { dir };
        instance.write("trace_clock", "mono")?;
        instance.write("buffer_size_kb", BUFFER_KB)?;
        // To which process a thread belongs: a server may end with any of its threads.
        instance.write("options/record-tgid", "1")?;
        for (event, filter) in EVENTS {
            instance.enable(event, filter)?;
        }
        let (event, filter) = EXIT;
        let counted = instance.has_field(event, "group_dead")?;
        instance.enable(event, if counted { filter } else { "" })?;
        Ok(instance)
    }

    /// The trace as it comes: reading blocks until the kernel has something.
    pub(in crate::host) fn lines(&self) -> Result<impl Iterator<Item = String> + use<>> {
        let pipe = self.dir.join("trace_pipe");
        let pipe = File::open(&pipe).context(|| pipe.display().to_string())?;
        Ok(BufReader::new(pipe).lines().map_while(std::io::Result::ok))
    }

    /// Puts a line of ours into the trace: what was traced before it has been read when it is read.
    pub(in crate::host) fn mark(&self, text: &str) -> Result<()> {
        self.write("trace_marker", text)
    }

    fn enable(&self, event: &str, filter: &str) -> Result<()> {
        let dir = format!("events/{event}");
        if !self.dir.join(&dir).is_dir() {
            return Err(HostError::Kernel(format!("it does not trace {event}")));
        }
        if !filter.is_empty() {
            self.write(&format!("{dir}/filter"), filter)?;
        }
        self.write(&format!("{dir}/enable"), "1")
    }

    fn has_field(&self, event: &str, field: &str) -> Result<bool> {
        let format = self.dir.join(format!("events/{event}/format"));
        let text = fs::read_to_string(&format).context(|| format.display().to_string())?;
        Ok(text.contains(field))
    }

    fn write(&self, name: &str, value: &str) -> Result<()> {
        let file = self.dir.join(name);
        let opened = OpenOptions::new().write(true).open(&file);
        opened
            .and_then(|mut opened| opened.write_all(value.as_bytes()))
            .context(|| file.display().to_string())
    }
}

/// Ends and removes every trace of the lab of this name: its own, and what a dead one left.
pub(in crate::host) async fn remove_instances(lab: &Path, name: &str) -> Result<()> {
    let instances = tracefs(lab).await?.join("instances");
    for entry in fs::read_dir(&instances).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(name) {
            remove(&entry.path()).await?;
        }
    }
    Ok(())
}

/// Where tracefs is mounted: where systemd does, else below the lab's directory. Another lab's mount goes with it.
async fn tracefs(lab: &Path) -> Result<PathBuf> {
    let own = lab.join("tracing");
    let usable = |point: &Path| point.starts_with("/sys") || point == own;
    let mut mounts = mounts::mounts_of("self").await?.into_iter();
    if let Some(mount) = mounts.find(|m| m.filesystem == "tracefs" && usable(&m.point)) {
        return Ok(mount.point);
    }
    fs::create_dir_all(&own).context(|| own.display().to_string())?;
    let mount = Tool::new("mount").args(["-t", "tracefs", "tracefs"]);
    mount.arg(&own).run().await?;
    Ok(own)
}

/// The kernel keeps an instance while somebody reads its trace. A reader sees the end of a trace that is switched off,
/// but only if it has read something before, and not if it just went to sleep: so it is switched off until it does.
async fn remove(dir: &Path) -> Result<()> {
    let write = |name: &str, value: &str| {
        let file = dir.join(name);
        fs::write(&file, value).context(|| file.display().to_string())
    };
    write("events/enable", "0")?;
    let started = Monotonic::now();
    while started.elapsed() < READER_LIMIT {
        write("tracing_on", "1")?;
        write("trace_marker", "end")?;
        write("tracing_on", "0")?;
        tokio::time::sleep(Duration::from_millis(5)).await;
        if fs::remove_dir(dir).is_ok() {
            return Ok(());
        }
    }
    Err(HostError::TimedOut {
        what: format!("the end of {}'s reader", dir.display()),
        limit: READER_LIMIT,
    })
}
