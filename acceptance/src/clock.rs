//! The one clock of everything that is compared: `CLOCK_MONOTONIC`, as time since the machine's boot.

use std::time::Duration;

use lab::host::Monotonic;

/// Now.
pub fn now() -> Duration {
    since_boot(Monotonic::now())
}

/// An instant of the lab's.
pub fn since_boot(instant: Monotonic) -> Duration {
    Duration::from_micros(instant.as_micros())
}
