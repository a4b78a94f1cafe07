//! What a provider block means, and what is said about it.

mod coverage;
mod settings;

use tfplug::{Cty, Model, Severity};

use super::{block::ProviderBlock, environment::Environment};

fn text(text: &str) -> Cty {
    Cty::String(text.to_owned())
}

/// A block with these arguments; all others are not set.
fn block(arguments: &[(&str, Cty)]) -> ProviderBlock {
    let Cty::Map(mut all) = object(arguments) else {
        unreachable!("an object is a map")
    };
    for repeated in ["assume_role", "endpoints"] {
        all.entry(repeated.to_owned())
            .or_insert(Cty::Seq(Vec::new()));
    }
    ProviderBlock::from_cty(Cty::Map(all)).expect("a block")
}

fn object(attributes: &[(&str, Cty)]) -> Cty {
    let attributes = attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    Cty::Map(attributes.collect())
}

/// Where something is wrong.
fn places(block: &ProviderBlock) -> Vec<String> {
    let problems = block.problems(&Environment::default());
    problems.iter().map(|it| it.path.to_string()).collect()
}

#[test]
fn what_excludes_or_needs_each_other_is_said_at_once() {
    let ids = || Cty::set(vec![text("123456789012")]);
    let reserved = object(&[("consistent:state", text("proven"))]);
    let role = |arn: &str| object(&[("role_arn", text(arn))]);
    let block = block(&[
        ("region", text("eu-centrall-1")),
        ("secret_key", text("5ecret")),
        ("allowed_account_ids", ids()),
        ("forbidden_account_ids", ids()),
        (
            "assume_role",
            Cty::Seq(vec![role("arn:aws:iam::123456789012:role/a"), role("")]),
        ),
        (
            "assume_role_with_web_identity",
            object(&[("role_arn", text(""))]),
        ),
        ("default_tags", object(&[("tags", reserved)])),
    ]);
    assert_eq!(
        places(&block),
        [
            "access_key",
            "forbidden_account_ids",
            "region",
            "assume_role[1].role_arn",
            "assume_role_with_web_identity.role_arn",
            "assume_role_with_web_identity",
            "default_tags.tags[\"consistent:state\"]",
        ]
    );
    let problems = block.problems(&Environment::default());
    assert!(!format!("{problems:?}").contains("5ecret"));
}

#[test]
fn a_region_is_checked_unless_told_otherwise() {
    let of = |region: &str, skip: bool| {
        places(&block(&[
            ("region", text(region)),
            ("skip_region_validation", Cty::Bool(skip)),
        ]))
    };
    assert_eq!(of("moon-1", false), ["region"]);
    assert_eq!(of("moon-1", true), Vec::<String>::new());
    assert_eq!(of("eu-central-1", false), Vec::<String>::new());
}

#[test]
fn empty_texts_are_unset_ones() {
    let names = [
        "region",
        "profile",
        "access_key",
        "secret_key",
        "token",
        "http_proxy",
        "custom_ca_bundle",
    ];
    let arguments = names.map(|name| (name, text("")));
    let block = block(&arguments);
    assert_eq!(places(&block), Vec::<String>::new());
    let settings = block.settings(&Environment::default()).expect("settings");
    assert_eq!((settings.region, settings.access_key), (None, None));
    assert!(settings.network.http_proxy.is_none() && settings.network.custom_ca_bundle.is_none());
}

/// Path and text of the one warning.
fn warning(arguments: &[(&str, Cty)]) -> Option<(String, String)> {
    let warning = block(arguments).unheeded()?;
    assert_eq!(warning.severity, Severity::Warning);
    Some((warning.path.to_string(), warning.detail))
}

#[test]
fn what_means_nothing_here_is_named_in_one_warning() {
    let style = ("s3_use_path_style", Cty::Bool(false));
    let endpoints = |services: &[&str]| {
        let urls: Vec<_> = services
            .iter()
            .map(|name| (*name, text("http://x")))
            .collect();
        ("endpoints", Cty::set(vec![object(&urls)]))
    };
    assert_eq!(warning(&[endpoints(&["ec2", "ssm", "sts"])]), None);
    assert_eq!(
        warning(std::slice::from_ref(&style)),
        Some((
            "s3_use_path_style".to_owned(),
            "This provider calls EC2, SSM and STS only; it ignores `s3_use_path_style`.".to_owned()
        ))
    );
    let (place, told) = warning(&[endpoints(&["iam", "s3"]), style]).expect("a warning");
    assert_eq!(place, "", "Terraform shows one place only");
    assert!(
        told.contains("`s3_use_path_style`, `endpoints.iam` and `endpoints.s3`"),
        "{told}"
    );
}

#[test]
fn the_skips_that_are_kept_anyway_need_no_warning() {
    let skips = [
        "skip_credentials_validation",
        "skip_requesting_account_id",
        "skip_region_validation",
    ];
    assert_eq!(warning(&skips.map(|name| (name, Cty::Bool(true)))), None);
    let guarded = [
        ("skip_requesting_account_id", Cty::Bool(true)),
        (
            "forbidden_account_ids",
            Cty::set(vec![text("123456789012")]),
        ),
    ];
    let (_, told) = warning(&guarded).expect("a warning");
    assert!(
        told.starts_with("The account is asked for although"),
        "{told}"
    );
}

#[test]
fn a_single_role_without_an_arn_is_none_and_the_user_is_told() {
    let arguments = [("assume_role", Cty::Seq(vec![object(&[])]))];
    let (_, told) = warning(&arguments).expect("a warning");
    assert!(told.contains("`assume_role` names no role"), "{told}");
    assert_eq!(places(&block(&arguments)), Vec::<String>::new());
    let settings = block(&arguments).settings(&Environment::default());
    assert!(settings.expect("settings").assume_role.is_empty());
}
