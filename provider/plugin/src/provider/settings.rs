//! From the provider block to what the AWS adapters are configured with.

use std::path::PathBuf;

use consistent_aws::config::{self as aws, MetadataMode, RetryMode, Settings};
use tfplug::Diagnostic;

use super::{
    block::{DefaultTags, IgnoreTags, Network, ProviderBlock},
    endpoints::Endpoints,
    environment::Environment,
    roles::AssumeRole,
    values::{self, set},
};
use crate::tags::{TagPolicy, Tags};

impl ProviderBlock {
    /// The block's `default_tags` alone.
    pub(super) fn own_default_tags(&self) -> Tags {
        let DefaultTags { tags } = self.default_tags.clone().unwrap_or_default();
        values::without_nulls(tags)
    }

    /// What the block says goes before what the environment says; ignored keys add up (hashicorp/aws).
    pub(super) fn tag_policy(&self, environment: &Environment) -> TagPolicy {
        let mut defaults = environment.beginning_with("TF_AWS_DEFAULT_TAGS_");
        defaults.extend(self.own_default_tags());
        let IgnoreTags { keys, key_prefixes } = self.ignore_tags.clone().unwrap_or_default();
        let with = |own: Option<_>, variable: &str| {
            let own = own.into_iter().flatten();
            own.chain(environment.list(variable)).collect()
        };
        TagPolicy {
            defaults,
            ignored_keys: with(keys, "TF_AWS_IGNORE_TAGS_KEYS"),
            ignored_prefixes: with(key_prefixes, "TF_AWS_IGNORE_TAGS_KEY_PREFIXES"),
        }
    }

    pub(super) fn all_endpoints(&self) -> Endpoints {
        Endpoints::merged(self.endpoints.iter().cloned())
    }

    pub(super) fn settings(self, environment: &Environment) -> Result<Settings, Diagnostic> {
        let wrong = |detail: String| Diagnostic::error("Invalid provider block", detail);
        let endpoints = self.all_endpoints().settings();
        let roles = self.assume_role.into_iter().map(AssumeRole::settings);
        let roles: Result<Vec<_>, _> = roles.collect();
        let identity = self.assume_role_with_web_identity;
        let identity = identity.map(|it| it.completed(environment).settings(environment));
        let (network, checks) = (self.network, self.checks);
        let skip_metadata = checks.skip_metadata_api_check.as_deref();
        Ok(Settings {
            region: set(self.region),
            skip_region_validation: checks.skip_region_validation.unwrap_or(false),
            profile: set(self.profile),
            access_key: set(self.access_key),
            secret_key: set(self.secret_key).map(Into::into),
            token: set(self.token).map(Into::into),
            shared_config_files: paths(self.shared_config_files, environment),
            shared_credentials_files: paths(self.shared_credentials_files, environment),
            assume_role: roles.map_err(wrong)?.into_iter().flatten().collect(),
            assume_role_with_web_identity: identity.transpose().map_err(wrong)?,
            endpoints,
            sts_region: set(self.sts_region),
            max_retries: network.max_retries,
            retry_mode: set(network.retry_mode.clone()).map(|mode| retry_mode(&mode)),
            token_bucket_capacity: network
                .token_bucket_rate_limiter_capacity
                .map(|it| it as usize),
            use_fips_endpoint: network.use_fips_endpoint,
            use_dualstack_endpoint: network.use_dualstack_endpoint,
            metadata: network.metadata(skip_metadata.is_some_and(values::is_true)),
            network: network.settings(environment),
            allowed_account_ids: checks.allowed_account_ids.into_iter().flatten().collect(),
            forbidden_account_ids: checks.forbidden_account_ids.into_iter().flatten().collect(),
            terraform_version: None,
        })
    }
}

impl Network {
    fn metadata(&self, skip: bool) -> aws::Metadata {
        let mode = set(self.ec2_metadata_service_endpoint_mode.clone());
        aws::Metadata {
            endpoint: set(self.ec2_metadata_service_endpoint.clone()),
            // The attribute's validator lets no other word pass.
            mode: mode.map(|mode| match mode.as_str() {
                "IPv6" => MetadataMode::Ipv6,
                _ => MetadataMode::Ipv4,
            }),
            skip,
        }
    }

    fn settings(self, environment: &Environment) -> aws::Network {
        aws::Network {
            http_proxy: set(self.http_proxy).map(Into::into),
            https_proxy: set(self.https_proxy).map(Into::into),
            no_proxy: set(self.no_proxy),
            custom_ca_bundle: set(self.custom_ca_bundle).map(|path| environment.path(&path)),
            insecure: self.insecure.unwrap_or(false),
        }
    }
}

fn paths(files: Option<Vec<String>>, environment: &Environment) -> Vec<PathBuf> {
    let files = files.into_iter().flatten();
    files.map(|path| environment.path(&path)).collect()
}

/// The attribute's validator lets no other word pass.
fn retry_mode(mode: &str) -> RetryMode {
    match mode {
        "adaptive" => RetryMode::Adaptive,
        _ => RetryMode::Standard,
    }
}
