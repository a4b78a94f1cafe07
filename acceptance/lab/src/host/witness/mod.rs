//! What really happened: every freeze, pause and stop in an instance, seen by the kernel and not by the code that did
//! it, on the monotonic clock.

mod hold;
mod line;
mod prober;
mod sighting;
pub(super) mod tracefs;

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use super::{
    clock::Monotonic,
    error::{Context, HostError, Result},
    inventory::Inventory,
};
pub use hold::{Hold, HoldMethod};
pub use prober::{Beat, Prober, beat_forever, stalls};
pub(super) use sighting::{Deed, Sighting, Sightings};
use tracefs::TraceInstance;

/// How long the kernel may take to hand over what it has traced.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);

/// More than anybody who listens can be behind.
const BACKLOG: usize = 4096;

/// Something that held writes of an instance or let them go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it was asked for.
    pub began: Monotonic,
    /// When it was done.
    pub at: Monotonic,
    /// `None` where it could not be told.
    pub instance: Option<String>,
    /// Who did it: the thread, as the host counts them, and its name.
    pub pid: u32,
    pub comm: String,
    #[serde(flatten)]
    pub kind: EventKind,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// `device` is EC2's name of the attachment.
    Frozen {
        device: String,
    },
    Thawed {
        device: String,
    },
    FreezeFailed {
        device: Option<String>,
        errno: i32,
    },
    /// `errno` 22 (EINVAL): it was not frozen.
    ThawFailed {
        device: Option<String>,
        errno: i32,
    },
    /// `path` is the cgroup as the instance sees it.
    CgroupFrozen {
        path: String,
    },
    CgroupThawed {
        path: String,
    },
    /// `target` is a pid as the host counts them.
    ProcessStopped {
        target: u32,
    },
    ProcessContinued {
        target: u32,
    },
    /// A database server ended, in whatever way.
    ServerEnded {
        target: u32,
    },
    ServerStarted {
        target: u32,
    },
    /// The record has a hole of this many kernel events.
    Lost {
        count: u64,
    },
}

/// Watches until the lab is taken down.
#[derive(Debug)]
pub struct Witness {
    trace: TraceInstance,
    record: Arc<Record>,
}

#[derive(Debug)]
struct Record {
    events: Mutex<Vec<Event>>,
    marks: Mutex<Vec<String>>,
    live: broadcast::Sender<Event>,
}

impl Witness {
    pub(super) async fn start(lab: &Path, name: &str, inventory: Arc<Inventory>) -> Result<Self> {
        let trace = TraceInstance::create(lab, &format!("{name}-witness")).await?;
        let record = Arc::new(Record {
            events: Mutex::default(),
            marks: Mutex::default(),
            live: broadcast::Sender::new(BACKLOG),
        });
        let lines = trace.lines()?;
        let scribe = Scribe {
            inventory,
            record: Arc::clone(&record),
            servers: Vec::new(),
        };
        thread::Builder::new()
            .name("witness".to_owned())
            .spawn(move || scribe.write_down(lines))
            .context(|| "starting the witness".to_owned())?;
        Ok(Self { trace, record })
    }

    /// What happens from now on, as it is seen.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.record.live.subscribe()
    }

    /// What was seen so far.
    pub fn events(&self) -> Vec<Event> {
        locked(&self.record.events).clone()
    }

    /// How long writes of an instance were held, so far.
    pub fn holds(&self, instance: &str) -> Vec<Hold> {
        let events = locked(&self.record.events);
        let own = |event: &&Event| event.instance.as_deref() == Some(instance);
        hold::holds(events.iter().filter(own))
    }

    /// Waits until everything that happened before this call has been seen.
    pub async fn settle(&self) -> Result<()> {
        let mark = format!("settle-{}", Monotonic::now());
        self.trace.mark(&mark)?;
        let seen = async {
            while !locked(&self.record.marks).contains(&mark) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let limit = SETTLE_LIMIT;
        let what = "reading the kernel's trace".to_owned();
        let settled = tokio::time::timeout(limit, seen).await;
        settled.map_err(|_| HostError::TimedOut { what, limit })
    }
}

/// Turns what the kernel saw into what it means for an instance.
struct Scribe {
    inventory: Arc<Inventory>,
    record: Arc<Record>,
    /// Running servers: pid and instance.
    servers: Vec<(u32, String)>,
}

impl Scribe {
    fn write_down(mut self, lines: impl Iterator<Item = String>) {
        let mut sightings = Sightings::default();
        for line in lines {
            let Some(sighting) = sightings.read(&line) else {
                continue;
            };
            if let Deed::Marked(text) = sighting.deed {
                locked(&self.record.marks).push(text);
                continue;
            }
            if let Some((instance, kind)) = self.meaning(&sighting.deed) {
                self.publish(sighting, instance, kind);
            }
        }
    }

    fn publish(&self, sighting: Sighting, instance: Option<String>, kind: EventKind) {
        let event = Event {
            began: sighting.began,
            at: sighting.at,
            instance,
            pid: sighting.pid,
            comm: sighting.comm,
            kind,
        };
        locked(&self.record.events).push(event.clone());
        // Nobody need listen.
        let _ = self.record.live.send(event);
    }

    /// `None` for what concerns no instance of this lab.
    fn meaning(&mut self, deed: &Deed) -> Option<(Option<String>, EventKind)> {
        match deed {
            Deed::Freeze { device, errno } => self.call(
                *device,
                *errno,
                |device| EventKind::Frozen { device },
                |device, errno| EventKind::FreezeFailed { device, errno },
            ),
            Deed::Thaw { device, errno } => self.call(
                *device,
                *errno,
                |device| EventKind::Thawed { device },
                |device, errno| EventKind::ThawFailed { device, errno },
            ),
            Deed::CgroupFrozen { path } => {
                let (instance, path) = self.within(path)?;
                Some((instance, EventKind::CgroupFrozen { path }))
            }
            Deed::CgroupThawed { path } => {
                let (instance, path) = self.within(path)?;
                Some((instance, EventKind::CgroupThawed { path }))
            }
            Deed::Stop { target } => {
                let kind = EventKind::ProcessStopped { target: *target };
                Some((Some(self.home_of(*target)?), kind))
            }
            Deed::Continue { target } => {
                let kind = EventKind::ProcessContinued { target: *target };
                Some((Some(self.home_of(*target)?), kind))
            }
            Deed::ServerExecuted { pid } => self.server_started(*pid),
            Deed::ServerExited { pid } => self.server_ended(*pid),
            Deed::Marked(_) => None,
            Deed::Lost(count) => Some((None, EventKind::Lost { count: *count })),
        }
    }

    /// What a call that freezes or thaws a device means: `done` of the device's name, or `failed`. A call that failed
    /// seldom got as far as touching the device.
    fn call(
        &self,
        device: Option<(u32, u32)>,
        errno: i32,
        done: fn(String) -> EventKind,
        failed: fn(Option<String>, i32) -> EventKind,
    ) -> Option<(Option<String>, EventKind)> {
        let seat = device.and_then(|(major, minor)| self.inventory.seat(major, minor));
        let (instance, device) = seat.map(|seat| (seat.instance, seat.device_name)).unzip();
        if errno != 0 {
            return Some((instance, failed(device, errno)));
        }
        Some((instance, done(device?)))
    }

    fn server_started(&mut self, pid: u32) -> Option<(Option<String>, EventKind)> {
        let instance = self.home_of(pid)?;
        if !is_server(pid) {
            return None;
        }
        self.servers.push((pid, instance.clone()));
        Some((Some(instance), EventKind::ServerStarted { target: pid }))
    }

    fn server_ended(&mut self, pid: u32) -> Option<(Option<String>, EventKind)> {
        let index = self.servers.iter().position(|(server, _)| *server == pid)?;
        let (target, instance) = self.servers.swap_remove(index);
        Some((Some(instance), EventKind::ServerEnded { target }))
    }

    /// An instance's cgroup as the instance sees it. Its topmost one is passed over: only the lab itself holds that,
    /// for the instant of a cut.
    fn within(&self, path: &str) -> Option<(Option<String>, String)> {
        let (instance, path) = self.inventory.cgroup(path)?;
        (!path.is_empty()).then(|| (Some(instance.to_owned()), path.to_owned()))
    }

    /// The instance in which a process of the host's pid lives.
    fn home_of(&self, pid: u32) -> Option<String> {
        let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let unified = cgroups.lines().find_map(|line| line.strip_prefix("0::"))?;
        Some(self.inventory.cgroup(unified)?.0.to_owned())
    }
}

/// Whether what runs is a server at work, and not `postgres --version` or `mysqld --initialize`.
fn is_server(pid: u32) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let arguments: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    serves(&arguments)
}

fn serves(command: &[&[u8]]) -> bool {
    let [program, arguments @ ..] = command else {
        return false;
    };
    if program.ends_with(b"postgres") {
        return arguments.first() == Some(&b"-D".as_slice());
    }
    let does_something_else = |argument: &&[u8]| ERRANDS.contains(argument);
    !arguments.iter().any(does_something_else)
}

/// Arguments with which `mysqld`, `mariadbd` and `redis-server` do something else than serve.
const ERRANDS: &[&[u8]] = &[
    b"--bootstrap",
    b"--help",
    b"--initialize",
    b"--initialize-insecure",
    b"--validate-config",
    b"--version",
];

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::serves;

    #[test]
    fn a_server_is_known_by_what_it_is_told() {
        let told = |line: &str| {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            serves(&words)
        };
        for line in [
            "/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main",
            "/usr/sbin/mysqld",
            "/usr/sbin/mariadbd --wsrep_start_position=x",
            "/usr/bin/redis-server 127.0.0.1:6379",
        ] {
            assert!(told(line), "{line}");
        }
        for line in [
            "postgres --version",
            "mysqld --initialize-insecure",
            "/usr/sbin/mysqld --verbose --help",
            "/usr/sbin/mariadbd --basedir=/usr --bootstrap",
        ] {
            assert!(!told(line), "{line}");
        }
    }
}
