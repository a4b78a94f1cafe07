//! What can go wrong with a call, and a plan of what does.

use std::{
    collections::BTreeMap,
    fmt,
    future::{Future, pending},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Every call that the proof makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    Probe,
    Arm,
    Hold,
    Release,
    Instance,
    Leftovers,
    Prepare,
    Begin,
    Register,
    Observe,
    Seal,
    Discard,
}

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Refused for good, nothing done.
    Refused,
    /// Refused for now, nothing done.
    Throttled,
    /// Done, but the connection broke before the answer.
    LostAnswer,
    /// Nothing done, no answer, ever.
    Hang,
    /// Done, no answer, ever.
    HangAfter,
    /// Done only after this long, then answered.
    Slow(Duration),
    /// Done at once, answered after this long.
    Late(Duration),
    /// Done again, this long after the first time.
    Twice(Duration),
    /// Done, the answer lost; done again after this long, and that is answered: an agent that was restarted.
    Resubmitted(Duration),
    /// Done; the answer of a guest is replaced.
    Answer(BadAnswer),
    /// The port itself panics.
    Panic,
    /// The user stops the run at this moment.
    Stop,
    /// Something else happens at this moment.
    Meanwhile(Event),
}

/// What a guest's answer can be instead of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadAnswer {
    Empty,
    Noise,
    Truncated,
    ForeignSession,
    OtherPhase,
}

/// What can happen to guest and service while a run is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Reboot,
    /// Somebody lets go by hand.
    ThawByHand,
    /// The agent is out of reach for this long.
    AgentGone(Duration),
    /// One volume's snapshot ends in error.
    SnapshotFails,
    ImageFails,
    /// Images that are registered lose what their source is billed as.
    BillingLost,
    /// One volume's snapshot is initiated, or of a call that makes all at once: listed, this much later than the others.
    SnapshotLags(Duration),
    /// A volume is attached that nobody knew of.
    VolumeAttached,
    /// A volume is detached.
    VolumeDetached,
}

/// One fault, at one call, for one time or more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub call: Call,
    /// The first occurrence of the call that it hits, from 0.
    pub from: usize,
    /// How many occurrences it hits.
    pub times: usize,
    pub fault: Fault,
}

/// The faults of one run, and the record of its calls.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    rules: Vec<Rule>,
    counts: BTreeMap<Call, usize>,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = if self.times == usize::MAX {
            "on".to_owned()
        } else {
            format!("x{}", self.times)
        };
        write!(f, "{:?}#{}{times}: {:?}", self.call, self.from, self.fault)
    }
}

impl Faults {
    pub fn new(rules: &[Rule]) -> Self {
        Self(Arc::new(Mutex::new(Plan {
            rules: rules.to_vec(),
            counts: BTreeMap::new(),
        })))
    }

    /// No fault from now on.
    pub fn clear(&self) {
        self.plan().rules.clear();
    }

    /// How often each call was made.
    pub fn counts(&self) -> BTreeMap<Call, usize> {
        self.plan().counts.clone()
    }

    /// Counts a call, and tells what goes wrong with it.
    pub(crate) fn next(&self, call: Call) -> Option<Fault> {
        let mut plan = self.plan();
        let count = plan.counts.entry(call).or_default();
        let number = *count;
        *count += 1;
        let hit = |rule: &&Rule| {
            rule.call == call && number >= rule.from && number - rule.from < rule.times
        };
        plan.rules.iter().find(hit).map(|rule| rule.fault)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does `work` elsewhere, so that it goes on when nobody waits any more, and answers as `fault` lets it.
pub(crate) async fn perform<T, F, Fut>(
    fault: Option<Fault>,
    work: F,
    stop: &CancellationToken,
) -> Option<T>
where
    T: Send + 'static,
    F: Fn() -> Fut,
    Fut: Future<Output = T> + Send + 'static,
{
    let begin = |after: Duration| {
        let (at, work) = (Instant::now() + after, work());
        tokio::spawn(async move {
            sleep_until(at).await;
            work.await
        })
    };
    let (delay_before, delay_after) = match fault {
        Some(Fault::Slow(delay) | Fault::Resubmitted(delay)) => (delay, Duration::ZERO),
        Some(Fault::Late(delay)) => (Duration::ZERO, delay),
        _ => (Duration::ZERO, Duration::ZERO),
    };
    match fault {
        Some(Fault::Hang) => pending().await,
        Some(Fault::Panic) => panic!("a port that panics"),
        Some(Fault::Twice(later)) => drop(begin(later)),
        Some(Fault::Resubmitted(_)) => drop(begin(Duration::ZERO)),
        Some(Fault::Stop) => stop.cancel(),
        _ => {}
    }
    let done = begin(delay_before).await.expect("a fake does not panic");
    sleep(delay_after).await;
    match fault {
        Some(Fault::HangAfter) => pending().await,
        Some(Fault::LostAnswer) => None,
        _ => Some(done),
    }
}
