//! `name_prefix`: names that differ from one moment to the next, and sort by it.

use std::sync::atomic::{AtomicU32, Ordering};

use time::{
    OffsetDateTime, UtcOffset, format_description::BorrowedFormatItem, macros::format_description,
};

/// The longest image name (`CreateImage`, `Name`) without the suffix.
pub(super) const LONGEST_PREFIX: usize = 128 - SUFFIX;

/// The time to 0.1 ms and eight hex digits, as hashicorp/aws has it.
const SUFFIX: usize = 26;

const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day][hour][minute][second][subsecond digits:4]");

/// Told apart within one process where the clock is too coarse.
static COUNTER: AtomicU32 = AtomicU32::new(1);

/// A name that begins with `prefix` and that no other call gives.
pub(super) fn name(prefix: &str) -> String {
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    name_at(prefix, OffsetDateTime::now_utc(), count)
}

fn name_at(prefix: &str, at: OffsetDateTime, count: u32) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    let time = at.format(TIME).expect("a clock's year has four digits");
    format!("{prefix}{time}{count:08x}")
}

/// Whether `name` is one that this prefix gives.
pub(super) fn is_of(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|suffix| {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        suffix.len() == SUFFIX && suffix.bytes().all(hex)
    })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_name_is_its_prefix_the_time_and_a_number() {
        let at = datetime!(2026-11-22 17:00:01.23456789 +1);
        let made = name_at("orders-", at, 255);
        assert_eq!(made, "orders-202611221600012345000000ff");
        assert!(is_of(&made, "orders-") && !is_of(&made, "orders"));
        assert!(!is_of("orders-2026-11-22", "orders-"));
    }

    #[test]
    fn names_of_one_moment_differ_and_fit() {
        let prefix = "x".repeat(LONGEST_PREFIX);
        let (one, other) = (name(&prefix), name(&prefix));
        assert_ne!(one, other);
        assert_eq!(one.len(), 128);
    }
}
