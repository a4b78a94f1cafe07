//! What the guest remembers: the lock, the sessions that are over, and when writes were really held.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Values, scene};
use crate::script::FLUSH_LIMIT;

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
    pub(super) intervals: Vec<Interval>,
}

/// The lock and what is known under it.
#[derive(Clone, Debug)]
struct Hold {
    session: String,
    /// None while still flushing.
    began: Option<Instant>,
    fires: Instant,
    held: Option<Value>,
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

    /// Another delivery of the same hold is still bringing it about: its answer will be this one's too.
    pub(super) fn twin_at_work(&self, session: &str) -> bool {
        self.hold
            .as_ref()
            .is_some_and(|hold| hold.session == session && hold.held.is_none())
    }

    /// Another boot, or too late; even where a twin holds writes already.
    pub(super) fn refuse_at_once(&self, values: &Values) -> Option<Value> {
        let uptime = Duration::from_millis(self.uptime_ms(Instant::now()));
        if values.text("CDB_BOOT_ID") != self.boot_id() {
            Some(self.refusal(values, "rebooted"))
        } else if uptime > values.millis("CDB_START_BEFORE_MS") {
            Some(self.refusal(values, "too_late"))
        } else {
            None
        }
    }

    /// Takes the lock and arms the switch, or answers why not.
    pub(super) fn admit(&mut self, values: &Values) -> Option<Value> {
        let session = values.text("CDB_SESSION");
        if self.done.contains_key(&session) {
            return Some(self.refusal(values, "over_already"));
        }
        match &self.hold {
            Some(Hold {
                session: owner,
                held: Some(held),
                ..
            }) if *owner == session => Some(self.report(values, "hold", held)),
            Some(_) => Some(self.refusal(values, "hold_in_progress")),
            None => {
                let fires = Instant::now() + FLUSH_LIMIT + values.millis("CDB_MAX_HOLD_MS");
                self.hold = Some(Hold {
                    session,
                    began: None,
                    fires,
                    held: None,
                    thawed_by_hand: false,
                });
                None
            }
        }
    }

    pub(super) fn refusal(&self, values: &Values, code: &str) -> Value {
        self.report(
            values,
            "hold",
            &json!({"outcome": "refused", "problems": [problem(code)]}),
        )
    }

    /// The first write is held: from now on the switch counts. None where a release came first.
    pub(super) fn begin_hold(&mut self, session: &str, max_hold: Duration) -> Option<Instant> {
        let now = Instant::now();
        let hold = self.hold.as_mut().filter(|hold| hold.session == session)?;
        hold.began = Some(now);
        hold.fires = now + max_hold;
        let fires = hold.fires;
        let session = session.to_owned();
        self.intervals.push(Interval {
            session,
            began: now,
            held: now,
            ended: None,
            ended_by_switch: false,
        });
        Some(fires)
    }

    pub(super) fn finish_hold(&mut self, values: &Values) -> Value {
        let session = values.text("CDB_SESSION");
        let now = Instant::now();
        let Some(hold) = self.hold.as_ref().filter(|hold| hold.session == session) else {
            return self.report(values, "hold", &failed());
        };
        let began = hold.began.expect("a hold that began");
        let mounts: Vec<String> = values
            .text("CDB_MOUNTS")
            .lines()
            .map(str::to_owned)
            .collect();
        let report = json!({
            "outcome": "held", "method": values.text("CDB_METHOD"), "mounts": mounts,
            "held_at": "2026-11-22T16:00:00Z", "held_uptime_ms": self.uptime_ms(now),
            "hold_began_uptime_ms": self.uptime_ms(began), "fires_uptime_ms": self.uptime_ms(hold.fires),
            "recovery_points": {"postgresql": scene::RECOVERY_POINT}, "durations_ms": {"freeze": 20},
        });
        if let Some(interval) = self.intervals.last_mut() {
            interval.held = now;
        }
        if let Some(hold) = &mut self.hold {
            hold.held = Some(report.clone());
        }
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
            Some(Hold { held: None, .. }) => lapsed("unfinished"),
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
        self.boots += 1;
        self.booted = Instant::now();
        self.unreachable_until = Instant::now() + Duration::from_secs(20);
    }
}

fn problem(code: &str) -> Value {
    json!({"code": code, "message": format!("the guest says {code}"), "hint": ""})
}

pub(super) fn failed() -> Value {
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
