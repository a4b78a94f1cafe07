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
