//! Released: the hold was unbroken and every snapshot's instant lies inside it. Next: wait until the image is whole, and
//! register it first where only snapshots were taken.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};
use tracing::{debug, info};

use super::{
    attempt::{Attempt, Broken, millis},
    capture::{Holding, Underway},
    observed::Seen,
    release::Unbroken,
    seal::Settled,
};
use crate::{
    capture::CaptureCall,
    error::{Cause, Step},
    evidence::Moment,
    patience::{Pace, Transient},
    ports::{Guest, ImageId, Imager, ImagerError, Observation, ObservedSnapshot},
};

/// One look at the service takes no longer than this.
const LOOK_LIMIT: Duration = Duration::from_secs(30);

/// Registering takes a second or two; whether a call that takes longer has succeeded, the next look tells.
const REGISTER_LIMIT: Duration = Duration::from_secs(30);

/// Nothing is held any more; the image is in the making.
pub(crate) struct Released<G, I> {
    attempt: Arc<Attempt<G, I>>,
    holding: Holding,
    unbroken: Unbroken,
    underway: Underway,
    /// An image may have been registered without an answer.
    perhaps_registered: bool,
}

impl<G: Guest, I: Imager> Released<G, I> {
    pub(super) fn new(
        attempt: Arc<Attempt<G, I>>,
        holding: Holding,
        unbroken: Unbroken,
        underway: Underway,
    ) -> Self {
        Self {
            attempt,
            holding,
            unbroken,
            underway,
            perhaps_registered: false,
        }
    }

    /// Waits until the image is available and every snapshot completed, as long as the run may last.
    pub(crate) async fn settle(mut self) -> Result<Settled<G, I>, Broken> {
        let began = Instant::now();
        let (image, observed) = match self.until_complete().await {
            Ok(complete) => complete,
            Err(cause) => return Err(Broken::at(Step::Settle, cause)),
        };
        let available = self.attempt.mark(Moment::ImageAvailable);
        info!(%image, ms = millis(began, available), "the image is available");
        let Self {
            attempt,
            holding,
            unbroken,
            ..
        } = self;
        Ok(Settled::new(attempt, holding, unbroken, image, observed))
    }

    async fn until_complete(&mut self) -> Result<(ImageId, Observation), Cause> {
        let patience = self.attempt.patience("the image");
        let mut pace = Pace::patient();
        while Instant::now() < patience.until {
            let mut wait = pace.next();
            if let Some((seen, observed)) = self.look().await? {
                match seen.image {
                    Some(image) if seen.complete => return Ok((image, observed)),
                    None if seen.copied && self.is_to_be_registered() => {
                        let after = self.register(&observed.snapshots).await?;
                        pace = Pace::patient();
                        wait = after.max(pace.next());
                    }
                    _ => {}
                }
            }
            patience.pause(wait).await?;
        }
        Err(patience.timed_out())
    }

    fn is_to_be_registered(&self) -> bool {
        self.underway.request.call == CaptureCall::CreateSnapshots
    }

    /// Asks for the image of completed snapshots, and tells how long to wait then: an answer that is lost is no reason to
    /// give up, since the next look may show the image, and asking again is safe.
    async fn register(&mut self, snapshots: &[ObservedSnapshot]) -> Result<Duration, Cause> {
        let (attempt, request) = (&self.attempt, &self.underway.request);
        attempt.image_asked();
        let registering = attempt.imager.register(request, snapshots);
        let answer = timeout(REGISTER_LIMIT, registering).await;
        match answer.unwrap_or_else(|_| Err(ImagerError::unanswered("register", REGISTER_LIMIT))) {
            Ok(image) => {
                attempt.image_told();
                info!(%image, "the image is registered");
                self.underway.image = Some(image);
                Ok(Duration::ZERO)
            }
            Err(error) => {
                debug!(%error, "the image is not registered yet");
                self.perhaps_registered |= error.maybe_done;
                if !self.perhaps_registered {
                    attempt.image_denied();
                }
                error.retry_after().ok_or_else(|| error.into())
            }
        }
    }

    async fn look(&mut self) -> Result<Option<(Seen, Observation)>, Cause> {
        let observed = match timeout(
            LOOK_LIMIT,
            self.attempt.imager.observe(&self.attempt.session),
        )
        .await
        {
            Ok(Ok(observed)) => observed,
            Ok(Err(error)) if error.retry_after().is_none() => return Err(error.into()),
            Ok(Err(error)) => {
                debug!(%error, "could not look");
                return Ok(None);
            }
            Err(_elapsed) => return Ok(None),
        };
        self.attempt.saw(&observed);
        let Underway {
            expected, image, ..
        } = &mut self.underway;
        let seen = expected.compare(image.as_ref(), &observed)?;
        image.clone_from(&seen.image);
        Ok(Some((seen, observed)))
    }
}
