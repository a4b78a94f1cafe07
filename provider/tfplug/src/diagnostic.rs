//! What a user reads when something is wrong: errors and warnings, with the place in the configuration.

use crate::{AttributePath, wire};

/// One error or warning, as Terraform prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// One line without a full stop: what is wrong.
    pub summary: String,
    /// Whole sentences: why, and what the user can do about it.
    pub detail: String,
    /// Terraform shows the source line of this attribute. The root shows the whole block.
    pub path: AttributePath,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

impl Diagnostic {
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Severity::Error, summary.into(), detail.into())
    }

    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Severity::Warning, summary.into(), detail.into())
    }

    /// Points at an attribute.
    #[must_use]
    pub fn at(mut self, path: impl Into<AttributePath>) -> Self {
        self.path = path.into();
        self
    }

    fn new(severity: Severity, summary: String, detail: String) -> Self {
        Self {
            severity,
            summary,
            detail,
            path: AttributePath::default(),
        }
    }

    pub(crate) fn to_wire(&self) -> wire::Diagnostic {
        let severity = match self.severity {
            Severity::Error => wire::diagnostic::Severity::Error,
            Severity::Warning => wire::diagnostic::Severity::Warning,
        };
        wire::Diagnostic {
            severity: severity.into(),
            summary: self.summary.clone(),
            detail: self.detail.clone(),
            attribute: (!self.path.is_root()).then(|| self.path.to_wire()),
        }
    }
}

/// Several diagnostics: the error type of everything that a provider implements.
///
/// A [`Diagnostic`] converts into it, so `?` and `Err(Diagnostic::error(..).into())` both work, and as many
/// problems as possible can be reported at once:
///
/// ```
/// # use tfplug::{Diagnostic, Diagnostics};
/// let mut problems = Diagnostics::default();
/// problems.push(Diagnostic::error("Port out of range", "Ports end at 65535.").at("port"));
/// assert!(problems.or_ok(()).is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    pub fn has_errors(&self) -> bool {
        self.iter().any(|d| d.severity == Severity::Error)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// `value`, unless something was collected.
    pub fn or_ok<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }

    /// An `Err` has to stop Terraform, so one that holds no error gets one.
    pub(crate) fn into_failure(mut self) -> Self {
        if !self.has_errors() {
            self.push(Diagnostic::error(
                "The provider failed without saying why",
                "This is a bug in the provider: it returned a failure that holds no error.",
            ));
        }
        self
    }

    pub(crate) fn to_wire(&self) -> Vec<wire::Diagnostic> {
        self.iter().map(Diagnostic::to_wire).collect()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: I) {
        self.0.extend(diagnostics);
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(diagnostics: I) -> Self {
        Self(diagnostics.into_iter().collect())
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_always_holds_an_error() {
        let only_warned = Diagnostics::from(Diagnostic::warning("Odd", "Very odd."));
        assert!(!only_warned.has_errors());
        assert!(only_warned.into_failure().has_errors());

        let failed = Diagnostics::from(Diagnostic::error("Broken", "Quite broken."));
        assert_eq!(failed.clone().into_failure(), failed);
    }

    #[test]
    fn a_path_reaches_the_wire_only_where_there_is_one() {
        let whole = Diagnostic::error("a", "b").to_wire();
        assert_eq!(whole.attribute, None);
        let part = Diagnostic::error("a", "b").at("name").to_wire();
        assert_eq!(part.attribute.expect("a path").steps.len(), 1);
    }
}
