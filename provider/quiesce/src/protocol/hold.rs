//! Armed: the guest's switches stand guard and everything is flushed. Next: hold.

use std::{collections::BTreeSet, time::Duration};

use tracing::info;

use super::{
    attempt::{Broken, millis},
    capture::{Held, Holding},
    order::Order,
};
use crate::{
    clock::{Exchange, GuestClock},
    error::{Cause, Link, Step},
    evidence::Moment,
    ports::{Guest, Imager, Reply},
    report::{self, ArmedReport, HeldReport, HoldReport, Report, ReportError},
};

const WAITED_FOR: &str = "the guest's answer that writes are held";

/// The guest waits for its hold. Nothing is held.
pub(crate) struct Armed<G, I> {
    order: Order<G, I>,
    clock: GuestClock,
    report: Report<ArmedReport>,
}

impl<G: Guest, I: Imager> Armed<G, I> {
    pub(super) fn new(order: Order<G, I>, clock: GuestClock, report: Report<ArmedReport>) -> Self {
        Self {
            order,
            clock,
            report,
        }
    }

    /// Sends the hold and waits for the guest's word, but no longer than a hold may last: nothing tells from here whether
    /// writes are held already. The guest itself does not begin after that.
    pub(crate) async fn hold(self) -> Result<Held<G, I>, Broken> {
        let Order { attempt, .. } = &self.order;
        let sent = attempt.mark(Moment::HoldSent);
        if sent >= attempt.deadline {
            return Err(self.order.out_of_time(Step::Hold, WAITED_FOR));
        }
        let max_hold = self.order.max_hold();
        let budget = max_hold.saturating_sub(release_margin(max_hold));
        let start_before = (self.clock.uptime_at(sent) + budget).min(self.report.body.stands_down);
        let before = attempt.debts().hold.clone();
        self.order
            .owe_release(self.clock.latest(start_before) + max_hold);
        let script = self.order.hold_script(start_before);
        let late = Cause::HoldBudget {
            waited_for: WAITED_FOR,
        };
        let until = (sent + budget).min(attempt.deadline);
        let answer = self.order.ask(&script, until, late).await;
        let answered = attempt.mark(Moment::HoldAnswered);
        if answer.as_ref().is_err_and(Cause::not_sent) {
            attempt.debts().hold = before;
        }
        let report = self.understand(answer).map_err(not_held)?;
        info!(ms = millis(sent, answered), "writes are held");
        let exchange = Exchange {
            sent,
            received: answered,
            uptime: report.uptime,
        };
        Ok(self.held(exchange, report))
    }

    /// Only the guest's own report counts. A guest that refused is released like any other: the agent may have delivered
    /// the hold twice (FACTS.md part B, 2), and only one of them refused.
    fn understand(&self, answer: Result<Reply, Cause>) -> Result<Report<HeldReport>, Cause> {
        let report = report::read::<HoldReport>(&answer?, &self.order.attempt.session)?;
        let report = report.try_map(|body| match body {
            HoldReport::Held(held) => Ok(held),
            HoldReport::Refused { problems } => Err(Cause::Refused { problems }),
            HoldReport::Failed { problems, .. } => Err(Cause::HoldFailed { problems }),
        })?;
        match self.disagreement(&report) {
            Some(what) => Err(ReportError::Contradiction(what.into()).into()),
            None => Ok(report),
        }
    }

    /// What the guest holds, where it is not what it was asked to hold.
    fn disagreement(&self, report: &Report<HeldReport>) -> Option<&'static str> {
        let held = &report.body;
        let switch_after = held.fires.saturating_sub(held.began);
        if report.boot_id != self.report.boot_id {
            Some("the guest rebooted between arm and hold")
        } else if held.method != self.order.method {
            Some("writes are held by another method")
        } else if held.mounts.iter().collect::<BTreeSet<_>>() != self.order.mounts.iter().collect()
        {
            Some("other mounts are held")
        } else if switch_after > self.order.max_hold() {
            Some("the switch is set to fire later")
        } else {
            None
        }
    }

    fn held(self, exchange: Exchange, report: Report<HeldReport>) -> Held<G, I> {
        let Self {
            order, mut clock, ..
        } = self;
        let (max_hold, answered) = (order.max_hold(), exchange.received);
        clock.learn(exchange);
        let fires = report.body.fires;
        // A hold answered by now began by now, whatever the guest's clock says.
        let fires_by = clock.latest(fires).min(answered + max_hold);
        let fires_from = clock.earliest(fires).min(fires_by);
        let release_by = (fires_from - release_margin(max_hold)).min(order.attempt.deadline);
        order.owe_release(fires_by);
        let Order {
            attempt,
            survey,
            method,
            ..
        } = order;
        Held::new(
            attempt,
            Holding {
                survey,
                method,
                armed_warnings: self.report.warnings,
                report,
                answered,
                release_by,
            },
        )
    }
}

/// Where the guest refused, or was not asked, nothing was held: no link of the proof has broken.
fn not_held(cause: Cause) -> Broken {
    let links = if cause.not_sent() || matches!(cause, Cause::Refused { .. }) {
        Vec::new()
    } else {
        vec![Link::Held]
    };
    Broken {
        links,
        ..Broken::at(Step::Hold, cause)
    }
}

/// What a release needs to reach the guest in time: 3 s to 10 s, a fifth of the hold.
fn release_margin(max_hold: Duration) -> Duration {
    (max_hold / 5).clamp(Duration::from_secs(3), Duration::from_secs(10))
}
