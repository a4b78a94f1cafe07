//! The session: one attempt to make one image, and the idempotency key of everything it touches.

use std::{fmt, str::FromStr};

/// 128 random bits as 32 lower-case hex digits. `CreateImage` and `SendCommand` have no client token, so the session id
/// in tags and scripts is what makes a repeated delivery recognisable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct SessionId(String);

/// Not 32 lower-case hex digits.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a session id: 32 lower-case hex digits expected")]
pub struct NotASessionId;

impl SessionId {
    /// A new random id.
    pub fn random() -> Self {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes).expect("the operating system's random source works");
        Self(format!("{:032x}", u128::from_be_bytes(bytes)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SessionId {
    type Err = NotASessionId;

    fn from_str(text: &str) -> Result<Self, NotASessionId> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 32 && text.bytes().all(hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotASessionId)
        }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_id_parses_and_two_differ() {
        let id = SessionId::random();
        assert_eq!(id.as_str().parse::<SessionId>(), Ok(id.clone()));
        assert_ne!(id, SessionId::random());
    }

    #[test]
    fn anything_else_does_not_parse() {
        for text in [
            "",
            "abc",
            "G0000000000000000000000000000000",
            "0123456789ABCDEF0123456789ABCDEF",
        ] {
            assert_eq!(text.parse::<SessionId>(), Err(NotASessionId));
        }
    }
}
