//! A guest in memory that keeps the guest protocol: a lock, a dead-man's switch, writes that are held or not.

mod state;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

pub use self::state::Interval;
use self::state::State;
use super::{
    faults::{BadAnswer, Call, Event, Fault, Faults, perform},
    reply, scene,
};
use crate::ports::{Guest, GuestError, Reply, Retry, Script};

/// How long things take on the guest and on the way to it.
#[derive(Clone, Copy, Debug)]
pub struct GuestPace {
    pub dispatch: Duration,
    pub answer: Duration,
    pub flush: Duration,
}

/// One guest.
#[derive(Clone, Debug)]
pub struct FakeGuest {
    pace: GuestPace,
    faults: Faults,
    stop: CancellationToken,
    state: Arc<Mutex<State>>,
}

impl FakeGuest {
    pub fn new(pace: GuestPace, faults: Faults, stop: CancellationToken) -> Self {
        Self {
            pace,
            faults,
            stop,
            state: Arc::new(Mutex::new(State::new())),
        }
    }

    /// Every time in which writes were held, so far.
    pub fn intervals(&self) -> Vec<Interval> {
        self.state().intervals.clone()
    }

    /// Lets something happen to the guest now.
    pub fn happen(&self, event: Event) {
        let mut state = self.state();
        match event {
            Event::Reboot => state.reboot(),
            Event::ThawByHand => state.thaw_by_hand(),
            Event::AgentGone(duration) => state.unreachable_until = Instant::now() + duration,
            _ => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One delivery: none where the guest did not live to answer.
    async fn deliver(self, script: Script) -> Option<Value> {
        sleep(self.pace.dispatch).await;
        let reachable_from = self.state().unreachable_until;
        sleep_until(reachable_from).await;
        let boot = self.state().boots;
        let values = Values(script.text);
        let report = match script.purpose {
            "probe" => self.state().probe(&values),
            "arm" => self.arm(&values).await,
            "hold" => self.hold(&values).await,
            "release" => self.state().release(&values),
            other => panic!("no script of ours: {other}"),
        };
        let reachable_from = self.state().unreachable_until;
        sleep_until(reachable_from).await;
        sleep(self.pace.answer).await;
        (self.state().boots == boot).then_some(report)
    }

    async fn arm(&self, values: &Values) -> Value {
        let session = values.text("CDB_SESSION");
        if let Some(answer) = self.answer_of_twin(values, "arm").await {
            return answer;
        }
        if let Err(refusal) = self.state().admit(values) {
            return refusal;
        }
        sleep(self.pace.flush).await;
        let (armed, stands_down) = self.state().finish_arm(values);
        let switch = self.clone();
        tokio::spawn(async move {
            sleep_until(stands_down).await;
            switch.state().stand_down(&session);
        });
        armed
    }

    async fn hold(&self, values: &Values) -> Value {
        let session = values.text("CDB_SESSION");
        if let Some(answer) = self.answer_of_twin(values, "hold").await {
            return answer;
        }
        let fires = match self.state().begin_hold(values) {
            Ok(fires) => fires,
            Err(refusal) => return refusal,
        };
        let switch = self.clone();
        tokio::spawn(async move {
            sleep_until(fires).await;
            switch.state().fire(&session);
        });
        sleep(Duration::from_millis(20)).await;
        self.state().finish_hold(values)
    }

    /// What another delivery of the same script answers, once it does; none if this is the first.
    async fn answer_of_twin(&self, values: &Values, phase: &'static str) -> Option<Value> {
        if self.state().adopt(values, phase) {
            return None;
        }
        while self.state().at_work(values, phase) {
            sleep(Duration::from_millis(20)).await;
        }
        Some(self.state().answer_again(values, phase))
    }
}

impl Guest for FakeGuest {
    async fn run(&self, script: &Script, within: Duration) -> Result<Reply, GuestError> {
        let call = match script.purpose {
            "probe" => Call::Probe,
            "arm" => Call::Arm,
            "hold" => Call::Hold,
            _ => Call::Release,
        };
        let fault = self.faults.next(call);
        let retry = match fault {
            Some(Fault::Refused) => Some(Retry::Never),
            Some(Fault::Throttled) => Some(Retry::After(Duration::from_secs(5))),
            _ => None,
        };
        if let Some(retry) = retry {
            return Err(GuestError::NotSent {
                reason: "refused".to_owned(),
                retry,
            });
        }
        if let Some(Fault::Meanwhile(event)) = fault {
            self.happen(event);
        }
        let work = || self.clone().deliver(script.clone());
        let answer = tokio::time::timeout(within, perform(fault, work, &self.stop)).await;
        match answer.ok().flatten().flatten() {
            Some(report) => Ok(answered(&report, fault)),
            None => Err(GuestError::NoAnswer {
                reason: "lost".to_owned(),
                waited: within,
            }),
        }
    }
}

fn answered(report: &Value, fault: Option<Fault>) -> Reply {
    let mut report = report.clone();
    let Some(Fault::Answer(bad)) = fault else {
        return reply(&report.to_string());
    };
    match bad {
        BadAnswer::Empty => reply(""),
        BadAnswer::Noise => reply("sh: 1: /usr/sbin/fsfreeze: \u{1b}[31mnot found"),
        BadAnswer::Truncated => reply(&report.to_string()[..60]),
        BadAnswer::ForeignSession => {
            report["session"] = json!("0123456789abcdef0123456789abcdef");
            reply(&report.to_string())
        }
        BadAnswer::OtherPhase => {
            report["phase"] = json!("probe-later");
            reply(&report.to_string())
        }
    }
}

/// The values at the head of a script.
struct Values(String);

impl Values {
    /// The scene's values need no quoting beyond the quotes around them.
    fn text(&self, name: &str) -> String {
        let start = format!("\n{name}='");
        let rest = self.0.split_once(&start).map_or("", |(_, rest)| rest);
        rest.split_once('\'')
            .map_or("", |(value, _)| value)
            .to_owned()
    }

    fn millis(&self, name: &str) -> Duration {
        Duration::from_millis(self.text(name).parse().expect("a number"))
    }
}
