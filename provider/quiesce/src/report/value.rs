//! Values that go back to the guest exactly as it said them, hence are validated instead of cleaned.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{session::SessionId, text::Text};

/// The kernel's random id of one boot (`/proc/sys/kernel/random/boot_id`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BootId(String);

/// A mount point as mountinfo spells it: blanks, line breaks and backslashes as octal escapes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct MountPoint(String);

impl BootId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BootId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let hex = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
        if text.len() == 36 && text.bytes().all(hex) {
            Ok(Self(text))
        } else {
            Err("not a boot id")
        }
    }
}

impl MountPoint {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Directories below the root: 0 for `/`.
    pub(crate) fn depth(&self) -> usize {
        self.0.split('/').filter(|part| !part.is_empty()).count()
    }
}

impl FromStr for MountPoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let harmless = &*Text::new(text) == text && !text.contains(char::is_whitespace);
        if text.starts_with('/') && text.len() <= 4_096 && harmless {
            Ok(Self(text.to_owned()))
        } else {
            Err("not a mount point as mountinfo spells it")
        }
    }
}

impl TryFrom<String> for MountPoint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for MountPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Milliseconds, below a hundred years so that no sum with an instant can overflow.
#[derive(Deserialize)]
#[serde(try_from = "u64")]
struct Millis(Duration);

impl TryFrom<u64> for Millis {
    type Error = &'static str;

    fn try_from(ms: u64) -> Result<Self, Self::Error> {
        const CENTURY_MS: u64 = 100 * 366 * 24 * 3_600 * 1_000;
        if ms > CENTURY_MS {
            Err("more than a century")
        } else {
            Ok(Self(Duration::from_millis(ms)))
        }
    }
}

pub(super) fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Millis::deserialize(deserializer).map(|Millis(duration)| duration)
}

pub(super) fn optional_millis<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let millis = Option::<Millis>::deserialize(deserializer)?;
    Ok(millis.map(|Millis(duration)| duration))
}

pub(super) fn session<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SessionId, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

/// Absent, null and empty all mean "none": a shell has no null.
pub(super) fn non_empty<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Text>, D::Error> {
    let text = Option::<Text>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()))
}
