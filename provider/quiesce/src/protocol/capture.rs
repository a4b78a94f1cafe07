//! Held: the guest answered that writes are held. Next: capture, and see every snapshot initiated.

use std::{pin::pin, sync::Arc, time::Duration};

use time::OffsetDateTime;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::{debug, info};

use super::{
    attempt::{Attempt, Broken, Capture, millis},
    observed::{Expected, Seen, Sightings},
    release::Captured,
    undo,
};
use crate::{
    capture::CaptureCall,
    error::{Cause, Link, Step},
    evidence::Moment,
    method::Method,
    patience::{Pace, Transient},
    ports::{Begun, CaptureRequest, Guest, ImageId, Imager, ImagerError, Observation, VolumeId},
    report::{HeldReport, Report},
    survey::Survey,
    text::Text,
};

/// `CreateImage` answers within a second or two; after this long its answer counts as late, and snapshots are looked
/// for without it.
const BEGIN_PATIENCE: Duration = Duration::from_secs(2);

/// One look at the service during a hold takes no longer than this; the next look may be luckier.
const LOOK_LIMIT: Duration = Duration::from_secs(3);

/// Writes are held, and the clock runs. There is no way out but through a release: capturing never fails, it only leads
/// to a [`Captured`] that knows what was missed.
#[must_use = "writes are held until this is released"]
pub(crate) struct Held<G, I> {
    attempt: Arc<Attempt<G, I>>,
    holding: Holding,
}

/// What is known of the hold.
pub(crate) struct Holding {
    pub(crate) survey: Survey,
    pub(crate) method: Method,
    pub(crate) armed_warnings: Vec<Text>,
    pub(crate) report: Report<HeldReport>,
    /// The guest's answer came.
    pub(crate) answered: Instant,
    /// The release is sent by then, so that it can reach the guest before its switch fires.
    pub(crate) release_by: Instant,
}

/// What was begun and is yet to be seen whole.
pub(crate) struct Underway {
    pub(crate) request: CaptureRequest,
    pub(crate) expected: Expected,
    /// Once it is known.
    pub(crate) image: Option<ImageId>,
}

impl Holding {
    /// Every volume of the image, sorted.
    pub(crate) fn volumes(&self) -> Vec<VolumeId> {
        self.expected().volumes()
    }

    fn expected(&self) -> Expected {
        let volumes = self.survey.instance.volumes.iter();
        Expected::new(volumes.map(|volume| volume.volume_id.clone()))
    }

    fn expected_of(&self, call: CaptureCall) -> Expected {
        match call {
            CaptureCall::CreateImage => self.expected(),
            CaptureCall::CreateSnapshots => {
                self.expected().billed_as(&self.survey.instance.billing)
            }
        }
    }
}

impl<G: Guest, I: Imager> Held<G, I> {
    pub(super) fn new(attempt: Arc<Attempt<G, I>>, holding: Holding) -> Self {
        Self { attempt, holding }
    }

    /// Begins the capture and watches until every volume's snapshot is initiated, or it is time to release.
    pub(crate) async fn capture(self) -> Captured<G, I> {
        let Self { attempt, holding } = self;
        let expected = holding.expected_of(attempt.plan.capture);
        let mut watch = Watch {
            attempt: &attempt,
            missing: holding.volumes(),
            underway: Underway {
                request: request(&attempt, &expected),
                expected,
                image: None,
            },
        };
        let end = tokio::select! {
            biased;
            () = attempt.stop.cancelled() => Err(Cause::Stopped),
            end = timeout_at(holding.release_by, watch.until_initiated()) => {
                end.unwrap_or_else(|_elapsed| Err(attempt.spent("the capture", holding.release_by)))
            }
        };
        let Watch {
            underway, missing, ..
        } = watch;
        let end = end.map(|()| underway).map_err(|cause| {
            let links = vec![Link::Captured { missing }];
            Broken {
                links,
                ..Broken::at(Step::Capture, cause)
            }
        });
        Captured::new(attempt, holding, end)
    }
}

fn request<G, I>(attempt: &Attempt<G, I>, expected: &Expected) -> CaptureRequest {
    let image = &attempt.plan.image;
    let remaining = attempt.deadline.saturating_duration_since(Instant::now());
    CaptureRequest {
        session: attempt.session.clone(),
        call: attempt.plan.capture,
        name: image.name.clone(),
        description: image.description.clone(),
        volumes: expected.volumes(),
        tags: image.tags.clone(),
        snapshot_tags: image.snapshot_tags.clone(),
        expires: OffsetDateTime::now_utc() + remaining + undo::LONGEST,
    }
}

/// The capture, as seen so far.
struct Watch<'a, G, I> {
    attempt: &'a Attempt<G, I>,
    underway: Underway,
    missing: Vec<VolumeId>,
}

impl<G: Guest, I: Imager> Watch<'_, G, I> {
    /// The answer to the beginning is welcome but not needed: what was begun is found by its session.
    async fn until_initiated(&mut self) -> Result<(), Cause> {
        let (attempt, request) = (self.attempt, self.underway.request.clone());
        let sightings = Sightings::none_of(&self.underway.expected, request.call);
        attempt.debts().capture = Capture::Begun(sightings);
        let called = attempt.mark(Moment::CaptureCalled);
        let mut begin = pin!(attempt.imager.begin(&request));
        let mut begin_ended = false;
        let mut pace = Pace::new(Duration::from_millis(50), Duration::from_millis(250));
        let mut next_look = called + BEGIN_PATIENCE;
        loop {
            tokio::select! {
                biased;
                answer = &mut begin, if !begin_ended => {
                    begin_ended = true;
                    self.begun(answer)?;
                    next_look = attempt.mark(Moment::CaptureAnswered);
                }
                () = sleep_until(next_look) => {
                    self.look().await?;
                    next_look = Instant::now() + pace.next();
                }
            }
            if self.missing.is_empty() {
                let seen = attempt.mark(Moment::SnapshotsSeen);
                info!(ms = millis(called, seen), "every snapshot is initiated");
                return Ok(());
            }
        }
    }

    /// Snapshots that the answer tells are not counted as seen: only what lists show can be found and discarded.
    fn begun(&mut self, answer: Result<Begun, ImagerError>) -> Result<(), Cause> {
        match answer {
            Ok(Begun::Image(image)) => {
                self.underway.image = Some(image);
                self.attempt.image_told();
            }
            Ok(Begun::Snapshots(snapshots)) => {
                self.take(&Observation {
                    image: None,
                    snapshots,
                })?;
                if !self.missing.is_empty() {
                    let text = "the call made no snapshot of every volume".to_owned();
                    return Err(Cause::Mismatch(text));
                }
            }
            Err(error) if error.maybe_done => debug!(%error, "the capture may have begun"),
            Err(error) => {
                self.attempt.capture_refused();
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// A look that fails is worth another one.
    async fn look(&mut self) -> Result<(), Cause> {
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
                return Ok(());
            }
            Err(_elapsed) => return Ok(()),
        };
        self.attempt.saw(&observed);
        self.take(&observed)
    }

    fn take(&mut self, observed: &Observation) -> Result<(), Cause> {
        let Underway {
            expected, image, ..
        } = &mut self.underway;
        let seen: Seen = expected.compare(image.as_ref(), observed)?;
        (*image, self.missing) = (seen.image, seen.missing);
        Ok(())
    }
}
