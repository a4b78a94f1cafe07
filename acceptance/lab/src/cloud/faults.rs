//! What goes wrong, when: faults tied to API calls.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::lock;

/// One thing that goes wrong at certain calls.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    #[serde(flatten)]
    pub on: Trigger,
    pub effect: Effect,
}

impl Fault {
    /// At every call of `action`, e.g. `ec2:CreateImage`.
    pub fn on(action: &str, effect: Effect) -> Self {
        Self {
            on: Trigger {
                action: action.to_owned(),
                ..Trigger::default()
            },
            effect,
        }
    }

    /// At one call only: the next one.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.on.times = Some(1);
        self
    }

    /// Lets `calls` matching calls pass first.
    #[must_use]
    pub fn after(mut self, calls: u32) -> Self {
        self.on.skip = calls;
        self
    }

    /// Only at calls whose request has this text.
    #[must_use]
    pub fn containing(mut self, text: &str) -> Self {
        self.on.containing = Some(text.to_owned());
        self
    }
}

/// Which calls.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Trigger {
    /// `<service>:<Action>`; `ec2:*` and `*` are understood.
    pub action: String,
    /// A text that the decoded request must have, e.g. a script's purpose in SSM's `Comment`.
    #[serde(default)]
    pub containing: Option<String>,
    /// This many matching calls pass first.
    #[serde(default)]
    pub skip: u32,
    /// At most this many calls are affected; unlimited where absent.
    #[serde(default)]
    pub times: Option<u32>,
}

/// What happens. Times in ms.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// The call takes this much longer, before the work is done.
    DelayBefore { ms: u64 },
    /// The call takes this much longer, after the work was done.
    DelayAfter { ms: u64 },
    /// Refused, nothing was done.
    Error {
        code: String,
        message: String,
        status: u16,
    },
    /// The work was done, and yet the answer is an error.
    ErrorAfter {
        code: String,
        message: String,
        status: u16,
    },
    /// The connection is closed, nothing was done.
    Drop,
    /// The work was done, the answer is lost: the connection is closed.
    DropAfter,
    /// A token bucket: `burst` calls pass, refilled at `per_second`; the others get `RequestLimitExceeded`.
    Throttle { burst: f64, per_second: f64 },

    /// This image's snapshot of `device` (every device where absent) is taken this much later than it would be.
    SnapshotLate { device: Option<String>, ms: u64 },
    /// This image is made without `device`.
    OmitVolume { device: String },
    /// This image becomes `failed` after `ms`.
    ImageFails { reason: String, ms: u64 },
    /// This image's snapshot of `device` ends in `error`.
    SnapshotFails { device: String },
    /// This image is registered without the billing that its snapshots should have told.
    BillingLost,

    /// The command is not run: Success, exit code 0, empty output (as moto answers).
    EmptySuccess,
    /// The command is delivered a second time, `ms` after the first.
    DeliverTwice { ms: u64 },
    /// The agent of every instance loses its connection `ms` from now and finds no service for `for_ms`.
    AgentOffline { ms: u64, for_ms: u64 },
    /// Every running instance is rebooted `ms` from now.
    Reboot { ms: u64 },
}

/// The faults in force.
#[derive(Default)]
pub(crate) struct Faults {
    active: Mutex<Vec<Active>>,
    next: AtomicU64,
}

struct Active {
    id: u64,
    fault: Fault,
    passed: u32,
    fired: u32,
    bucket: Option<Bucket>,
}

impl Faults {
    /// Puts a fault in force and returns its number.
    pub(crate) fn add(&self, fault: Fault) -> u64 {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let bucket = match fault.effect {
            Effect::Throttle { burst, per_second } => Some(Bucket::full(burst, per_second)),
            _ => None,
        };
        lock(&self.active).push(Active {
            id,
            fault,
            passed: 0,
            fired: 0,
            bucket,
        });
        id
    }

    /// Lifts one fault; false where there was none of this number.
    pub(crate) fn lift(&self, id: u64) -> bool {
        let mut active = lock(&self.active);
        let before = active.len();
        active.retain(|a| a.id != id);
        active.len() < before
    }

    pub(crate) fn clear(&self) {
        lock(&self.active).clear();
    }

    /// What happens at this call. Counts the call.
    pub(crate) fn at(&self, action: &str, request: &str) -> Vec<Effect> {
        lock(&self.active)
            .iter_mut()
            .filter(|active| active.fault.on.matches(action, request))
            .filter_map(Active::fire)
            .collect()
    }
}

impl Trigger {
    fn matches(&self, action: &str, request: &str) -> bool {
        super::wildcard::matches(&self.action, action)
            && self
                .containing
                .as_ref()
                .is_none_or(|text| request.contains(text))
    }
}

impl Active {
    fn fire(&mut self) -> Option<Effect> {
        if self.passed < self.fault.on.skip {
            self.passed += 1;
            return None;
        }
        if self.fault.on.times.is_some_and(|times| self.fired >= times) {
            return None;
        }
        if self.bucket.as_mut().is_some_and(Bucket::take) {
            return None;
        }
        self.fired += 1;
        Some(self.fault.effect.clone())
    }
}

/// AWS's throttling model: requests take tokens, which come back at a steady rate.
struct Bucket {
    tokens: f64,
    burst: f64,
    per_second: f64,
    refilled: Instant,
}

impl Bucket {
    fn full(burst: f64, per_second: f64) -> Self {
        Self {
            tokens: burst,
            burst,
            per_second,
            refilled: Instant::now(),
        }
    }

    fn take(&mut self) -> bool {
        let elapsed: Duration = self.refilled.elapsed();
        self.refilled = Instant::now();
        self.tokens = (self.tokens + elapsed.as_secs_f64() * self.per_second).min(self.burst);
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATE: &str = "ec2:CreateImage";

    #[test]
    fn the_nth_call_only() {
        let faults = Faults::default();
        faults.add(Fault::on(CREATE, Effect::Drop).after(1).once());
        let seen: Vec<usize> = (0..4).map(|_| faults.at(CREATE, "").len()).collect();
        assert_eq!(seen, [0, 1, 0, 0]);
    }

    #[test]
    fn other_calls_and_other_requests_pass() {
        let faults = Faults::default();
        let id = faults.add(Fault::on("ssm:*", Effect::EmptySuccess).containing("release"));
        assert!(faults.at(CREATE, "release").is_empty());
        assert!(faults.at("ssm:SendCommand", "hold").is_empty());
        assert_eq!(faults.at("ssm:SendCommand", "the release").len(), 1);
        assert!(faults.lift(id) && !faults.lift(id));
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_refills() {
        let faults = Faults::default();
        faults.add(Fault::on(
            "*",
            Effect::Throttle {
                burst: 2.0,
                per_second: 1.0,
            },
        ));
        let throttled = || faults.at(CREATE, "").len();
        assert_eq!([throttled(), throttled(), throttled()], [0, 0, 1]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!([throttled(), throttled()], [0, 1]);
    }

    #[test]
    fn a_fault_reads_from_json() {
        let text = r#"{"action":"ec2:CreateImage","times":1,"effect":{"kind":"drop_after"}}"#;
        let fault: Fault = serde_json::from_str(text).unwrap();
        assert_eq!(fault, Fault::on(CREATE, Effect::DropAfter).once());
    }
}
