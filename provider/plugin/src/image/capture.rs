//! The words for how the volumes are captured, as configurations have them.

use quiesce::capture::CaptureCall;

/// What `capture` may be.
pub(crate) const WORDS: &[&str] = &["create_image", "create_snapshots"];

/// One of [`WORDS`]: an attribute's validator lets no other pass.
pub(crate) fn call(word: &str) -> CaptureCall {
    let named = CaptureCall::ALL.into_iter().find(|it| it.as_str() == word);
    named.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_a_call_of_its_own() {
        let calls: Vec<CaptureCall> = WORDS.iter().map(|word| call(word)).collect();
        assert_eq!(calls, CaptureCall::ALL);
    }
}
