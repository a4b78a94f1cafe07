//! From the provider block to what the AWS adapters are configured with.

use consistent_aws::config::{self as aws, RetryMode, Settings};
use tfplug::{AttributePath, Diagnostic, Diagnostics, Value};

use super::{
    block::{DefaultTags, IgnoreTags, ProviderBlock},
    roles::{AssumeRole, WebIdentity},
};
use crate::tags::{self, TagPolicy};

impl ProviderBlock {
    /// Everything that is wrong beyond single attributes.
    pub(super) fn problems(&self) -> Diagnostics {
        let mut problems = Diagnostics::default();
        problems.extend(self.half_a_key());
        problems.extend(self.both_lists());
        problems.extend(
            self.assume_role_with_web_identity
                .as_ref()
                .and_then(WebIdentity::problem),
        );
        if let Some(DefaultTags { tags: Some(tags) }) = &self.default_tags {
            let path = AttributePath::new("default_tags").attribute("tags");
            problems.extend(tags::problems(
                &tags::configured(tags.clone(), &Value::Null),
                &path,
            ));
        }
        problems
    }

    fn half_a_key(&self) -> Option<Diagnostic> {
        let missing = match (&self.access_key, &self.secret_key, &self.token) {
            (Some(_), None, _) => "secret_key",
            (None, Some(_), _) | (None, None, Some(_)) => "access_key",
            _ => return None,
        };
        let detail = format!(
            "`access_key` and `secret_key` belong together, and `token` to both: {missing} is not set."
        );
        Some(Diagnostic::error("Half a key pair", detail).at(missing))
    }

    fn both_lists(&self) -> Option<Diagnostic> {
        let both = self.allowed_account_ids.is_some() && self.forbidden_account_ids.is_some();
        both.then(|| {
            let detail = "`allowed_account_ids` and `forbidden_account_ids` exclude each other.";
            Diagnostic::error("Two lists of accounts", detail).at("forbidden_account_ids")
        })
    }

    pub(super) fn tag_policy(&self) -> TagPolicy {
        let DefaultTags { tags } = self.default_tags.clone().unwrap_or_default();
        let IgnoreTags { keys, key_prefixes } = self.ignore_tags.clone().unwrap_or_default();
        TagPolicy {
            defaults: tags.unwrap_or_default(),
            ignored_keys: keys.unwrap_or_default(),
            ignored_prefixes: key_prefixes.unwrap_or_default(),
        }
    }

    pub(super) fn settings(self) -> Result<Settings, Diagnostic> {
        let wrong = |detail: String| Diagnostic::error("Invalid provider block", detail);
        let roles = self.assume_role.into_iter().map(AssumeRole::settings);
        let endpoints = self.endpoints.unwrap_or_default();
        Ok(Settings {
            region: self.region,
            profile: self.profile,
            access_key: self.access_key,
            secret_key: self.secret_key.map(Into::into),
            token: self.token.map(Into::into),
            shared_config_files: paths(self.shared_config_files),
            shared_credentials_files: paths(self.shared_credentials_files),
            assume_role: roles.collect::<Result<_, _>>().map_err(wrong)?,
            assume_role_with_web_identity: self
                .assume_role_with_web_identity
                .map(WebIdentity::settings)
                .transpose()
                .map_err(wrong)?,
            endpoints: aws::Endpoints {
                ec2: endpoints.ec2,
                ssm: endpoints.ssm,
                sts: endpoints.sts,
            },
            sts_region: self.sts_region,
            max_retries: self.max_retries,
            retry_mode: self.retry_mode.as_deref().map(retry_mode),
            use_fips_endpoint: self.use_fips_endpoint,
            use_dualstack_endpoint: self.use_dualstack_endpoint,
            allowed_account_ids: self.allowed_account_ids.into_iter().flatten().collect(),
            forbidden_account_ids: self.forbidden_account_ids.into_iter().flatten().collect(),
            terraform_version: None,
        })
    }
}

fn paths(files: Option<Vec<String>>) -> Vec<std::path::PathBuf> {
    files.into_iter().flatten().map(Into::into).collect()
}

/// The attribute's validator lets no other word pass.
fn retry_mode(mode: &str) -> RetryMode {
    match mode {
        "adaptive" => RetryMode::Adaptive,
        _ => RetryMode::Standard,
    }
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, time::Duration};

    use tfplug::{Cty, Model};

    use super::*;

    fn text(text: &str) -> Cty {
        Cty::String(text.to_owned())
    }

    fn block(arguments: &[(&str, Cty)]) -> ProviderBlock {
        let arguments = arguments
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        let mut all: std::collections::BTreeMap<String, Cty> = arguments.collect();
        all.entry("assume_role".to_owned())
            .or_insert(Cty::Seq(Vec::new()));
        ProviderBlock::from_cty(Cty::Map(all)).expect("a block")
    }

    fn object(attributes: &[(&str, Cty)]) -> Cty {
        let attributes = attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        Cty::Map(attributes.collect())
    }

    #[test]
    fn arguments_reach_the_clients() {
        let roles = [
            ("role_arn", text("arn:aws:iam::123456789012:role/a")),
            ("duration", text("1h")),
        ];
        let settings = block(&[
            ("region", text("eu-central-1")),
            (
                "shared_config_files",
                Cty::Seq(vec![text("/a"), text("/b")]),
            ),
            ("retry_mode", text("adaptive")),
            (
                "assume_role",
                Cty::Seq(vec![object(&roles), object(&roles[..1])]),
            ),
            ("endpoints", object(&[("ssm", text("http://127.0.0.1:1"))])),
            (
                "forbidden_account_ids",
                Cty::set(vec![text("123456789012")]),
            ),
        ])
        .settings()
        .expect("settings");
        assert_eq!(settings.region.as_deref(), Some("eu-central-1"));
        assert_eq!(
            settings.shared_config_files,
            ["/a", "/b"].map(PathBuf::from)
        );
        assert_eq!(settings.retry_mode, Some(RetryMode::Adaptive));
        let durations: Vec<_> = settings
            .assume_role
            .iter()
            .map(|role| role.duration)
            .collect();
        assert_eq!(durations, [Some(Duration::from_hours(1)), None]);
        assert_eq!(
            settings.endpoints.ssm.as_deref(),
            Some("http://127.0.0.1:1")
        );
        assert_eq!(settings.endpoints.ec2, None);
        assert_eq!(settings.forbidden_account_ids, ["123456789012"]);
    }

    #[test]
    fn an_empty_block_leaves_everything_to_the_sdk() {
        let settings = block(&[]).settings().expect("settings");
        assert_eq!((settings.region, settings.max_retries), (None, None));
        assert!(settings.assume_role.is_empty() && settings.allowed_account_ids.is_empty());
        assert!(block(&[]).problems().is_empty());
    }

    #[test]
    fn tags_reach_the_policy() {
        let tags = object(&[("tags", object(&[("Team", text("dba"))]))]);
        let ignored = object(&[("key_prefixes", Cty::set(vec![text("cost/")]))]);
        let policy = block(&[("default_tags", tags), ("ignore_tags", ignored)]).tag_policy();
        assert_eq!(
            policy.defaults,
            [("Team".to_owned(), "dba".to_owned())].into()
        );
        assert_eq!(policy.ignored_prefixes, ["cost/".to_owned()].into());
        assert!(policy.ignored_keys.is_empty());
    }

    #[test]
    fn what_excludes_or_needs_each_other_is_said_at_once() {
        let ids = || Cty::set(vec![text("123456789012")]);
        let reserved = object(&[("consistent:state", text("proven"))]);
        let problems = block(&[
            ("secret_key", text("secret")),
            ("allowed_account_ids", ids()),
            ("forbidden_account_ids", ids()),
            ("default_tags", object(&[("tags", reserved)])),
        ])
        .problems();
        let places: Vec<String> = problems.iter().map(|it| it.path.to_string()).collect();
        assert_eq!(
            places,
            [
                "access_key",
                "forbidden_account_ids",
                "default_tags.tags[\"consistent:state\"]"
            ]
        );
    }
}
