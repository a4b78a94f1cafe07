//! Validators of the provider block's values. What hashicorp/aws takes for unset - an empty text - passes them all.

use std::collections::{BTreeMap, BTreeSet};

use consistent_aws::config::region;

/// Checks a text that is not empty.
pub(super) fn unless_empty(
    check: impl Fn(&str) -> Result<(), String> + Send + Sync,
) -> impl Fn(&str) -> Result<(), String> + Send + Sync {
    move |text| {
        if text.is_empty() { Ok(()) } else { check(text) }
    }
}

/// An empty text counts as none.
pub(super) fn set(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// A null in a map counts as an entry that is not there, as in hashicorp/aws.
pub(super) fn without_nulls(
    map: Option<BTreeMap<String, Option<String>>>,
) -> BTreeMap<String, String> {
    let entries = map.into_iter().flatten();
    entries
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
}

/// The message does not repeat the text: URLs of proxies hold passwords.
pub(super) fn url(text: &str) -> Result<(), String> {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if is_authority(host) => Ok(()),
        _ => Err("Must be a URL that begins with https:// or http://.".to_owned()),
    }
}

/// A proxy's URL, whose `http://` may be left out.
pub(super) fn proxy(text: &str) -> Result<(), String> {
    if text.contains("://") {
        url(text)
    } else if is_authority(text) {
        Ok(())
    } else {
        Err("Must be the URL of a proxy, such as http://proxy.example.com:3128.".to_owned())
    }
}

fn is_authority(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(['/', ':', '?']) && !text.contains(char::is_whitespace)
}

pub(super) fn account_ids(ids: &BTreeSet<String>) -> Result<(), String> {
    let is_account = |id: &String| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
    match ids.iter().find(|id| !is_account(id)) {
        Some(other) => Err(format!(
            "An account id has twelve digits: {other:?} is none."
        )),
        None => Ok(()),
    }
}

/// A region, for where it is to be checked.
pub(super) fn region_problem(region: &str) -> Option<String> {
    (!region::is_known(region)).then(|| region::objection(region))
}

/// The texts that Go reads as a bool (package strconv, `ParseBool`), as hashicorp/aws does where a bool may be unset.
const TRUE: [&str; 6] = ["1", "t", "T", "true", "TRUE", "True"];
const FALSE: [&str; 6] = ["0", "f", "F", "false", "FALSE", "False"];

pub(super) fn bool_text(text: &str) -> Result<(), String> {
    if TRUE.contains(&text) || FALSE.contains(&text) {
        return Ok(());
    }
    Err(format!("Must be true or false, not {text:?}."))
}

pub(super) fn is_true(text: &str) -> bool {
    TRUE.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_a_scheme_and_a_host_and_are_not_repeated() {
        for good in ["http://127.0.0.1:4566", "https://ec2.example.com/path"] {
            assert_eq!(url(good), Ok(()));
        }
        for bad in [
            "",
            "ec2.example.com",
            "https://",
            "http:// a",
            "ftp://user:pa55@host",
        ] {
            let message = url(bad).expect_err(bad);
            assert!(!message.contains("pa55"), "{message}");
        }
    }

    #[test]
    fn a_proxy_may_lack_its_scheme() {
        for good in ["proxy:3128", "http://user:pa55@proxy:3128"] {
            assert_eq!(proxy(good), Ok(()));
        }
        for bad in ["socks5://user:pa55@proxy", "a b", "://"] {
            assert!(!proxy(bad).expect_err(bad).contains("pa55"));
        }
    }

    #[test]
    fn an_empty_text_is_an_unset_one() {
        assert_eq!(unless_empty(url)(""), Ok(()));
        assert!(unless_empty(url)("x").is_err());
    }

    #[test]
    fn bools_in_texts_are_those_of_go() {
        for good in ["true", "1", "F"] {
            assert_eq!(bool_text(good), Ok(()));
        }
        assert!(bool_text("yes").is_err());
        assert!(is_true("True") && !is_true("0") && !is_true(""));
    }

    #[test]
    fn account_ids_have_twelve_digits() {
        let ids = |id: &str| [id.to_owned()].into();
        assert_eq!(account_ids(&ids("012345678901")), Ok(()));
        for bad in ["1234", "1234567890123", "12345678901x"] {
            assert!(account_ids(&ids(bad)).is_err(), "{bad}");
        }
    }
}
