//! The one clock of everything the lab measures: the kernel's monotonic clock, which no clock jump moves, and which
//! the kernel's own trace events carry too.

use std::{fmt, ops::Sub, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// An instant of `CLOCK_MONOTONIC`, in microseconds since boot: comparable between processes of one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Monotonic(u64);

impl Monotonic {
    pub fn now() -> Self {
        let now = clock_gettime(ClockId::Monotonic);
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or_default();
        Self(seconds * 1_000_000 + nanoseconds / 1_000)
    }

    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago this was; zero for an instant yet to come.
    pub fn elapsed(self) -> Duration {
        Self::now() - self
    }
}

impl Sub for Monotonic {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Monotonic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_never_negative() {
        let early = Monotonic::from_micros(5_000_000);
        let late = Monotonic::from_micros(5_250_000);
        assert_eq!(late - early, Duration::from_millis(250));
        assert_eq!(early - late, Duration::ZERO);
    }

    #[test]
    fn it_is_the_clock_that_the_kernel_traces_with() {
        assert_eq!(
            Monotonic::from_micros(1_431_432_942).to_string(),
            "1431.432942"
        );
        assert!(Monotonic::now() <= Monotonic::now());
    }
}
