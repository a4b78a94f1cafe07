//! Released: the hold was unbroken and every snapshot's instant lies inside it. Next: wait until the image is whole.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};
use tracing::{debug, info};

use super::{
    attempt::{Attempt, Broken, millis},
    capture::Holding,
    observed::{Expected, Seen},
    release::Unbroken,
    seal::Settled,
};
use crate::{
    error::{Cause, Step},
    evidence::Moment,
    patience::{Pace, Transient},
    ports::{Guest, ImageId, Imager, Observation},
};

/// One look at the service takes no longer than this.
const LOOK_LIMIT: Duration = Duration::from_secs(30);

/// Nothing is held any more; the image is in the making.
pub(crate) struct Released<G, I> {
    attempt: Arc<Attempt<G, I>>,
    holding: Holding,
    unbroken: Unbroken,
    expected: Expected,
    image: Option<ImageId>,
}

impl<G: Guest, I: Imager> Released<G, I> {
    pub(super) fn new(
        attempt: Arc<Attempt<G, I>>,
        holding: Holding,
        unbroken: Unbroken,
        expected: Expected,
        image: Option<ImageId>,
    ) -> Self {
        Self {
            attempt,
            holding,
            unbroken,
            expected,
            image,
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
            if let Some(complete) = self.look().await? {
                return Ok(complete);
            }
            patience.pause(pace.next()).await?;
        }
        Err(patience.timed_out())
    }

    async fn look(&mut self) -> Result<Option<(ImageId, Observation)>, Cause> {
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
        let Seen {
            image, complete, ..
        } = self.expected.compare(self.image.as_ref(), &observed)?;
        self.image.clone_from(&image);
        Ok(image.filter(|_| complete).map(|image| (image, observed)))
    }
}
