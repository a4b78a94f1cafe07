//! Words from outside - the guest, a service - made harmless before a person's terminal or a tag may show them.

use std::{fmt, ops::Deref};

use serde::{Deserialize, Deserializer, Serialize};

/// Longest text that a diagnostic repeats, in characters.
const LIMIT: usize = 1_000;

/// One line of printable text: no control characters (so no terminal escapes), nothing that reorders or hides what
/// stands beside it, at most 1,000 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Text(String);

impl Text {
    /// Line breaks and tabs become spaces, what is not printable disappears, what is too long ends in `...`.
    pub fn new(raw: &str) -> Self {
        let mut clean: String = raw.chars().filter_map(printable).take(LIMIT + 1).collect();
        if clean.chars().count() > LIMIT {
            clean = clean.chars().take(LIMIT - 3).chain("...".chars()).collect();
        }
        Self(clean.trim().to_owned())
    }

    /// The same, in the characters and the length (256) that every AWS service takes in a tag's value.
    pub fn tag_value(&self) -> String {
        let allowed = |c: char| c.is_alphanumeric() || " +-=._:/@".contains(c);
        self.0
            .chars()
            .map(|c| if allowed(c) { c } else { '_' })
            .take(256)
            .collect()
    }
}

/// What `c` becomes on a terminal's line.
fn printable(c: char) -> Option<char> {
    match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
        _ if c.is_control() => None,
        // Marks that are invisible or change the direction of what follows (Unicode TR 36, 2.10).
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => {
            None
        }
        '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => None,
        _ => Some(c),
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Text {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

impl From<String> for Text {
    fn from(raw: String) -> Self {
        Self::new(&raw)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_line_breaks_and_overrides_do_not_pass() {
        let raw = "a\u{1b}[31mred\u{1b}]0;title\u{7}\r\nb\u{202e}txt.exe\u{9b}2J\u{200b}";
        assert_eq!(&*Text::new(raw), "a[31mred]0;title  btxt.exe2J");
    }

    #[test]
    fn a_tag_value_keeps_a_log_position_and_nothing_exotic() {
        assert_eq!(Text::new("0/3000028").tag_value(), "0/3000028");
        assert_eq!(Text::new("a<b>;\"c\"").tag_value(), "a_b___c_");
    }

    proptest! {
        #[test]
        fn any_input_becomes_one_short_harmless_line(raw in any::<String>(), times in 1_usize..40) {
            let text = Text::new(&raw.repeat(times));
            prop_assert!(text.chars().count() <= LIMIT);
            let harmless = |c: char| !c.is_control() && c != '\u{202e}';
            prop_assert!(text.chars().all(harmless));
            prop_assert!(text.tag_value().chars().count() <= 256);
        }
    }
}
