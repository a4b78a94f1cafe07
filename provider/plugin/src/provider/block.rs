//! The provider block, under the names that hashicorp/aws gives its arguments: a block can be copied over.

use std::collections::{BTreeMap, BTreeSet};

use tfplug::{Model, validate};

use super::roles::{AssumeRole, WebIdentity};

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
    /// How often a call is retried. While a database's writes are held nothing is retried, whatever stands here. Default:
    /// `AWS_MAX_ATTEMPTS`, else the AWS SDK's own.
    #[tf(optional, validate = validate::range(0..=100))]
    pub(super) max_retries: Option<u32>,
    /// `standard`, or `adaptive`, which also slows down after a throttle. Default: `AWS_RETRY_MODE`, else `standard`.
    #[tf(optional, validate = validate::one_of(&["standard", "adaptive"]))]
    pub(super) retry_mode: Option<String>,
    /// Use FIPS endpoints. Default: `AWS_USE_FIPS_ENDPOINT`.
    #[tf(optional)]
    pub(super) use_fips_endpoint: Option<bool>,
    /// Use endpoints that speak IPv6 as well. Default: `AWS_USE_DUALSTACK_ENDPOINT`.
    #[tf(optional)]
    pub(super) use_dualstack_endpoint: Option<bool>,
    /// The only accounts that may be touched. Checked before the first call to any service but STS.
    #[tf(optional, validate = account_ids)]
    pub(super) allowed_account_ids: Option<BTreeSet<String>>,
    /// Accounts that are never touched.
    #[tf(optional, validate = account_ids)]
    pub(super) forbidden_account_ids: Option<BTreeSet<String>>,
    /// Accepted so that a block of hashicorp/aws can be copied over. Without effect: credentials are not checked before
    /// they are used.
    #[tf(optional)]
    skip_credentials_validation: Option<bool>,
    /// Accepted so that a block of hashicorp/aws can be copied over. Without effect: instance metadata is asked only where
    /// nothing else gives credentials, and not at all with `AWS_EC2_METADATA_DISABLED=true`.
    #[tf(optional, validate = validate::one_of(&["", "true", "false"]))]
    skip_metadata_api_check: Option<String>,
    /// Accepted so that a block of hashicorp/aws can be copied over. Without effect: regions are not checked.
    #[tf(optional)]
    skip_region_validation: Option<bool>,
    /// Accepted so that a block of hashicorp/aws can be copied over. Without effect: the account is asked for only where
    /// `allowed_account_ids` or `forbidden_account_ids` is set.
    #[tf(optional)]
    skip_requesting_account_id: Option<bool>,
    /// A role to assume. Several blocks form a chain: each role is assumed with the credentials of the one before.
    #[tf(block)]
    pub(super) assume_role: Vec<AssumeRole>,
    /// A role to assume with the token of an identity provider, in place of any other credentials.
    #[tf(block)]
    pub(super) assume_role_with_web_identity: Option<WebIdentity>,
    /// Endpoint URLs in place of AWS's own. `AWS_ENDPOINT_URL_EC2` and its like work as well.
    #[tf(block)]
    pub(super) endpoints: Option<Endpoints>,
    /// Tags of everything that this provider makes.
    #[tf(block)]
    pub(super) default_tags: Option<DefaultTags>,
    /// Tags that others look after: they are set when an image is made, and neither shown nor changed afterwards.
    #[tf(block)]
    pub(super) ignore_tags: Option<IgnoreTags>,
}

/// Endpoint URLs.
#[derive(Clone, Debug, Default, Model)]
pub(crate) struct Endpoints {
    /// EC2's endpoint.
    #[tf(optional, validate = url)]
    pub(super) ec2: Option<String>,
    /// The endpoint of Systems Manager.
    #[tf(optional, validate = url)]
    pub(super) ssm: Option<String>,
    /// The endpoint of the Security Token Service.
    #[tf(optional, validate = url)]
    pub(super) sts: Option<String>,
}

/// Tags of everything that this provider makes.
#[derive(Clone, Debug, Default, Model)]
pub(crate) struct DefaultTags {
    /// Keys and values. A resource's own `tags` go before these.
    #[tf(optional)]
    pub(super) tags: Option<BTreeMap<String, String>>,
}

/// Tags that others look after.
#[derive(Clone, Debug, Default, Model)]
pub(crate) struct IgnoreTags {
    /// Keys.
    #[tf(optional)]
    pub(super) keys: Option<BTreeSet<String>>,
    /// What keys begin with.
    #[tf(optional)]
    pub(super) key_prefixes: Option<BTreeSet<String>>,
}

fn account_ids(ids: &BTreeSet<String>) -> Result<(), String> {
    let is_account = |id: &String| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
    match ids.iter().find(|id| !is_account(id)) {
        Some(other) => Err(format!(
            "An account id has twelve digits: {other:?} is none."
        )),
        None => Ok(()),
    }
}

fn url(text: &str) -> Result<(), String> {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !text.contains(char::is_whitespace) => Ok(()),
        _ => Err(format!(
            "Must be a URL that begins with https:// or http://, not {text:?}."
        )),
    }
}
