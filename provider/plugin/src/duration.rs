//! Go's duration strings (`1h30m`), which Terraform users write in `timeouts` and roles.

use std::time::Duration;

/// Units in ns (Go, package time, `ParseDuration`).
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("\u{b5}s", 1e3),
    ("\u{3bc}s", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3_600e9),
];

/// Reads a positive duration; the error says what is wrong, in a sentence.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("Must be a duration like \"90s\", \"45m\" or \"1h30m\", not {text:?}.");
    let mut rest = text;
    let mut nanoseconds = 0.0;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split(after, |c| !(c.is_ascii_digit() || c == '.'));
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let known = UNITS.iter().find(|(name, _)| *name == unit);
        nanoseconds += number * known.ok_or_else(wrong)?.1;
        rest = after;
    }
    let duration = Duration::try_from_secs_f64(nanoseconds / 1e9).map_err(|_| wrong())?;
    if duration.is_zero() {
        return Err(wrong());
    }
    Ok(duration)
}

/// A validator for `#[tf(validate = ...)]`.
pub(crate) fn check(text: &str) -> Result<(), String> {
    parse(text).map(drop)
}

/// A validator for durations from `least` to `most`.
pub(crate) fn between(
    least: &'static str,
    most: &'static str,
) -> impl Fn(&str) -> Result<(), String> {
    move |text| {
        let duration = parse(text)?;
        if (parse(least)?..=parse(most)?).contains(&duration) {
            Ok(())
        } else {
            Err(format!(
                "Must be at least {least} and at most {most}, not {text}."
            ))
        }
    }
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, millis) in [
            ("60m", 3_600_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("90s", 90_000),
            ("1m0.25s", 60_250),
            ("500ms", 500),
            ("250000us", 250),
            ("250000\u{b5}s", 250),
            ("7000000ns", 7),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_positive_duration() {
        for text in [
            "", "60", "m", "1h30", "-5m", "+5m", "0s", "1d", "1 h", "1..5s", "60M", "1e3s", "inf",
        ] {
            let told = parse(text).expect_err(text);
            assert!(told.starts_with("Must be a duration like"), "{told}");
        }
        assert!(
            parse(&format!("{}h", "9".repeat(40))).is_err(),
            "too long to count"
        );
    }

    #[test]
    fn a_range_names_its_ends() {
        let check = between("15m", "12h");
        assert_eq!(check("15m"), Ok(()));
        assert_eq!(check("12h"), Ok(()));
        assert_eq!(
            check("13h").expect_err("long"),
            "Must be at least 15m and at most 12h, not 13h."
        );
    }
}
