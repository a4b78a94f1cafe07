//! The last resort: a process that outlives the lab and thaws whatever was held for too long.
//!
//! It watches through a trace of its own, so that nothing that dies with the lab is needed, and never opens a file on
//! a volume: the thawing is done by child processes. A run in which it had to act has failed.

use std::{
    collections::HashMap,
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::Stdio,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::{
    cgroup::Cgroup,
    clock::Monotonic,
    error::{Context, HostError, Result},
    loopdev::{self, LoopDevice},
    sweep::{self, lab_cgroup, lab_name},
    witness::{Deed, Sighting, Sightings, tracefs::TraceInstance},
};

/// More than twice the longest hold that a user can ask for.
pub(super) const LIMIT: Duration = Duration::from_secs(150);

const TICK: Duration = Duration::from_millis(500);
const START_LIMIT: Duration = Duration::from_secs(10);

/// The guard's files below the lab's directory.
const READY: &str = "guard.pid";
const VERDICT: &str = "guard.verdict";
const LOG: &str = "guard.log";

/// The lab's end of it.
#[derive(Debug)]
pub(super) struct Guard {
    dir: PathBuf,
    process: Child,
}

impl Guard {
    /// Starts the guard of the lab in `dir`, in a process group of its own: what is sent to the lab's group, Ctrl-C
    /// for one, does not reach it.
    pub(super) async fn start(lab_binary: &Path, dir: &Path, limit: Duration) -> Result<Self> {
        for stale in [READY, VERDICT] {
            remove_if_there(&dir.join(stale))?;
        }
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(dir.join(LOG));
        let log = log.context(|| "opening the guard's log".to_owned())?;
        let process = Command::new(lab_binary)
            .arg("guard")
            .arg(dir)
            .arg(limit.as_millis().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .context(|| format!("starting {} guard", lab_binary.display()))?;
        let mut guard = Self {
            dir: dir.to_owned(),
            process,
        };
        guard.watching().await?;
        Ok(guard)
    }

    async fn watching(&mut self) -> Result<()> {
        let ready = self.dir.join(READY);
        let wait = async {
            while !ready.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = wait => Ok(()),
            status = self.process.wait() => Err(HostError::Command {
                command: "lab guard".to_owned(),
                status: status.map(|status| status.to_string()).unwrap_or_default(),
                stderr: fs::read_to_string(self.dir.join(LOG)).unwrap_or_default(),
            }),
            () = tokio::time::sleep(START_LIMIT) => Err(HostError::TimedOut {
                what: "starting the guard".to_owned(),
                limit: START_LIMIT,
            }),
        }
    }

    /// Why the run has failed, if the guard had to act.
    pub(super) fn verdict(&self) -> Option<String> {
        fs::read_to_string(self.dir.join(VERDICT)).ok()
    }

    pub(super) async fn dismiss(mut self) -> Result<()> {
        self.process
            .kill()
            .await
            .context(|| "ending the guard".to_owned())?;
        remove_if_there(&self.dir.join(READY))
    }
}

/// Ends the guard of a lab that is gone.
pub(super) fn dismiss_orphan(dir: &Path) -> Result<()> {
    let ready = dir.join(READY);
    let Ok(text) = fs::read_to_string(&ready) else {
        return Ok(());
    };
    if let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) {
        let arguments = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero()));
        let mut arguments = arguments
            .as_deref()
            .unwrap_or_default()
            .split(|byte| *byte == 0);
        let ours = |argument: &[u8]| argument == dir.as_os_str().as_encoded_bytes();
        // The pid may be another process's by now.
        if arguments.nth(1) == Some(b"guard") && arguments.next().is_some_and(ours) {
            kill_process(pid, Signal::KILL).context(|| "ending the guard".to_owned())?;
        }
    }
    remove_if_there(&ready)
}

/// The guard's own side: watches the lab in `dir` until it is killed or the lab's cgroup is gone.
pub async fn watch(dir: &Path, limit: Duration) -> Result<()> {
    let trace = TraceInstance::create(dir, &format!("{}-guard", lab_name(dir))).await?;
    let lines = trace.lines()?;
    let (sender, sightings) = mpsc::channel();
    let reader = move || {
        let mut state = Sightings::default();
        for sighting in lines.filter_map(|line| state.read(&line)) {
            if sender.send(sighting).is_err() {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("guard".to_owned())
        .spawn(reader)
        .context(|| "starting the guard's thread".to_owned())?;
    let cgroup = Cgroup::existing(lab_cgroup(dir).await?);
    let pid = std::process::id().to_string();
    fs::write(dir.join(READY), pid).context(|| READY.to_owned())?;
    let mut watch = Watch {
        dir: dir.to_owned(),
        limit,
        cgroup,
        held: HashMap::new(),
    };
    while watch.cgroup.exists() {
        watch.tick(&sightings)?;
        if let Some(overdue) = watch.overdue() {
            watch.act(&overdue).await?;
        }
    }
    Ok(())
}

struct Watch {
    dir: PathBuf,
    limit: Duration,
    cgroup: Cgroup,
    /// What is held since when.
    held: HashMap<Held, Monotonic>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Held {
    Device(u32, u32),
    Cgroup(String),
    Process(u32),
}

impl Watch {
    fn tick(&mut self, sightings: &Receiver<Sighting>) -> Result<()> {
        match sightings.recv_timeout(TICK) {
            Ok(sighting) => self.note(&sighting),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(HostError::Kernel("the trace has ended".to_owned()));
            }
        }
        Ok(())
    }

    fn note(&mut self, sighting: &Sighting) {
        let since = sighting.began;
        match &sighting.deed {
            Deed::Freeze {
                device: Some((major, minor)),
                errno: 0,
            } => {
                self.held.insert(Held::Device(*major, *minor), since);
            }
            Deed::Thaw {
                device: Some((major, minor)),
                errno: 0,
            } => {
                self.held.remove(&Held::Device(*major, *minor));
            }
            Deed::CgroupFrozen { path } => {
                self.held.insert(Held::Cgroup(path.clone()), since);
            }
            Deed::CgroupThawed { path } => {
                self.held.remove(&Held::Cgroup(path.clone()));
            }
            Deed::Stop { target } => {
                self.held.entry(Held::Process(*target)).or_insert(since);
            }
            Deed::Continue { target } => {
                self.held.remove(&Held::Process(*target));
            }
            _ => {}
        }
    }

    /// What of this lab has been held for too long. Forgets what is not this lab's or is over.
    fn overdue(&mut self) -> Option<Held> {
        let limit = self.limit;
        let late = |since: &Monotonic| since.elapsed() > limit;
        let candidates: Vec<Held> = self
            .held
            .iter()
            .filter(|(_, since)| late(since))
            .map(|(held, _)| held.clone())
            .collect();
        for held in candidates {
            if self.is_ours(&held) {
                return Some(held);
            }
            self.held.remove(&held);
        }
        None
    }

    fn is_ours(&self, held: &Held) -> bool {
        match held {
            Held::Device(major, minor) => LoopDevice::below(&self.dir)
                .unwrap_or_default()
                .iter()
                .any(|device| (device.major, device.minor) == (*major, *minor)),
            Held::Cgroup(path) => path.starts_with(&format!("/{}/", lab_name(&self.dir))),
            Held::Process(pid) => self.cgroup.processes().contains(pid) && is_stopped(*pid),
        }
    }

    async fn act(&mut self, overdue: &Held) -> Result<()> {
        let seconds = self.limit.as_secs_f64();
        let verdict = format!("the guard let go of {overdue:?}, held for more than {seconds} s\n");
        // First the verdict: what is held too long is a failure, whether or not it can be let go.
        let file = self.dir.join(VERDICT);
        fs::write(&file, verdict).context(|| file.display().to_string())?;
        self.held.clear();
        let devices = LoopDevice::below(&self.dir)?;
        let processes = self.cgroup.processes();
        for pid in sweep::one_per_mount_namespace(&processes) {
            loopdev::thaw_mounts_of(pid, &devices).await;
        }
        self.cgroup.thaw_all();
        for pid in processes.into_iter().filter(|pid| is_stopped(*pid)) {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                kill_process(pid, Signal::CONT).context(|| "SIGCONT".to_owned())?;
            }
        }
        Ok(())
    }
}

/// Stopped by a signal: state `T` of `/proc/<pid>/stat`, the first field after the name in parentheses.
fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, fields)| fields.starts_with('T'))
}

fn remove_if_there(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context(|| file.display().to_string())
        }
        _ => Ok(()),
    }
}
