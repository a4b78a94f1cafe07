//! The timeline of a hold, drawn: what happened when, beside what the database's clients felt.

mod scale;
mod svg;
mod terminal;

use std::time::Duration;

use self::scale::Scale;
pub use self::{svg::svg, terminal::text};

/// From one instant of `CLOCK_MONOTONIC` to another, or one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: Duration,
    pub to: Duration,
}

impl Span {
    pub const fn instant(at: Duration) -> Self {
        Self { from: at, to: at }
    }

    pub fn length(self) -> Duration {
        self.to.saturating_sub(self.from)
    }

    fn is_instant(self) -> bool {
        self.from == self.to
    }
}

/// One line of the drawing.
#[derive(Clone, Debug)]
pub struct Lane {
    pub label: String,
    pub spans: Vec<Span>,
}

impl Lane {
    /// The summary at the end of the line: how long, or when after the beginning of the hold.
    fn note(&self, held: Span) -> String {
        match self.spans.as_slice() {
            [] => "-".into(),
            [only] if only.is_instant() => offset(only.from, held.from),
            spans => milliseconds(spans.iter().map(|span| span.length()).sum()),
        }
    }
}

/// Everything that the drawing shows.
#[derive(Clone, Debug)]
pub struct Timeline {
    pub title: String,
    /// Writes held, as the lab saw it; time is counted from its beginning.
    pub held: Span,
    pub lanes: Vec<Lane>,
    /// A client's commits, one after the other: sent to acknowledged.
    pub commits: Vec<Span>,
}

/// The hold takes this share of the width at least, however long the steps around it are.
const HOLD_SHARE: f64 = 0.35;

impl Timeline {
    /// The part of time that is drawn: all lanes, cut where the hold would become too small to read.
    fn window(&self) -> Span {
        let spans = || self.lanes.iter().flat_map(|lane| &lane.spans);
        let first = spans().map(|s| s.from).min().unwrap_or(self.held.from);
        let last = spans().map(|s| s.to).max().unwrap_or(self.held.to);
        let margin = self.held.length().mul_f64((1.0 / HOLD_SHARE - 1.0) / 2.0);
        Span {
            from: first.max(self.held.from.saturating_sub(margin)),
            to: last.min(self.held.to + margin).max(self.held.to),
        }
    }

    fn scale(&self, width: f64) -> Scale {
        Scale::new(self.window(), width)
    }

    /// The longest wait for a commit that overlapped the hold.
    fn longest_stall(&self) -> Option<Span> {
        self.commits
            .iter()
            .filter(|c| c.to >= self.held.from && c.from <= self.held.to)
            .copied()
            .max_by_key(|c| c.length())
    }

    fn stall_note(&self) -> String {
        self.longest_stall().map_or_else(
            || "no commit seen".into(),
            |stall| format!("longest {}", milliseconds(stall.length())),
        )
    }
}

fn milliseconds(length: Duration) -> String {
    format!("{} ms", length.as_millis())
}

fn offset(at: Duration, origin: Duration) -> String {
    match at.checked_sub(origin) {
        Some(later) => format!("+{}", milliseconds(later)),
        None => format!("-{}", milliseconds(origin.saturating_sub(at))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const fn span(from: u64, to: u64) -> Span {
        Span {
            from: Duration::from_millis(from),
            to: Duration::from_millis(to),
        }
    }

    /// A hold from 1000 to 1400 ms with a long settle after it.
    pub(super) fn example() -> Timeline {
        let lane = |label: &str, spans: &[Span]| Lane {
            label: label.into(),
            spans: spans.to_vec(),
        };
        Timeline {
            title: "orders <freeze>".into(),
            held: span(1000, 1400),
            lanes: vec![
                lane("probe", &[span(700, 900)]),
                lane("writes held", &[span(1000, 1400)]),
                lane("snapshot vol-1", &[span(1200, 1200)]),
                lane("settle", &[span(1410, 9000)]),
            ],
            commits: vec![span(980, 990), span(995, 1405), span(1406, 1410)],
        }
    }

    #[test]
    fn the_hold_keeps_its_share_of_the_window() {
        let window = example().window();
        assert_eq!(window.from, Duration::from_millis(700));
        let share = 400.0 / window.length().as_secs_f64() / 1000.0;
        assert!(share >= HOLD_SHARE, "{share}");
    }

    #[test]
    fn notes_say_how_long_or_when() {
        let timeline = example();
        let notes: Vec<_> = timeline
            .lanes
            .iter()
            .map(|lane| lane.note(timeline.held))
            .collect();
        assert_eq!(notes, ["200 ms", "400 ms", "+200 ms", "7590 ms"]);
        assert_eq!(
            offset(Duration::from_millis(5), Duration::from_millis(9)),
            "-4 ms"
        );
    }

    #[test]
    fn the_stall_is_the_commit_that_waited_for_the_release() {
        assert_eq!(example().longest_stall(), Some(span(995, 1405)));
        assert_eq!(example().stall_note(), "longest 410 ms");
        let unseen = Timeline {
            commits: vec![],
            ..example()
        };
        assert_eq!(unseen.stall_note(), "no commit seen");
    }
}
