//! Why a value has no place in a struct: told to users as a diagnostic, or a reason to wait until more is known.

use crate::{AttributePath, Cty, Diagnostic, path::Step};

/// A value that does not fit the Rust type, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Innermost step first.
    steps: Vec<Step>,
    pub reason: Mismatch,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// Null, where the type has no place for it.
    Null,
    /// Unknown, where the type has no place for it.
    Unknown,
    /// Something else: `expected ..., found ...`.
    Other(String),
}

impl DecodeError {
    pub fn expected(what: &str, found: &Cty) -> Self {
        let reason = match found {
            Cty::Null => Mismatch::Null,
            Cty::Unknown(_) => Mismatch::Unknown,
            other => Mismatch::Other(format!("expected {what}, found {}", other.kind())),
        };
        Self::because(reason)
    }

    pub fn because(reason: Mismatch) -> Self {
        Self {
            steps: Vec::new(),
            reason,
        }
    }

    /// The same problem, seen from one level further out.
    #[must_use]
    pub fn under(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    pub fn path(&self) -> AttributePath {
        self.steps.iter().rev().cloned().collect()
    }

    pub fn is_unknown(&self) -> bool {
        self.reason == Mismatch::Unknown
    }
}

impl From<DecodeError> for Diagnostic {
    fn from(error: DecodeError) -> Self {
        let path = error.path();
        let (summary, detail) = match &error.reason {
            Mismatch::Null => (
                "Missing value",
                format!("A value is needed for \"{path}\", but it is null."),
            ),
            Mismatch::Unknown => (
                "Value not known yet",
                format!(
                    "\"{path}\" has to be known here, but depends on something that is decided during apply."
                ),
            ),
            Mismatch::Other(what) => ("Unexpected value", format!("\"{path}\": {what}.")),
        };
        Self::error(summary, detail).at(path)
    }
}
