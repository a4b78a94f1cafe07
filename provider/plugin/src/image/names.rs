//! What EC2 accepts as names, descriptions and ids: said while validating rather than while writes are held.

use super::unique::LONGEST_PREFIX;

/// `CreateImage`, `Name`: "3-128 alphanumeric characters, parentheses (()), square brackets ([]), spaces ( ), periods (.),
/// slashes (/), dashes (-), single quotes ('), at-signs (@), or underscores(_)".
pub(super) fn image(name: &str) -> Result<(), String> {
    let length = name.chars().count();
    if !(3..=128).contains(&length) {
        return Err(format!(
            "An image's name has 3 to 128 characters, not {length}."
        ));
    }
    letters(name)
}

/// What a name begins with.
pub(super) fn prefix(prefix: &str) -> Result<(), String> {
    let length = prefix.chars().count();
    if !(1..=LONGEST_PREFIX).contains(&length) {
        return Err(format!(
            "The prefix of an image's name has 1 to {LONGEST_PREFIX} characters, not {length}: {} more follow.",
            128 - LONGEST_PREFIX
        ));
    }
    letters(prefix)
}

fn letters(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c);
    match name.chars().find(|c| !allowed(*c)) {
        Some(other) => Err(format!(
            "An image's name has letters, digits, spaces and ()[]./-'@_ only, not {other:?}."
        )),
        None => Ok(()),
    }
}

/// EC2 refuses a longer one, and "character sets beyond ASCII are not supported" there.
pub(super) fn description(text: &str) -> Result<(), String> {
    let printable = |c: char| c == ' ' || c.is_ascii_graphic();
    if text.chars().count() > 255 {
        return Err("An image's description has 255 characters at most.".to_owned());
    }
    match text.chars().find(|c| !printable(*c)) {
        Some(other) => Err(format!(
            "An image's description has printable ASCII characters only, not {other:?}."
        )),
        None if text.is_empty() => Err("Must not be empty: leave it out.".to_owned()),
        None => Ok(()),
    }
}

/// `i-` and 17 hex digits; 8 of them before 2016.
pub(crate) fn instance(id: &str) -> Result<(), String> {
    if is_id(id, "i-") {
        return Ok(());
    }
    Err(format!(
        "Must be an instance's id like \"i-0123456789abcdef0\", not {id:?}."
    ))
}

/// EC2's ids of all kinds: so begun, then 17 hex digits, or 8 in old ones.
pub(super) fn is_id(id: &str, begun: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    id.strip_prefix(begun)
        .is_some_and(|digits| matches!(digits.len(), 8 | 17) && digits.bytes().all(hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_ec2_takes() {
        for good in [
            "abc",
            "orders-2026-11-22",
            "a (b) [c] ./-'@_",
            &"x".repeat(128),
        ] {
            assert_eq!(image(good), Ok(()));
        }
        for bad in [
            "ab",
            &"x".repeat(129),
            "with:colon",
            "ümlaut",
            "tab\there",
            "a+b",
        ] {
            assert!(image(bad).is_err(), "{bad}");
        }
        assert_eq!(
            image("with:colon").expect_err("a colon"),
            "An image's name has letters, digits, spaces and ()[]./-'@_ only, not ':'."
        );
    }

    #[test]
    fn a_prefix_leaves_room_for_what_follows() {
        assert_eq!(prefix("o"), Ok(()));
        assert_eq!(prefix(&"x".repeat(102)), Ok(()));
        for bad in ["", &"x".repeat(103), "a:"] {
            assert!(prefix(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn descriptions_are_short_and_ascii() {
        assert_eq!(description(&"x".repeat(255)), Ok(()));
        for bad in ["", &"x".repeat(256), "naïve", "two\nlines"] {
            assert!(description(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn instance_ids_are_long_or_old() {
        for good in ["i-0123456789abcdef0", "i-1a2b3c4d"] {
            assert_eq!(instance(good), Ok(()));
        }
        for bad in [
            "",
            "i-",
            "i-0123456789ABCDEF0",
            "ami-0123456789abcdef0",
            "i-0123",
            "i-0123456789abcdeg0",
        ] {
            assert!(instance(bad).is_err(), "{bad}");
        }
    }
}
