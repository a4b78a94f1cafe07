//! Arming: the guest takes its lock, starts its switches and flushes, as long as that takes, while nothing is held.

use std::time::Duration;

use tracing::info;

use super::{
    attempt::{Broken, Hold, millis},
    hold::Armed,
    order::Order,
};
use crate::{
    clock::{Exchange, GuestClock},
    error::{Cause, Step},
    evidence::Moment,
    ports::{Guest, Imager, Reply},
    report::{self, ArmReport, ArmedReport, Report, ReportError},
    script,
};

/// How late the guest may begin to arm, dispatch included: SSM needs up to 2.4 s (FACTS.md part C, 1).
const START_WINDOW: Duration = Duration::from_secs(30);

/// How long the guest, once armed, waits for the hold: its answer's way here and the hold's way there.
const ARMED_LIMIT: Duration = Duration::from_mins(1);

const WAITED_FOR: &str = "the guest's answer that it is armed";

impl<G: Guest, I: Imager> Order<G, I> {
    /// From the moment at which this may be sent, a release is owed: it merely stands the guest down.
    pub(super) async fn arm(self) -> Result<Armed<G, I>, Broken> {
        let deadline = self.attempt.deadline;
        let sent = self.attempt.mark(Moment::ArmSent);
        if sent >= deadline {
            return Err(self.out_of_time(Step::Arm, WAITED_FOR));
        }
        let mut clock = GuestClock::new(self.survey.exchange);
        let start_before = clock.uptime_at(sent) + START_WINDOW;
        let answer_by = clock.latest(start_before) + script::FLUSH_LIMIT;
        self.owe_stand_down(answer_by + ARMED_LIMIT);
        let script = self.arm_script(start_before, ARMED_LIMIT);
        let late = Cause::TimedOut {
            waited_for: WAITED_FOR,
            limit: answer_by - sent,
        };
        let answer = self.ask(&script, answer_by.min(deadline), late).await;
        let answered = self.attempt.mark(Moment::ArmAnswered);
        let report = self
            .understand_armed(answer)
            .map_err(|cause| Broken::at(Step::Arm, cause))?;
        clock.learn(Exchange {
            sent,
            received: answered,
            uptime: report.uptime,
        });
        info!(method = %self.method, ms = millis(sent, answered), "the guest is armed, its databases are flushed");
        Ok(Armed::new(self, clock, report))
    }

    /// Only the guest's own report counts, and only "not sent" means that nothing is owed.
    fn understand_armed(&self, answer: Result<Reply, Cause>) -> Result<Report<ArmedReport>, Cause> {
        let reply = answer.inspect_err(|cause| {
            if cause.not_sent() {
                self.attempt.debts().hold = Hold::None;
            }
        })?;
        let report = report::read::<ArmReport>(&reply, &self.attempt.session)?;
        let report = report.try_map(|body| match body {
            ArmReport::Armed(armed) => Ok(armed),
            ArmReport::Refused { problems } => Err(Cause::Refused { problems }),
            ArmReport::Failed { problems, .. } => Err(Cause::HoldFailed { problems }),
        })?;
        let disagreement = if report.boot_id != self.survey.report.boot_id {
            "the guest rebooted between probe and arm"
        } else if report.body.method != self.method {
            "the guest is armed for another method"
        } else {
            return Ok(report);
        };
        Err(ReportError::Contradiction(disagreement.into()).into())
    }
}
