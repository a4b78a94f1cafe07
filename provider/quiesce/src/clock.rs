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
    fn earliest(&self, uptime: Duration) -> Instant {
        shifted(self.sent, self.uptime, uptime)
    }

    fn latest(&self, uptime: Duration) -> Instant {
        shifted(self.received, self.uptime, uptime)
    }

    fn uptime_at(&self, instant: Instant) -> Duration {
        self.uptime + instant.saturating_duration_since(self.received)
    }
}

/// The guest's clock as several exchanges of one boot bound it: each bound is the tightest of theirs.
#[derive(Clone, Debug)]
pub(crate) struct GuestClock {
    first: Exchange,
    more: Vec<Exchange>,
}

impl GuestClock {
    pub(crate) fn new(first: Exchange) -> Self {
        let more = Vec::new();
        Self { first, more }
    }

    pub(crate) fn learn(&mut self, exchange: Exchange) {
        self.more.push(exchange);
    }

    /// The earliest instant here at which the guest's uptime can be `uptime`.
    pub(crate) fn earliest(&self, uptime: Duration) -> Instant {
        let first = self.first.earliest(uptime);
        let more = self.more.iter().map(|exchange| exchange.earliest(uptime));
        more.fold(first, Instant::max)
    }

    /// The latest instant here at which the guest's uptime can be `uptime`.
    pub(crate) fn latest(&self, uptime: Duration) -> Instant {
        let first = self.first.latest(uptime);
        let more = self.more.iter().map(|exchange| exchange.latest(uptime));
        more.fold(first, Instant::min)
    }

    /// The lowest uptime that the guest can have at `instant`.
    pub(crate) fn uptime_at(&self, instant: Instant) -> Duration {
        let first = self.first.uptime_at(instant);
        let more = self.more.iter().map(|exchange| exchange.uptime_at(instant));
        more.fold(first, Duration::max)
    }
}

/// `at` is when the guest's uptime was `from`; when is it `to`?
fn shifted(at: Instant, from: Duration, to: Duration) -> Instant {
    at.checked_sub(from.saturating_sub(to)).unwrap_or(at) + to.saturating_sub(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(sent: Instant, took: u64, uptime: u64) -> Exchange {
        Exchange {
            sent,
            received: sent + Duration::from_secs(took),
            uptime: Duration::from_secs(uptime),
        }
    }

    #[test]
    fn an_answer_bounds_the_guests_clock_from_both_sides() {
        let sent = Instant::now();
        let clock = GuestClock::new(exchange(sent, 2, 100));
        let later = Duration::from_secs(130);
        assert_eq!(clock.earliest(later), sent + Duration::from_secs(30));
        assert_eq!(clock.latest(later), sent + Duration::from_secs(32));
        assert_eq!(
            clock.uptime_at(sent + Duration::from_secs(7)),
            Duration::from_secs(105)
        );
    }

    /// A late answer bounds the clock badly on one side; another one may know better.
    #[test]
    fn of_several_answers_the_tightest_bound_counts() {
        let start = Instant::now();
        let mut clock = GuestClock::new(exchange(start, 2, 101));
        clock.learn(exchange(start + Duration::from_secs(10), 300, 111));
        let later = Duration::from_secs(500);
        assert_eq!(clock.earliest(later), start + Duration::from_secs(399));
        assert_eq!(clock.latest(later), start + Duration::from_secs(401));
        assert_eq!(
            clock.uptime_at(start + Duration::from_secs(400)),
            Duration::from_secs(499)
        );
    }
}
