//! What exists in the service, listed yet or not.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::{ServicePace, error, scene};
use crate::{
    ports::{
        AttachedVolume, CaptureRequest, ImageId, ImageState, ImagerError, Instance, Leftover,
        Observation, ObservedImage, ObservedSnapshot, Retry, SnapshotId, SnapshotState, VolumeId,
    },
    session::SessionId,
};

#[derive(Debug)]
pub(super) struct State {
    pub(super) instance: Instance,
    pub(super) images: Vec<Image>,
    pub(super) snapshots: Vec<Snapshot>,
    begun: usize,
    /// The next snapshots of the last volume: how much later, and whether they fail.
    pub(super) lags: Duration,
    snapshot_fails: bool,
    image_fails: bool,
}

/// An image as it really is.
#[derive(Clone, Debug)]
pub struct Image {
    pub id: ImageId,
    pub session: SessionId,
    pub name: String,
    pub tags: BTreeMap<String, String>,
    pub begun: Instant,
    pub available: Instant,
    fails: bool,
}

/// A snapshot as it really is.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub id: SnapshotId,
    pub session: SessionId,
    pub volume_id: VolumeId,
    /// The instant that it shows.
    pub taken: Instant,
    pub completed: Instant,
    fails: bool,
}

impl Image {
    pub fn sealed(&self) -> bool {
        self.tags
            .get("consistent:state")
            .is_some_and(|state| state == "proven")
    }
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            instance: scene::instance(),
            images: Vec::new(),
            snapshots: Vec::new(),
            begun: 0,
            lags: Duration::ZERO,
            snapshot_fails: false,
            image_fails: false,
        }
    }

    /// Ends what events began.
    pub(super) fn recover(&mut self) {
        (self.lags, self.snapshot_fails, self.image_fails) = (Duration::ZERO, false, false);
    }

    pub(super) fn begin(
        &mut self,
        request: &CaptureRequest,
        pace: ServicePace,
    ) -> Result<ImageId, ImagerError> {
        if self.images.iter().any(|image| image.name == request.name) {
            return Err(error(
                "CreateImage",
                "InvalidAMIName.Duplicate",
                Retry::Never,
            ));
        }
        self.begun += 1;
        let begun = Instant::now();
        let mut taken = begun;
        let mut available = begun;
        let last = self
            .instance
            .volumes
            .last()
            .map(|volume| volume.volume_id.clone());
        for volume in self.instance.volumes.clone() {
            taken += pace.stagger;
            let is_last = last.as_ref() == Some(&volume.volume_id);
            let taken = if is_last { taken + self.lags } else { taken };
            let completed = taken + pace.copy;
            available = available.max(completed);
            self.snapshots.push(Snapshot {
                id: SnapshotId(format!("snap-{}{}", self.begun, &volume.volume_id.0[4..])),
                session: request.session.clone(),
                volume_id: volume.volume_id,
                taken,
                completed,
                fails: is_last && self.snapshot_fails,
            });
        }
        let id = ImageId(format!("ami-{:017x}", self.begun));
        self.images.push(Image {
            id: id.clone(),
            session: request.session.clone(),
            name: request.name.clone(),
            tags: request.tags.clone(),
            begun,
            available,
            fails: self.image_fails,
        });
        Ok(id)
    }

    pub(super) fn observe(&self, session: &SessionId, lag: Duration) -> Observation {
        let now = Instant::now();
        let image = self
            .images
            .iter()
            .find(|image| image.session == *session && image.begun + lag <= now);
        let snapshots = self
            .snapshots
            .iter()
            .filter(|s| s.session == *session && s.taken + lag <= now);
        Observation {
            image: image.map(|image| image.observed(now)),
            snapshots: snapshots.map(|snapshot| snapshot.observed(now)).collect(),
        }
    }

    /// Like the real one, it only finds what is listed already.
    pub(super) fn discard(&mut self, session: &SessionId, lag: Duration) -> Vec<Leftover> {
        let now = Instant::now();
        if let Some(sealed) = self
            .images
            .iter()
            .find(|image| image.session == *session && image.sealed())
        {
            return vec![Leftover {
                id: sealed.id.0.clone(),
                reason: "it is sealed as proven".to_owned(),
            }];
        }
        self.images
            .retain(|image| image.session != *session || image.begun + lag > now);
        self.snapshots
            .retain(|snapshot| snapshot.session != *session || snapshot.taken + lag > now);
        Vec::new()
    }

    pub(super) fn seal(
        &mut self,
        sealed: Option<&ObservedImage>,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), ImagerError> {
        let image = self
            .images
            .iter_mut()
            .find(|image| sealed.is_some_and(|sealed| sealed.id == image.id));
        let image =
            image.ok_or_else(|| error("CreateTags", "InvalidAMIID.NotFound", Retry::Never))?;
        image.tags.extend(tags.clone());
        Ok(())
    }

    pub(super) fn leftovers(&self, name: &str) -> Vec<SessionId> {
        let unsealed = self
            .images
            .iter()
            .filter(|image| image.name == name && !image.sealed());
        let mut sessions: Vec<SessionId> = unsealed.map(|image| image.session.clone()).collect();
        let orphans = self
            .snapshots
            .iter()
            .filter(|s| self.images.iter().all(|image| image.session != s.session));
        sessions.extend(orphans.map(|snapshot| snapshot.session.clone()));
        sessions.sort();
        sessions.dedup();
        sessions
    }

    pub(super) fn attach_volume(&mut self) {
        let volume_id = VolumeId("vol-0000000000000000d".to_owned());
        if self
            .instance
            .volumes
            .iter()
            .all(|volume| volume.volume_id != volume_id)
        {
            let device_name = "/dev/sdh".to_owned();
            self.instance.volumes.push(AttachedVolume {
                volume_id,
                device_name,
            });
        }
    }

    pub(super) fn fail_snapshot(&mut self) {
        self.snapshot_fails = true;
        if let Some(snapshot) = self.snapshots.last_mut() {
            snapshot.fails = true;
        }
    }

    pub(super) fn fail_images(&mut self) {
        self.image_fails = true;
        self.images.iter_mut().for_each(|image| image.fails = true);
    }
}

impl Image {
    pub(super) fn observed(&self, now: Instant) -> ObservedImage {
        let state = if self.fails {
            ImageState::Failed("failed".to_owned())
        } else if now >= self.available {
            ImageState::Available
        } else {
            ImageState::Pending
        };
        ObservedImage {
            id: self.id.clone(),
            state,
            reason: String::new(),
        }
    }
}

impl Snapshot {
    pub(super) fn observed(&self, now: Instant) -> ObservedSnapshot {
        let state = if self.fails {
            SnapshotState::Failed("error".to_owned())
        } else if now >= self.completed {
            SnapshotState::Completed
        } else {
            SnapshotState::Pending
        };
        ObservedSnapshot {
            id: self.id.clone(),
            volume_id: self.volume_id.clone(),
            state,
            started_at: None,
            size_gib: 8,
            encrypted: false,
        }
    }
}
