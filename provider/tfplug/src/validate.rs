//! Validators for `#[tf(validate = ...)]` that many attributes need.

use std::{fmt::Display, ops::RangeBounds};

/// One of these texts.
pub fn one_of(
    allowed: &'static [&'static str],
) -> impl Fn(&str) -> Result<(), String> + Send + Sync {
    move |value| {
        if allowed.contains(&value) {
            return Ok(());
        }
        let allowed: Vec<String> = allowed.iter().map(|text| format!("{text:?}")).collect();
        Err(format!(
            "Must be one of {}, not {value:?}.",
            allowed.join(", ")
        ))
    }
}

/// A text with so many characters.
pub fn length(
    range: impl RangeBounds<usize> + Send + Sync,
) -> impl Fn(&str) -> Result<(), String> + Send + Sync {
    move |value| {
        let characters = value.chars().count();
        if range.contains(&characters) {
            return Ok(());
        }
        Err(format!(
            "Must have {} characters, not {characters}.",
            spoken(&range)
        ))
    }
}

/// A number from a range.
pub fn range<T>(
    range: impl RangeBounds<T> + Send + Sync,
) -> impl Fn(&T) -> Result<(), String> + Send + Sync
where
    T: PartialOrd + Display,
{
    move |value| {
        if range.contains(value) {
            return Ok(());
        }
        Err(format!("Must be {}, not {value}.", spoken(&range)))
    }
}

fn spoken<T: Display>(range: &impl RangeBounds<T>) -> String {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let lower = match range.start_bound() {
        Included(lower) => Some(format!("at least {lower}")),
        Excluded(lower) => Some(format!("more than {lower}")),
        Unbounded => None,
    };
    let upper = match range.end_bound() {
        Included(upper) => Some(format!("at most {upper}")),
        Excluded(upper) => Some(format!("less than {upper}")),
        Unbounded => None,
    };
    let bounds: Vec<String> = lower.into_iter().chain(upper).collect();
    bounds.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_is_allowed() {
        let error = one_of(&["auto", "stop"])("never").expect_err("not allowed");
        assert_eq!(error, "Must be one of \"auto\", \"stop\", not \"never\".");
        let error = length(3..=128)("ab").expect_err("too short");
        assert_eq!(
            error,
            "Must have at least 3 and at most 128 characters, not 2."
        );
        let error = range(1..)(&0).expect_err("too small");
        assert_eq!(error, "Must be at least 1, not 0.");
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        assert_eq!(length(..=3)("äöü"), Ok(()));
    }
}
