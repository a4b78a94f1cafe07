//! How a terraform command ended, and what it said.

use std::fmt;

use crate::Error;

/// A command that is over.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The command line, for messages.
    pub command: String,
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    /// Standard output and error, in the order in which they came.
    pub output: String,
}

impl Outcome {
    /// The outcome itself, or an error that shows all of it.
    pub fn succeeded(self) -> Result<Self, Error> {
        if self.code == Some(0) {
            return Ok(self);
        }
        Err(Error::Unexpected(self.to_string()))
    }

    /// The outcome itself where it failed with a diagnostic that says `text`.
    pub fn failed_saying(self, text: &str) -> Result<Self, Error> {
        if self.code == Some(1) && self.said(text) {
            return Ok(self);
        }
        Err(Error::Unexpected(format!(
            "expected a failure that says {text:?}, but {self}"
        )))
    }

    /// The same for each of `texts`.
    pub fn failed_saying_all(self, texts: &[&str]) -> Result<(), Error> {
        let mut texts = texts.iter();
        texts
            .try_fold(self, |outcome, text| outcome.failed_saying(text))
            .map(drop)
    }

    /// Whether `text` stands in the output, however terraform wrapped and framed it.
    pub fn said(&self, text: &str) -> bool {
        unframed(&self.output).contains(&unframed(text))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "{} exited with {code}:", self.command)?,
            None => write!(f, "{} was ended by a signal:", self.command)?,
        }
        write!(f, "\n{}", self.output.trim_end())
    }
}

/// Words with one space between: diagnostics are wrapped at 78 columns and stand behind a frame of `│`.
fn unframed(text: &str) -> String {
    text.split_whitespace()
        .filter(|word| !matches!(*word, "│" | "╷" | "╵"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// What a plan found, by `-detailed-exitcode`.
#[derive(Debug)]
pub enum Planned {
    Nothing,
    Changes(Outcome),
    Failed(Outcome),
}

impl Planned {
    pub(super) fn of(outcome: Outcome) -> Result<Self, Error> {
        match outcome.code {
            Some(0) => Ok(Self::Nothing),
            Some(1) => Ok(Self::Failed(outcome)),
            Some(2) => Ok(Self::Changes(outcome)),
            _ => Err(Error::Unexpected(outcome.to_string())),
        }
    }

    /// An error that shows the plan unless it is empty.
    pub fn is_empty(self) -> Result<(), Error> {
        match self {
            Self::Nothing => Ok(()),
            Self::Changes(outcome) | Self::Failed(outcome) => Err(Error::Unexpected(format!(
                "expected an empty plan, but {outcome}"
            ))),
        }
    }

    /// The outcome of a plan that has changes to make; an error that shows it for any other.
    pub fn has_changes(self) -> Result<Outcome, Error> {
        match self {
            Self::Changes(outcome) => Ok(outcome),
            Self::Nothing => Err(Error::Unexpected("expected changes: empty plan".into())),
            Self::Failed(outcome) => Err(Error::Unexpected(outcome.to_string())),
        }
    }

    /// The outcome of a plan that was refused; an error that shows it for any other.
    pub fn is_refused(self) -> Result<Outcome, Error> {
        match self {
            Self::Failed(outcome) => Ok(outcome),
            Self::Nothing => Err(Error::Unexpected("expected a refusal: empty plan".into())),
            Self::Changes(outcome) => Err(Error::Unexpected(format!(
                "expected a refusal, but {outcome}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(code: i32) -> Outcome {
        Outcome {
            command: "terraform apply".into(),
            code: Some(code),
            output: "╷\n│ Error: The hold lapsed\n│ \n│ The guest thawed /srv/pg\n│ early.\n╵\n"
                .into(),
        }
    }

    #[test]
    fn wrapping_and_frames_do_not_hide_a_sentence() {
        assert!(outcome(1).said("The guest thawed /srv/pg early."));
        assert!(!outcome(1).said("The guest thawed /srv/wal"));
    }

    #[test]
    fn an_expected_failure_has_to_be_that_one() {
        assert!(outcome(1).failed_saying("The hold lapsed").is_ok());
        assert!(outcome(1).failed_saying("No server").is_err());
        assert!(outcome(0).failed_saying("The hold lapsed").is_err());
        assert!(outcome(1).succeeded().is_err());
    }

    #[test]
    fn a_plan_is_told_by_its_exit_code() {
        let planned = |code| Planned::of(outcome(code)).expect("one of the three");
        assert!(planned(0).is_empty().is_ok());
        assert!(planned(2).is_empty().is_err());
        assert!(planned(2).has_changes().is_ok());
        assert!(planned(1).has_changes().is_err());
        assert!(planned(1).is_refused().is_ok());
        assert!(planned(0).is_refused().is_err());
        assert!(Planned::of(outcome(3)).is_err());
    }
}
