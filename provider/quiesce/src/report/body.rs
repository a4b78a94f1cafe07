//! What each phase reports, after docs/design/guest-protocol.md and schemas/guest-report.json.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use time::OffsetDateTime;

use super::{
    Body,
    value::{millis, non_empty, optional_millis},
};
use crate::{method::Method, report::MountPoint, text::Text};

/// Something that stands in the way, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// A stable word, e.g. `fsync_off`.
    pub code: Text,
    pub message: Text,
    #[serde(default)]
    pub hint: Text,
}

impl Problem {
    pub(crate) fn new(code: &str, message: &str, hint: &str) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            hint: hint.into(),
        }
    }
}

/// What the read-only probe saw.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Probe {
    pub outcome: ProbeOutcome,
    #[serde(default)]
    pub problems: Vec<Problem>,
    #[serde(default)]
    pub hold_in_progress: Option<HoldInProgress>,
    #[serde(default)]
    pub servers: Vec<Server>,
    /// Every mount that holds a path which a server needs, written or not.
    #[serde(default)]
    pub mounts: Vec<Mount>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeOutcome {
    Ready,
    Refused,
}

/// A hold that somebody else has on this guest now.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HoldInProgress {
    pub session: Text,
    pub method: Text,
    #[serde(rename = "held_for_ms", deserialize_with = "millis")]
    pub held_for: Duration,
    #[serde(rename = "fires_in_ms", deserialize_with = "millis")]
    pub fires_in: Duration,
}

/// One database server on the guest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Server {
    pub engine: Text,
    pub version: Text,
    /// `primary`, `standby`...
    pub role: Text,
    /// None where no process is known.
    #[serde(default)]
    pub pid: Option<u32>,
    pub data_directory: Text,
    #[serde(default, deserialize_with = "non_empty")]
    pub service: Option<Text>,
    #[serde(default)]
    pub paths: Vec<NeededPath>,
}

/// A path that a server cannot do without.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NeededPath {
    pub path: Text,
    /// `data`, `wal`, `tablespace`...
    pub purpose: Text,
}

/// A mounted file system that a server needs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Mount {
    pub mount_point: MountPoint,
    pub fstype: Text,
    /// The server writes here, so that a hold has to cover it; else only configuration lies here.
    pub data: bool,
    #[serde(default)]
    pub paths: Vec<Text>,
    /// Why freezing it would stall the guest itself.
    #[serde(default, deserialize_with = "non_empty")]
    pub needed_by_guest: Option<Text>,
    pub freezable: bool,
    /// The devices at the bottom: behind partitions, LVM and md.
    #[serde(default)]
    pub leaves: Vec<Leaf>,
}

/// A device at the bottom of a mount.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Leaf {
    /// `major:minor`
    pub device: Text,
    /// The kernel's name, e.g. `nvme1n1`, `xvdf`.
    pub name: Text,
    /// As the device itself tells it (Nitro); none on Xen and for what is not EBS.
    #[serde(default, deserialize_with = "non_empty")]
    pub volume_id: Option<Text>,
}

/// How an attempt to arm ended on the guest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum ArmReport {
    Armed(ArmedReport),
    /// Nothing was touched.
    Refused {
        #[serde(default)]
        problems: Vec<Problem>,
    },
    /// The guest had begun to make ready.
    Failed {
        #[serde(default)]
        problems: Vec<Problem>,
        /// It is as it was before.
        released: bool,
    },
}

/// The switches stand guard and everything is flushed; nothing is held.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ArmedReport {
    pub method: Method,
    /// Guest uptime until which a hold may come.
    #[serde(rename = "stands_down_uptime_ms", deserialize_with = "millis")]
    pub stands_down: Duration,
    #[serde(default)]
    pub durations_ms: BTreeMap<Text, u64>,
}

/// How an attempt to hold ended on the guest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum HoldReport {
    Held(HeldReport),
    /// Nothing was held.
    Refused {
        #[serde(default)]
        problems: Vec<Problem>,
    },
    /// Something was held, or may have been.
    Failed {
        #[serde(default)]
        problems: Vec<Problem>,
        /// Everything is let go again.
        released: bool,
    },
}

/// Writes are held. Every time is guest uptime.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HeldReport {
    pub method: Method,
    pub mounts: Vec<MountPoint>,
    /// By the guest's wall clock: for people only.
    #[serde(with = "time::serde::rfc3339")]
    pub held_at: OffsetDateTime,
    /// All writes held since.
    #[serde(rename = "held_uptime_ms", deserialize_with = "millis")]
    pub held: Duration,
    /// The first write could be held since.
    #[serde(rename = "hold_began_uptime_ms", deserialize_with = "millis")]
    pub began: Duration,
    /// The switch lets go at.
    #[serde(rename = "fires_uptime_ms", deserialize_with = "millis")]
    pub fires: Duration,
    /// Engine to LSN, GTID or the like.
    #[serde(default)]
    pub recovery_points: BTreeMap<Text, Text>,
    #[serde(default)]
    pub durations_ms: BTreeMap<Text, u64>,
}

/// How the hold ended on the guest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum ReleaseReport {
    /// Unbroken until this release let go.
    Held {
        method: Method,
        released: bool,
        /// By the guest's wall clock: for people only.
        #[serde(with = "time::serde::rfc3339")]
        released_at: OffsetDateTime,
        /// First write held to last write let go.
        #[serde(rename = "hold_ms", deserialize_with = "millis")]
        hold: Duration,
        #[serde(default)]
        broken: Vec<BrokenLink>,
    },
    /// Not unbroken, or never held.
    Lapsed {
        released: bool,
        /// None where nothing was held, or nobody can know any more.
        #[serde(rename = "hold_ms", default, deserialize_with = "optional_millis")]
        hold: Option<Duration>,
        #[serde(default)]
        broken: Vec<BrokenLink>,
    },
}

/// What the guest found broken.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BrokenLink {
    /// A stable word, e.g. `switch-fired`.
    pub link: Text,
    #[serde(default)]
    pub detail: Text,
}

impl ReleaseReport {
    /// Everything is let go.
    pub fn released(&self) -> bool {
        match self {
            Self::Held { released, .. } | Self::Lapsed { released, .. } => *released,
        }
    }

    /// The guest says that it never held writes for this session.
    pub(crate) fn never_held(&self) -> bool {
        match self {
            Self::Lapsed {
                hold: None, broken, ..
            } => broken.iter().any(|broken| &*broken.link == "never-held"),
            _ => false,
        }
    }

    /// What an engine held itself could not be let go, and nobody tries any more.
    pub(crate) fn thaw_failed(&self) -> bool {
        match self {
            Self::Lapsed { broken, .. } => broken.iter().any(|broken| &*broken.link == "thaw"),
            Self::Held { .. } => false,
        }
    }
}

impl Body for Probe {
    const PHASE: &'static str = "probe";

    fn contradiction(&self) -> Option<&'static str> {
        match self.outcome {
            ProbeOutcome::Ready if !self.problems.is_empty() => Some("ready, with problems"),
            ProbeOutcome::Ready if self.servers.is_empty() => Some("ready, without a server"),
            ProbeOutcome::Ready if !self.mounts.iter().any(|mount| mount.data) => {
                Some("ready, without a data mount")
            }
            ProbeOutcome::Refused if self.problems.is_empty() => Some("refused, without a problem"),
            _ => None,
        }
    }
}

impl Body for ArmReport {
    const PHASE: &'static str = "arm";

    fn contradiction(&self) -> Option<&'static str> {
        match self {
            Self::Refused { problems } if problems.is_empty() => Some("refused, without a problem"),
            _ => None,
        }
    }
}

impl Body for HoldReport {
    const PHASE: &'static str = "hold";

    fn contradiction(&self) -> Option<&'static str> {
        match self {
            Self::Held(held) if held.began > held.held => Some("held before the hold began"),
            Self::Held(held) if held.held > held.fires => Some("held after the switch fired"),
            Self::Refused { problems } if problems.is_empty() => Some("refused, without a problem"),
            _ => None,
        }
    }
}

impl Body for ReleaseReport {
    const PHASE: &'static str = "release";

    fn contradiction(&self) -> Option<&'static str> {
        match self {
            Self::Held {
                released: false, ..
            } => Some("held to the end, but not released"),
            Self::Held { broken, .. } if !broken.is_empty() => Some("held, with broken links"),
            Self::Lapsed { broken, .. } if broken.is_empty() => {
                Some("lapsed, without a broken link")
            }
            _ => None,
        }
    }
}
