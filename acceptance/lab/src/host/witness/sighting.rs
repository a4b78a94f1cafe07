//! From trace lines to what happened: pairs the entry into a call with its return, and gives it its device.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use super::line::{Line, What};
use crate::host::clock::Monotonic;

/// Something that holds writes or lets them go, in the host's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::host) struct Sighting {
    pub(in crate::host) began: Monotonic,
    pub(in crate::host) at: Monotonic,
    pub(in crate::host) pid: u32,
    pub(in crate::host) comm: String,
    pub(in crate::host) deed: Deed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::host) enum Deed {
    /// `FIFREEZE` returned; `errno` 0 is success.
    Freeze {
        device: Option<(u32, u32)>,
        errno: i32,
    },
    /// `FITHAW` returned.
    Thaw {
        device: Option<(u32, u32)>,
        errno: i32,
    },
    /// Every process in the cgroup stands still; `began` is when that was asked for.
    CgroupFrozen { path: String },
    /// The cgroup's processes may go on.
    CgroupThawed { path: String },
    /// `SIGSTOP` was sent.
    Stop { target: u32 },
    /// `SIGCONT` was sent.
    Continue { target: u32 },
    /// A database server's program was started.
    ServerExecuted { pid: u32 },
    /// A process ended.
    ServerExited { pid: u32 },
    /// A line of our own.
    Marked(String),
    /// The kernel had no room for this many events: the record has a hole.
    Lost(u64),
}

/// What has begun and not ended yet.
#[derive(Debug, Default)]
pub(in crate::host) struct Sightings {
    calls: HashMap<u32, Call>,
    asked: HashMap<String, Monotonic>,
    frozen: HashSet<String>,
}

#[derive(Debug)]
struct Call {
    freezes: bool,
    entered: Monotonic,
    device: Option<(u32, u32)>,
}

impl Sightings {
    pub(in crate::host) fn read(&mut self, text: &str) -> Option<Sighting> {
        self.take(Line::parse(text)?)
    }

    fn take(&mut self, line: Line) -> Option<Sighting> {
        let (began, deed) = match line.what {
            What::FreezeEntered => return self.enter(line.pid, line.at, true),
            What::ThawEntered => return self.enter(line.pid, line.at, false),
            What::Touched { major, minor } => return self.touch(line.pid, (major, minor)),
            What::IoctlReturned(result) => self.leave(line.pid, result)?,
            What::CgroupFreeze { path } => {
                if !self.frozen_above(&path) {
                    self.asked.insert(path, line.at);
                }
                return None;
            }
            What::CgroupFrozen { path } => {
                let began = self.asked.remove(&path)?;
                self.frozen.insert(path.clone());
                (began, Deed::CgroupFrozen { path })
            }
            What::CgroupThaw { path } => {
                self.asked.remove(&path);
                self.frozen.remove(&path).then_some(())?;
                (line.at, Deed::CgroupThawed { path })
            }
            What::Signal {
                signal: 19, target, ..
            } => (line.at, Deed::Stop { target }),
            What::Signal { target, .. } => (line.at, Deed::Continue { target }),
            What::Executed { pid } => (line.at, Deed::ServerExecuted { pid }),
            What::Exited { pid } => (line.at, Deed::ServerExited { pid }),
            What::Marked(text) => (line.at, Deed::Marked(text)),
            What::Lost(count) => (line.at, Deed::Lost(count)),
        };
        Some(Sighting {
            began,
            at: line.at,
            pid: line.pid,
            comm: line.comm,
            deed,
        })
    }

    /// The kernel freezes a cgroup from its top down and reports each one below: the topmost is the one meant.
    fn frozen_above(&self, path: &str) -> bool {
        let mut above = Path::new(path).ancestors().skip(1);
        above.any(|above| {
            let above = above.to_string_lossy();
            self.asked.contains_key(&*above) || self.frozen.contains(&*above)
        })
    }

    fn enter(&mut self, pid: u32, at: Monotonic, freezes: bool) -> Option<Sighting> {
        let call = Call {
            freezes,
            entered: at,
            device: None,
        };
        self.calls.insert(pid, call);
        None
    }

    fn touch(&mut self, pid: u32, device: (u32, u32)) -> Option<Sighting> {
        if let Some(call) = self.calls.get_mut(&pid) {
            call.device.get_or_insert(device);
        }
        None
    }

    fn leave(&mut self, pid: u32, result: i64) -> Option<(Monotonic, Deed)> {
        let Call {
            freezes,
            entered,
            device,
        } = self.calls.remove(&pid)?;
        let errno = i32::try_from(-result).unwrap_or(0).max(0);
        let deed = if freezes {
            Deed::Freeze { device, errno }
        } else {
            Deed::Thaw { device, errno }
        };
        Some((entered, deed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deeds(trace: &str) -> Vec<(u64, u64, Deed)> {
        let mut sightings = Sightings::default();
        trace
            .lines()
            .filter_map(|line| sightings.read(line))
            .map(|seen| (seen.began.as_micros(), seen.at.as_micros(), seen.deed))
            .collect()
    }

    #[test]
    fn a_freeze_takes_from_entry_to_return_and_knows_its_device() {
        let trace = "\
            fsfreeze-5 [0] ... 1.000000: sys_ioctl(fd: 3, cmd: 0xc0045877, arg: 0)\n\
            other-6 [1] ... 1.000100: sys_ioctl -> 0x0\n\
            other-6 [1] ... 1.000200: ext4_sync_fs: dev 8,1 wait 1\n\
            fsfreeze-5 [0] ... 1.000300: ext4_sync_fs: dev 7,2 wait 1\n\
            fsfreeze-5 [0] ... 1.000400: sys_ioctl -> 0x0\n";
        let freeze = Deed::Freeze {
            device: Some((7, 2)),
            errno: 0,
        };
        assert_eq!(deeds(trace), [(1_000_000, 1_000_400, freeze)]);
    }

    #[test]
    fn a_thaw_of_what_was_not_frozen_is_seen_to_fail() {
        let trace = "\
            fsfreeze-5 [0] ... 1.000000: sys_ioctl(fd: 3, cmd: 0xc0045878, arg: 0)\n\
            fsfreeze-5 [0] ... 1.000001: sys_ioctl -> 0xffffffffffffffea\n";
        let thaw = Deed::Thaw {
            device: None,
            errno: 22,
        };
        assert_eq!(deeds(trace), [(1_000_000, 1_000_001, thaw)]);
    }

    #[test]
    fn what_is_frozen_with_its_parent_is_not_counted_again() {
        let trace = "\
            sh-5 [0] ... 1.000000: cgroup_freeze: root=0 id=7 level=1 path=/a\n\
            sh-5 [0] ... 1.000001: cgroup_freeze: root=0 id=8 level=2 path=/a/b\n\
            postgres-9 [1] ... 1.020000: cgroup_notify_frozen: root=0 id=8 level=2 path=/a/b val=1\n\
            postgres-9 [1] ... 1.020001: cgroup_notify_frozen: root=0 id=7 level=1 path=/a val=1\n\
            sh-5 [0] ... 2.000000: cgroup_unfreeze: root=0 id=7 level=1 path=/a\n\
            sh-5 [0] ... 2.000001: cgroup_unfreeze: root=0 id=8 level=2 path=/a/b\n";
        let path = || "/a".to_owned();
        assert_eq!(
            deeds(trace),
            [
                (1_000_000, 1_020_001, Deed::CgroupFrozen { path: path() }),
                (2_000_000, 2_000_000, Deed::CgroupThawed { path: path() }),
            ]
        );
    }

    #[test]
    fn a_cgroup_is_frozen_once_the_last_process_stands_still() {
        let trace = "\
            sh-5 [0] ... 1.000000: cgroup_freeze: root=0 id=7 level=1 path=/a\n\
            postgres-9 [1] ... 1.020000: cgroup_notify_frozen: root=0 id=7 level=1 path=/a val=1\n\
            sh-6 [0] ... 3.000000: cgroup_unfreeze: root=0 id=7 level=1 path=/a\n\
            sh-6 [0] ... 3.000001: cgroup_notify_frozen: root=0 id=7 level=1 path=/a val=0\n";
        let path = || "/a".to_owned();
        assert_eq!(
            deeds(trace),
            [
                (1_000_000, 1_020_000, Deed::CgroupFrozen { path: path() }),
                (3_000_000, 3_000_000, Deed::CgroupThawed { path: path() }),
            ]
        );
    }
}
