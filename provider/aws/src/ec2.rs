//! EC2 behind the `Imager` port, and what a Terraform resource reads and changes outside a session.

mod begin;
mod describe;
mod discard;
pub mod images;
pub mod instances;
mod leftovers;
mod observe;
mod seal;
pub mod settings;
pub mod tags;

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aws_sdk_ec2::{
    Client,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    primitives::DateTime,
};
use quiesce::{
    ports::{CaptureRequest, ImageId, Imager, ImagerError, Instance, Leftover, Observation},
    session::SessionId,
};
use time::OffsetDateTime;

/// One attempt of a call inside a session. EC2 answers these in well under a second; an answer that takes longer is
/// worth less than a new question.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// The volumes of one instance. Every call is a single attempt: the protocol owns time while writes are held.
#[derive(Debug)]
pub struct Ec2Imager {
    ec2: Client,
    instance_id: String,
    /// Images whose ids are known from `CreateImage`, though EC2's tag filters may not show them yet.
    begun: Mutex<BTreeMap<SessionId, ImageId>>,
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
            notes: BTreeMap::new(),
        }
    }

    /// Puts these tags on the image as well, from its first moment on. Their keys are ours: `consistent:...`.
    #[must_use]
    pub fn noting(mut self, notes: BTreeMap<String, String>) -> Self {
        self.notes = notes;
        self
    }

    fn begun(&self) -> std::sync::MutexGuard<'_, BTreeMap<SessionId, ImageId>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Imager for Ec2Imager {
    async fn instance(&self) -> Result<Instance, ImagerError> {
        let facts = instances::describe(&self.ec2, &self.instance_id).await?;
        Ok(facts.instance)
    }

    async fn begin(&self, request: &CaptureRequest) -> Result<ImageId, ImagerError> {
        let image = begin::create_image(&self.ec2, &self.instance_id, request, &self.notes).await?;
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
