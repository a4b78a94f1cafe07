//! The guest's clock seen from here. Exchanges bound it: what a report says was so between question and answer.
//!
//! Only schedules derive from it - when to let go, until when to ask. No proof does.

use std::time::Duration;

use tokio::time::Instant;

/// One question to the guest, and the uptime that its answer told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange {
    pub(crate) sent: Instant,
    pub(crate) received: Instant,
    pub(crate) uptime: Duration,
}

impl Exchange {
    /// The earliest instant here at which the guest's uptime can be `uptime`.
    pub(crate) fn earliest(&self, uptime: Duration) -> Instant {
        shifted(self.sent, self.uptime, uptime)
    }

    /// The latest instant here at which the guest's uptime can be `uptime`.
    pub(crate) fn latest(&self, uptime: Duration) -> Instant {
        shifted(self.received, self.uptime, uptime)
    }

    /// The lowest uptime that the guest can have at `instant`.
    pub(crate) fn uptime_at(&self, instant: Instant) -> Duration {
        self.uptime + instant.saturating_duration_since(self.received)
    }
}

/// `at` is when the guest's uptime was `from`; when is it `to`?
fn shifted(at: Instant, from: Duration, to: Duration) -> Instant {
    at.checked_sub(from.saturating_sub(to)).unwrap_or(at) + to.saturating_sub(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_bounds_the_guests_clock_from_both_sides() {
        let sent = Instant::now();
        let received = sent + Duration::from_secs(2);
        let exchange = Exchange {
            sent,
            received,
            uptime: Duration::from_secs(100),
        };
        let later = Duration::from_secs(130);
        assert_eq!(exchange.earliest(later), sent + Duration::from_secs(30));
        assert_eq!(exchange.latest(later), received + Duration::from_secs(30));
        assert_eq!(
            exchange.uptime_at(received + Duration::from_secs(5)),
            Duration::from_secs(105)
        );
    }
}
