//! The tags by which everything of a session is found again, and which a user's tags may not touch.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Tag;
use quiesce::{ports::CaptureRequest, session::SessionId};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// What all keys of ours begin with.
pub const PREFIX: &str = "consistent:";
/// The session's id, from the first moment on, on image and snapshots.
pub const SESSION: &str = "consistent:session";
/// [`PENDING`] from the first moment on; [`PROVEN`] is the last thing that is written.
pub const STATE: &str = "consistent:state";
/// The image's name, on the snapshots too: they can outlive the image.
pub const IMAGE_NAME: &str = "consistent:image-name";
/// The instance that the image was taken of.
pub const SOURCE_INSTANCE: &str = "consistent:source-instance";
/// RFC 3339; from then on what is pending may be swept. [`NEVER`] once proven.
pub const EXPIRES: &str = "consistent:expires";

/// An image in the making, or what a dead run left of one.
pub const PENDING: &str = "pending";
/// The proof is complete.
pub const PROVEN: &str = "proven";
/// The expiry of what is proven.
pub const NEVER: &str = "never";

/// A tag that the user may not set.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the tag key `{key}` is reserved: keys may not begin with `{prefix}`")]
pub struct Reserved {
    pub key: String,
    pub prefix: &'static str,
}

/// Refuses keys that AWS (`aws:`) or this provider (`consistent:`) keeps for itself.
pub fn check(tags: &BTreeMap<String, String>) -> Result<(), Reserved> {
    for key in tags.keys() {
        for prefix in ["aws:", PREFIX] {
            if key.to_ascii_lowercase().starts_with(prefix) {
                return Err(Reserved {
                    key: key.clone(),
                    prefix,
                });
            }
        }
    }
    Ok(())
}

/// Ours for a session that begins.
pub(super) fn of_session(request: &CaptureRequest, instance_id: &str) -> BTreeMap<String, String> {
    let ours = [
        (SESSION, request.session.as_str().to_owned()),
        (STATE, PENDING.to_owned()),
        (IMAGE_NAME, request.name.clone()),
        (SOURCE_INSTANCE, instance_id.to_owned()),
        (EXPIRES, format_expiry(request.expires)),
    ];
    ours.map(|(key, value)| (key.to_owned(), value)).into()
}

/// Ours for a session whose proof is complete.
pub(super) fn of_proof(evidence: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut tags = evidence.clone();
    tags.insert(STATE.to_owned(), PROVEN.to_owned());
    tags.insert(EXPIRES.to_owned(), NEVER.to_owned());
    tags
}

pub(super) fn to_sdk(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

pub(super) fn from_sdk(tags: Option<Vec<Tag>>) -> BTreeMap<String, String> {
    tags.unwrap_or_default()
        .into_iter()
        .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
        .collect()
}

/// True for an image whose proof is complete.
pub fn is_proven(tags: &BTreeMap<String, String>) -> bool {
    tags.get(STATE).is_some_and(|state| state == PROVEN)
}

/// The session that left this behind, where it was pending and its time is over.
pub(super) fn expired_session(
    tags: &BTreeMap<String, String>,
    now: OffsetDateTime,
) -> Option<SessionId> {
    let pending = tags.get(STATE).is_some_and(|state| state == PENDING);
    let expires = tags
        .get(EXPIRES)
        .and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok())?;
    let session = tags.get(SESSION)?.parse().ok()?;
    (pending && expires < now).then_some(session)
}

/// Whole seconds in UTC: the sixty bytes that a person reads in the console.
fn format_expiry(at: OffsetDateTime) -> String {
    let at = at
        .to_offset(time::UtcOffset::UTC)
        .replace_nanosecond(0)
        .unwrap_or(at);
    at.format(&Rfc3339)
        .expect("an expiry lies within four-digit years")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn reserved_keys_are_refused_in_any_case() {
        for key in ["aws:x", "AWS:x", "consistent:state", "Consistent:state"] {
            assert_eq!(
                check(&tags(&[(key, "")])).map_err(|it| it.key),
                Err(key.to_owned())
            );
        }
        assert_eq!(
            check(&tags(&[("awsome", ""), ("consistent", ""), ("Name", "x")])),
            Ok(())
        );
    }

    #[test]
    fn only_pending_and_past_its_time_is_left_behind() {
        let now = OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000);
        let session = SessionId::random();
        let left = |state: &str, expires: &str| {
            expired_session(
                &tags(&[
                    (SESSION, session.as_str()),
                    (STATE, state),
                    (EXPIRES, expires),
                ]),
                now,
            )
        };
        assert_eq!(left(PENDING, "2001-01-01T00:00:00Z"), Some(session.clone()));
        assert_eq!(
            left(PENDING, "2090-01-01T00:00:00Z"),
            None,
            "a live run may own it"
        );
        assert_eq!(left(PROVEN, "2001-01-01T00:00:00Z"), None, "proven");
        assert_eq!(left(PENDING, "soon"), None, "unreadable: not provably ours");
        assert_eq!(
            expired_session(&tags(&[(STATE, PENDING)]), now),
            None,
            "no session"
        );
    }

    #[test]
    fn an_expiry_survives_its_tag() {
        let at = OffsetDateTime::UNIX_EPOCH
            + time::Duration::days(20_000)
            + time::Duration::milliseconds(1_500);
        let read = OffsetDateTime::parse(&format_expiry(at), &Rfc3339).expect("RFC 3339");
        assert_eq!(at - read, time::Duration::milliseconds(500));
    }
}
