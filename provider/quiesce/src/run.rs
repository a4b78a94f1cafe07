//! One run: attempts, each supervised, until one is sealed or none can help.

use std::{any::Any, sync::Arc, time::Duration};

use tokio::{
    task::JoinError,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info, info_span};

use crate::{
    error::{Cause, Database, Failure, ImageFate, Step},
    evidence::Proof,
    plan::Plan,
    ports::{Guest, Imager},
    protocol::{
        attempt::{Attempt, Broken, Recorder},
        probe::Probed,
        undo::undo,
    },
};

impl Plan {
    /// Makes a proven image, or none.
    ///
    /// Cancel `stop` to end the run early: writes are let go at once, what was begun is discarded, and the failure says
    /// so. Dropping the returned future means the same, but its answer is lost; the run goes on by itself in both cases
    /// until everything is undone, so the runtime has to live until then.
    pub async fn execute<G: Guest, I: Imager>(
        self,
        guest: Arc<G>,
        imager: Arc<I>,
        stop: CancellationToken,
    ) -> Result<Proof, Failure> {
        let stop = stop.child_token();
        let _dropping_means_stop = stop.clone().drop_guard();
        let run = Run {
            plan: Arc::new(self),
            guest,
            imager,
            stop,
            recorder: Recorder::start(),
        };
        let span = info_span!("image", name = %run.plan.image.name);
        tokio::spawn(run.drive().instrument(span))
            .await
            .expect("the supervisor neither panics nor is aborted")
    }
}

struct Run<G, I> {
    plan: Arc<Plan>,
    guest: Arc<G>,
    imager: Arc<I>,
    stop: CancellationToken,
    recorder: Arc<Recorder>,
}

impl<G: Guest, I: Imager> Run<G, I> {
    async fn drive(self) -> Result<Proof, Failure> {
        let mut number = 1;
        loop {
            let failure = match self.attempt(number).await {
                Ok(proof) => return Ok(proof),
                Err(failure) => failure,
            };
            let Some(wait) = self.wait_before_retry(&failure) else {
                error!(%failure, "no image");
                return Err(failure);
            };
            info!(%failure, seconds = wait.as_secs(), "holding again later");
            tokio::select! {
                () = sleep(wait) => number += 1,
                () = self.stop.cancelled() => return Err(Failure { cause: Cause::Stopped, ..failure }),
            }
        }
    }

    /// One session, from probe to seal; what it leaves undone is undone, even after a panic.
    async fn attempt(&self, number: u32) -> Result<Proof, Failure> {
        let parts = (
            Arc::clone(&self.plan),
            Arc::clone(&self.guest),
            Arc::clone(&self.imager),
        );
        let attempt = Arc::new(Attempt::new(
            parts,
            self.stop.clone(),
            number,
            Arc::clone(&self.recorder),
        ));
        let span = info_span!("attempt", session = %attempt.session, number);
        let work = tokio::spawn(prove(Arc::clone(&attempt)).instrument(span.clone()));
        let broken = match work.await {
            Ok(Ok(proof)) => return Ok(proof),
            Ok(Err(broken)) => broken,
            Err(panic) => Broken::at(self.step_under_way(), defect(panic)),
        };
        let (database, image) = undo(&attempt).instrument(span).await;
        Err(self.failure(&attempt, broken, database, image))
    }

    fn step_under_way(&self) -> Step {
        let timeline = self.recorder.timeline();
        timeline
            .marks
            .last()
            .map_or(Step::Probe, |mark| mark.moment.leads_into())
    }

    fn failure(
        &self,
        attempt: &Attempt<G, I>,
        broken: Broken,
        database: Database,
        image: ImageFate,
    ) -> Failure {
        let Broken { step, cause, links } = broken;
        Failure {
            step,
            cause,
            broken: links,
            database,
            image,
            attempts: attempt.number,
            session: attempt.session.clone(),
            timeline: self.recorder.timeline(),
        }
    }

    /// Holding again helps where the service asked for time before anything was captured, and only after everything is
    /// undone.
    fn wait_before_retry(&self, failure: &Failure) -> Option<Duration> {
        let wait = failure.cause.retry_after()?;
        let early = matches!(failure.step, Step::Arm | Step::Hold | Step::Capture);
        let undone = matches!(failure.database, Database::NeverHeld | Database::Released)
            && matches!(failure.image, ImageFate::None | ImageFate::Discarded);
        let in_time = Instant::now() + wait < self.recorder.started + self.plan.left();
        let allowed = failure.attempts < self.plan.attempts.as_u32();
        (early && undone && in_time && allowed && !self.stop.is_cancelled()).then_some(wait)
    }
}

/// The proof, link by link.
async fn prove<G: Guest, I: Imager>(attempt: Arc<Attempt<G, I>>) -> Result<Proof, Broken> {
    let probed = Probed::ask(attempt).await?.sweep().await?;
    let armed = probed.arm().await?;
    let held = armed.hold().await?;
    let captured = held.capture().await;
    let released = captured.release().await?;
    let settled = released.settle().await?;
    settled.seal().await
}

fn defect(error: JoinError) -> Cause {
    let payload: Box<dyn Any + Send> = match error.try_into_panic() {
        Ok(payload) => payload,
        Err(cancelled) => Box::new(cancelled.to_string()),
    };
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    Cause::Defect(text.unwrap_or("a panic without words").into())
}
