//! One attempt: one session, what it works with, and what it owes to the guest and to the service.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use time::OffsetDateTime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::observed::Sightings;
use crate::{
    error::{Cause, Link, Step},
    evidence::{Mark, Moment, Timeline},
    patience::Patience,
    plan::Plan,
    ports::{Observation, Script},
    session::SessionId,
};

/// What the states of one attempt share.
pub(crate) struct Attempt<G, I> {
    pub(crate) plan: Arc<Plan>,
    pub(crate) guest: Arc<G>,
    pub(crate) imager: Arc<I>,
    /// Cancelled: release now, discard, report.
    pub(crate) stop: CancellationToken,
    pub(crate) session: SessionId,
    /// Counts from 1.
    pub(crate) number: u32,
    /// The plan's `within`, here.
    pub(crate) deadline: Instant,
    pub(crate) recorder: Arc<Recorder>,
    debts: Mutex<Debts>,
}

/// Why an attempt ended without a sealed image.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) step: Step,
    pub(crate) cause: Cause,
    pub(crate) links: Vec<Link>,
}

impl Broken {
    pub(crate) fn at(step: Step, cause: Cause) -> Self {
        Self {
            step,
            cause,
            links: Vec::new(),
        }
    }
}

/// What has to be undone if the attempt ends now.
#[derive(Clone, Debug)]
pub(crate) struct Debts {
    pub(crate) hold: Hold,
    pub(crate) capture: Capture,
}

/// The hold, as far as the guest told.
#[derive(Clone, Debug)]
pub(crate) enum Hold {
    /// The guest was not even armed, or it says that it never held.
    None,
    /// Nothing is held, but perhaps the guest is armed: locked for everybody else.
    PerhapsArmed(ReleaseOwed),
    /// Perhaps writes are held: the guest has not said that everything is let go.
    PerhapsHeld(ReleaseOwed),
    /// The guest says that everything is let go.
    Released,
    /// The guest says that everything is let go but what an engine's own thaw could not.
    ThawFailed,
}

/// What it takes to let go.
#[derive(Clone, Debug)]
pub(crate) struct ReleaseOwed {
    pub(crate) script: Script,
    /// How long a release may take on the guest; a fresh one is sent after that.
    pub(crate) patience: Duration,
    /// The guest has let go by itself by then, whatever happens.
    pub(crate) lets_go_by: Instant,
}

/// The image, as far as the service told.
#[derive(Clone, Debug)]
pub(crate) enum Capture {
    /// None was begun.
    None,
    /// One was begun, or perhaps was: what was seen of it.
    Begun(Sightings),
    /// Its beginning was refused; but the same call, delivered twice, may have succeeded before.
    Refused(Sightings),
}

impl<G, I> Attempt<G, I> {
    pub(crate) fn new(
        (plan, guest, imager): (Arc<Plan>, Arc<G>, Arc<I>),
        stop: CancellationToken,
        number: u32,
        recorder: Arc<Recorder>,
    ) -> Self {
        let deadline = recorder.started + plan.left();
        let debts = Mutex::new(Debts {
            hold: Hold::None,
            capture: Capture::None,
        });
        Self {
            plan,
            guest,
            imager,
            stop,
            session: SessionId::random(),
            number,
            deadline,
            recorder,
            debts,
        }
    }

    pub(crate) fn debts(&self) -> MutexGuard<'_, Debts> {
        // A panic while this was locked leaves a state that is true: every change to it is complete in itself.
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The service told the image's id.
    pub(crate) fn image_told(&self) {
        if let Capture::Begun(seen) = &mut self.debts().capture {
            seen.image_told();
        }
    }

    /// An image of the snapshots is asked for: from now on one may exist.
    pub(crate) fn image_asked(&self) {
        if let Capture::Begun(seen) = &mut self.debts().capture {
            seen.image_asked();
        }
    }

    /// The service refused to make an image of the snapshots, and was not asked before.
    pub(crate) fn image_denied(&self) {
        if let Capture::Begun(seen) = &mut self.debts().capture {
            seen.image_denied();
        }
    }

    /// The service refused to begin the capture.
    pub(crate) fn capture_refused(&self) {
        let mut debts = self.debts();
        if let Capture::Begun(seen) = &debts.capture {
            debts.capture = Capture::Refused(seen.clone());
        }
    }

    /// Remembers what of the capture shows now.
    pub(crate) fn saw(&self, observed: &Observation) {
        if let Capture::Begun(seen) | Capture::Refused(seen) = &mut self.debts().capture {
            seen.note(observed);
        }
    }

    /// Why a wait in a hold ended at `until`: the hold's budget was spent, or the whole run's time.
    pub(crate) fn spent(&self, waited_for: &'static str, until: Instant) -> Cause {
        if until >= self.deadline {
            self.patience(waited_for).timed_out()
        } else {
            Cause::HoldBudget { waited_for }
        }
    }

    pub(crate) fn mark(&self, moment: Moment) -> Instant {
        self.recorder.mark(moment, self.number)
    }

    /// As long as the run may last.
    pub(crate) fn patience(&self, waited_for: &'static str) -> Patience {
        Patience {
            waited_for,
            until: self.deadline,
            limit: self.plan.within,
            stop: self.stop.clone(),
        }
    }
}

/// Records the run's moments, over all its attempts.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) started: Instant,
    timeline: Mutex<Timeline>,
}

impl Recorder {
    pub(crate) fn start() -> Arc<Self> {
        let timeline = Timeline {
            started_at: OffsetDateTime::now_utc(),
            marks: Vec::new(),
        };
        Arc::new(Self {
            started: Instant::now(),
            timeline: Mutex::new(timeline),
        })
    }

    fn mark(&self, moment: Moment, attempt: u32) -> Instant {
        let now = Instant::now();
        let at = now - self.started;
        self.lock().marks.push(Mark {
            moment,
            attempt,
            at,
        });
        now
    }

    pub(crate) fn timeline(&self) -> Timeline {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For the log.
pub(crate) fn millis(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(u64::MAX)
}
