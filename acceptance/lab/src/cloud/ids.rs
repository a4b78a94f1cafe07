//! Identifiers in AWS's shapes.

use std::iter;

/// `<prefix>-` and 17 hex digits, e.g. `ami-0123456789abcdef0`.
pub(crate) fn resource(prefix: &str) -> String {
    format!("{prefix}-0{}", hex(16))
}

/// A version 4 UUID: request and command ids.
pub(crate) fn uuid() -> String {
    let variant = ["8", "9", "a", "b"][fastrand::usize(..4)];
    format!(
        "{}-{}-4{}-{variant}{}-{}",
        hex(8),
        hex(4),
        hex(3),
        hex(3),
        hex(12)
    )
}

/// Is `text` the id of an EC2 resource that the lab hands out?
pub(crate) fn is_resource(text: &str) -> bool {
    text.split_once('-').is_some_and(|(prefix, rest)| {
        matches!(prefix, "ami" | "snap" | "vol" | "i")
            && rest.len() == 17
            && rest.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

pub(crate) fn hex(digits: usize) -> String {
    iter::repeat_with(|| char::from_digit(fastrand::u32(..16), 16).unwrap_or('0'))
        .take(digits)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_those_of_aws() {
        assert!(is_resource(&resource("snap")));
        assert!(!is_resource("snap-xyz") && !is_resource("eni-0123456789abcdef0"));
        let id = uuid();
        assert_eq!((id.len(), &id[14..15]), (36, "4"));
    }
}
