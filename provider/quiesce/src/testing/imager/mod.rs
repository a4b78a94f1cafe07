//! An image service in memory: eventually consistent, one snapshot per volume, each at an instant of its own or all at one.

mod state;

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::state::State;
pub use self::state::{Image, Snapshot};
use super::{
    faults::{Call, Event, Fault, Faults, perform},
    guest::FakeGuest,
    scene,
};
use crate::{
    ports::{
        Begun, CaptureRequest, ImageId, Imager, ImagerError, Instance, Leftover, Observation,
        ObservedSnapshot, Retry,
    },
    session::SessionId,
};

/// How long things take in the service and on the way to it.
#[derive(Clone, Copy, Debug)]
pub struct ServicePace {
    /// Half of it before a call's work, half after.
    pub latency: Duration,
    /// From the beginning of an image to its first snapshot, and from each snapshot to the next. Nothing where all are
    /// taken at once.
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

impl FakeImager {
    pub fn new(
        pace: ServicePace,
        faults: Faults,
        stop: CancellationToken,
        guest: FakeGuest,
    ) -> Self {
        Self {
            pace,
            faults,
            stop,
            guest,
            state: Arc::new(Mutex::new(State::new())),
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
        self.state().recover();
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
            Event::BillingLost => state.lose_billing(),
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

    async fn prepare(&self, session: &SessionId) -> Result<(), ImagerError> {
        let session = session.clone();
        let work = move |state: &mut State, _| {
            state.prepared.insert(session.clone());
            Ok(())
        };
        self.call(Call::Prepare, "DescribeVolumes", work).await
    }

    async fn begin(&self, request: &CaptureRequest) -> Result<Begun, ImagerError> {
        let request = request.clone();
        let work = move |state: &mut State, pace| state.begin(&request, pace);
        let begun = self.call(Call::Begin, "CreateImage", work).await?;
        if let Begun::Image(id) = &begun {
            self.state().told.insert(id.clone());
        }
        Ok(begun)
    }

    async fn register(
        &self,
        request: &CaptureRequest,
        snapshots: &[ObservedSnapshot],
    ) -> Result<ImageId, ImagerError> {
        let (request, snapshots) = (request.clone(), snapshots.to_vec());
        let work = move |state: &mut State, pace| state.register(&request, &snapshots, pace);
        let image = self.call(Call::Register, "RegisterImage", work).await?;
        self.state().told.insert(image.clone());
        Ok(image)
    }

    async fn observe(&self, session: &SessionId) -> Result<Observation, ImagerError> {
        let session = session.clone();
        let work = move |state: &mut State, _| Ok(state.observe(&session));
        self.call(Call::Observe, "DescribeSnapshots", work).await
    }

    async fn discard(&self, session: &SessionId) -> Result<Vec<Leftover>, ImagerError> {
        let session = session.clone();
        let work = move |state: &mut State, _| Ok(state.discard(&session));
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
