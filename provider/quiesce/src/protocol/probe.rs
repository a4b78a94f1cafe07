//! Probed: both sides were asked, nothing is touched. Next: sweep what dead runs left, and arm.

use std::{sync::Arc, time::Duration};

use tracing::{info, warn};

use super::{
    attempt::{Attempt, Broken, millis},
    hold::Armed,
    order::Order,
};
use crate::{
    capture::CaptureCall,
    error::{Cause, Step},
    evidence::Moment,
    method::Method,
    ports::{Guest, Imager},
    survey::{Looker, Survey, not_running},
};

/// How long the search for remains, and each removal, may take before it is left to a later run.
const SWEEP_LIMIT: Duration = Duration::from_mins(2);

/// Guest and service agree that a hold and a complete image are possible.
pub(crate) struct Probed<G, I> {
    attempt: Arc<Attempt<G, I>>,
    survey: Survey,
    method: Method,
}

impl<G: Guest, I: Imager> Probed<G, I> {
    pub(crate) async fn ask(attempt: Arc<Attempt<G, I>>) -> Result<Self, Broken> {
        let broken = |cause| Broken::at(Step::Probe, cause);
        let looker = Looker {
            guest: &*attempt.guest,
            imager: &*attempt.imager,
            engines: &attempt.plan.engines,
            stop: &attempt.stop,
        };
        let instance = looker.instance().await.map_err(broken)?;
        if let Some(problem) = not_running(&instance) {
            return Err(broken(Cause::Refused {
                problems: vec![problem],
            }));
        }
        let sent = attempt.mark(Moment::ProbeSent);
        let survey = looker
            .survey(&attempt.session, instance)
            .await
            .map_err(broken)?;
        let answered = attempt.mark(Moment::ProbeAnswered);
        let plan = &attempt.plan;
        let readiness = survey.assess(&plan.engines, plan.method, plan.capture);
        let Some(method) = readiness.method.filter(|_| readiness.problems.is_empty()) else {
            return Err(broken(Cause::Refused {
                problems: readiness.problems,
            }));
        };
        if plan.capture == CaptureCall::CreateSnapshots {
            looker.prepare(&attempt.session).await.map_err(broken)?;
        }
        for warning in &readiness.warnings {
            warn!(%warning, "the guest warns");
        }
        info!(%method, volumes = survey.instance.volumes.len(), ms = millis(sent, answered), "probed");
        Ok(Self {
            attempt,
            survey,
            method,
        })
    }

    /// Discards what dead runs left of this image name or instance. This run does not depend on it, so what cannot be
    /// removed now is only worth a warning.
    pub(crate) async fn sweep(self) -> Result<Self, Broken> {
        match self.sweep_sessions().await {
            Ok(()) => Ok(self),
            Err(Cause::Stopped) => Err(Broken::at(Step::Sweep, Cause::Stopped)),
            Err(error) => {
                warn!(%error, "could not look for what earlier runs left");
                Ok(self)
            }
        }
    }

    async fn sweep_sessions(&self) -> Result<(), Cause> {
        let attempt = &self.attempt;
        let patience = || {
            attempt
                .patience("the removal of what earlier runs left")
                .at_most(SWEEP_LIMIT)
        };
        let sessions = patience()
            .repeat(|_| attempt.imager.leftovers(&attempt.plan.image.name))
            .await?;
        for session in sessions
            .iter()
            .filter(|session| **session != attempt.session)
        {
            match patience().repeat(|_| attempt.imager.discard(session)).await {
                Ok(left) if left.is_empty() => {
                    info!(leftover = %session, "removed what an earlier run left");
                }
                Ok(left) => {
                    warn!(leftover = %session, ?left, "an earlier run's remains are still there");
                }
                Err(Cause::Stopped) => return Err(Cause::Stopped),
                Err(error) => {
                    warn!(leftover = %session, %error, "an earlier run's remains are still there");
                }
            }
        }
        Ok(())
    }

    /// Makes the guest ready to hold.
    pub(crate) async fn arm(self) -> Result<Armed<G, I>, Broken> {
        let order = Order::new(self.attempt, self.survey, self.method);
        order.arm().await
    }
}
