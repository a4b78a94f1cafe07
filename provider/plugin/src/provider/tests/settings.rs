//! From the block to the adapters' settings and the tag policy.

use std::{path::PathBuf, time::Duration};

use consistent_aws::config::{MetadataMode, RetryMode, Settings};
use tfplug::Number;

use super::*;

fn settings(arguments: &[(&str, Cty)]) -> Settings {
    let home = Environment::from([("HOME", "/home/me")]);
    block(arguments).settings(&home).expect("settings")
}

#[test]
fn arguments_reach_the_clients() {
    let roles = [
        ("role_arn", text("arn:aws:iam::123456789012:role/a")),
        ("duration", text("1h")),
    ];
    let settings = settings(&[
        ("region", text("eu-central-1")),
        (
            "shared_config_files",
            Cty::Seq(vec![text("~/a"), text("/b")]),
        ),
        ("retry_mode", text("adaptive")),
        (
            "assume_role",
            Cty::Seq(vec![object(&roles), object(&roles[..1])]),
        ),
        (
            "endpoints",
            Cty::set(vec![object(&[("ssm", text("http://127.0.0.1:1"))])]),
        ),
        (
            "forbidden_account_ids",
            Cty::set(vec![text("123456789012")]),
        ),
    ]);
    assert_eq!(settings.region.as_deref(), Some("eu-central-1"));
    assert_eq!(
        settings.shared_config_files,
        ["/home/me/a", "/b"].map(PathBuf::from)
    );
    assert_eq!(settings.retry_mode, Some(RetryMode::Adaptive));
    let durations = settings.assume_role.iter().map(|role| role.duration);
    assert_eq!(
        durations.collect::<Vec<_>>(),
        [Some(Duration::from_hours(1)), None]
    );
    assert_eq!(
        settings.endpoints.ssm.as_deref(),
        Some("http://127.0.0.1:1")
    );
    assert_eq!(settings.endpoints.ec2, None);
    assert_eq!(settings.forbidden_account_ids, ["123456789012"]);
}

#[test]
fn the_network_reaches_the_clients_and_passwords_are_not_shown() {
    let settings = settings(&[
        ("http_proxy", text("http://user:pa55@proxy")),
        ("https_proxy", text("http://user:pa55@proxy")),
        ("no_proxy", text("example.com")),
        ("custom_ca_bundle", text("~/ca.pem")),
        ("insecure", Cty::Bool(true)),
        ("ec2_metadata_service_endpoint", text("http://127.0.0.1:2")),
        ("ec2_metadata_service_endpoint_mode", text("IPv6")),
        ("skip_metadata_api_check", text("True")),
        (
            "token_bucket_rate_limiter_capacity",
            Cty::Number(Number::from(100_u64)),
        ),
    ]);
    let (network, metadata) = (&settings.network, &settings.metadata);
    assert_eq!(
        network.custom_ca_bundle,
        Some(PathBuf::from("/home/me/ca.pem"))
    );
    assert_eq!(network.no_proxy.as_deref(), Some("example.com"));
    assert!(network.insecure && network.http_proxy.is_some() && network.https_proxy.is_some());
    assert_eq!(metadata.endpoint.as_deref(), Some("http://127.0.0.1:2"));
    assert_eq!(metadata.mode, Some(MetadataMode::Ipv6));
    assert!(metadata.skip);
    assert_eq!(settings.token_bucket_capacity, Some(100));
    assert!(!format!("{settings:?}").contains("pa55"));
}

#[test]
fn an_empty_block_leaves_everything_to_the_sdk() {
    let settings = settings(&[]);
    assert_eq!((settings.region, settings.max_retries), (None, None));
    assert!(settings.assume_role.is_empty() && settings.allowed_account_ids.is_empty());
    assert!(!settings.network.insecure && !settings.metadata.skip);
    assert!(!settings.skip_region_validation);
    assert_eq!(places(&block(&[])), Vec::<String>::new());
}

#[test]
fn tags_reach_the_policy_with_those_of_the_environment() {
    let tags = object(&[("Team", text("dba")), ("Nobody", Cty::Null)]);
    let ignored = object(&[
        ("keys", Cty::set(vec![text("Scanned")])),
        ("key_prefixes", Cty::set(vec![text("cost/")])),
    ]);
    let environment = Environment::from([
        ("TF_AWS_DEFAULT_TAGS_Team", "environment"),
        ("TF_AWS_DEFAULT_TAGS_Env", "prod"),
        ("TF_AWS_IGNORE_TAGS_KEYS", "Patched,Backed-up"),
    ]);
    let block = block(&[
        ("default_tags", object(&[("tags", tags)])),
        ("ignore_tags", ignored),
    ]);
    let policy = block.tag_policy(&environment);
    let defaults = [("Env", "prod"), ("Team", "dba")];
    let defaults = defaults.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(policy.defaults, defaults.into());
    let keys = ["Scanned", "Patched", "Backed-up"].map(str::to_owned);
    assert_eq!(policy.ignored_keys, keys.into());
    assert_eq!(policy.ignored_prefixes, ["cost/".to_owned()].into());
}
