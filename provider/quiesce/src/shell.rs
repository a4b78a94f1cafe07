//! The one place where a value becomes shell text: everything that reaches a guest script passes through `quote`.

/// `text` as one word of POSIX sh, whatever bytes it holds: single quotes, inside which the shell interprets nothing.
///
/// A NUL cannot be part of any shell word. It is dropped, as every shell does that meets one in its input.
pub fn quote(text: &str) -> String {
    let mut word = String::with_capacity(text.len() + 2);
    word.push('\'');
    for character in text.chars() {
        match character {
            '\'' => word.push_str(r"'\''"),
            '\0' => {}
            other => word.push(other),
        }
    }
    word.push('\'');
    word
}

/// One line (or more, where the value holds newlines) that sets the shell variable `name` to `value`.
pub(crate) fn assignment(name: &str, value: &str) -> String {
    debug_assert!(
        name.bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'),
        "{name} is a name of our own"
    );
    format!("{name}={}\n", quote(value))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// What each shell makes of the quoted word, as bytes.
    fn read_back(word: &str) -> Vec<(&'static str, Vec<u8>)> {
        let shells: [(&str, &[&str]); 3] =
            [("dash", &[]), ("bash", &["--posix"]), ("busybox", &["sh"])];
        shells
            .into_iter()
            .map(|(shell, arguments)| {
                let output = Command::new(shell)
                    .args(arguments)
                    .arg("-c")
                    .arg(format!("VALUE={word}\nprintf '%s' \"$VALUE\""))
                    .output()
                    .unwrap_or_else(|e| panic!("{shell} is needed for this test: {e}"));
                assert!(output.status.success(), "{shell}: {output:?}");
                (shell, output.stdout)
            })
            .collect()
    }

    fn assert_survives(text: &str) {
        for (shell, bytes) in read_back(&quote(text)) {
            assert_eq!(bytes, text.as_bytes(), "in {shell}");
        }
    }

    #[test]
    fn every_ascii_byte_survives_alone_and_between_quotes() {
        for byte in 1..=127_u8 {
            let character = char::from(byte);
            assert_survives(&format!("{character}'{character}\"{character}"));
        }
    }

    #[test]
    fn what_attackers_try_stays_text() {
        for text in [
            "",
            "'",
            "'; touch /tmp/pwned; '",
            "$(id)`id`${IFS}$0",
            "\\",
            "\\'",
            "line one\nline two\n",
            "-n",
            "ünïcödé 🐘",
            "#!{{ssm:x}}",
        ] {
            assert_survives(text);
        }
    }

    #[test]
    fn a_nul_is_dropped() {
        assert_eq!(quote("a\0b"), "'ab'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_survives(text in "[^\0]*") {
            assert_survives(&text);
        }

        #[test]
        fn text_made_of_shell_syntax_survives(text in "['\"\\\\$`!#&;|<>(){}\\[\\]*?~= \n\ta-c]{0,40}") {
            assert_survives(&text);
        }
    }
}
