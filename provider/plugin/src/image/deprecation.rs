//! `deprecation_time`: EC2 keeps it by the minute and writes it in its own way; what means the same is no change.

use tfplug::{Diagnostic, Value};
use time::{
    Duration, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339, macros::datetime,
};

/// `EnableImageDeprecation`, `DeprecateAt`: "The upper limit for `DeprecateAt` is 10 years from now".
const LONGEST: Duration = Duration::days(3_652);

/// The years that RFC 3339 and EC2 can both write.
const FIRST: OffsetDateTime = datetime!(1970-01-01 00:00 UTC);

/// A validator: RFC 3339, e.g. `2027-01-31T00:00:00Z`. Whether it lies ahead is for the plan to say: one that was set
/// long ago stays right.
pub(super) fn check(text: &str) -> Result<(), String> {
    match parse(text) {
        Some(at) if at >= FIRST => Ok(()),
        _ => Err(format!(
            "Must be a time in RFC 3339 like \"2027-01-31T00:00:00Z\", not {text:?}."
        )),
    }
}

pub(super) fn parse(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

/// What a refresh shows: the state's own words as long as EC2's mean the same. EC2 writes nothing (empty) where an image is
/// not to be deprecated.
pub(super) fn refreshed(recorded: &Value<String>, shown: &str) -> Value<String> {
    match (recorded.known(), parse(shown)) {
        (Some(recorded), Some(_)) if same(recorded, shown) => recorded.clone().into(),
        (_, Some(at)) => Value::Known(written(at)),
        (_, None) => Value::Null,
    }
}

/// Whether two texts are the same minute to EC2, which "rounds the seconds to the nearest minute".
pub(super) fn same(one: &str, other: &str) -> bool {
    match (parse(one), parse(other)) {
        (Some(one), Some(other)) => minute(one) == minute(other),
        _ => one == other,
    }
}

/// Why EC2 would refuse this time now.
pub(super) fn problem(text: &str, now: OffsetDateTime) -> Option<Diagnostic> {
    let at = parse(text)?;
    let why = if at <= now {
        "lies in the past: EC2 deprecates an image at a time to come"
    } else if at > now + LONGEST {
        "is more than ten years away: EC2 takes no later time"
    } else {
        return None;
    };
    let detail = format!("{text} {why}.");
    Some(Diagnostic::error("EC2 would refuse this time", detail).at("deprecation_time"))
}

fn minute(at: OffsetDateTime) -> i64 {
    (at.unix_timestamp() + 30).div_euclid(60)
}

/// In UTC and whole seconds.
fn written(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    let at = at.replace_nanosecond(0).unwrap_or(at);
    at.format(&Rfc3339)
        .unwrap_or_else(|_beyond_year_9999| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rfc_3339_is_a_time() {
        for good in ["2027-01-31T00:00:00Z", "2027-01-31T01:00:00.5+01:00"] {
            assert_eq!(check(good), Ok(()));
        }
        for bad in [
            "",
            "2027-01-31",
            "2027-01-31T00:00:00",
            "tomorrow",
            "1969-12-31T00:00:00Z",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_ec2_made_of_it_is_no_drift() {
        let recorded = |text: &str| Value::from(text);
        for (own, shown) in [
            ("2027-01-31T00:00:00Z", "2027-01-31T00:00:00.000Z"),
            ("2027-01-31T01:00:00+01:00", "2027-01-31T00:00:00.000Z"),
            ("2027-01-31T00:00:31Z", "2027-01-31T00:01:00.000Z"),
            ("2027-01-31T00:00:29Z", "2027-01-31T00:00:00.000Z"),
        ] {
            assert_eq!(refreshed(&recorded(own), shown), recorded(own));
        }
    }

    #[test]
    fn drift_shows_in_utc() {
        let own = Value::from("2027-01-31T00:00:00Z");
        assert_eq!(
            refreshed(&own, "2028-01-31T00:00:00.000Z"),
            "2028-01-31T00:00:00Z".into()
        );
        assert_eq!(
            refreshed(&Value::Null, "2028-01-31T00:00:00.000Z"),
            "2028-01-31T00:00:00Z".into()
        );
        assert_eq!(refreshed(&own, ""), Value::Null);
    }

    #[test]
    fn a_plan_knows_what_ec2_would_refuse() {
        let now = datetime!(2026-11-22 12:00 UTC);
        let told = |text| problem(text, now).map(|it| it.detail);
        assert_eq!(told("2027-01-31T00:00:00Z"), None);
        assert!(told("2026-11-22T12:00:00Z").is_some_and(|it| it.contains("in the past")));
        assert!(told("2037-01-31T00:00:00Z").is_some_and(|it| it.contains("ten years")));
    }
}
