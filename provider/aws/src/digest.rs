//! Digests of what a tag must not show: whoever may describe an image reads its tags.

use std::{fmt::Write as _, num::NonZeroU32};

use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA256, derive};

/// OWASP's password storage cheat sheet asks for as many with this algorithm: what is short is not guessed in no time.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(600_000).expect("not zero");

/// Bytes.
const LENGTH: usize = 32;

/// Takes a fraction of a second. The same text has the same digest under the same salt, and under no other.
pub fn digest(text: &str, salt: &str) -> String {
    let mut found = [0; LENGTH];
    derive(
        PBKDF2_HMAC_SHA256,
        ITERATIONS,
        salt.as_bytes(),
        text.as_bytes(),
        &mut found,
    );
    found.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Python's `hashlib.pbkdf2_hmac('sha256', b'2026.11', b'i-1/orders', 600_000).hex()`.
    #[test]
    fn it_is_what_others_compute() {
        assert_eq!(
            digest("2026.11", "i-1/orders"),
            "84b410b772ab0ec2640b2a9b24390bb0379126281b4c4f036cb035ec83cc6d00"
        );
    }

    #[test]
    fn text_and_salt_both_count() {
        let one = digest("a", "s");
        assert_ne!(one, digest("b", "s"));
        assert_ne!(one, digest("a", "t"));
    }
}
