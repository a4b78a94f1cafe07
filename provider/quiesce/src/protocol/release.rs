//! Captured: it is time to let go, whatever the capture came to. Next: release, and hear whether the hold lasted.

use std::{sync::Arc, time::Duration};

use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::{
    attempt::{Attempt, Broken, Hold, ReleaseOwed, millis},
    capture::{Holding, Underway},
    settle::Released,
};
use crate::{
    error::{Cause, Link, Step},
    evidence::Moment,
    patience::Pace,
    ports::{Guest, GuestError, Imager},
    report::{self, BrokenLink, ReleaseReport, Report},
    text::Text,
};

/// How far the guest's measure of the hold may differ from ours: a paused or migrated machine loses a moment.
const CLOCK_SLACK: Duration = Duration::from_millis(500);

/// How long a guest that was armed at most is asked to stand down: it holds nothing, and does so by itself.
const STAND_DOWN_LIMIT: Duration = Duration::from_secs(30);

/// Writes are still held. Release is the only way out.
#[must_use = "writes are held until this is released"]
pub(crate) struct Captured<G, I> {
    attempt: Arc<Attempt<G, I>>,
    holding: Holding,
    /// What was begun, or why there will be no image.
    end: Result<Underway, Broken>,
}

/// The guest's final word: the hold lasted.
pub(crate) struct Unbroken {
    /// By the guest's wall clock.
    pub(crate) released_at: OffsetDateTime,
    /// By the guest's monotonic clock.
    pub(crate) hold: Duration,
    pub(crate) warnings: Vec<Text>,
}

impl<G: Guest, I: Imager> Captured<G, I> {
    pub(super) fn new(
        attempt: Arc<Attempt<G, I>>,
        holding: Holding,
        end: Result<Underway, Broken>,
    ) -> Self {
        Self {
            attempt,
            holding,
            end,
        }
    }

    /// Lets go, then joins the links: held before, captured meanwhile, unbroken until now.
    pub(crate) async fn release(self) -> Result<Released<G, I>, Broken> {
        let Self {
            attempt,
            holding,
            end,
        } = self;
        let sent = Instant::now();
        let lasted = match let_go(&attempt).await {
            Ok(report) => holding.lasted(sent, report),
            Err(cause) => Err((cause, vec![Link::Released])),
        };
        match (end, lasted) {
            (Ok(underway), Ok(unbroken)) => {
                info!(hold_ms = unbroken.hold.as_millis(), "the hold was unbroken");
                Ok(Released::new(attempt, holding, unbroken, underway))
            }
            (Ok(_), Err((cause, links))) => Err(Broken {
                links,
                ..Broken::at(Step::Release, cause)
            }),
            (Err(broken), Ok(_)) => Err(broken),
            (Err(mut broken), Err((_, links))) => {
                broken.links.extend(links);
                Err(broken)
            }
        }
    }
}

impl Holding {
    /// Whether the hold lasted from the guest's answer to the release, which was first sent at `sent`.
    fn lasted(
        &self,
        sent: Instant,
        report: Report<ReleaseReport>,
    ) -> Result<Unbroken, (Cause, Vec<Link>)> {
        let lapsed = |links| (Cause::Lapsed, links);
        let (released_at, hold, method) = match report.body {
            ReleaseReport::Lapsed { broken, .. } => return Err(lapsed(links(broken))),
            ReleaseReport::Held {
                released_at,
                hold,
                method,
                ..
            } => (released_at, hold, method),
        };
        let between = sent.saturating_duration_since(self.answered);
        let contradiction = if report.boot_id != self.report.boot_id {
            "the guest rebooted after it held writes".to_owned()
        } else if method != self.method {
            format!("released from {method}, held by {}", self.method)
        } else if hold + CLOCK_SLACK < between {
            let (hold, between) = (hold.as_millis(), between.as_millis());
            format!(
                "a hold of {hold} ms cannot span the {between} ms between its answer and its release"
            )
        } else {
            return Ok(Unbroken {
                released_at,
                hold,
                warnings: report.warnings,
            });
        };
        Err(lapsed(vec![Link::Unbroken {
            link: "contradiction".into(),
            detail: contradiction.into(),
        }]))
    }
}

fn links(broken: Vec<BrokenLink>) -> Vec<Link> {
    broken
        .into_iter()
        .map(|BrokenLink { link, detail }| Link::Unbroken { link, detail })
        .collect()
}

/// Lets go, if a release is owed: sends it until the guest says that everything is released, or until the guest's own
/// switch has certainly let go. Takes neither stop nor deadline into account.
pub(crate) async fn let_go<G: Guest, I: Imager>(
    attempt: &Attempt<G, I>,
) -> Result<Report<ReleaseReport>, Cause> {
    let sent = attempt.mark(Moment::ReleaseSent);
    let (owed, until) = match attempt.debts().hold.clone() {
        Hold::PerhapsHeld(owed) => (owed.clone(), owed.lets_go_by),
        Hold::PerhapsArmed(owed) => (owed.clone(), owed.lets_go_by.min(sent + STAND_DOWN_LIMIT)),
        Hold::None | Hold::Released | Hold::ThawFailed => {
            return Err(Cause::Defect("a release without a hold".into()));
        }
    };
    let mut pace = Pace::new(Duration::from_millis(500), Duration::from_secs(5));
    loop {
        let cause = match ask(attempt, &owed).await {
            Ok(report) => {
                let answered = attempt.mark(Moment::ReleaseAnswered);
                attempt.debts().hold = if report.body.never_held() {
                    Hold::None
                } else if report.body.thaw_failed() {
                    Hold::ThawFailed
                } else {
                    Hold::Released
                };
                info!(ms = millis(sent, answered), "released");
                return Ok(report);
            }
            Err(cause) => cause,
        };
        warn!(%cause, "no word that everything is released; asking again");
        if Instant::now() >= until {
            return Err(cause);
        }
        sleep(pace.next()).await;
    }
}

/// Sends one release, and takes nothing for an answer but "everything is released".
async fn ask<G: Guest, I: Imager>(
    attempt: &Attempt<G, I>,
    owed: &ReleaseOwed,
) -> Result<Report<ReleaseReport>, Cause> {
    let answer = timeout(
        owed.patience,
        attempt.guest.run(&owed.script, owed.patience),
    )
    .await;
    let unanswered = || GuestError::NoAnswer {
        reason: "the release".to_owned(),
        waited: owed.patience,
    };
    let reply = answer.unwrap_or_else(|_elapsed| Err(unanswered()))?;
    let report = report::read::<ReleaseReport>(&reply, &attempt.session)?;
    if report.body.released() {
        Ok(report)
    } else {
        Err(Cause::StillHeld)
    }
}
