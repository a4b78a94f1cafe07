//! Maps instants to places on a line, and finds round numbers for its marks.

use std::time::Duration;

use super::Span;

/// A linear scale: `window` onto `0..width`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    window: Span,
    width: f64,
}

impl Scale {
    pub(super) fn new(window: Span, width: f64) -> Self {
        Self { window, width }
    }

    /// The place of an instant; what lies outside the window is put on its edge.
    pub(super) fn place(&self, at: Duration) -> f64 {
        let inside = at.clamp(self.window.from, self.window.to);
        let length = self.window.length().as_secs_f64().max(f64::MIN_POSITIVE);
        inside.saturating_sub(self.window.from).as_secs_f64() / length * self.width
    }

    /// Where a span begins and ends; `None` where nothing of it is in the window.
    pub(super) fn stretch(&self, span: Span) -> Option<(f64, f64)> {
        let outside = span.to < self.window.from || span.from > self.window.to;
        (!outside).then(|| (self.place(span.from), self.place(span.to)))
    }

    /// Round numbers of milliseconds from `origin`, about `count` of them, with their places.
    pub(super) fn marks(&self, origin: Duration, count: f64) -> Vec<(f64, i64)> {
        let milliseconds = |at: Duration| at.as_secs_f64() * 1000.0;
        let step = round_step(milliseconds(self.window.length()) / count);
        let first = (milliseconds(self.window.from) - milliseconds(origin)) / step;
        let last = (milliseconds(self.window.to) - milliseconds(origin)) / step;
        let mut marks = Vec::new();
        let mut index = first.ceil();
        while index <= last {
            let at = (milliseconds(origin) + index * step) / 1000.0;
            let place = self.place(Duration::from_secs_f64(at.max(0.0)));
            // Steps are whole milliseconds and a hold lasts minutes at most: nothing is lost.
            #[allow(clippy::cast_possible_truncation)]
            marks.push((place, (index * step) as i64));
            index += 1.0;
        }
        marks
    }
}

/// The next 1, 2 or 5 times a power of ten; at least 1.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.max(1.0).log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= least)
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::{super::tests::span, *};

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-6
    }

    #[test]
    fn places_are_linear_and_stay_inside() {
        let scale = Scale::new(span(1000, 2000), 100.0);
        for (at, place) in [
            (1000, 0.0),
            (1500, 50.0),
            (2000, 100.0),
            (10, 0.0),
            (9000, 100.0),
        ] {
            assert!(near(scale.place(Duration::from_millis(at)), place), "{at}");
        }
        assert_eq!(scale.stretch(span(10, 900)), None);
        let (from, to) = scale.stretch(span(900, 1100)).expect("its end is visible");
        assert!(near(from, 0.0) && near(to, 10.0));
    }

    #[test]
    fn marks_are_round_and_counted_from_the_origin() {
        let scale = Scale::new(span(880, 1450), 570.0);
        let marks = scale.marks(Duration::from_secs(1), 6.0);
        let values: Vec<_> = marks.iter().map(|(_, value)| *value).collect();
        assert_eq!(values, [-100, 0, 100, 200, 300, 400]);
        assert!(near(marks[1].0, 120.0), "{marks:?}");
    }

    #[test]
    fn steps_are_1_2_5() {
        for (least, step) in [
            (0.1, 1.0),
            (1.0, 1.0),
            (3.0, 5.0),
            (6.0, 10.0),
            (150.0, 200.0),
        ] {
            assert!(near(round_step(least), step), "{least}");
        }
    }
}
