//! The words for how writes are held, as configurations have them.

use quiesce::method::{Choice, Method};

/// What `method` may be.
pub(crate) const WORDS: &[&str] = &["auto", "freeze", "pause", "stop"];

/// One of [`WORDS`]: an attribute's validator lets no other pass.
pub(crate) fn choice(word: &str) -> Choice {
    let methods = [Method::Freeze, Method::Pause, Method::Stop];
    let named = methods.into_iter().find(|method| method.as_str() == word);
    named.map_or(Choice::Auto, Choice::Exactly)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_a_choice_of_its_own() {
        let choices: Vec<Choice> = WORDS.iter().map(|word| choice(word)).collect();
        let methods = [Method::Freeze, Method::Pause, Method::Stop];
        assert_eq!(choices[0], Choice::Auto);
        assert_eq!(choices[1..], methods.map(Choice::Exactly));
    }
}
