//! What EC2 accepts as names, descriptions and ids: said while validating rather than while writes are held.

/// `CreateImage`, `Name`: "3-128 alphanumeric characters, parentheses (()), square brackets ([]), spaces ( ), periods (.),
/// slashes (/), dashes (-), single quotes ('), at-signs (@), or underscores(_)".
pub(super) fn image(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c);
    let length = name.chars().count();
    if !(3..=128).contains(&length) {
        return Err(format!(
            "An image's name has 3 to 128 characters, not {length}."
        ));
    }
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
pub(super) fn instance(id: &str) -> Result<(), String> {
    let is_hex = |digits: &str| {
        digits
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    match id.strip_prefix("i-") {
        Some(digits) if matches!(digits.len(), 8 | 17) && is_hex(digits) => Ok(()),
        _ => Err(format!(
            "Must be an instance's id like \"i-0123456789abcdef0\", not {id:?}."
        )),
    }
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
