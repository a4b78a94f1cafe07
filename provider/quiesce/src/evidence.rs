//! What a finished run can show for itself.

use std::{collections::BTreeMap, time::Duration};

use time::OffsetDateTime;

use crate::{
    error::Step,
    method::Method,
    ports::{ImageId, SnapshotId, VolumeId},
    session::SessionId,
    text::Text,
};

/// A sealed image and why it can be trusted. Only [`crate::Plan::execute`] makes one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Proof {
    pub image: ImageId,
    /// One for every volume of the image.
    pub snapshots: Vec<ProvenSnapshot>,
    /// Engine to version, e.g. `postgresql` to `15.14`.
    pub engines: BTreeMap<Text, Text>,
    /// Engine to LSN, GTID or the like, as recorded at the hold.
    pub recovery_points: BTreeMap<Text, Text>,
    pub evidence: Evidence,
    pub timeline: Timeline,
    /// What the guest thought worth saying.
    pub warnings: Vec<Text>,
}

/// A snapshot whose instant lies inside the hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenSnapshot {
    pub id: SnapshotId,
    pub volume_id: VolumeId,
    /// As the attachment says: `/dev/xvda`, `/dev/sdf`.
    pub device_name: String,
    pub size_gib: i64,
    pub encrypted: bool,
}

/// The hold, in figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub session_id: SessionId,
    pub method: Method,
    /// The paths that the databases need, sorted.
    pub data_paths: Vec<Text>,
    /// Every volume of the image, sorted.
    pub volumes: Vec<VolumeId>,
    /// All writes held since, by the guest's wall clock.
    pub frozen_at: OffsetDateTime,
    /// Writes let go, by the guest's wall clock.
    pub released_at: OffsetDateTime,
    /// First write held to last write let go, by the guest's monotonic clock.
    pub hold: Duration,
    /// How often writes were held; the last time counted.
    pub attempts: u32,
}

/// When what happened, by our monotonic clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// By our wall clock: for people only.
    pub started_at: OffsetDateTime,
    /// In the order in which they came.
    pub marks: Vec<Mark>,
}

/// One moment of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub moment: Moment,
    /// Counts from 1.
    pub attempt: u32,
    /// Since the run started.
    pub at: Duration,
}

/// The moments that bound the phases of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    ProbeSent,
    ProbeAnswered,
    ArmSent,
    ArmAnswered,
    HoldSent,
    HoldAnswered,
    CaptureCalled,
    CaptureAnswered,
    SnapshotsSeen,
    ReleaseSent,
    ReleaseAnswered,
    ImageAvailable,
    Sealed,
}

impl Moment {
    /// The step that is under way from this moment on.
    pub(crate) fn leads_into(self) -> Step {
        match self {
            Self::ProbeSent => Step::Probe,
            Self::ProbeAnswered => Step::Sweep,
            Self::ArmSent => Step::Arm,
            Self::ArmAnswered | Self::HoldSent => Step::Hold,
            Self::HoldAnswered | Self::CaptureCalled | Self::CaptureAnswered => Step::Capture,
            Self::SnapshotsSeen | Self::ReleaseSent => Step::Release,
            Self::ReleaseAnswered => Step::Settle,
            Self::ImageAvailable | Self::Sealed => Step::Seal,
        }
    }
}

impl Timeline {
    /// The last time that `moment` came, since the run started.
    pub fn last(&self, moment: Moment) -> Option<Duration> {
        let mark = self.marks.iter().rev().find(|mark| mark.moment == moment);
        mark.map(|mark| mark.at)
    }

    /// From the last `from` to the last `to`.
    pub fn between(&self, from: Moment, to: Moment) -> Option<Duration> {
        self.last(to)?.checked_sub(self.last(from)?)
    }
}
