//! Armed: the release lies ready to be sent. Next: hold.
//!
//! On the guest, arming the switch and holding writes are one script (two would cost a second dispatch, and a switch
//! that waits for nothing). What this state arms is our own side: it makes the attempt owe a release before the hold can
//! be sent.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};
use tracing::info;

use super::{
    attempt::{Attempt, Broken, Hold, ReleaseOwed, millis},
    capture::{Held, Holding},
};
use crate::{
    clock::Exchange,
    error::{Cause, Link, Step},
    evidence::Moment,
    method::Method,
    ports::{Guest, GuestError, Imager, Reply, Script},
    report::{self, HeldReport, HoldReport, MountPoint, Problem, Report, ReportError},
    script,
    survey::Survey,
};

/// How late the hold may start on the guest, dispatch included: SSM needs up to 2.4 s (FACTS.md part C, 1).
const START_WINDOW: Duration = Duration::from_secs(30);

/// Clocks and schedulers are not exact; what a switch does takes a moment.
const SWITCH_SLACK: Duration = Duration::from_secs(5);

/// A stopped service has to start before everything is let go.
const SERVICE_START: Duration = Duration::from_mins(3);

/// How long to wait for one release's answer before a fresh one is sent.
const RELEASE_PATIENCE: Duration = Duration::from_secs(10);

/// Everything is decided and prepared; nothing is sent.
pub(crate) struct Armed<G, I> {
    attempt: Arc<Attempt<G, I>>,
    survey: Survey,
    method: Method,
    mounts: Vec<MountPoint>,
    release: Script,
}

impl<G: Guest, I: Imager> Armed<G, I> {
    pub(super) fn prepare(attempt: Arc<Attempt<G, I>>, survey: Survey, method: Method) -> Self {
        let mounts = survey.mounts_to_hold();
        let boot_id = survey.report.boot_id.as_str();
        let release = script::release(&attempt.session, &attempt.plan.engines, boot_id);
        Self {
            attempt,
            survey,
            method,
            mounts,
            release,
        }
    }

    /// Sends the hold and waits for the guest's word, as long as that word can be worth anything: until its switch would
    /// have let go. Nothing tells from here whether the guest still flushes or holds already; the switch counts from
    /// the moment at which it holds.
    pub(crate) async fn hold(self) -> Result<Held<G, I>, Broken> {
        let attempt = &self.attempt;
        let patience = attempt.patience("the guest's answer that writes are held");
        let sent = attempt.mark(Moment::HoldSent);
        if sent >= patience.until {
            return Err(self.untouched(patience.timed_out()));
        }
        let start_before = self.survey.exchange.uptime_at(sent) + START_WINDOW;
        let latest_start = self.survey.exchange.latest(start_before);
        let lets_go_by = latest_start + script::FLUSH_LIMIT + attempt.plan.max_hold.as_duration();
        self.owe_release(lets_go_by);
        let script = self.script(start_before);
        let until = lets_go_by.min(patience.until);
        let answer = tokio::select! {
            biased;
            () = attempt.stop.cancelled() => Err(Cause::Stopped),
            answer = timeout_at(until, attempt.guest.run(&script, until - sent)) => {
                answer.map_or_else(|_elapsed| Err(patience.timed_out()), |answer| Ok(answer?))
            }
        };
        let answered = attempt.mark(Moment::HoldAnswered);
        let report = self.understand(answer)?;
        let exchange = Exchange {
            sent,
            received: answered,
            uptime: report.uptime,
        };
        info!(method = %self.method, ms = millis(sent, answered), "writes are held");
        Ok(self.held(exchange, report))
    }

    fn script(&self, start_before: Duration) -> Script {
        let mounts: Vec<String> = self
            .mounts
            .iter()
            .map(|mount| mount.as_str().to_owned())
            .collect();
        script::hold(&script::Hold {
            session: &self.attempt.session,
            engines: &self.attempt.plan.engines,
            boot_id: self.survey.report.boot_id.as_str(),
            start_before,
            method: self.method,
            max_hold: self.attempt.plan.max_hold.as_duration(),
            mounts: &mounts,
        })
    }

    fn owe_release(&self, lets_go_by: Instant) {
        let extra = if self.method == Method::Stop {
            SERVICE_START
        } else {
            Duration::ZERO
        };
        self.attempt.debts().hold = Hold::Owed(ReleaseOwed {
            script: self.release.clone(),
            patience: RELEASE_PATIENCE + extra,
            lets_go_by: lets_go_by + SWITCH_SLACK + extra,
            refused: false,
        });
    }

    /// Only the guest's own report counts, and only "not sent" means that nothing is owed.
    fn understand(&self, answer: Result<Reply, Cause>) -> Result<Report<HeldReport>, Broken> {
        let reply = match answer {
            Ok(reply) => reply,
            Err(cause @ Cause::Guest(GuestError::NotSent { .. })) => {
                return Err(self.untouched(cause));
            }
            Err(cause) => return Err(unanswered(cause)),
        };
        let unusable = |error: ReportError| unanswered(error.into());
        let report = report::read::<HoldReport>(&reply, &self.attempt.session).map_err(unusable)?;
        let Report {
            boot_id,
            uptime,
            warnings,
            body,
        } = report;
        let held = match body {
            HoldReport::Held(held) => held,
            HoldReport::Refused { problems } => return Err(self.refused(problems)),
            HoldReport::Failed { problems, .. } => {
                return Err(unanswered(Cause::HoldFailed { problems }));
            }
        };
        let report = Report {
            boot_id,
            uptime,
            warnings,
            body: held,
        };
        match self.disagreement(&report) {
            Some(what) => Err(unusable(ReportError::Contradiction(what.into()))),
            None => Ok(report),
        }
    }

    /// What the guest holds, where it is not what it was asked to hold.
    fn disagreement(&self, report: &Report<HeldReport>) -> Option<&'static str> {
        let held = &report.body;
        let switch_after = held.fires.saturating_sub(held.began);
        if report.boot_id != self.survey.report.boot_id {
            Some("the guest rebooted between probe and hold")
        } else if held.method != self.method {
            Some("writes are held by another method")
        } else if held.mounts.iter().collect::<BTreeSet<_>>() != self.mounts.iter().collect() {
            Some("other mounts are held")
        } else if switch_after > self.attempt.plan.max_hold.as_duration() {
            Some("the switch is set to fire later")
        } else {
            None
        }
    }

    fn held(self, exchange: Exchange, report: Report<HeldReport>) -> Held<G, I> {
        let max_hold = self.attempt.plan.max_hold.as_duration();
        let fires = report.body.fires;
        // A hold answered by now began by now, whatever the guest's clock says.
        let fires_by = exchange.latest(fires).min(exchange.received + max_hold);
        let fires_from = exchange
            .earliest(fires)
            .max(self.survey.exchange.earliest(fires))
            .min(fires_by);
        let release_by = (fires_from - release_margin(max_hold)).min(self.attempt.deadline);
        self.owe_release(fires_by);
        let Self {
            attempt,
            survey,
            method,
            ..
        } = self;
        Held::new(
            attempt,
            Holding {
                survey,
                method,
                report,
                answered: exchange.received,
                release_by,
            },
        )
    }

    /// Nothing was touched by the delivery that answered. The agent may have delivered the hold twice (FACTS.md part B, 2),
    /// so a release is still sent.
    fn refused(&self, problems: Vec<Problem>) -> Broken {
        if let Hold::Owed(owed) = &mut self.attempt.debts().hold {
            owed.refused = true;
        }
        Broken::at(Step::Hold, Cause::Refused { problems })
    }

    fn untouched(&self, cause: Cause) -> Broken {
        self.attempt.debts().hold = Hold::None;
        Broken::at(Step::Hold, cause)
    }
}

/// Perhaps writes are held: the release stays owed.
fn unanswered(cause: Cause) -> Broken {
    Broken {
        links: vec![Link::Held],
        ..Broken::at(Step::Hold, cause)
    }
}

/// What a release needs to reach the guest in time: 3 s to 10 s, a fifth of the hold.
fn release_margin(max_hold: Duration) -> Duration {
    (max_hold / 5).clamp(Duration::from_secs(3), Duration::from_secs(10))
}
