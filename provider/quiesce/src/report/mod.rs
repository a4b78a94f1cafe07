//! The guest's reports, parsed. The guest is not trusted: an answer is taken only if it is small, well-formed, for our
//! session and phase, and free of contradiction; every word that a person may see has become [`Text`].

mod body;
mod look;
mod value;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

pub use self::{
    body::{
        ArmReport, ArmedReport, BrokenLink, HeldReport, HoldInProgress, HoldReport, Leaf, Mount,
        NeededPath, Probe, ProbeOutcome, Problem, ReleaseReport, Server,
    },
    look::{GivenUp, GuestSession, Look},
    value::{BootId, MountPoint},
};
use crate::{ports::Reply, session::SessionId, text::Text};

/// SSM documents 24,000 characters of output and cuts what is longer, so a longer report can only be a foreign one.
const MAX_CHARS: usize = 24_000;

/// The one version of the report that exists.
const VERSION: u64 = 1;

/// A report of one phase, as far as every report has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<Body> {
    /// The boot that answered.
    pub boot_id: BootId,
    /// Guest uptime as the report was written.
    pub uptime: std::time::Duration,
    pub warnings: Vec<Text>,
    pub body: Body,
}

impl<Body> Report<Body> {
    /// The same report around another body, where there is one.
    pub(crate) fn try_map<Other, Error>(
        self,
        map: impl FnOnce(Body) -> Result<Other, Error>,
    ) -> Result<Report<Other>, Error> {
        Ok(Report {
            boot_id: self.boot_id,
            uptime: self.uptime,
            warnings: self.warnings,
            body: map(self.body)?,
        })
    }
}

/// Why an answer counts as none.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReportError {
    #[error("the command ended as {status} and printed nothing{}", stderr_shown(.stderr))]
    Empty { status: Text, stderr: Text },
    #[error("the answer has {chars} characters; a report has at most {MAX_CHARS}")]
    TooLong { chars: usize },
    #[error("the answer is not a report ({reason}); it begins with: {head}{}", stderr_shown(.stderr))]
    NotAReport {
        reason: Text,
        head: Text,
        stderr: Text,
    },
    #[error("the report is of version {found}; this provider reads version {VERSION}")]
    WrongVersion { found: u64 },
    #[error("the report answers for session {found}, not for ours")]
    WrongSession { found: Text },
    #[error("the report is of phase {found}, {expected} was asked")]
    WrongPhase { found: Text, expected: &'static str },
    #[error("the report contradicts itself or what was asked: {0}")]
    Contradiction(Text),
}

/// What a report of some phase says beyond the common part.
pub trait Body: DeserializeOwned {
    /// The phase as the report spells it.
    const PHASE: &'static str;

    /// What no honest report of this phase says.
    fn contradiction(&self) -> Option<&'static str>;
}

#[derive(Deserialize)]
struct Envelope {
    report: u64,
    session: Text,
    phase: Text,
    boot_id: BootId,
    #[serde(rename = "uptime_ms", deserialize_with = "value::millis")]
    uptime: std::time::Duration,
    #[serde(default)]
    warnings: Vec<Text>,
}

/// Reads the report that `reply` carries. The transport's status counts for nothing.
pub fn read<B: Body>(reply: &Reply, session: &SessionId) -> Result<Report<B>, ReportError> {
    let stdout = reply.stdout.trim();
    if stdout.is_empty() {
        let (status, stderr) = (Text::new(&reply.status), Text::new(&reply.stderr));
        return Err(ReportError::Empty { status, stderr });
    }
    let chars = stdout.chars().count();
    if chars > MAX_CHARS {
        return Err(ReportError::TooLong { chars });
    }
    let malformed = |error: serde_json::Error| ReportError::NotAReport {
        reason: Text::new(&error.to_string()),
        head: Text::new(&stdout.chars().take(200).collect::<String>()),
        stderr: Text::new(&reply.stderr),
    };
    let value: Value = serde_json::from_str(stdout).map_err(malformed)?;
    let envelope = Envelope::deserialize(&value).map_err(malformed)?;
    envelope.check(B::PHASE, session)?;
    let body = B::deserialize(value).map_err(malformed)?;
    match body.contradiction() {
        Some(what) => Err(ReportError::Contradiction(what.into())),
        None => Ok(envelope.around(body)),
    }
}

impl Envelope {
    fn check(&self, expected: &'static str, session: &SessionId) -> Result<(), ReportError> {
        if self.report != VERSION {
            return Err(ReportError::WrongVersion { found: self.report });
        }
        if &*self.session != session.as_str() {
            let found = self.session.clone();
            return Err(ReportError::WrongSession { found });
        }
        if &*self.phase != expected {
            let found = self.phase.clone();
            return Err(ReportError::WrongPhase { found, expected });
        }
        Ok(())
    }

    fn around<Body>(self, body: Body) -> Report<Body> {
        Report {
            boot_id: self.boot_id,
            uptime: self.uptime,
            warnings: self.warnings,
            body,
        }
    }
}

fn stderr_shown(stderr: &Text) -> String {
    if stderr.is_empty() {
        String::new()
    } else {
        format!("; stderr: {stderr}")
    }
}

#[cfg(test)]
mod tests;
