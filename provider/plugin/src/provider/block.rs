//! The provider block, under the names that hashicorp/aws gives its arguments: a block can be copied over.

use std::collections::{BTreeMap, BTreeSet};

use tfplug::{Model, validate};

use super::{
    endpoints::Endpoints,
    roles::{AssumeRole, WebIdentity},
    values::{self, unless_empty},
};

/// Makes images of live database servers on EC2 that are proven consistent, or none.
///
/// Arguments are named as in [hashicorp/aws](https://registry.terraform.io/providers/hashicorp/aws/latest/docs), and
/// what is left out is looked up as there: environment variables, shared files, container and instance metadata.
#[derive(Clone, Debug, Default, Model)]
pub(crate) struct ProviderBlock {
    /// The region of the servers. Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's region, the region of the
    /// instance that Terraform runs on.
    #[tf(optional)]
    pub(super) region: Option<String>,
    /// A profile of the shared configuration and credentials files. Default: `AWS_PROFILE`.
    #[tf(optional)]
    pub(super) profile: Option<String>,
    /// Access key, together with `secret_key`. Default: `AWS_ACCESS_KEY_ID`, the profile, or what else the AWS SDKs ask.
    #[tf(optional)]
    pub(super) access_key: Option<String>,
    /// Secret key, together with `access_key`.
    #[tf(optional, sensitive)]
    pub(super) secret_key: Option<String>,
    /// Session token of temporary credentials, together with `access_key` and `secret_key`.
    #[tf(optional, sensitive)]
    pub(super) token: Option<String>,
    /// Configuration files in place of `~/.aws/config`. Default: `AWS_CONFIG_FILE`.
    #[tf(optional)]
    pub(super) shared_config_files: Option<Vec<String>>,
    /// Credentials files in place of `~/.aws/credentials`. Default: `AWS_SHARED_CREDENTIALS_FILE`.
    #[tf(optional)]
    pub(super) shared_credentials_files: Option<Vec<String>>,
    /// The region whose STS endpoint is asked, where it is not `region`.
    #[tf(optional)]
    pub(super) sts_region: Option<String>,
    #[tf(flatten)]
    pub(super) network: Network,
    #[tf(flatten)]
    pub(super) checks: Checks,
    #[tf(flatten)]
    pub(super) unused: Unused,
    /// A role to assume. Several blocks form a chain: each role is assumed with the credentials of the one before.
    #[tf(block)]
    pub(super) assume_role: Vec<AssumeRole>,
    /// A role to assume with the token of an identity provider, in place of any other credentials.
    #[tf(block)]
    pub(super) assume_role_with_web_identity: Option<WebIdentity>,
    #[tf(block)]
    pub(super) endpoints: BTreeSet<Endpoints>,
    /// Tags of everything that this provider makes.
    #[tf(block)]
    pub(super) default_tags: Option<DefaultTags>,
    /// Tags that others look after: they are set when an image is made, and neither shown, changed nor removed afterwards.
    #[tf(block)]
    pub(super) ignore_tags: Option<IgnoreTags>,
}

/// How AWS is reached, and how often a call is tried.
#[derive(Clone, Debug, Default, Model)]
pub(crate) struct Network {
    /// How often a call is retried; one that is never answered, 9 times at most. While a database's writes are held nothing
    /// is retried, whatever stands here. Default: `AWS_MAX_ATTEMPTS`, the profile's `max_attempts`, else 25.
    #[tf(optional)]
    pub(super) max_retries: Option<u32>,
    /// `standard`, or `adaptive`, which also slows down after a throttle. Default: `AWS_RETRY_MODE`, else `standard`.
    #[tf(optional, validate = unless_empty(validate::one_of(&["standard", "adaptive"])))]
    pub(super) retry_mode: Option<String>,
    /// What retries may cost together before no more are made: a retry costs 5, a call without one gives 1 back. Default: no
    /// limit.
    #[tf(optional)]
    pub(super) token_bucket_rate_limiter_capacity: Option<u32>,
    /// URL of a proxy for `http://`, and for `https://` where that has none. It may hold user and password. Default:
    /// `HTTP_PROXY`.
    #[tf(optional, validate = unless_empty(values::proxy))]
    pub(super) http_proxy: Option<String>,
    /// URL of a proxy for `https://`. It may hold user and password. Default: `HTTPS_PROXY`.
    #[tf(optional, validate = unless_empty(values::proxy))]
    pub(super) https_proxy: Option<String>,
    /// Hosts that are reached without a proxy, separated by commas. This machine and the metadata services always are.
    /// Default: `NO_PROXY`.
    #[tf(optional)]
    pub(super) no_proxy: Option<String>,
    /// A PEM file with the certificates to trust, in place of the system's. Default: `AWS_CA_BUNDLE`.
    #[tf(optional)]
    pub(super) custom_ca_bundle: Option<String>,
    /// Trust any certificate. Whoever stands between Terraform and AWS can then read and change everything.
    #[tf(optional)]
    pub(super) insecure: Option<bool>,
    /// Use FIPS endpoints. Default: `AWS_USE_FIPS_ENDPOINT`.
    #[tf(optional)]
    pub(super) use_fips_endpoint: Option<bool>,
    /// Use endpoints that speak IPv6 as well. Default: `AWS_USE_DUALSTACK_ENDPOINT`.
    #[tf(optional)]
    pub(super) use_dualstack_endpoint: Option<bool>,
    /// URL of the metadata service of the instance that Terraform runs on. Default: `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
    #[tf(optional, validate = unless_empty(values::url))]
    pub(super) ec2_metadata_service_endpoint: Option<String>,
    /// `IPv4` or `IPv6`: which of its own addresses the metadata service is asked at. Default:
    /// `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE`, else `IPv4`.
    #[tf(optional, validate = unless_empty(validate::one_of(&["IPv4", "IPv6"])))]
    pub(super) ec2_metadata_service_endpoint_mode: Option<String>,
}

/// What is checked before AWS is touched, and what is not.
#[derive(Clone, Debug, Default, Model)]
pub(crate) struct Checks {
    /// The only accounts that may be touched. Checked before the first call to any service but STS.
    #[tf(optional, validate = values::account_ids)]
    pub(super) allowed_account_ids: Option<BTreeSet<String>>,
    /// Accounts that are never touched. Checked before the first call to any service but STS.
    #[tf(optional, validate = values::account_ids)]
    pub(super) forbidden_account_ids: Option<BTreeSet<String>>,
    /// Take a region that this provider does not know: one that is newer than it, or private.
    #[tf(optional)]
    pub(super) skip_region_validation: Option<bool>,
    /// `true`: the metadata service of the instance that Terraform runs on is not asked, neither for credentials nor for
    /// the region. Default: `AWS_EC2_METADATA_DISABLED`, which is obeyed in any case.
    #[tf(optional, validate = unless_empty(values::bool_text))]
    pub(super) skip_metadata_api_check: Option<String>,
    /// As if it were `true`, whatever stands here: credentials are not checked before they are used.
    #[tf(optional)]
    skip_credentials_validation: Option<bool>,
    /// As if it were `true`, whatever stands here, unless `allowed_account_ids` or `forbidden_account_ids` is set: then the
    /// account is asked for in any case.
    #[tf(optional)]
    pub(super) skip_requesting_account_id: Option<bool>,
}

/// Arguments of services that are not used here.
#[derive(Clone, Debug, Default, Model)]
pub(crate) struct Unused {
    /// Without effect: S3 is not used here.
    #[tf(optional)]
    s3_us_east_1_regional_endpoint: Option<String>,
    /// Without effect: S3 is not used here.
    #[tf(optional)]
    s3_use_path_style: Option<bool>,
}

impl Unused {
    /// Those that are set.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        let regional = self.s3_us_east_1_regional_endpoint.is_some();
        let regional = regional.then_some("s3_us_east_1_regional_endpoint");
        let style = self.s3_use_path_style.is_some();
        let style = style.then_some("s3_use_path_style");
        regional.into_iter().chain(style)
    }
}

/// Tags of everything that this provider makes.
#[derive(Clone, Debug, Default, Model)]
pub(crate) struct DefaultTags {
    /// Keys and values; null leaves a tag out. A resource's own `tags` go before these, and these before
    /// `TF_AWS_DEFAULT_TAGS_<key>` of the environment.
    #[tf(optional)]
    pub(super) tags: Option<BTreeMap<String, Option<String>>>,
}

/// Tags that others look after.
#[derive(Clone, Debug, Default, Model)]
pub(crate) struct IgnoreTags {
    /// Keys, besides those of `TF_AWS_IGNORE_TAGS_KEYS`.
    #[tf(optional)]
    pub(super) keys: Option<BTreeSet<String>>,
    /// What keys begin with, besides those of `TF_AWS_IGNORE_TAGS_KEY_PREFIXES`.
    #[tf(optional)]
    pub(super) key_prefixes: Option<BTreeSet<String>>,
}
