//! What a client of the database was told, and when: the outside record against which an image is judged.
//!
//! One writer inserts ascending numbers, one transaction each, and notes when it sent each and when the commit was
//! acknowledged. Times are `CLOCK_MONOTONIC` as the harness reads it, the clock of the lab's journal too.

use std::{ops::RangeInclusive, time::Duration};

use crate::timeline::Span;

/// A commit that the server acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Commit {
    sequence: u64,
    sent: Duration,
    acknowledged: Duration,
}

/// Every acknowledged commit, in order, and the one that is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    commits: Vec<Commit>,
    under_way: Option<(u64, Duration)>,
    last_sent: u64,
}

impl Ledger {
    /// The next number to insert, noted as sent at `now`. One left unanswered by a lost connection stays in
    /// doubt for good: its number is never used again.
    pub fn send(&mut self, now: Duration) -> u64 {
        self.last_sent += 1;
        self.under_way = Some((self.last_sent, now));
        self.last_sent
    }

    /// Notes the acknowledgement of what is under way; false where `sequence` is not that.
    pub fn acknowledge(&mut self, sequence: u64, now: Duration) -> bool {
        match self.under_way {
            Some((sent_sequence, sent)) if sent_sequence == sequence => {
                self.commits.push(Commit {
                    sequence,
                    sent,
                    acknowledged: now,
                });
                self.under_way = None;
                true
            }
            _ => false,
        }
    }

    /// Each commit from sent to acknowledged, for a drawing.
    pub fn spans(&self) -> Vec<Span> {
        let span = |commit: &Commit| Span {
            from: commit.sent,
            to: commit.acknowledged,
        };
        self.commits.iter().map(span).collect()
    }

    /// The first acknowledgement after `instant`: since when clients can write again.
    pub fn first_acknowledged_after(&self, instant: Duration) -> Option<Duration> {
        let next = self.commits.partition_point(|c| c.acknowledged <= instant);
        self.commits.get(next).map(|c| c.acknowledged)
    }

    /// The longest wait for one commit that overlapped `from..=to`; the one under way counts up to `to`.
    pub fn longest_stall(&self, from: Duration, to: Duration) -> Option<Duration> {
        let finished = self
            .commits
            .iter()
            .filter(|c| c.acknowledged >= from && c.sent <= to)
            .map(|c| c.acknowledged.saturating_sub(c.sent));
        let waiting = self.under_way.and_then(|(_, sent)| to.checked_sub(sent));
        finished.chain(waiting).max()
    }

    /// Compares the numbers found in an image with what clients were told, for a cut that lies inside `cut`.
    pub fn compare(&self, found: &Found, cut: Span) -> Comparison {
        let promised = self.commits.iter().filter(|c| c.acknowledged < cut.from);
        let (present, lost): (Vec<&Commit>, Vec<&Commit>) =
            promised.partition(|c| found.contains(c.sequence));
        Comparison {
            promised: present.len() + lost.len(),
            lost: lost.iter().map(|c| c.sequence).collect(),
            ahead: self
                .commits
                .iter()
                .filter(|c| c.sent > cut.to && found.contains(c.sequence))
                .map(|c| c.sequence)
                .collect(),
        }
    }
}

/// The numbers that the table of an image holds, as ranges without a gap inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found(Vec<RangeInclusive<u64>>);

impl Found {
    /// Reads `first-last` lines; `None` where a line is anything else.
    pub fn parse(lines: &str) -> Option<Self> {
        lines
            .lines()
            .map(|line| {
                let (first, last) = line.trim().split_once('-')?;
                Some(first.parse().ok()?..=last.parse().ok()?)
            })
            .collect::<Option<Vec<_>>>()
            .map(Self)
    }

    fn contains(&self, sequence: u64) -> bool {
        self.0.iter().any(|range| range.contains(&sequence))
    }
}

/// How an image stands to what clients were told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Commits acknowledged before the cut could have begun.
    pub promised: usize,
    /// Of these, the ones that are not there.
    pub lost: Vec<u64>,
    /// Commits that are there although they were sent only after the cut was over: the capture was not inside it.
    pub ahead: Vec<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    const fn span(from: u64, to: u64) -> Span {
        Span {
            from: ms(from),
            to: ms(to),
        }
    }

    /// Commits 1..=5, sent at 0, 100, 200... and acknowledged 10 ms later, except for 3: at 450.
    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        for (sent, acknowledged) in [(0, 10), (100, 110), (200, 450), (500, 510), (600, 610)] {
            let sequence = ledger.send(ms(sent));
            assert!(ledger.acknowledge(sequence, ms(acknowledged)));
        }
        ledger
    }

    fn found(lines: &str) -> Found {
        Found::parse(lines).expect("well formed")
    }

    #[test]
    fn an_answer_counts_only_for_what_was_asked() {
        let mut ledger = Ledger::default();
        let lost_in_a_disconnect = ledger.send(ms(0));
        let sequence = ledger.send(ms(50));
        assert!(!ledger.acknowledge(lost_in_a_disconnect, ms(60)));
        assert!(ledger.acknowledge(sequence, ms(60)));
        assert!(!ledger.acknowledge(sequence, ms(61)), "only once");
        assert_eq!(ledger.spans().len(), 1);
    }

    #[test]
    fn everything_promised_is_there() {
        let comparison = ledger().compare(&found("1-3\n"), span(300, 400));
        assert_eq!(comparison.promised, 2);
        assert_eq!(comparison.lost, Vec::<u64>::new());
        assert_eq!(comparison.ahead, Vec::<u64>::new());
    }

    #[test]
    fn a_commit_under_way_during_the_cut_may_be_there_or_not() {
        for lines in ["1-2\n", "1-3\n"] {
            let comparison = ledger().compare(&found(lines), span(300, 400));
            assert!(comparison.lost.is_empty() && comparison.ahead.is_empty());
        }
    }

    #[test]
    fn lost_commits_are_named() {
        let comparison = ledger().compare(&found("1-1\n4-4"), span(460, 470));
        assert_eq!((comparison.promised, comparison.lost), (3, vec![2, 3]));
    }

    #[test]
    fn commits_from_after_the_cut_are_named() {
        let comparison = ledger().compare(&found("1-5"), span(300, 400));
        assert_eq!(comparison.ahead, vec![4, 5]);
    }

    #[test]
    fn the_longest_stall_is_the_one_that_overlaps() {
        assert_eq!(ledger().longest_stall(ms(300), ms(400)), Some(ms(250)));
        assert_eq!(ledger().longest_stall(ms(500), ms(700)), Some(ms(10)));
        let mut stuck = ledger();
        stuck.send(ms(700));
        assert_eq!(stuck.longest_stall(ms(700), ms(1900)), Some(ms(1200)));
    }

    #[test]
    fn writes_go_on_at_the_next_acknowledgement() {
        assert_eq!(ledger().first_acknowledged_after(ms(120)), Some(ms(450)));
        assert_eq!(ledger().first_acknowledged_after(ms(610)), None);
    }

    #[test]
    fn what_is_not_a_range_is_not_read() {
        assert_eq!(Found::parse("1-2\nERROR"), None);
        assert_eq!(Found::parse(""), Some(Found::default()));
    }
}
