//! An image service in memory: eventually consistent, one snapshot per volume, each at an instant of its own.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    faults::{Call, Event, Fault, Faults, perform},
    guest::FakeGuest,
    scene,
};
use crate::{
    ports::{
        AttachedVolume, CaptureRequest, ImageId, ImageState, Imager, ImagerError, Instance,
        Leftover, Observation, ObservedImage, ObservedSnapshot, Retry, SnapshotId, SnapshotState,
        VolumeId,
    },
    session::SessionId,
};

/// How long things take in the service and on the way to it.
#[derive(Clone, Copy, Debug)]
pub struct ServicePace {
    /// Half of it before a call's work, half after.
    pub latency: Duration,
    /// From the beginning of an image to its first snapshot, and from each snapshot to the next.
    pub stagger: Duration,
    /// Until what exists shows in lists.
    pub lag: Duration,
    /// Until a snapshot is completed.
    pub copy: Duration,
}

/// One service, one instance.
#[derive(Clone, Debug)]
pub struct FakeImager {
    pace: ServicePace,
    faults: Faults,
    stop: CancellationToken,
    /// Where events of the guest's go.
    guest: FakeGuest,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    instance: Instance,
    images: Vec<Image>,
    snapshots: Vec<Snapshot>,
    begun: usize,
    /// The next snapshots of the last volume: how much later, and whether they fail.
    lags: Duration,
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

impl FakeImager {
    pub fn new(
        pace: ServicePace,
        faults: Faults,
        stop: CancellationToken,
        guest: FakeGuest,
    ) -> Self {
        let state = State {
            instance: scene::instance(),
            images: Vec::new(),
            snapshots: Vec::new(),
            begun: 0,
            lags: Duration::ZERO,
            snapshot_fails: false,
            image_fails: false,
        };
        Self {
            pace,
            faults,
            stop,
            guest,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Every image that exists, listed yet or not.
    pub fn images(&self) -> Vec<Image> {
        self.state().images.clone()
    }

    /// Every snapshot that exists or will.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        self.state().snapshots.clone()
    }

    /// Ends what events began.
    pub fn recover(&self) {
        let mut state = self.state();
        (state.lags, state.snapshot_fails, state.image_fails) = (Duration::ZERO, false, false);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn happen(&self, event: Event) {
        self.guest.happen(event);
        let mut state = self.state();
        match event {
            Event::SnapshotFails => state.fail_snapshot(),
            Event::ImageFails => state.fail_images(),
            Event::SnapshotLags(lag) => state.lags = lag,
            Event::VolumeAttached => state.attach_volume(),
            Event::VolumeDetached => drop(state.instance.volumes.pop()),
            Event::Reboot | Event::ThawByHand | Event::AgentGone(_) => {}
        }
    }

    /// One call: half the latency, the work, the other half; with what goes wrong.
    async fn call<T, F>(&self, call: Call, action: &'static str, work: F) -> Result<T, ImagerError>
    where
        T: Send + 'static,
        F: Fn(&mut State, ServicePace) -> Result<T, ImagerError> + Clone + Send + Sync + 'static,
    {
        let fault = self.faults.next(call);
        let (refusal, half) = (refusal(action, fault), self.pace.latency / 2);
        if let Some(refusal) = refusal {
            sleep(half).await;
            return Err(refusal);
        }
        if let Some(Fault::Meanwhile(event)) = fault {
            self.happen(event);
        }
        let served = || {
            let (service, work) = (self.clone(), work.clone());
            async move {
                sleep(half).await;
                let done = work(&mut service.state(), service.pace);
                sleep(half).await;
                done
            }
        };
        perform(fault, served, &self.stop)
            .await
            .unwrap_or_else(|| Err(lost(action)))
    }
}

impl Imager for FakeImager {
    fn instance(&self) -> impl Future<Output = Result<Instance, ImagerError>> + Send {
        self.call(Call::Instance, "DescribeInstances", |state, _| {
            Ok(state.instance.clone())
        })
    }

    async fn begin(&self, request: &CaptureRequest) -> Result<ImageId, ImagerError> {
        let request = request.clone();
        let work = move |state: &mut State, pace| state.begin(&request, pace);
        self.call(Call::Begin, "CreateImage", work).await
    }

    async fn observe(&self, session: &SessionId) -> Result<Observation, ImagerError> {
        let session = session.clone();
        let work =
            move |state: &mut State, pace: ServicePace| Ok(state.observe(&session, pace.lag));
        self.call(Call::Observe, "DescribeSnapshots", work).await
    }

    async fn discard(&self, session: &SessionId) -> Result<Vec<Leftover>, ImagerError> {
        let session = session.clone();
        let work =
            move |state: &mut State, pace: ServicePace| Ok(state.discard(&session, pace.lag));
        self.call(Call::Discard, "DeregisterImage", work).await
    }

    async fn seal(
        &self,
        observation: &Observation,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), ImagerError> {
        let (image, tags) = (observation.image.clone(), tags.clone());
        let work = move |state: &mut State, _| state.seal(image.as_ref(), &tags);
        self.call(Call::Seal, "CreateTags", work).await
    }

    async fn leftovers(&self, image_name: &str) -> Result<Vec<SessionId>, ImagerError> {
        let name = image_name.to_owned();
        let work = move |state: &mut State, _| Ok(state.leftovers(&name));
        self.call(Call::Leftovers, "DescribeImages", work).await
    }
}

impl State {
    fn begin(
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

    fn observe(&self, session: &SessionId, lag: Duration) -> Observation {
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
    fn discard(&mut self, session: &SessionId, lag: Duration) -> Vec<Leftover> {
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

    fn seal(
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

    fn leftovers(&self, name: &str) -> Vec<SessionId> {
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

    fn attach_volume(&mut self) {
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

    fn fail_snapshot(&mut self) {
        self.snapshot_fails = true;
        if let Some(snapshot) = self.snapshots.last_mut() {
            snapshot.fails = true;
        }
    }

    fn fail_images(&mut self) {
        self.image_fails = true;
        self.images.iter_mut().for_each(|image| image.fails = true);
    }
}

impl Image {
    fn observed(&self, now: Instant) -> ObservedImage {
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
    fn observed(&self, now: Instant) -> ObservedSnapshot {
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

fn refusal(action: &'static str, fault: Option<Fault>) -> Option<ImagerError> {
    match fault {
        Some(Fault::Refused) => Some(error(action, "UnauthorizedOperation", Retry::Never)),
        Some(Fault::Throttled) => Some(error(
            action,
            "RequestLimitExceeded",
            Retry::After(Duration::from_secs(5)),
        )),
        _ => None,
    }
}

fn lost(action: &'static str) -> ImagerError {
    ImagerError {
        maybe_done: true,
        ..error(action, "", Retry::After(Duration::from_secs(1)))
    }
}

fn error(action: &'static str, code: &str, retry: Retry) -> ImagerError {
    let (code, message) = (
        code.to_owned(),
        format!("{action} did not succeed ({code})"),
    );
    ImagerError {
        action,
        code,
        message,
        retry,
        maybe_done: false,
    }
}
