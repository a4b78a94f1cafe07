//! The tags by which everything of a session is found again, and which a user's tags may not touch.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
use quiesce::{ports::CaptureRequest, session::SessionId};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::CallError;

/// What all keys of ours begin with.
pub const PREFIX: &str = "consistent:";
/// The session's id, from the first moment on, on image and snapshots.
pub const SESSION: &str = "consistent:session";
/// [`PENDING`] from the first moment on; [`PROVEN`] on the image is the last thing that is written.
pub const STATE: &str = "consistent:state";
/// The image's name, on the snapshots too: they can outlive the image.
pub const IMAGE_NAME: &str = "consistent:image-name";
/// The instance that the image was taken of.
pub const SOURCE_INSTANCE: &str = "consistent:source-instance";
/// RFC 3339; from then on what is pending may be swept. [`NEVER`] once proven.
pub const EXPIRES: &str = "consistent:expires";

/// The engines on the image, separated by spaces.
pub const ENGINE: &str = "consistent:engine";
/// Their versions, in the same order.
pub const ENGINE_VERSION: &str = "consistent:engine-version";
/// How writes were held.
pub const METHOD: &str = "consistent:method";
/// Where the databases' logs stood, in the engines' order.
pub const RECOVERY_POINT: &str = "consistent:recovery-point";
/// How long writes were held, in ms.
pub const HOLD_MS: &str = "consistent:hold-ms";
/// When a restore test last passed (RFC 3339).
pub const VERIFIED_AT: &str = "consistent:verified-at";
/// What the image was configured with and EC2 does not know, for an import: in two parts where one is too short.
pub const CONFIGURATION: [&str; 2] = ["consistent:configuration", "consistent:configuration-2"];

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

/// The tags of something that a call makes: the user's and ours.
pub(super) fn specification(
    action: &'static str,
    kind: ResourceType,
    users: &BTreeMap<String, String>,
    ours: &BTreeMap<String, String>,
) -> Result<TagSpecification, CallError> {
    check(users).map_err(|reserved| CallError::refused(action, reserved.to_string()))?;
    let mut all = users.clone();
    all.extend(ours.clone());
    Ok(TagSpecification::builder()
        .resource_type(kind)
        .set_tags(Some(to_sdk(&all)))
        .build())
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

/// A seal's tags, with the expiry that goes with their state: none once proven, now where a seal is taken back.
pub(super) fn of_seal(
    given: &BTreeMap<String, String>,
    now: OffsetDateTime,
) -> BTreeMap<String, String> {
    let expires = if is_proven(given) {
        NEVER.to_owned()
    } else {
        format_expiry(now)
    };
    let mut tags = given.clone();
    tags.insert(EXPIRES.to_owned(), expires);
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

/// The session of something that is not proven, and when its time is over.
pub(super) fn pending_session(
    tags: &BTreeMap<String, String>,
) -> Option<(SessionId, OffsetDateTime)> {
    let pending = tags.get(STATE).is_some_and(|state| state == PENDING);
    let expires = OffsetDateTime::parse(tags.get(EXPIRES)?, &Rfc3339).ok()?;
    let session = tags.get(SESSION)?.parse().ok()?;
    pending.then_some((session, expires))
}

/// Whole seconds in UTC, for people who read the tag.
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
    fn only_what_is_provably_ours_and_pending_names_its_session() {
        let session = SessionId::random();
        let found = |state: &str, expires: &str| {
            let all = [
                (SESSION, session.as_str()),
                (STATE, state),
                (EXPIRES, expires),
            ];
            pending_session(&tags(&all))
        };
        let at = OffsetDateTime::parse("2001-01-01T00:00:00Z", &Rfc3339).unwrap();
        assert_eq!(
            found(PENDING, "2001-01-01T00:00:00Z"),
            Some((session.clone(), at))
        );
        assert_eq!(found(PROVEN, "2001-01-01T00:00:00Z"), None);
        assert_eq!(found(PENDING, "soon"), None, "not written by us");
        assert_eq!(
            pending_session(&tags(&[(STATE, PENDING)])),
            None,
            "no session"
        );
    }

    #[test]
    fn a_seal_that_is_taken_back_may_be_swept_at_once() {
        let now = OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000);
        let expiry = |state| of_seal(&tags(&[(STATE, state)]), now).remove(EXPIRES);
        assert_eq!(expiry(PROVEN).as_deref(), Some(NEVER));
        assert_eq!(expiry(PENDING).as_deref(), Some("2024-10-04T00:00:00Z"));
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
