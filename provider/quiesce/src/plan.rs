//! What a run is asked to do, validated.

use std::{collections::BTreeMap, time::Duration};

use crate::{capture::CaptureCall, engines::Options, method::Choice};

/// One image of one instance's databases.
#[derive(Clone, Debug)]
pub struct Plan {
    pub image: ImagePlan,
    /// One engine or more: one hold over all.
    pub engines: Vec<Options>,
    pub method: Choice,
    pub capture: CaptureCall,
    pub max_hold: MaxHold,
    pub attempts: Attempts,
    /// From the start of the work to the seal. Undoing what failed may take longer.
    pub within: Duration,
    /// How much of it was over before the run starts.
    pub spent: Duration,
}

impl Plan {
    /// From the start of the run to the seal.
    pub(crate) fn left(&self) -> Duration {
        self.within.saturating_sub(self.spent)
    }
}

/// The image to make.
#[derive(Clone, Debug, Default)]
pub struct ImagePlan {
    pub name: String,
    pub description: String,
    /// The user's own tags for the image.
    pub tags: BTreeMap<String, String>,
    /// The user's own tags for the snapshots.
    pub snapshot_tags: BTreeMap<String, String>,
}

/// How long writes may be held, at most: the guest lets go by itself after this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxHold(Duration);

impl MaxHold {
    /// Below this nothing can be captured: releasing alone takes SSM 2.4 s (FACTS.md part C, 1).
    pub const MIN_SECONDS: u64 = 5;
    /// Beyond this the kernel calls every process that waits for a frozen file system hung, and panics where it is told
    /// to (`kernel.hung_task_timeout_secs`, 120 by default).
    pub const MAX_SECONDS: u64 = 120;

    pub fn from_seconds(seconds: u64) -> Result<Self, OutOfRange> {
        let range = (Self::MIN_SECONDS, Self::MAX_SECONDS);
        within(seconds, range).map(Duration::from_secs).map(Self)
    }

    pub fn as_duration(self) -> Duration {
        self.0
    }
}

impl Default for MaxHold {
    /// 60 s.
    fn default() -> Self {
        Self(Duration::from_mins(1))
    }
}

/// How often writes are held, at most, where the service says "too soon": 1 to 10 times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts(u32);

impl Attempts {
    pub const MIN: u64 = 1;
    pub const MAX: u64 = 10;

    pub fn new(count: u64) -> Result<Self, OutOfRange> {
        let count = within(count, (Self::MIN, Self::MAX))?;
        Ok(Self(u32::try_from(count).expect("10 fits")))
    }

    pub fn as_u32(self) -> u32 {
        self.0
    }
}

impl Default for Attempts {
    /// 3.
    fn default() -> Self {
        Self(3)
    }
}

/// Not in the range that is allowed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{value} is out of range: {min} to {max}")]
pub struct OutOfRange {
    pub value: u64,
    pub min: u64,
    pub max: u64,
}

fn within(value: u64, (min, max): (u64, u64)) -> Result<u64, OutOfRange> {
    if (min..=max).contains(&value) {
        Ok(value)
    } else {
        Err(OutOfRange { value, min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_lasts_5_to_120_seconds_and_a_run_holds_1_to_10_times() {
        assert_eq!(
            MaxHold::from_seconds(5).map(MaxHold::as_duration),
            Ok(Duration::from_secs(5))
        );
        assert_eq!(
            MaxHold::from_seconds(121),
            Err(OutOfRange {
                value: 121,
                min: 5,
                max: 120
            })
        );
        assert!(MaxHold::from_seconds(4).is_err());
        assert_eq!(Attempts::new(10).map(Attempts::as_u32), Ok(10));
        assert!(Attempts::new(0).is_err() && Attempts::new(11).is_err());
    }
}
