//! What exists in the account: plain records, changed under one lock.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;
use tokio::time::Instant;

use super::{
    tags::Tags,
    traits::{Traits, VolumeKind},
};

/// Everything in the region, by id.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) instances: BTreeMap<String, Instance>,
    pub(crate) volumes: BTreeMap<String, Volume>,
    pub(crate) snapshots: BTreeMap<String, Snapshot>,
    pub(crate) images: BTreeMap<String, Image>,
    /// Instances whose machine is off for a moment on behalf of EC2: `running` all the same.
    pub(crate) between_boots: BTreeSet<String>,
}

impl World {
    /// The tags of whatever has this id.
    pub(crate) fn tags_of(&mut self, id: &str) -> Option<&mut Tags> {
        let (kind, _) = id.split_once('-')?;
        match kind {
            "i" => self.instances.get_mut(id).map(|i| &mut i.tags),
            "vol" => self.volumes.get_mut(id).map(|v| &mut v.tags),
            "snap" => self.snapshots.get_mut(id).map(|s| &mut s.tags),
            "ami" => self.images.get_mut(id).map(|i| &mut i.tags),
            _ => None,
        }
    }

    /// The image that still needs this snapshot, if any.
    pub(crate) fn image_on(&self, snapshot: &str) -> Option<&Image> {
        self.images.values().find(|image| {
            image
                .devices
                .iter()
                .any(|d| d.snapshot.as_deref() == Some(snapshot))
        })
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) image: String,
    pub(crate) state: InstanceState,
    /// Why it stopped or ended; empty while it runs.
    pub(crate) reason: String,
    pub(crate) launched: OffsetDateTime,
    pub(crate) root_device: String,
    pub(crate) devices: Vec<AttachedDevice>,
    pub(crate) private_ip: String,
    pub(crate) profile: Option<String>,
    pub(crate) key_name: Option<String>,
    pub(crate) user_data: Option<String>,
    pub(crate) client_token: String,
    pub(crate) termination_protected: bool,
    pub(crate) stop_protected: bool,
    pub(crate) on_shutdown: ShutdownBehavior,
    pub(crate) source_dest_check: bool,
    pub(crate) metadata: BTreeMap<&'static str, String>,
    pub(crate) traits: Traits,
    pub(crate) tags: Tags,
}

/// What a guest's own power-off does to its instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ShutdownBehavior {
    #[default]
    Stop,
    Terminate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    /// EC2's name and code of the state (`InstanceState` in the API reference).
    pub(crate) fn shown(self) -> (&'static str, u8) {
        match self {
            Self::Pending => ("pending", 0),
            Self::Running => ("running", 16),
            Self::ShuttingDown => ("shutting-down", 32),
            Self::Terminated => ("terminated", 48),
            Self::Stopping => ("stopping", 64),
            Self::Stopped => ("stopped", 80),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct AttachedDevice {
    pub(crate) name: String,
    pub(crate) volume: String,
    pub(crate) delete_on_termination: bool,
    pub(crate) attached: OffsetDateTime,
}

#[derive(Clone, Debug)]
pub(crate) struct Volume {
    pub(crate) id: String,
    pub(crate) size_gib: u64,
    pub(crate) snapshot: Option<String>,
    pub(crate) created: OffsetDateTime,
    pub(crate) kind: VolumeKind,
    pub(crate) tags: Tags,
    /// When its last snapshot was asked for: EC2 limits the rate per volume.
    pub(crate) last_snapshot: Option<Instant>,
}

#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) id: String,
    pub(crate) volume: String,
    pub(crate) state: SnapshotState,
    /// Why it is in `error`; empty otherwise.
    pub(crate) message: String,
    pub(crate) started: OffsetDateTime,
    pub(crate) size_gib: u64,
    pub(crate) description: String,
    pub(crate) tags: Tags,
    /// Before this, Describe calls do not show it (eventual consistency).
    pub(crate) visible: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SnapshotState {
    Pending,
    Completed,
    Error,
}

impl SnapshotState {
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Error => "error",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) state: ImageState,
    /// EC2's reason where the state is a failure.
    pub(crate) reason: String,
    pub(crate) created: OffsetDateTime,
    pub(crate) root_device: String,
    pub(crate) devices: Vec<ImageDevice>,
    pub(crate) traits: Traits,
    pub(crate) source_instance: Option<String>,
    /// Accounts that may launch it, `all` for everyone.
    pub(crate) launch_permissions: Vec<String>,
    /// To the minute.
    pub(crate) deprecated_at: Option<OffsetDateTime>,
    pub(crate) protection: Protection,
    pub(crate) tags: Tags,
    /// Before this, Describe calls do not show it (eventual consistency).
    pub(crate) visible: Instant,
}

/// Whether an image can be deregistered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Protection {
    #[default]
    Off,
    On {
        cooldown: bool,
    },
    /// Switched off, but on for a cooldown's sake until then.
    CoolsDown(OffsetDateTime),
}

impl Protection {
    /// EC2's word for it.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Off | Self::CoolsDown(_) => "disabled",
            Self::On { cooldown: false } => "enabled-without-cooldown",
            Self::On { cooldown: true } => "enabled-with-cooldown",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageState {
    Pending,
    Available,
    Failed,
}

impl ImageState {
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ImageDevice {
    pub(crate) name: String,
    /// Absent until the snapshot was initiated.
    pub(crate) snapshot: Option<String>,
    pub(crate) size_gib: u64,
    pub(crate) kind: VolumeKind,
    pub(crate) delete_on_termination: bool,
}
