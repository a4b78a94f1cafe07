//! What the guest remembers: the lock, the sessions that are over, and when writes were really held.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Values, scene};

/// A time in which writes were held.
#[derive(Clone, Debug)]
pub struct Interval {
    pub session: String,
    /// The first write was held.
    pub began: Instant,
    /// Every write was held.
    pub held: Instant,
    /// Writes went on; none while they are still held.
    pub ended: Option<Instant>,
    pub ended_by_switch: bool,
}

#[derive(Debug)]
pub(super) struct State {
    booted: Instant,
    pub(super) boots: u32,
    pub(super) unreachable_until: Instant,
    hold: Option<Hold>,
    /// Sessions that are over, with their release's report.
    done: BTreeMap<String, Value>,
    /// Session and phase of every script that came first.
    adopted: BTreeSet<(String, &'static str)>,
    /// What those answered.
    answers: BTreeMap<(String, &'static str), Value>,
    pub(super) intervals: Vec<Interval>,
}

/// The lock and what is known under it.
#[derive(Clone, Debug)]
struct Hold {
    session: String,
    armed: bool,
    /// None while nothing is held.
    began: Option<Instant>,
    complete: bool,
    thawed_by_hand: bool,
}

impl State {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            booted: now,
            boots: 0,
            unreachable_until: now,
            hold: None,
            done: BTreeMap::new(),
            adopted: BTreeSet::new(),
            answers: BTreeMap::new(),
            intervals: Vec::new(),
        }
    }

    pub(super) fn uptime_ms(&self, at: Instant) -> u64 {
        1_000_000 + u64::try_from((at - self.booted).as_millis()).expect("small")
    }

    pub(super) fn boot_id(&self) -> String {
        format!("{}{}", &scene::BOOT_ID[..35], self.boots % 10)
    }

    /// The common part around `body`.
    pub(super) fn report(&self, values: &Values, phase: &str, body: &Value) -> Value {
        let mut report = json!({
            "report": 1, "session": values.text("CDB_SESSION"), "phase": phase, "boot_id": self.boot_id(),
            "uptime_ms": self.uptime_ms(Instant::now()), "warnings": [], "problems": [],
        });
        let fields = body.as_object().expect("an object").clone();
        report.as_object_mut().expect("an object").extend(fields);
        report
    }

    pub(super) fn probe(&self, values: &Values) -> Value {
        let session = values.text("CDB_SESSION");
        let uptime = self.uptime_ms(Instant::now());
        let mut report = scene::probe_report(&session, &self.boot_id(), uptime);
        if let Some(hold) = &self.hold {
            report["outcome"] = json!("refused");
            report["problems"] = json!([problem("hold_in_progress")]);
            report["hold_in_progress"] = json!({
                "session": hold.session, "method": "freeze", "held_for_ms": 1, "fires_in_ms": 1,
            });
        }
        report
    }

    /// Is this the first delivery of the script?
    pub(super) fn adopt(&mut self, values: &Values, phase: &'static str) -> bool {
        self.adopted.insert((values.text("CDB_SESSION"), phase))
    }

    /// Is the first delivery still at work? A release ends it.
    pub(super) fn at_work(&self, values: &Values, phase: &'static str) -> bool {
        let session = values.text("CDB_SESSION");
        !self.done.contains_key(&session) && !self.answers.contains_key(&(session, phase))
    }

    pub(super) fn answer_again(&self, values: &Values, phase: &'static str) -> Value {
        let session = values.text("CDB_SESSION");
        let over = self.done.contains_key(&session);
        match self.answers.get(&(session, phase)) {
            Some(answer) if !over => self.report(values, phase, answer),
            _ => self.report(values, phase, &refused("session_over")),
        }
    }

    /// Why this script must not go on, whatever it is.
    fn objection(&self, values: &Values) -> Option<&'static str> {
        let uptime = Duration::from_millis(self.uptime_ms(Instant::now()));
        if values.text("CDB_BOOT_ID") != self.boot_id() {
            Some("rebooted")
        } else if uptime > values.millis("CDB_START_BEFORE_MS") {
            Some("too_late")
        } else if self.done.contains_key(&values.text("CDB_SESSION")) {
            Some("session_over")
        } else {
            None
        }
    }

    /// Ends the session with this refusal.
    fn refuse(&mut self, values: &Values, phase: &'static str, code: &str) -> Value {
        let session = values.text("CDB_SESSION");
        self.end(&session, false);
        self.done
            .entry(session.clone())
            .or_insert_with(|| lapsed("never-held"));
        self.answers.insert((session, phase), refused(code));
        self.report(values, phase, &refused(code))
    }

    /// Takes the lock, or answers why not.
    pub(super) fn admit(&mut self, values: &Values) -> Result<(), Value> {
        let taken = self.hold.as_ref().map(|_| "hold_in_progress");
        if let Some(code) = self.objection(values).or(taken) {
            return Err(self.refuse(values, "arm", code));
        }
        self.hold = Some(Hold {
            session: values.text("CDB_SESSION"),
            armed: false,
            began: None,
            complete: false,
            thawed_by_hand: false,
        });
        Ok(())
    }

    fn mine(&mut self, values: &Values) -> Option<&mut Hold> {
        let session = values.text("CDB_SESSION");
        self.hold.as_mut().filter(|hold| hold.session == session)
    }

    /// Everything is flushed: the answer, and when the guest stands down by itself.
    pub(super) fn finish_arm(&mut self, values: &Values) -> (Value, Instant) {
        let stands_down = Instant::now() + values.millis("CDB_ARMED_LIMIT_MS");
        let Some(hold) = self.mine(values) else {
            return (self.report(values, "arm", &failed()), stands_down);
        };
        hold.armed = true;
        let report = json!({
            "outcome": "armed", "method": values.text("CDB_METHOD"), "durations_ms": {"flush": 200},
            "stands_down_uptime_ms": self.uptime_ms(stands_down),
        });
        let key = (values.text("CDB_SESSION"), "arm");
        self.answers.insert(key, report.clone());
        (self.report(values, "arm", &report), stands_down)
    }

    /// No hold has come.
    pub(super) fn stand_down(&mut self, session: &str) {
        let waits = |hold: &Hold| hold.session == session && hold.began.is_none();
        if self.hold.as_ref().is_some_and(waits) {
            self.end(session, false);
            self.done.insert(session.to_owned(), lapsed("never-held"));
        }
    }

    /// The first write is held: from now on the switch counts, and fires at the instant returned.
    pub(super) fn begin_hold(&mut self, values: &Values) -> Result<Instant, Value> {
        let (now, session) = (Instant::now(), values.text("CDB_SESSION"));
        let objection = self.objection(values);
        match self.mine(values).filter(|hold| hold.armed) {
            Some(hold) if objection.is_none() => hold.began = Some(now),
            _ => return Err(self.refuse(values, "hold", objection.unwrap_or("not_armed"))),
        }
        self.intervals.push(Interval {
            session,
            began: now,
            held: now,
            ended: None,
            ended_by_switch: false,
        });
        Ok(now + values.millis("CDB_MAX_HOLD_MS"))
    }

    pub(super) fn finish_hold(&mut self, values: &Values) -> Value {
        let now = Instant::now();
        let Some(hold) = self.mine(values) else {
            return self.report(values, "hold", &failed());
        };
        hold.complete = true;
        let began = hold.began.expect("a hold that began");
        let mounts: Vec<String> = values
            .text("CDB_MOUNTS")
            .lines()
            .map(str::to_owned)
            .collect();
        let report = json!({
            "outcome": "held", "method": values.text("CDB_METHOD"), "mounts": mounts,
            "held_at": "2026-11-22T16:00:00Z", "held_uptime_ms": self.uptime_ms(now),
            "hold_began_uptime_ms": self.uptime_ms(began),
            "fires_uptime_ms": self.uptime_ms(began + values.millis("CDB_MAX_HOLD_MS")),
            "recovery_points": {"postgresql": scene::RECOVERY_POINT}, "durations_ms": {"hold": 20},
        });
        if let Some(interval) = self.intervals.last_mut() {
            interval.held = now;
        }
        let key = (values.text("CDB_SESSION"), "hold");
        self.answers.insert(key, report.clone());
        self.report(values, "hold", &report)
    }

    pub(super) fn release(&mut self, values: &Values) -> Value {
        let session = values.text("CDB_SESSION");
        if let Some(done) = self.done.get(&session) {
            return self.report(values, "release", done);
        }
        let rebooted = values.text("CDB_BOOT_ID") != self.boot_id();
        let body = match self.hold.clone().filter(|hold| hold.session == session) {
            None if rebooted => lapsed("rebooted"),
            None | Some(Hold { began: None, .. }) => lapsed("never-held"),
            Some(Hold {
                complete: false, ..
            }) => lapsed("unfinished"),
            Some(Hold {
                thawed_by_hand: true,
                ..
            }) => lapsed("thawed"),
            Some(hold) => held_until_now(hold.began.expect("a hold that began")),
        };
        self.end(&session, false);
        self.done.insert(session, body.clone());
        self.report(values, "release", &body)
    }

    pub(super) fn fire(&mut self, session: &str) {
        if self
            .hold
            .as_ref()
            .is_some_and(|hold| hold.session == session)
        {
            self.end(session, true);
            self.done.insert(session.to_owned(), lapsed("switch-fired"));
        }
    }

    /// Lets writes go on and gives the lock back.
    pub(super) fn end(&mut self, session: &str, by_switch: bool) {
        if self
            .hold
            .as_ref()
            .is_some_and(|hold| hold.session == session)
        {
            self.hold = None;
        }
        for interval in self
            .intervals
            .iter_mut()
            .filter(|i| i.ended.is_none() && i.session == session)
        {
            interval.ended = Some(Instant::now());
            interval.ended_by_switch = by_switch;
        }
    }

    pub(super) fn thaw_by_hand(&mut self) {
        for interval in self
            .intervals
            .iter_mut()
            .filter(|interval| interval.ended.is_none())
        {
            interval.ended = Some(Instant::now());
        }
        if let Some(hold) = &mut self.hold {
            hold.thawed_by_hand = hold.began.is_some();
        }
    }

    pub(super) fn reboot(&mut self) {
        self.thaw_by_hand();
        self.hold = None;
        self.done.clear();
        self.adopted.clear();
        self.answers.clear();
        self.boots += 1;
        self.booted = Instant::now();
        self.unreachable_until = Instant::now() + Duration::from_secs(20);
    }
}

fn problem(code: &str) -> Value {
    json!({"code": code, "message": format!("the guest says {code}"), "hint": ""})
}

fn refused(code: &str) -> Value {
    json!({"outcome": "refused", "problems": [problem(code)]})
}

/// A release came while the script was at work.
fn failed() -> Value {
    json!({
        "outcome": "failed", "method": "freeze", "released": true, "durations_ms": {},
        "problems": [problem("released_meanwhile")],
    })
}

fn lapsed(link: &str) -> Value {
    json!({
        "outcome": "lapsed", "method": null, "released": true, "released_at": "2026-11-22T16:00:05Z", "hold_ms": null,
        "broken": [{"link": link, "detail": ""}],
    })
}

fn held_until_now(began: Instant) -> Value {
    let hold_ms = u64::try_from(began.elapsed().as_millis()).expect("small");
    json!({
        "outcome": "held", "method": "freeze", "released": true, "released_at": "2026-11-22T16:00:05Z",
        "hold_ms": hold_ms, "broken": [],
    })
}
