//! One session against one guest: the scripts that the protocol would send, and their checked answers.

use std::{sync::OnceLock, time::Duration};

use quiesce::{
    engines::{Engine, Options},
    method::Method,
    script,
    session::SessionId,
};
use serde_json::Value;

use crate::machine::Guest;

/// PostgreSQL with everything left to detection.
pub(crate) fn postgresql() -> Options {
    engine("postgresql")
}

/// An engine with everything left to detection.
pub(crate) fn engine(name: &str) -> Options {
    Options::new(Engine::named(name).expect("an engine of ours"))
}

/// One session against one guest: the scripts that the protocol would send, and their checked answers.
pub(crate) struct Session<'a> {
    pub(crate) guest: &'a Guest,
    pub(crate) id: SessionId,
    pub(crate) engines: Vec<Options>,
    pub(crate) method: Method,
    pub(crate) mounts: Vec<String>,
    pub(crate) max_hold: Duration,
    /// How long the guest waits for the hold once it is armed.
    pub(crate) armed_limit: Duration,
    pub(crate) boot_id: String,
}

impl<'a> Session<'a> {
    /// A session that holds PostgreSQL on `mounts` by `method`, at most 4 s.
    pub(crate) fn new(guest: &'a Guest, method: Method, mounts: &[&str]) -> Self {
        Self::over(guest, vec![postgresql()], method, mounts)
    }

    /// The same for other engines, or several.
    pub(crate) fn over(
        guest: &'a Guest,
        engines: Vec<Options>,
        method: Method,
        mounts: &[&str],
    ) -> Self {
        Self {
            guest,
            id: SessionId::random(),
            engines,
            method,
            mounts: mounts.iter().map(|&mount| mount.to_owned()).collect(),
            max_hold: Duration::from_secs(4),
            armed_limit: Duration::from_secs(30),
            boot_id: Guest::boot_id(),
        }
    }

    /// The same with an option of the last engine told.
    pub(crate) fn with(mut self, option: &str, value: &str) -> Self {
        let engine = self.engines.pop().expect("an engine");
        self.engines
            .push(engine.with(option, value).expect("a valid option"));
        self
    }

    /// The same that waits for its hold no longer than this.
    pub(crate) fn armed_for(mut self, armed_limit: Duration) -> Self {
        self.armed_limit = armed_limit;
        self
    }

    pub(crate) fn lasting(mut self, max_hold: Duration) -> Self {
        self.max_hold = max_hold;
        self
    }

    pub(crate) fn probe(&self) -> Value {
        let script = script::probe(&self.id, &self.engines);
        self.guest.report(&script.text)
    }

    /// The script that arms, to be delivered within 30 s.
    pub(crate) fn arm_text(&self) -> String {
        script::arm(&self.order(in_30_s()), self.armed_limit).text
    }

    pub(crate) fn arm_text_before(&self, start_before: Duration) -> String {
        script::arm(&self.order(start_before), self.armed_limit).text
    }

    pub(crate) fn arm(&self) -> Value {
        self.guest.report(&self.arm_text())
    }

    /// Arms, and insists on it.
    pub(crate) fn armed(&self) -> Value {
        let report = self.arm();
        assert_eq!(report["outcome"], "armed", "{report:#}");
        report
    }

    /// The script that holds, to be delivered within 30 s.
    pub(crate) fn hold_text(&self) -> String {
        self.hold_text_before(in_30_s())
    }

    pub(crate) fn hold_text_before(&self, start_before: Duration) -> String {
        script::hold(&self.order(start_before)).text
    }

    fn order(&self, start_before: Duration) -> script::Hold<'_> {
        script::Hold {
            session: &self.id,
            engines: &self.engines,
            boot_id: &self.boot_id,
            start_before,
            method: self.method,
            max_hold: self.max_hold,
            mounts: &self.mounts,
        }
    }

    /// Holds, where it is armed.
    pub(crate) fn hold(&self) -> Value {
        self.guest.report(&self.hold_text())
    }

    /// Arms and holds, and insists on both.
    pub(crate) fn held(&self) -> Value {
        self.armed();
        let report = self.hold();
        assert_eq!(report["outcome"], "held", "{report:#}");
        report
    }

    /// Arms and holds, which must fail with everything let go.
    pub(crate) fn fails_to_hold(&self) -> Value {
        self.armed();
        let report = self.hold();
        assert_eq!(report["outcome"], "failed", "{report:#}");
        assert_eq!(report["released"], true, "{report:#}");
        report
    }

    pub(crate) fn release_text(&self) -> String {
        script::release(&self.id, &self.engines, &self.boot_id).text
    }

    pub(crate) fn release(&self) -> Value {
        self.guest.report(&self.release_text())
    }

    /// The look at the guest's sessions, which another session asks for.
    pub(crate) fn look(&self) -> Value {
        self.guest.report(&script::look(&SessionId::random()).text)
    }

    /// A file of the session's state on the guest.
    pub(crate) fn state(&self, file: &str) -> String {
        format!("/run/consistent/sessions/{}/{file}", self.id)
    }
}

/// Guest uptime.
fn in_30_s() -> Duration {
    Duration::from_millis(Guest::uptime()) + Duration::from_secs(30)
}

/// The `code`s of a report's problems.
pub(crate) fn codes(report: &Value) -> Vec<&str> {
    let problems = report["problems"].as_array().expect("problems");
    problems.iter().filter_map(|p| p["code"].as_str()).collect()
}

/// What the first of them says.
pub(crate) fn message(report: &Value) -> &str {
    report["problems"][0]["message"]
        .as_str()
        .expect("a message")
}

/// The links that a release found broken.
pub(crate) fn links(report: &Value) -> Vec<&str> {
    let broken = report["broken"].as_array().expect("broken links");
    broken.iter().filter_map(|b| b["link"].as_str()).collect()
}

/// Parses what a script printed and checks it against the published schema.
pub(crate) fn checked_report(stdout: &str) -> Value {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let text = include_str!("../../../../schemas/guest-report.json");
        let schema = serde_json::from_str(text).expect("the schema is JSON");
        jsonschema::validator_for(&schema).expect("the schema is a schema")
    });
    let report = serde_json::from_str(stdout)
        .unwrap_or_else(|e| panic!("not one JSON object: {e}: {stdout:?}"));
    let errors: Vec<_> = schema.iter_errors(&report).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?} in {report:#}");
    report
}
