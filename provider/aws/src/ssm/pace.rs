//! How often to ask for a command's answer: densely while writes may be held, kindly when a wait is long.

use std::time::{Duration, Instant};

/// The agent's own share of a round trip is 30 to 70 ms (FACTS.md part C, 1): asking more often gains nothing.
const DENSE: Duration = Duration::from_millis(50);
/// The most that polling may add to a hold. Holds last a minute at most by default.
const SHORT: Duration = Duration::from_millis(250);
/// No hold is this old by default, so nothing is waiting for the answer with writes held.
const LONG_AFTER: Duration = Duration::from_mins(1);
const LONG: Duration = Duration::from_secs(2);
/// After a throttle or a lost connection, doubling with each that follows.
const SETBACK: Duration = Duration::from_millis(250);
const WORST: Duration = Duration::from_secs(4);

/// The rhythm of one command's polls.
pub(super) struct Pace {
    started: Instant,
    failures: u32,
}

impl Pace {
    pub(super) fn start() -> Self {
        Self {
            started: Instant::now(),
            failures: 0,
        }
    }

    pub(super) fn answered(&mut self) {
        self.failures = 0;
    }

    pub(super) fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// How long to wait before the next poll.
    pub(super) fn next(&self) -> Duration {
        wait(self.started.elapsed(), self.failures)
    }
}

/// A sixteenth of the time waited already, so that an answer is seen at most so much later than it came.
fn wait(waited: Duration, failures: u32) -> Duration {
    let most = if waited < LONG_AFTER { SHORT } else { LONG };
    let regular = (waited / 16).clamp(DENSE, most);
    let setback = match failures.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => SETBACK.saturating_mul(1 << doublings.min(10)).min(WORST),
    };
    regular.max(setback)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn dense_at_first_then_a_sixteenth_then_slow() {
        for (waited, expected) in [
            (0, 50),
            (800, 50),
            (1_600, 100),
            (4_000, 250),
            (59_999, 250),
            (60_000, 2_000),
        ] {
            assert_eq!(wait(ms(waited), 0), ms(expected), "after {waited} ms");
        }
    }

    #[test]
    fn failures_double_the_wait_up_to_four_seconds_and_an_answer_ends_that() {
        let waits: Vec<_> = (1..=6).map(|failures| wait(ms(100), failures)).collect();
        assert_eq!(
            waits,
            [ms(250), ms(500), ms(1_000), ms(2_000), ms(4_000), ms(4_000)]
        );
        assert_eq!(wait(ms(100), u32::MAX), WORST);

        let mut pace = Pace::start();
        pace.failed();
        assert!(pace.next() >= SETBACK);
        pace.answered();
        assert!(pace.next() < SETBACK);
    }
}
