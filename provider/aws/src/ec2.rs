//! EC2 behind the `Imager` port, and what a Terraform resource reads and changes outside a session.

mod begin;
mod billing;
mod blueprint;
mod describe;
mod discard;
pub mod images;
pub mod instances;
mod leftovers;
mod observe;
mod register;
pub mod remains;
mod seal;
pub mod settings;
mod snapshots;
pub mod tags;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use aws_sdk_ec2::Client;
use aws_sdk_ec2::{
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    primitives::DateTime,
};
use quiesce::{
    capture::CaptureCall,
    ports::{
        Begun, CaptureRequest, ImageId, Imager, ImagerError, Instance, Leftover, Observation,
        ObservedSnapshot,
    },
    session::SessionId,
};
use time::OffsetDateTime;

use self::blueprint::Blueprint;
use crate::CallError;

/// One attempt of a call inside a session. EC2 answers these in well under a second; an answer that takes longer is
/// worth less than a new question.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// The volumes of one instance. Every call is a single attempt: the protocol owns time while writes are held.
#[derive(Debug)]
pub struct Ec2Imager {
    ec2: Client,
    instance_id: String,
    /// Images whose ids are known from an answer, though EC2's tag filters may not show them yet.
    begun: Mutex<BTreeMap<SessionId, ImageId>>,
    /// The instance as it was before each session's hold.
    blueprints: Mutex<BTreeMap<SessionId, Blueprint>>,
    /// Tags of ours, `consistent:...`, that the image bears beside the session's.
    notes: BTreeMap<String, String>,
}

impl Ec2Imager {
    /// The SDK's retries, which `ec2` may have on, are off here.
    pub fn new(ec2: &Client, instance_id: impl Into<String>) -> Self {
        let once = ec2
            .config()
            .to_builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_timeout(CALL_LIMIT)
                    .build(),
            )
            .build();
        Self {
            ec2: Client::from_conf(once),
            instance_id: instance_id.into(),
            begun: Mutex::default(),
            blueprints: Mutex::default(),
            notes: BTreeMap::new(),
        }
    }

    /// Puts these tags on the image as well, from its first moment on. Their keys are ours: `consistent:...`.
    #[must_use]
    pub fn noting(mut self, notes: BTreeMap<String, String>) -> Self {
        self.notes = notes;
        self
    }

    fn begun(&self) -> MutexGuard<'_, BTreeMap<SessionId, ImageId>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn blueprints(&self) -> MutexGuard<'_, BTreeMap<SessionId, Blueprint>> {
        let blueprints = self.blueprints.lock();
        blueprints.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Imager for Ec2Imager {
    async fn instance(&self) -> Result<Instance, ImagerError> {
        let facts = instances::describe(&self.ec2, &self.instance_id).await?;
        Ok(facts.instance)
    }

    async fn prepare(&self, session: &SessionId) -> Result<(), ImagerError> {
        let blueprint = blueprint::read(&self.ec2, &self.instance_id).await?;
        self.blueprints().insert(session.clone(), blueprint);
        Ok(())
    }

    async fn begin(&self, request: &CaptureRequest) -> Result<Begun, ImagerError> {
        let (ec2, id) = (&self.ec2, &self.instance_id);
        match request.call {
            CaptureCall::CreateImage => {
                let image = begin::create_image(ec2, id, request, &self.notes).await?;
                self.begun().insert(request.session.clone(), image.clone());
                Ok(Begun::Image(image))
            }
            CaptureCall::CreateSnapshots => {
                let made = snapshots::create_snapshots(ec2, id, request).await?;
                Ok(Begun::Snapshots(made))
            }
        }
    }

    async fn register(
        &self,
        request: &CaptureRequest,
        snapshots: &[ObservedSnapshot],
    ) -> Result<ImageId, ImagerError> {
        let blueprint = self.blueprints().get(&request.session).cloned();
        let blueprint = blueprint.ok_or_else(|| {
            CallError::refused(register::ACTION, "nobody read what the instance is like")
        })?;
        let source = (self.instance_id.as_str(), &blueprint);
        let image = register::register(&self.ec2, source, request, snapshots, &self.notes).await?;
        self.begun().insert(request.session.clone(), image.clone());
        Ok(image)
    }

    async fn observe(&self, session: &SessionId) -> Result<Observation, ImagerError> {
        Ok(observe::session(&self.ec2, session).await?)
    }

    async fn discard(&self, session: &SessionId) -> Result<Vec<Leftover>, ImagerError> {
        let begun = self.begun().get(session).cloned();
        let left = discard::session(&self.ec2, session, begun.as_ref()).await?;
        let image_left = begun.is_some_and(|id| left.iter().any(|it| it.id == id.0));
        if !image_left {
            self.begun().remove(session);
        }
        Ok(left)
    }

    async fn seal(
        &self,
        observation: &Observation,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), ImagerError> {
        Ok(seal::seal(&self.ec2, observation, tags).await?)
    }

    async fn leftovers(&self, image_name: &str) -> Result<Vec<SessionId>, ImagerError> {
        let now = OffsetDateTime::now_utc();
        Ok(leftovers::find(&self.ec2, &self.instance_id, image_name, now).await?)
    }
}

/// The SDK's time as ours; None beyond the year 9999.
pub(crate) fn instant(time: &DateTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(time.as_nanos()).ok()
}

#[cfg(test)]
mod tests;
