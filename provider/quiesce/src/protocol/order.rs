//! What the guest is asked to do from arm to hold, and the release that is owed from the moment at which it may be asked.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::attempt::{Attempt, Broken, Hold, ReleaseOwed};
use crate::{
    error::{Cause, Step},
    method::Method,
    ports::{Guest, Imager, Reply, Script},
    report::MountPoint,
    script,
    survey::Survey,
};

/// Clocks and schedulers are not exact; what a switch does takes a moment.
const SWITCH_SLACK: Duration = Duration::from_secs(5);

/// A stopped service has to start before everything is let go.
const SERVICE_START: Duration = Duration::from_mins(3);

/// How long to wait for one release's answer before a fresh one is sent.
const RELEASE_PATIENCE: Duration = Duration::from_secs(10);

/// What was decided when the guest had been probed.
pub(crate) struct Order<G, I> {
    pub(crate) attempt: Arc<Attempt<G, I>>,
    pub(crate) survey: Survey,
    pub(crate) method: Method,
    pub(crate) mounts: Vec<MountPoint>,
    release: Script,
}

impl<G: Guest, I: Imager> Order<G, I> {
    pub(super) fn new(attempt: Arc<Attempt<G, I>>, survey: Survey, method: Method) -> Self {
        let boot_id = survey.report.boot_id.as_str();
        Self {
            mounts: survey.mounts_to_hold(),
            release: script::release(&attempt.session, &attempt.plan.engines, boot_id),
            attempt,
            survey,
            method,
        }
    }

    pub(super) fn arm_script(&self, start_before: Duration, armed_limit: Duration) -> Script {
        self.with_mounts(start_before, |hold| script::arm(hold, armed_limit))
    }

    pub(super) fn hold_script(&self, start_before: Duration) -> Script {
        self.with_mounts(start_before, script::hold)
    }

    fn with_mounts(
        &self,
        start_before: Duration,
        render: impl FnOnce(&script::Hold<'_>) -> Script,
    ) -> Script {
        let mounts: Vec<String> = self
            .mounts
            .iter()
            .map(|mount| mount.as_str().to_owned())
            .collect();
        render(&script::Hold {
            session: &self.attempt.session,
            engines: &self.attempt.plan.engines,
            boot_id: self.survey.report.boot_id.as_str(),
            start_before,
            method: self.method,
            max_hold: self.max_hold(),
            mounts: &mounts,
        })
    }

    pub(super) fn max_hold(&self) -> Duration {
        self.attempt.plan.max_hold.as_duration()
    }

    /// The guest may be armed: it has stood down by itself at `by`.
    pub(super) fn owe_stand_down(&self, by: Instant) {
        self.attempt.debts().hold = Hold::PerhapsArmed(self.release_owed(by));
    }

    /// Writes may be held: the guest's switch has fired at `by`.
    pub(super) fn owe_release(&self, by: Instant) {
        self.attempt.debts().hold = Hold::PerhapsHeld(self.release_owed(by));
    }

    fn release_owed(&self, by: Instant) -> ReleaseOwed {
        let extra = if self.method == Method::Stop {
            SERVICE_START
        } else {
            Duration::ZERO
        };
        ReleaseOwed {
            script: self.release.clone(),
            patience: RELEASE_PATIENCE + extra,
            lets_go_by: by + SWITCH_SLACK + extra,
        }
    }

    /// Sends a script and waits for its answer, until `until`; `late` is what it means that none has come by then.
    pub(super) async fn ask(
        &self,
        script: &Script,
        until: Instant,
        late: Cause,
    ) -> Result<Reply, Cause> {
        let within = until.saturating_duration_since(Instant::now());
        tokio::select! {
            biased;
            () = self.attempt.stop.cancelled() => Err(Cause::Stopped),
            answer = timeout_at(until, self.attempt.guest.run(script, within)) => {
                answer.map_or(Err(late), |answer| Ok(answer?))
            }
        }
    }

    pub(super) fn out_of_time(&self, step: Step, waited_for: &'static str) -> Broken {
        Broken::at(step, self.attempt.patience(waited_for).timed_out())
    }
}
