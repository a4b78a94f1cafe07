//! The timeline as an SVG document: no script, no font of its own, readable on white.

use std::fmt::Write as _;

use super::{Lane, Scale, Timeline};

const WIDTH: f64 = 960.0;
const LABELS: f64 = 190.0;
const NOTES: f64 = 130.0;
const ROW: f64 = 28.0;
const TOP: f64 = 56.0;
/// Narrower than this nobody sees a bar.
const HAIRLINE: f64 = 1.5;

const BAR: &str = "#2f6f9f";
const HELD: &str = "#fbe3c0";
const COMMIT: &str = "#3d8b57";
const STALL: &str = "#c4452f";

/// Draws it.
pub fn svg(timeline: &Timeline) -> String {
    let drawing = Drawing {
        timeline,
        scale: timeline.scale(WIDTH - LABELS - NOTES),
        out: String::new(),
    };
    drawing.draw()
}

struct Drawing<'a> {
    timeline: &'a Timeline,
    scale: Scale,
    out: String,
}

impl Drawing<'_> {
    fn draw(mut self) -> String {
        let rows = self.timeline.lanes.len() + 1;
        let bottom = TOP + as_f64(rows) * ROW;
        self.open(bottom + 44.0);
        self.shade_the_hold(bottom);
        self.axis(bottom);
        for (row, lane) in self.timeline.lanes.iter().enumerate() {
            self.lane(lane, TOP + as_f64(row) * ROW);
        }
        self.commits(bottom - ROW);
        self.out.push_str("</svg>\n");
        self.out
    }

    fn open(&mut self, height: f64) {
        self.push(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        ));
        self.label(16.0, 28.0, "font-size=\"16\"", &self.timeline.title.clone());
    }

    fn shade_the_hold(&mut self, bottom: f64) {
        if let Some((from, to)) = self.scale.stretch(self.timeline.held) {
            self.bar((from, to), TOP - 8.0, bottom - TOP + 8.0, HELD);
        }
    }

    fn axis(&mut self, bottom: f64) {
        for (place, milliseconds) in self.scale.marks(self.timeline.held.from, 8.0) {
            let x = LABELS + place;
            self.push(format_args!(
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\" stroke=\"#00000018\"/>\n",
                TOP - 8.0
            ));
            let style = "text-anchor=\"middle\" fill=\"#555\"";
            self.label(x, bottom + 18.0, style, &milliseconds.to_string());
        }
        let middle = LABELS + (WIDTH - LABELS - NOTES) / 2.0;
        let style = "text-anchor=\"middle\" fill=\"#555\"";
        self.label(middle, bottom + 36.0, style, "ms since writes were held");
    }

    fn lane(&mut self, lane: &Lane, top: f64) {
        self.row(&lane.label, &lane.note(self.timeline.held), top);
        for span in &lane.spans {
            let Some((from, to)) = self.scale.stretch(*span) else {
                continue;
            };
            if span.is_instant() {
                self.diamond(LABELS + from, top + ROW / 2.0);
            } else {
                self.bar((from, to), top + 7.0, ROW - 14.0, BAR);
            }
        }
    }

    fn commits(&mut self, top: f64) {
        self.row("a client's commits", &self.timeline.stall_note(), top);
        let stall = self.timeline.longest_stall();
        for commit in &self.timeline.commits {
            let Some(stretch) = self.scale.stretch(*commit) else {
                continue;
            };
            let color = if Some(*commit) == stall {
                STALL
            } else {
                COMMIT
            };
            self.bar(stretch, top + 9.0, ROW - 18.0, color);
        }
    }

    fn row(&mut self, label: &str, note: &str, top: f64) {
        let baseline = top + ROW / 2.0 + 4.5;
        self.label(LABELS - 12.0, baseline, "text-anchor=\"end\"", label);
        self.label(WIDTH - NOTES + 12.0, baseline, "fill=\"#555\"", note);
    }

    fn bar(&mut self, (from, to): (f64, f64), top: f64, height: f64, color: &str) {
        let width = (to - from).max(HAIRLINE);
        let x = LABELS + from;
        self.push(format_args!(
            "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{color}\"/>\n"
        ));
    }

    fn diamond(&mut self, x: f64, y: f64) {
        self.push(format_args!(
            "<path d=\"M{x:.1} {:.1} l6 6 -6 6 -6 -6 z\" fill=\"{BAR}\"/>\n",
            y - 6.0
        ));
    }

    fn label(&mut self, x: f64, y: f64, style: &str, text: &str) {
        let text = escaped(text);
        self.push(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{text}</text>\n"
        ));
    }

    fn push(&mut self, piece: std::fmt::Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = self.out.write_fmt(piece);
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Rows of a drawing: far below what a float holds exactly.
#[allow(clippy::cast_precision_loss)]
fn as_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Span, tests::example},
        *,
    };

    #[test]
    fn shows_every_lane_and_its_note() {
        let drawn = svg(&example());
        for text in [
            "probe",
            "writes held",
            "+200 ms",
            "7590 ms",
            "longest 410 ms",
            STALL,
        ] {
            assert!(drawn.contains(text), "{text} in {drawn}");
        }
        assert!(drawn.contains("orders &lt;freeze&gt;"));
        assert_eq!(drawn.matches("<path").count(), 1, "one instant");
    }

    #[test]
    fn elements_are_closed() {
        let drawn = svg(&example());
        let opened = drawn.matches('<').count();
        let closed = drawn.matches("/>").count() + 2 * drawn.matches("</").count();
        assert_eq!(opened, closed);
    }

    #[test]
    fn nothing_is_drawn_outside() {
        for width in svg(&example()).split("width=\"").skip(1) {
            let number = width.split('"').next().expect("closed");
            if let Ok(number) = number.parse::<f64>() {
                assert!((0.0..=WIDTH).contains(&number), "{number}");
            }
        }
    }

    #[test]
    fn spans_out_of_the_window_are_left_out() {
        let mut timeline = example();
        timeline.lanes[0].spans = vec![Span::instant(std::time::Duration::ZERO)];
        timeline.lanes.truncate(2);
        assert!(!svg(&timeline).contains("<path"));
    }
}
