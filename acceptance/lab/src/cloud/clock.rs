//! How AWS spells times. What the lab compares, it compares on [`crate::host::Monotonic`].

use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

/// EC2's spelling of a time, in UTC: `2026-11-22T16:00:00.000Z`.
const EC2_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

pub(crate) fn iso(at: OffsetDateTime) -> String {
    at.format(EC2_TIME).unwrap_or_default()
}

/// The JSON protocol's spelling of a time: seconds since 1970, with milliseconds as a fraction.
pub(crate) fn epoch(at: OffsetDateTime) -> serde_json::Value {
    let ms = u32::from(at.millisecond());
    #[expect(clippy::cast_precision_loss, reason = "exact until the year 287396")]
    let seconds = at.unix_timestamp() as f64;
    serde_json::json!(seconds + f64::from(ms) / 1000.0)
}
