//! What exists in the service, listed yet or not.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use super::{ServicePace, error, scene};
use crate::{
    capture::CaptureCall,
    ports::{
        AttachedVolume, Begun, CaptureRequest, ImageId, ImageState, ImagerError, Instance,
        Leftover, Observation, ObservedImage, ObservedSnapshot, Retry, SnapshotId, SnapshotState,
        VolumeId,
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
    billing_lost: bool,
    /// Sessions of which everything was read that registering needs.
    pub(super) prepared: BTreeSet<SessionId>,
    /// Images whose ids were answered.
    pub(super) told: BTreeSet<ImageId>,
}

/// An image as it really is.
#[derive(Clone, Debug)]
pub struct Image {
    pub id: ImageId,
    pub session: SessionId,
    pub name: String,
    pub tags: BTreeMap<String, String>,
    pub begun: Instant,
    listed: Instant,
    pub available: Instant,
    pub billing: String,
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
    listed: Instant,
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
            billing_lost: false,
            prepared: BTreeSet::new(),
            told: BTreeSet::new(),
        }
    }

    /// Ends what events began.
    pub(super) fn recover(&mut self) {
        (self.lags, self.snapshot_fails) = (Duration::ZERO, false);
        (self.image_fails, self.billing_lost) = (false, false);
    }

    pub(super) fn begin(
        &mut self,
        request: &CaptureRequest,
        pace: ServicePace,
    ) -> Result<Begun, ImagerError> {
        self.begun += 1;
        match request.call {
            CaptureCall::CreateImage => self.create_image(request, pace).map(Begun::Image),
            CaptureCall::CreateSnapshots => {
                Ok(Begun::Snapshots(self.create_snapshots(request, pace)))
            }
        }
    }

    fn create_image(
        &mut self,
        request: &CaptureRequest,
        pace: ServicePace,
    ) -> Result<ImageId, ImagerError> {
        self.name_is_free(&request.name, "CreateImage")?;
        let begun = Instant::now();
        let (mut taken, mut available) = (begun, begun);
        for volume in self.instance.volumes.clone() {
            taken += pace.stagger;
            let lag = self.lag_of(&volume.volume_id);
            let snapshot = self.snapshot(request, &volume.volume_id, taken + lag, pace);
            available = available.max(snapshot.completed);
            self.snapshots.push(snapshot);
        }
        Ok(self.image(request, available, pace))
    }

    /// At one instant, whatever it takes until they are listed.
    fn create_snapshots(
        &mut self,
        request: &CaptureRequest,
        pace: ServicePace,
    ) -> Vec<ObservedSnapshot> {
        let now = Instant::now();
        let volumes = self.instance.volumes.clone();
        let of_volume = |volume: &AttachedVolume| {
            let mut snapshot = self.snapshot(request, &volume.volume_id, now, pace);
            snapshot.listed += self.lag_of(&volume.volume_id);
            snapshot
        };
        let made: Vec<Snapshot> = volumes.iter().map(of_volume).collect();
        let told = made.iter().map(|snapshot| snapshot.observed(now)).collect();
        self.snapshots.extend(made);
        told
    }

    /// As the real one: only of completed snapshots, and only as the instance was described before.
    pub(super) fn register(
        &mut self,
        request: &CaptureRequest,
        snapshots: &[ObservedSnapshot],
        pace: ServicePace,
    ) -> Result<ImageId, ImagerError> {
        let made = self.images.iter().find(|it| it.session == request.session);
        if let Some(made) = made {
            return Ok(made.id.clone());
        }
        self.name_is_free(&request.name, "RegisterImage")?;
        let now = Instant::now();
        let usable = |id: &SnapshotId| {
            let mut ours = self
                .snapshots
                .iter()
                .filter(|s| s.session == request.session);
            ours.any(|s| s.id == *id && s.completed <= now && !s.fails)
        };
        if !self.prepared.contains(&request.session) || !snapshots.iter().all(|s| usable(&s.id)) {
            return Err(error(
                "RegisterImage",
                "InvalidSnapshot.NotFound",
                Retry::Never,
            ));
        }
        self.begun += 1;
        let id = self.image(request, now + pace.stagger, pace);
        if self.billing_lost
            && let Some(image) = self.images.last_mut()
        {
            image.billing = String::new();
        }
        Ok(id)
    }

    fn name_is_free(&self, name: &str, action: &'static str) -> Result<(), ImagerError> {
        let taken = self.images.iter().any(|image| image.name == name);
        let duplicate = || error(action, "InvalidAMIName.Duplicate", Retry::Never);
        if taken { Err(duplicate()) } else { Ok(()) }
    }

    fn is_last(&self, volume: &VolumeId) -> bool {
        let last = self.instance.volumes.last();
        last.is_some_and(|last| last.volume_id == *volume)
    }

    fn lag_of(&self, volume: &VolumeId) -> Duration {
        if self.is_last(volume) {
            self.lags
        } else {
            Duration::ZERO
        }
    }

    fn snapshot(
        &self,
        request: &CaptureRequest,
        volume: &VolumeId,
        taken: Instant,
        pace: ServicePace,
    ) -> Snapshot {
        Snapshot {
            id: SnapshotId(format!("snap-{}{}", self.begun, &volume.0[4..])),
            session: request.session.clone(),
            volume_id: volume.clone(),
            taken,
            listed: taken + pace.lag,
            completed: taken + pace.copy,
            fails: self.snapshot_fails && self.is_last(volume),
        }
    }

    fn image(
        &mut self,
        request: &CaptureRequest,
        available: Instant,
        pace: ServicePace,
    ) -> ImageId {
        let (id, begun) = (ImageId(format!("ami-{:017x}", self.begun)), Instant::now());
        self.images.push(Image {
            id: id.clone(),
            session: request.session.clone(),
            name: request.name.clone(),
            tags: request.tags.clone(),
            begun,
            listed: begun + pace.lag,
            available,
            billing: self.instance.billing.clone(),
            fails: self.image_fails,
        });
        id
    }

    pub(super) fn observe(&self, session: &SessionId) -> Observation {
        let now = Instant::now();
        let image = self
            .images
            .iter()
            .find(|image| image.session == *session && image.listed <= now);
        let snapshots = self
            .snapshots
            .iter()
            .filter(|s| s.session == *session && s.listed <= now);
        Observation {
            image: image.map(|image| image.observed(now)),
            snapshots: snapshots.map(|snapshot| snapshot.observed(now)).collect(),
        }
    }

    /// Like the real one, it only finds what is listed already, and images whose ids were told.
    pub(super) fn discard(&mut self, session: &SessionId) -> Vec<Leftover> {
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
        let told = &self.told;
        self.images.retain(|image| {
            image.session != *session || image.listed > now && !told.contains(&image.id)
        });
        self.snapshots
            .retain(|snapshot| snapshot.session != *session || snapshot.listed > now);
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

    pub(super) fn lose_billing(&mut self) {
        self.billing_lost = true;
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
            billing: self.billing.clone(),
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
