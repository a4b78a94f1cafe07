//! Settled: the image is whole and proven. Next: say so on the image itself; only then does it exist for others.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::{
    attempt::{Attempt, Broken, millis},
    capture::Holding,
    release::Unbroken,
};
use crate::{
    error::{Cause, Step},
    evidence::{Evidence, Moment, Proof, ProvenSnapshot},
    patience::{Pace, Transient},
    ports::{AttachedVolume, Guest, ImageId, Imager, ImagerError, Observation},
    text::Text,
};

/// How long sealing is tried even where the run's own time is up: everything else is done by then.
const SEAL_LIMIT: Duration = Duration::from_mins(1);

/// One call takes no longer than this.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// An image whose proof is complete.
pub(crate) struct Settled<G, I> {
    attempt: Arc<Attempt<G, I>>,
    holding: Holding,
    unbroken: Unbroken,
    image: ImageId,
    observed: Observation,
}

impl<G: Guest, I: Imager> Settled<G, I> {
    pub(super) fn new(
        attempt: Arc<Attempt<G, I>>,
        holding: Holding,
        unbroken: Unbroken,
        image: ImageId,
        observed: Observation,
    ) -> Self {
        Self {
            attempt,
            holding,
            unbroken,
            image,
            observed,
        }
    }

    /// Tags the image as proven. Where that cannot be made sure of, the tag is taken back, so that the image can be
    /// discarded like any other that no run vouches for.
    pub(crate) async fn seal(self) -> Result<Proof, Broken> {
        let began = Instant::now();
        match self.until_sealed().await {
            Ok(()) => {
                let sealed = self.attempt.mark(Moment::Sealed);
                info!(image = %self.image, ms = millis(began, sealed), "sealed as proven");
                Ok(self.proof())
            }
            Err(cause) => {
                self.unseal().await;
                Err(Broken::at(Step::Seal, cause))
            }
        }
    }

    /// A stop does not interrupt a call that may be the one that seals, it only prevents another.
    async fn until_sealed(&self) -> Result<(), Cause> {
        let tags = self.tags("proven");
        let until = self.attempt.deadline.max(Instant::now() + SEAL_LIMIT);
        let mut pace = Pace::patient();
        loop {
            if self.attempt.stop.is_cancelled() {
                return Err(Cause::Stopped);
            }
            let Err(error) = self.call(&tags).await else {
                return Ok(());
            };
            warn!(%error, "the image is not sealed yet");
            let Some(wait) = error.retry_after().map(|wait| wait.max(pace.next())) else {
                return Err(error.into());
            };
            if Instant::now() + wait >= until {
                return Err(error.into());
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = self.attempt.stop.cancelled() => {}
            }
        }
    }

    async fn unseal(&self) {
        if let Err(error) = self.call(&self.tags("pending")).await {
            warn!(%error, "whether the image is tagged as proven is unknown");
        }
    }

    async fn call(&self, tags: &BTreeMap<String, String>) -> Result<(), ImagerError> {
        let sealing = self.attempt.imager.seal(&self.observed, tags);
        timeout(CALL_LIMIT, sealing)
            .await
            .unwrap_or_else(|_elapsed| Err(ImagerError::unanswered("seal", CALL_LIMIT)))
    }

    fn tags(&self, state: &str) -> BTreeMap<String, String> {
        let joined = |values: Vec<&Text>| {
            let values: Vec<&str> = values.into_iter().map(|value| &**value).collect();
            Text::new(&values.join(" ")).tag_value()
        };
        let engines = self.holding.survey.engines();
        let tags = [
            ("session", self.attempt.session.to_string()),
            ("state", state.to_owned()),
            ("engine", joined(engines.keys().collect())),
            ("engine-version", joined(engines.values().collect())),
            ("method", self.holding.method.to_string()),
            (
                "recovery-point",
                joined(self.holding.report.body.recovery_points.values().collect()),
            ),
            ("hold-ms", self.unbroken.hold.as_millis().to_string()),
        ];
        tags.into_iter()
            .map(|(name, value)| (format!("consistent:{name}"), value))
            .collect()
    }

    fn proof(self) -> Proof {
        let evidence = Evidence {
            session_id: self.attempt.session.clone(),
            method: self.holding.method,
            data_paths: self.holding.survey.data_paths(),
            volumes: self.holding.volumes(),
            frozen_at: self.holding.report.body.held_at,
            released_at: self.unbroken.released_at,
            hold: self.unbroken.hold,
            attempts: self.attempt.number,
        };
        Proof {
            snapshots: self.snapshots(),
            engines: self.holding.survey.engines(),
            recovery_points: self.holding.report.body.recovery_points.clone(),
            warnings: self.warnings(),
            timeline: self.attempt.recorder.timeline(),
            image: self.image,
            evidence,
        }
    }

    /// In the order of their volumes.
    fn snapshots(&self) -> Vec<ProvenSnapshot> {
        let attached = &self.holding.survey.instance.volumes;
        let of_volume = |volume: &AttachedVolume| {
            let snapshot = self
                .observed
                .snapshots
                .iter()
                .find(|s| s.volume_id == volume.volume_id)?;
            Some(ProvenSnapshot {
                id: snapshot.id.clone(),
                volume_id: volume.volume_id.clone(),
                device_name: volume.device_name.clone(),
                size_gib: snapshot.size_gib,
                encrypted: snapshot.encrypted,
            })
        };
        attached.iter().filter_map(of_volume).collect()
    }

    fn warnings(&self) -> Vec<Text> {
        let probe = &self.holding.survey.report.warnings;
        [
            probe,
            &self.holding.armed_warnings,
            &self.holding.report.warnings,
            &self.unbroken.warnings,
        ]
        .into_iter()
        .flatten()
        .cloned()
        .collect()
    }
}
