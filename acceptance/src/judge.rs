//! Judges an image as its owner would find it: boots it, lets the database recover by itself, and checks all of it.

mod findings;

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::findings::{Balance, Findings};
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
    /// From power-on to the first accepted connection: boot and crash recovery.
    pub ready_after: Duration,
    pub findings: Findings,
    pub balance: Balance,
    pub commits: Comparison,
}

/// One way in which an image is not what the server was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// There is no image: making it ended in this error.
    NoImage(String),
    DoesNotStart(String),
    Corrupt(Findings),
    Unbalanced(Balance),
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
        let lost = self.commits.lost.len();
        let ahead = self.commits.ahead.len();
        [
            (self.findings.count > 0).then(|| Flaw::Corrupt(self.findings.clone())),
            (!self.balance.holds()).then(|| Flaw::Unbalanced(self.balance.clone())),
            (lost > 0).then_some(Flaw::LostCommits(lost)),
            (ahead > 0).then_some(Flaw::CommitsAhead(ahead)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Flaw {
    /// The same words for every flaw of a kind: what a table counts.
    pub fn kind(&self) -> String {
        match self {
            Self::NoImage(_) => "no image".into(),
            Self::DoesNotStart(reason) => format!("does not start: {reason}"),
            Self::Corrupt(_) => "pg_amcheck finds corruption".into(),
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
            Self::DoesNotStart(_) => f.write_str(&self.kind()),
            Self::Corrupt(Findings { count, first }) => {
                write!(f, "pg_amcheck finds {count} errors")?;
                first
                    .iter()
                    .try_for_each(|first| write!(f, ", first: {first}"))
            }
            Self::Unbalanced(balance) => write!(
                f,
                "sums disagree: accounts {}, branches {}, tellers {}, history {}",
                balance.accounts, balance.branches, balance.tellers, balance.history
            ),
            Self::LostCommits(count) => write!(f, "{count} acknowledged commits lost"),
            Self::CommitsAhead(count) => write!(f, "{count} commits from after the capture"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examination() -> Examination {
        Examination {
            ready_after: Duration::from_secs(2),
            findings: Findings::default(),
            balance: Balance::parse("4|4|4|4").expect("four sums"),
            commits: Comparison {
                promised: 100,
                lost: vec![],
                ahead: vec![],
            },
        }
    }

    #[test]
    fn clean_means_without_a_flaw() {
        assert_eq!(Judgement::Started(examination()).flaws(), []);
    }

    #[test]
    fn every_flaw_is_reported() {
        let all_wrong = Examination {
            findings: Findings::parse("btree index \"bench.public.t\":\n    ERROR:  x\n"),
            balance: Balance::parse("4|4|4|5").expect("four sums"),
            commits: Comparison {
                promised: 100,
                lost: vec![7, 8],
                ahead: vec![120],
            },
            ..examination()
        };
        let flaws = Judgement::Started(all_wrong).flaws();
        let told: Vec<String> = flaws.iter().map(Flaw::to_string).collect();
        assert_eq!(
            told,
            [
                "pg_amcheck finds 1 errors, first: btree index \"bench.public.t\": ERROR:  x",
                "sums disagree: accounts 4, branches 4, tellers 4, history 5",
                "2 acknowledged commits lost",
                "1 commits from after the capture",
            ]
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
    }
}
