//! Judges an image as its owner would find it: boots it, lets the database recover by itself, and checks all of it.

mod examination;
mod findings;

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::{
    examination::examine,
    findings::{Findings, Sums},
};
use crate::ledger::Comparison;

/// What was found in one image.
#[derive(Clone, Debug)]
pub enum Judgement {
    /// The database did not accept connections; why, by its log.
    DoesNotStart(String),
    Started(Examination),
}

/// What was found in a database that started by itself.
#[derive(Clone, Debug)]
pub struct Examination {
    /// From the instance's start to the first accepted connection: boot and crash recovery.
    pub ready_after: Duration,
    /// Each check, or why it could not be made.
    pub findings: Result<Findings, String>,
    pub sums: Result<Sums, String>,
    pub commits: Result<Comparison, String>,
}

/// One way in which an image is not what the server was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// There is no image: making it ended in this error.
    NoImage(String),
    DoesNotStart(String),
    /// A check that cannot even be made, and the server's error.
    Unchecked(String),
    Corrupt(Findings),
    Unbalanced(Sums),
    /// So many commits are gone that were acknowledged before the capture began.
    LostCommits(usize),
    /// So many commits are there that were sent after the capture should have been over.
    CommitsAhead(usize),
}

impl Judgement {
    /// None for a clean image.
    pub fn flaws(&self) -> Vec<Flaw> {
        match self {
            Self::DoesNotStart(reason) => vec![Flaw::DoesNotStart(reason.clone())],
            Self::Started(examination) => examination.flaws(),
        }
    }
}

impl Examination {
    fn flaws(&self) -> Vec<Flaw> {
        let findings = self.findings.as_ref().map(Findings::flaw);
        let sums = self.sums.as_ref().map(Sums::flaw);
        let commits = self.commits.as_ref();
        [
            findings.unwrap_or_else(|error| Some(unchecked("the checks", error))),
            sums.unwrap_or_else(|error| Some(unchecked("the sums", error))),
            commits.map_or_else(|error| Some(unchecked("the ledger", error)), lost),
            commits.map_or(None, ahead),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Findings {
    fn flaw(&self) -> Option<Flaw> {
        (self.count > 0).then(|| Flaw::Corrupt(self.clone()))
    }
}

impl Sums {
    fn flaw(&self) -> Option<Flaw> {
        (!self.agree()).then(|| Flaw::Unbalanced(self.clone()))
    }
}

fn lost(commits: &Comparison) -> Option<Flaw> {
    (!commits.lost.is_empty()).then_some(Flaw::LostCommits(commits.lost.len()))
}

fn ahead(commits: &Comparison) -> Option<Flaw> {
    (!commits.ahead.is_empty()).then_some(Flaw::CommitsAhead(commits.ahead.len()))
}

fn unchecked(check: &str, error: &str) -> Flaw {
    Flaw::Unchecked(format!("{check}: {error}"))
}

/// One page or sequence number is as good as another.
fn without_numbers(reason: &str) -> String {
    let mut words = String::new();
    for character in reason.chars() {
        match character {
            '0'..='9' if words.ends_with('N') => {}
            '0'..='9' => words.push('N'),
            other => words.push(other),
        }
    }
    words
}

impl Flaw {
    /// The same words for every flaw of a kind: what a table counts.
    pub fn kind(&self) -> String {
        match self {
            Self::NoImage(_) => "no image".into(),
            Self::DoesNotStart(reason) => format!("does not start: {}", without_numbers(reason)),
            Self::Unchecked(_) => "a check fails".into(),
            Self::Corrupt(_) => "checks find corruption".into(),
            Self::Unbalanced(_) => "sums disagree".into(),
            Self::LostCommits(_) => "acknowledged commits lost".into(),
            Self::CommitsAhead(_) => "commits from after the capture".into(),
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoImage(error) => write!(f, "no image: {error}"),
            Self::DoesNotStart(reason) => write!(f, "does not start: {reason}"),
            Self::Unchecked(check) => write!(f, "a check fails: {check}"),
            Self::Corrupt(Findings { count, first }) => {
                write!(f, "checks find {count} errors")?;
                first
                    .iter()
                    .try_for_each(|first| write!(f, ", first: {first}"))
            }
            Self::Unbalanced(sums) => write!(f, "sums disagree: {sums}"),
            Self::LostCommits(count) => write!(f, "{count} acknowledged commits lost"),
            Self::CommitsAhead(count) => write!(f, "{count} commits from after the capture"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(lines: &str) -> Result<Sums, String> {
        Sums::parse(lines).ok_or_else(String::new)
    }

    fn examination() -> Examination {
        Examination {
            ready_after: Duration::from_secs(2),
            findings: Ok(Findings::default()),
            sums: sums("accounts 4\ntellers 4"),
            commits: Ok(Comparison {
                promised: 100,
                lost: vec![],
                ahead: vec![],
            }),
        }
    }

    #[test]
    fn clean_means_without_a_flaw() {
        assert_eq!(Judgement::Started(examination()).flaws(), []);
    }

    #[test]
    fn every_flaw_is_reported() {
        let all_wrong = Examination {
            findings: Ok(Findings::new(vec!["index t: x".into()])),
            sums: sums("accounts 4\ntellers 5"),
            commits: Ok(Comparison {
                promised: 100,
                lost: vec![7, 8],
                ahead: vec![120],
            }),
            ..examination()
        };
        let flaws = Judgement::Started(all_wrong).flaws();
        let told: Vec<String> = flaws.iter().map(Flaw::to_string).collect();
        assert_eq!(
            told,
            [
                "checks find 1 errors, first: index t: x",
                "sums disagree: accounts 4, tellers 5",
                "2 acknowledged commits lost",
                "1 commits from after the capture",
            ]
        );
    }

    #[test]
    fn a_check_that_cannot_be_made_is_a_flaw() {
        let unreadable = Examination {
            sums: Err("could not read block 7".into()),
            commits: Err("could not open file".into()),
            ..examination()
        };
        let flaws = Judgement::Started(unreadable).flaws();
        assert_eq!(flaws.len(), 2);
        assert_eq!(
            flaws[0].to_string(),
            "a check fails: the sums: could not read block 7"
        );
    }

    #[test]
    fn a_server_that_is_down_is_a_flaw_of_its_own_kind() {
        let flaws =
            Judgement::DoesNotStart("could not locate a valid checkpoint record".into()).flaws();
        assert_eq!(
            flaws[0].kind(),
            "does not start: could not locate a valid checkpoint record"
        );
        let flaws = Judgement::DoesNotStart("page 17 of 2038 is gone".into()).flaws();
        assert_eq!(flaws[0].kind(), "does not start: page N of N is gone");
        assert_eq!(
            flaws[0].to_string(),
            "does not start: page 17 of 2038 is gone"
        );
    }
}
