//! The timeline in characters, for the terminal and for logs: 100 columns.

use std::fmt::Write as _;

use super::{Lane, Scale, Span, Timeline};

const LABELS: usize = 20;
const PLOT: usize = 64;

/// Draws it, every line ended.
pub fn text(timeline: &Timeline) -> String {
    // The last column belongs to the end of the window.
    let scale = timeline.scale(63.5);
    let mut out = format!("{}\n", timeline.title);
    for lane in &timeline.lanes {
        line(
            &mut out,
            &lane.label,
            &lane_cells(timeline, &scale, lane),
            &lane.note(timeline.held),
        );
    }
    line(
        &mut out,
        "a client's commits",
        &commit_cells(timeline, &scale),
        &timeline.stall_note(),
    );
    line(&mut out, "", &axis_cells(timeline, &scale), "ms");
    out
}

fn line(out: &mut String, label: &str, cells: &[char], note: &str) {
    let plot: String = cells.iter().collect();
    // Writing to a String does not fail.
    let _ = writeln!(out, "{label:>LABELS$.LABELS$} {plot} {note}");
}

fn lane_cells(timeline: &Timeline, scale: &Scale, lane: &Lane) -> Vec<char> {
    let mut cells = background(timeline, scale);
    for span in &lane.spans {
        fill(
            &mut cells,
            scale,
            *span,
            if span.is_instant() { '◆' } else { '█' },
        );
    }
    cells
}

fn commit_cells(timeline: &Timeline, scale: &Scale) -> Vec<char> {
    let mut cells = background(timeline, scale);
    for commit in &timeline.commits {
        fill(&mut cells, scale, Span::instant(commit.to), '•');
    }
    if let Some(stall) = timeline.longest_stall() {
        fill(&mut cells, scale, stall, '━');
    }
    cells
}

/// Blank, shaded where writes were held.
fn background(timeline: &Timeline, scale: &Scale) -> Vec<char> {
    let mut cells = vec![' '; PLOT];
    fill(&mut cells, scale, timeline.held, '░');
    cells
}

fn fill(cells: &mut [char], scale: &Scale, span: Span, with: char) {
    if let Some((from, to)) = scale.stretch(span) {
        cells[column(from)..=column(to)].fill(with);
    }
}

fn axis_cells(timeline: &Timeline, scale: &Scale) -> Vec<char> {
    let mut cells = vec![' '; PLOT];
    for (place, milliseconds) in scale.marks(timeline.held.from, 6.0) {
        let start = column(place);
        let mark = format!("╵{milliseconds}");
        if start + mark.chars().count() <= PLOT {
            for (cell, character) in cells[start..].iter_mut().zip(mark.chars()) {
                *cell = character;
            }
        }
    }
    cells
}

/// The scale is narrower than the plot: a place inside it is a column.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn column(place: f64) -> usize {
    place as usize
}

#[cfg(test)]
mod tests {
    use super::{super::tests::example, *};

    fn drawn(label: &str) -> String {
        let all = text(&example());
        let line = all.lines().find(|line| line.contains(label));
        line.unwrap_or_else(|| panic!("{label} in {all}")).into()
    }

    #[test]
    fn every_line_fits() {
        for line in text(&example()).lines() {
            assert!(line.chars().count() <= 104, "{line}");
        }
    }

    #[test]
    fn a_step_before_the_hold_stands_before_it() {
        let probe = drawn("probe");
        let last_of_the_probe = probe.rfind('█').expect("drawn");
        assert!(last_of_the_probe < probe.find('░').expect("the hold shows behind"));
    }

    #[test]
    fn an_instant_is_a_diamond_inside_the_hold() {
        let snapshot = drawn("snapshot vol-1");
        assert_eq!(snapshot.matches('◆').count(), 1);
        assert!(snapshot.contains("░◆░"), "{snapshot}");
    }

    #[test]
    fn the_stall_covers_the_hold() {
        let commits = drawn("a client's commits");
        assert!(!commits.contains('░'), "{commits}");
        assert!(commits.contains("━━━━") && commits.ends_with("longest 410 ms"));
    }

    #[test]
    fn zero_stands_where_writes_were_held() {
        let all = text(&example());
        let axis: Vec<char> = all.lines().last().expect("the axis").chars().collect();
        let held: Vec<char> = drawn("writes held").chars().collect();
        let began = held.iter().position(|c| *c == '█').expect("drawn");
        assert_eq!(axis[began..began + 2], ['╵', '0']);
    }
}
