//! Holds on a guest, seen from outside any run: which there are, whether somebody will let them go, and letting go.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    error::Cause,
    patience::Patience,
    ports::Guest,
    report::{self, BootId, GuestSession, Look, ReleaseReport, Report},
    script,
    session::SessionId,
};

/// How long the guest may take to answer, agent included.
const LOOK_PATIENCE: Duration = Duration::from_secs(90);

/// How long letting go may take: a stopped service has to start again.
const RELEASE_PATIENCE: Duration = Duration::from_mins(4);

/// How long after its end a session may still be at it: the spare switch waits a second for the first, each looks every 0.2 s.
const GRACE: Duration = Duration::from_secs(5);

/// Whether anybody can still have use for a session on the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// A run may be at work.
    Live,
    /// Its time is over, and it has not been let go: no image can come of it.
    Overdue,
    /// Its switches are gone, and no script is at work: nobody lets go, and no image can come of it.
    Dead,
}

impl GuestSession {
    /// As the guest saw it at `uptime`.
    pub fn fate(&self, uptime: Duration) -> Fate {
        if !self.in_progress {
            return Fate::Dead;
        }
        match self.ends {
            Some(ends) if uptime > ends + GRACE => Fate::Overdue,
            _ => Fate::Live,
        }
    }
}

/// Asks the guest for its sessions. Touches nothing.
pub async fn look<G: Guest>(guest: &G, stop: &CancellationToken) -> Result<Report<Look>, Cause> {
    let asked_by = SessionId::random();
    let script = script::look(&asked_by);
    let patience = patience("the look at the guest", LOOK_PATIENCE, stop);
    let reply = patience.repeat(|within| guest.run(&script, within)).await?;
    Ok(report::read(&reply, &asked_by)?)
}

/// Lets go what a session holds, whoever began it, and ends it: an image that is still in the making will not be proven. `boot` is the
/// one that the session was seen in.
pub async fn let_go<G: Guest>(
    guest: &G,
    session: &SessionId,
    boot: &BootId,
    stop: &CancellationToken,
) -> Result<ReleaseReport, Cause> {
    // What engines hold is let go by the session's own record: their options need not be known.
    let script = script::release(session, &[], boot.as_str());
    let patience = patience("the release", RELEASE_PATIENCE, stop);
    let reply = patience
        .repeat(|_| guest.run(&script, RELEASE_PATIENCE))
        .await?;
    let report = report::read::<ReleaseReport>(&reply, session)?;
    Ok(report.body)
}

fn patience(waited_for: &'static str, limit: Duration, stop: &CancellationToken) -> Patience {
    Patience {
        waited_for,
        until: Instant::now() + limit,
        limit,
        stop: stop.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::ports::Reply;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn session() -> Value {
        json!({"session": ID, "method": "freeze", "in_progress": true, "switches": 2, "letting_go": false,
            "began_uptime_ms": 1_000, "ends_uptime_ms": 9_000, "frozen": ["/data"], "paused": 0, "services": false,
            "locks": false})
    }

    fn read(sessions: &[Value]) -> Result<Report<Look>, report::ReportError> {
        let asked_by = SessionId::random();
        let report = json!({"report": 1, "session": asked_by.as_str(), "phase": "look", "outcome": "seen",
            "boot_id": "01234567-89ab-cdef-0123-456789abcdef", "uptime_ms": 10_000, "sessions": sessions});
        let reply = Reply {
            command_id: "c".into(),
            status: "Success".into(),
            exit_code: Some(0),
            stdout: report.to_string(),
            stderr: String::new(),
        };
        report::read(&reply, &asked_by)
    }

    fn with(changes: &Value) -> Value {
        let mut session = session();
        for (key, value) in changes.as_object().expect("an object") {
            session[key] = value.clone();
        }
        session
    }

    fn fate_of(changes: &Value) -> Fate {
        let report = read(&[with(changes)]).expect("a report");
        report.body.sessions[0].fate(report.uptime)
    }

    #[test]
    fn a_session_is_live_until_its_time_is_over_or_nobody_is_left() {
        assert_eq!(fate_of(&json!({"ends_uptime_ms": 20_000})), Fate::Live);
        assert_eq!(
            fate_of(&json!({"ends_uptime_ms": 9_000})),
            Fate::Live,
            "its switch is at it"
        );
        assert_eq!(fate_of(&json!({"ends_uptime_ms": 4_000})), Fate::Overdue);
        assert_eq!(
            fate_of(&json!({"ends_uptime_ms": null})),
            Fate::Live,
            "it arms"
        );
        assert_eq!(
            fate_of(&json!({"in_progress": false, "switches": 0})),
            Fate::Dead
        );
    }

    #[test]
    fn a_guest_that_lies_is_not_believed() {
        for lie in [
            json!({"session": "\u{1b}[2J"}),
            json!({"method": "\u{1b}[2J"}),
            json!({"frozen": ["/a\u{1b}[2Jb"]}),
            json!({"switches": 3}),
            json!({"in_progress": false}),
            json!({"began_uptime_ms": u64::MAX}),
        ] {
            let error = read(&[with(&lie)]).expect_err("a lie");
            assert!(!error.to_string().contains('\u{1b}'), "{error}");
        }
        assert!(
            read(&[session(), session()]).is_err(),
            "the same session twice"
        );
    }
}
