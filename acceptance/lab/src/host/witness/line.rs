//! Lines of a trace, parsed. Knows the kernel's text formats and nothing of what they mean for a lab.

use super::tracefs::{FIFREEZE, FITHAW};
use crate::host::clock::Monotonic;

/// One line: who, when, what. Pids and device numbers are the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) at: Monotonic,
    /// The thread, as the kernel counts them.
    pub(super) pid: u32,
    pub(super) comm: String,
    pub(super) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    FreezeEntered,
    ThawEntered,
    /// Any ioctl returned, with its result.
    IoctlReturned(i64),
    /// This thread does something to the file system on this device.
    Touched {
        major: u32,
        minor: u32,
    },
    CgroupFreeze {
        path: String,
    },
    CgroupThaw {
        path: String,
    },
    CgroupFrozen {
        path: String,
    },
    Signal {
        signal: u32,
        target: u32,
        comm: String,
    },
    Executed {
        pid: u32,
    },
    Exited {
        pid: u32,
    },
    Marked(String),
    /// Events that the buffer had no room for.
    Lost(u64),
}

impl Line {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(lost) = lost(text) {
            return Some(lost);
        }
        let (task, rest) = text.split_once(" [")?;
        let (task, process) = task_and_process(task);
        let (comm, pid) = task.rsplit_once('-')?;
        let pid = pid.parse().ok()?;
        let rest = rest.split_once("] ")?.1.trim_start();
        let rest = rest.split_once(' ')?.1.trim_start();
        let (time, event) = rest.split_once(": ")?;
        Some(Self {
            at: timestamp(time)?,
            pid,
            comm: comm.to_owned(),
            what: what(event, pid, process.unwrap_or(pid))?,
        })
    }
}

/// `mysqld-12 (     11)`: a thread and its process, where the kernel knows that.
fn task_and_process(text: &str) -> (&str, Option<u32>) {
    match text.trim().rsplit_once('(') {
        Some((task, process)) => {
            let process = process.trim_end_matches(')').trim();
            (task.trim_end(), process.parse().ok())
        }
        None => (text.trim(), None),
    }
}

/// `CPU:1 [LOST 12 EVENTS]`
fn lost(text: &str) -> Option<Line> {
    let count = text.split_once("[LOST ")?.1.split_once(" EVENTS]")?.0;
    Some(Line {
        at: Monotonic::now(),
        pid: 0,
        comm: String::new(),
        what: What::Lost(count.parse().ok()?),
    })
}

/// `1431.432942`
fn timestamp(text: &str) -> Option<Monotonic> {
    let (seconds, micros) = text.split_once('.')?;
    let seconds: u64 = seconds.parse().ok()?;
    let micros: u64 = micros.parse().ok()?;
    Some(Monotonic::from_micros(seconds * 1_000_000 + micros))
}

fn what(event: &str, thread: u32, process: u32) -> Option<What> {
    if let Some(arguments) = event.strip_prefix("sys_ioctl(") {
        return ioctl(arguments);
    }
    if let Some(result) = event.strip_prefix("sys_ioctl -> 0x") {
        let result = u64::from_str_radix(result.trim(), 16).ok()?;
        return Some(What::IoctlReturned(result.cast_signed()));
    }
    let (name, fields) = event.split_once(": ")?;
    match name {
        "ext4_sync_fs" | "xfs_fs_sync_fs" | "xfs_blockgc_start" => {
            touched(fields.strip_prefix("dev ")?)
        }
        "block_bio_queue" => touched(fields),
        "cgroup_freeze" => path(fields).map(|path| What::CgroupFreeze { path }),
        "cgroup_unfreeze" => path(fields).map(|path| What::CgroupThaw { path }),
        "cgroup_notify_frozen" => {
            let (fields, value) = fields.rsplit_once(" val=")?;
            let path = path(fields)?;
            (value == "1").then_some(What::CgroupFrozen { path })
        }
        "signal_generate" => Some(What::Signal {
            signal: field(fields, "sig")?,
            target: field(fields, "pid")?,
            comm: fields
                .split_once("comm=")?
                .1
                .split_once(" pid=")?
                .0
                .to_owned(),
        }),
        "sched_process_exec" => field(fields, "pid").map(|pid| What::Executed { pid }),
        "sched_process_exit" => exited(fields, thread, process),
        "tracing_mark_write" => Some(What::Marked(fields.trim().to_owned())),
        _ => None,
    }
}

/// One thread of many that ends is not the process: the last one is, or, by a kernel that does not count them, the first.
fn exited(fields: &str, thread: u32, process: u32) -> Option<What> {
    let whole = match fields.rsplit_once("group_dead=") {
        Some((_, dead)) => dead.trim() == "true",
        None => thread == process,
    };
    whole.then_some(What::Exited { pid: process })
}

fn ioctl(arguments: &str) -> Option<What> {
    let command = arguments.split_once("cmd: 0x")?.1.split_once(',')?.0;
    match u32::from_str_radix(command, 16).ok()? {
        FIFREEZE => Some(What::FreezeEntered),
        FITHAW => Some(What::ThawEntered),
        _ => None,
    }
}

/// `7,2 WFS 2 + 2 [fsfreeze]` or `7:1 m_features ...`
fn touched(fields: &str) -> Option<What> {
    let device = fields.split(' ').next()?;
    let (major, minor) = device.split_once([',', ':'])?;
    Some(What::Touched {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
    })
}

fn path(fields: &str) -> Option<String> {
    Some(fields.split_once("path=")?.1.trim_end().to_owned())
}

fn field(fields: &str, name: &str) -> Option<u32> {
    let value = fields
        .split(' ')
        .find_map(|field| field.strip_prefix(name)?.strip_prefix('='))?;
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Expected = fn() -> What;

    /// Lines of a 6.18 kernel, as they came.
    const SEEN: &[(&str, Expected)] = &[
        (
            "        fsfreeze-19212   [000] .....  1431.432942: sys_ioctl(fd: 3, cmd: 0xc0045877, arg: 0)",
            || What::FreezeEntered,
        ),
        (
            "        fsfreeze-19217   [000] .....  1431.541805: sys_ioctl -> 0xffffffffffffffea",
            || What::IoctlReturned(-22),
        ),
        (
            "        fsfreeze-19212   [000] .....  1431.472163: ext4_sync_fs: dev 7,2 wait 0",
            || What::Touched { major: 7, minor: 2 },
        ),
        (
            "        fsfreeze-19216   [000] .....  1431.539899: xfs_blockgc_start: dev 7:1 m_features 0x19bf2aa opstate (clean|blockgc) s_flags 0x70810000 caller xfs_fs_unfreeze+0x3a/0x50",
            || What::Touched { major: 7, minor: 1 },
        ),
        (
            "        fsfreeze-19215   [000] .....  1431.537407: block_bio_queue: 7,2 WFS 2 + 2 [fsfreeze]",
            || What::Touched { major: 7, minor: 2 },
        ),
        (
            "            bash-19178   [000] dN.2.  1431.545443: cgroup_notify_frozen: root=0 id=766 level=1 path=/tt val=1",
            || What::CgroupFrozen {
                path: "/tt".to_owned(),
            },
        ),
        (
            "            bash-19178   [000] d..1.  1431.545511: cgroup_unfreeze: root=0 id=766 level=1 path=/tt",
            || What::CgroupThaw {
                path: "/tt".to_owned(),
            },
        ),
        (
            "            bash-19178   [000] d..1.  1431.542325: signal_generate: sig=19 errno=0 code=0 comm=a b pid=19218 grp=1 res=0",
            || What::Signal {
                signal: 19,
                target: 19218,
                comm: "a b".to_owned(),
            },
        ),
    ];

    #[test]
    fn lines_as_the_kernel_writes_them() {
        for (text, expected) in SEEN {
            let line = Line::parse(text).unwrap_or_else(|| panic!("not parsed: {text}"));
            assert_eq!(line.what, expected(), "{text}");
        }
    }

    #[test]
    fn who_and_when() {
        let line = Line::parse(
            "  kworker/u8:1-ev-77 [001] d..1.   99.000042: cgroup_freeze: root=0 id=7 level=1 path=/a b",
        )
        .unwrap();
        assert_eq!(line.comm, "kworker/u8:1-ev");
        assert_eq!(line.pid, 77);
        assert_eq!(line.at, Monotonic::from_micros(99_000_042));
        assert_eq!(
            line.what,
            What::CgroupFreeze {
                path: "/a b".to_owned()
            }
        );
    }

    #[test]
    fn lost_events_are_not_passed_over() {
        let line = Line::parse("CPU:1 [LOST 12 EVENTS]").unwrap();
        assert_eq!(line.what, What::Lost(12));
    }

    #[test]
    fn what_says_nothing_is_passed_over() {
        assert_eq!(Line::parse("# tracer: nop"), None);
        let thread = "postgres-9 [0] ... 1.000001: sched_process_exit: comm=postgres pid=9 prio=120 group_dead=false";
        assert_eq!(Line::parse(thread), None);
    }

    #[test]
    fn a_process_ends_with_its_last_thread() {
        let what = |text| Line::parse(text).map(|line| line.what);
        let last = "ib_log-12   (     11) [0] ... 1.000001: sched_process_exit: comm=ib_log pid=12 prio=120 group_dead=true";
        assert_eq!(what(last), Some(What::Exited { pid: 11 }));
        let not_counted = "ib_log-12   (     11) [0] ... 1.000001: sched_process_exit: comm=ib_log pid=12 prio=120";
        assert_eq!(what(not_counted), None);
        let first = "mysqld-11   (     11) [0] ... 1.000001: sched_process_exit: comm=mysqld pid=11 prio=120";
        assert_eq!(what(first), Some(What::Exited { pid: 11 }));
        let unknown = "mysqld-11   (-------) [0] ... 1.000001: sched_process_exit: comm=mysqld pid=11 prio=120";
        assert_eq!(what(unknown), Some(What::Exited { pid: 11 }));
    }
}
