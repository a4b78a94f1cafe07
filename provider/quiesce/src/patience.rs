//! Waiting while nothing is held: repeated calls, each bounded, all of them bounded, at a pace that eases off.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::{
    error::Cause,
    ports::{GuestError, ImagerError, Retry},
};

/// A single call without an answer after this long is given up and made again.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// Waits that grow by half each time, from one bound to the other.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    next: Duration,
    longest: Duration,
}

impl Pace {
    pub(crate) fn new(shortest: Duration, longest: Duration) -> Self {
        Self {
            next: shortest,
            longest,
        }
    }

    /// 1 s, rising to 15 s.
    pub(crate) fn patient() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(15))
    }

    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 3 / 2).min(self.longest);
        wait
    }
}

/// An error of a port, as far as repeating the call is concerned.
pub(crate) trait Transient: Into<Cause> + std::fmt::Display {
    /// The shortest wait after which the call may succeed; none where it never will.
    fn retry_after(&self) -> Option<Duration>;
}

impl Transient for ImagerError {
    fn retry_after(&self) -> Option<Duration> {
        match self.retry {
            Retry::After(wait) => Some(wait),
            // The answer was lost: whoever repeats a safe call finds out.
            Retry::Never if self.maybe_done => Some(Duration::ZERO),
            Retry::Never => None,
        }
    }
}

impl ImagerError {
    /// What a call that was given up comes to.
    pub(crate) fn unanswered(action: &'static str, waited: Duration) -> Self {
        Self {
            action,
            code: String::new(),
            message: format!("no answer within {} s", waited.as_secs()),
            retry: Retry::After(Duration::ZERO),
            maybe_done: true,
        }
    }
}

impl Transient for GuestError {
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NotSent {
                retry: Retry::After(wait),
                ..
            } => Some(*wait),
            Self::NotSent {
                retry: Retry::Never,
                ..
            } => None,
            Self::NoAnswer { .. } => Some(Duration::ZERO),
        }
    }
}

/// How long to go on, and what ends the waiting before.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    pub(crate) waited_for: &'static str,
    pub(crate) until: Instant,
    /// For the message.
    pub(crate) limit: Duration,
    pub(crate) stop: CancellationToken,
}

impl Patience {
    /// The same, but not beyond `limit` from now.
    pub(crate) fn at_most(self, limit: Duration) -> Self {
        let until = Instant::now() + limit;
        if until < self.until {
            Self {
                until,
                limit,
                ..self
            }
        } else {
            self
        }
    }

    /// Repeats `call`, which must be safe to repeat, until it succeeds or fails for good. It is told how long it has.
    pub(crate) async fn repeat<T, E, F, Fut>(&self, mut call: F) -> Result<T, Cause>
    where
        E: Transient,
        F: FnMut(Duration) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let mut pace = Pace::patient();
        let mut last = None;
        while Instant::now() < self.until {
            let within = CALL_LIMIT.min(self.until.saturating_duration_since(Instant::now()));
            let wait = match self.unless_stopped(timeout(within, call(within))).await? {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(error)) => {
                    debug!(waited_for = self.waited_for, %error, "not yet");
                    let Some(wait) = error.retry_after() else {
                        return Err(error.into());
                    };
                    last = Some(error);
                    wait.max(pace.next())
                }
                Err(_elapsed) => Duration::ZERO,
            };
            self.pause(wait).await?;
        }
        Err(last.map_or_else(|| self.timed_out(), Into::into))
    }

    /// Waits, but not longer than the patience lasts.
    pub(crate) async fn pause(&self, wait: Duration) -> Result<(), Cause> {
        let until = self.until.min(Instant::now() + wait);
        self.unless_stopped(sleep_until(until)).await
    }

    pub(crate) fn timed_out(&self) -> Cause {
        Cause::TimedOut {
            waited_for: self.waited_for,
            limit: self.limit,
        }
    }

    async fn unless_stopped<T>(&self, future: impl Future<Output = T>) -> Result<T, Cause> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Cause::Stopped),
            done = future => Ok(done),
        }
    }
}
