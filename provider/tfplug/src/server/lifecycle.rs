//! When the process may end: asked to, or left alone, and never before its work is done.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::signals::Signals;
use crate::Tasks;

/// Terraform connects at once after the handshake, and gives up on a provider after one minute (go-plugin's
/// `StartTimeout`).
const FIRST_CONNECTION: Duration = Duration::from_mins(1);
/// A lost connection usually means that Terraform is gone; a gRPC client that lives reconnects within this.
const RECONNECTION: Duration = Duration::from_secs(5);

/// The process's life, shared by everything that can end it or has to know.
#[derive(Clone, Debug, Default)]
pub(super) struct Lifecycle {
    stop: CancellationToken,
    exit: CancellationToken,
    tasks: Tasks,
    /// How many connections are open; `None` before the first.
    connections: watch::Sender<Option<usize>>,
}

/// How long to stay without a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    UntilAbandoned,
    /// Debugging: one Terraform after another attaches.
    Endless,
}

/// Counts as one open connection while it lives, and stops that connection's calls when it goes.
#[derive(Debug)]
pub(super) struct Presence {
    connections: watch::Sender<Option<usize>>,
    stop: CancellationToken,
}

impl Lifecycle {
    pub(super) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Cancelled when all work is done and only the last answers have yet to leave.
    pub(super) fn exiting(&self) -> &CancellationToken {
        &self.exit
    }

    /// A new connection, and the token that stops its calls.
    pub(super) fn connect(&self) -> (Presence, CancellationToken) {
        self.connections
            .send_modify(|open| *open = Some(open.unwrap_or(0) + 1));
        let stop = self.stop.child_token();
        let presence = Presence {
            connections: self.connections.clone(),
            stop: stop.clone(),
        };
        (presence, stop)
    }

    /// Stops every call, and returns once the work that has to be finished is.
    pub(super) async fn wind_down(&self) {
        self.stop.cancel();
        self.tasks.finished().await;
        self.exit.cancel();
    }

    /// Resolves when the process may exit.
    pub(super) async fn over(&self, patience: Patience, mut signals: Signals) {
        tokio::select! {
            () = self.exit.cancelled() => return,
            () = signals.terminated() => tracing::info!("asked to terminate"),
            () = self.abandoned(patience) => tracing::warn!("Terraform is gone"),
        }
        self.wind_down().await;
    }

    async fn abandoned(&self, patience: Patience) {
        if patience == Patience::Endless {
            return std::future::pending().await;
        }
        let mut connections = self.connections.subscribe();
        let mut grace = FIRST_CONNECTION;
        loop {
            let connected = connections.wait_for(|open| open.is_some_and(|open| open > 0));
            if tokio::time::timeout(grace, connected).await.is_err() {
                return;
            }
            // The sender lives in `self`, so both waits end only with what they wait for.
            let _ = connections.wait_for(|open| *open == Some(0)).await;
            grace = RECONNECTION;
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.stop.cancel();
        self.connections
            .send_modify(|open| *open = open.map(|open| open.saturating_sub(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_for_the_first_client_and_for_its_return() {
        let lifecycle = Lifecycle::default();
        let waiting = tokio::spawn({
            let lifecycle = lifecycle.clone();
            async move { lifecycle.abandoned(Patience::UntilAbandoned).await }
        });
        tokio::time::sleep(FIRST_CONNECTION / 2).await;
        let (first, stop) = lifecycle.connect();
        tokio::time::sleep(FIRST_CONNECTION * 100).await;
        assert!(!waiting.is_finished() && !stop.is_cancelled());

        drop(first);
        assert!(stop.is_cancelled());
        tokio::time::sleep(RECONNECTION / 2).await;
        let (second, stop) = lifecycle.connect();
        assert!(!stop.is_cancelled());
        tokio::time::sleep(RECONNECTION * 2).await;
        assert!(!waiting.is_finished());

        drop(second);
        tokio::time::sleep(RECONNECTION * 2).await;
        assert!(waiting.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn winding_down_stops_calls_and_waits_for_work() {
        let lifecycle = Lifecycle::default();
        let (_presence, stop) = lifecycle.connect();
        let work = lifecycle.tasks().spawn(async move {
            stop.cancelled().await;
            tokio::time::sleep(Duration::from_mins(5)).await;
        });
        assert!(!lifecycle.exiting().is_cancelled());
        lifecycle.wind_down().await;
        assert!(work.is_finished() && lifecycle.exiting().is_cancelled());
    }
}
