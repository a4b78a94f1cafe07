//! What a provider block says about AWS, and the clients that it leads to.

mod account;
mod call_log;
mod clients;
mod credentials;
mod metadata;
pub mod region;
mod retries;
mod user_agent;

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

pub use account::Caller;
pub use clients::Clients;

use crate::CallError;

/// The provider block's arguments under hashicorp/aws's names; what is not set is left to the AWS SDK's own chain of
/// environment variables, shared files and instance metadata.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Else `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile, instance metadata.
    pub region: Option<String>,
    /// Takes a region that [`region::KNOWN`] does not list.
    pub skip_region_validation: bool,
    /// A profile named here goes before credentials in the environment; one named by `AWS_PROFILE` after them.
    pub profile: Option<String>,
    pub access_key: Option<String>,
    pub secret_key: Option<Secret>,
    /// Session token, with `access_key` and `secret_key`.
    pub token: Option<Secret>,
    /// In place of `~/.aws/config`; `~` is expanded.
    pub shared_config_files: Vec<PathBuf>,
    /// In place of `~/.aws/credentials`; `~` is expanded.
    pub shared_credentials_files: Vec<PathBuf>,
    /// Roles to assume, each with the credentials of the one before.
    pub assume_role: Vec<AssumeRole>,
    /// Where the chain of roles starts, in place of any other credentials.
    pub assume_role_with_web_identity: Option<WebIdentity>,
    pub endpoints: Endpoints,
    /// The region whose STS endpoint is asked, where it differs from `region`.
    pub sts_region: Option<String>,
    pub metadata: Metadata,
    pub network: Network,
    /// How often a call outside a session is retried, else as `AWS_MAX_ATTEMPTS` or the profile says, else 25 times.
    /// Calls of a session never are: the protocol owns time.
    pub max_retries: Option<u32>,
    pub retry_mode: Option<RetryMode>,
    /// What retries may cost together before no more are made: one costs 5. No limit where it is not set, or 0.
    pub token_bucket_capacity: Option<usize>,
    pub use_fips_endpoint: Option<bool>,
    pub use_dualstack_endpoint: Option<bool>,
    /// Where not empty, no other account is touched.
    pub allowed_account_ids: Vec<String>,
    /// These accounts are never touched.
    pub forbidden_account_ids: Vec<String>,
    /// As Terraform told the provider: it goes into the user agent.
    pub terraform_version: Option<String>,
}

/// A value that no log, no error and no `Debug` shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// One `assume_role` block: the arguments of STS's `AssumeRole`.
#[derive(Clone, Debug, Default)]
pub struct AssumeRole {
    pub role_arn: String,
    /// Made up where it is not set.
    pub session_name: Option<String>,
    pub external_id: Option<String>,
    /// 15 minutes to 12 hours; an hour where it is not set.
    pub duration: Option<Duration>,
    /// Session policy, JSON.
    pub policy: Option<String>,
    pub policy_arns: Vec<String>,
    pub source_identity: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub transitive_tag_keys: Vec<String>,
}

/// The `assume_role_with_web_identity` block.
#[derive(Clone, Debug)]
pub struct WebIdentity {
    pub role_arn: String,
    pub session_name: Option<String>,
    pub duration: Option<Duration>,
    pub policy: Option<String>,
    pub policy_arns: Vec<String>,
    pub token: WebIdentityToken,
}

/// Where the identity provider's token is.
#[derive(Clone, Debug)]
pub enum WebIdentityToken {
    Inline(Secret),
    /// Read anew whenever credentials are renewed.
    File(PathBuf),
}

/// Endpoint URLs in place of the SDK's own; `AWS_ENDPOINT_URL_EC2` and its like work as well.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    pub ec2: Option<String>,
    pub ssm: Option<String>,
    pub sts: Option<String>,
}

/// How the metadata service of an EC2 instance is asked for credentials and region.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// URL in place of the well-known addresses; else `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
    pub endpoint: Option<String>,
    /// Else `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE`.
    pub mode: Option<MetadataMode>,
    /// It is not asked at all; nor is it where `AWS_EC2_METADATA_DISABLED` is `true`.
    pub skip: bool,
}

/// Which of its two well-known addresses the metadata service is asked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataMode {
    Ipv4,
    Ipv6,
}

/// How AWS is reached.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// URL, else `HTTP_PROXY`. It may hold a password.
    pub http_proxy: Option<Secret>,
    /// URL, else `HTTPS_PROXY`, else `http_proxy`. It may hold a password.
    pub https_proxy: Option<Secret>,
    /// Hosts that are reached directly, separated by commas; else `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// PEM file with the only certificates to trust, in place of the system's; else `AWS_CA_BUNDLE`.
    pub custom_ca_bundle: Option<PathBuf>,
    /// Certificates are not looked at.
    pub insecure: bool,
}

/// How the SDK spaces its retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryMode {
    Standard,
    /// Also slows down all calls after a throttle.
    Adaptive,
}

/// Why there are no clients.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    #[error(
        "no AWS region: set `region` in the provider block, AWS_REGION in the environment, or `region` in the profile"
    )]
    NoRegion,
    #[error("{}", region::objection(.region))]
    UnknownRegion { region: String },
    #[error("the certificates of `custom_ca_bundle` (or AWS_CA_BUNDLE) cannot be used: {}: {why}", path.display())]
    CaBundle { path: PathBuf, why: String },
    #[error(
        "`{argument}` (or the environment's {}) is not the URL of a proxy, such as http://proxy.example.com:3128",
        argument.to_uppercase()
    )]
    Proxy { argument: &'static str },
    #[error(
        "`ec2_metadata_service_endpoint` is not a URL such as http://169.254.169.254: {endpoint:?}"
    )]
    MetadataEndpoint { endpoint: String },
    /// Half a key pair.
    #[error(
        "`access_key` and `secret_key` belong together, and `token` to both: `{missing}` is not set"
    )]
    HalfAKey { missing: &'static str },
    #[error("account {account} is {why}; nothing was touched")]
    WrongAccount { account: String, why: &'static str },
    #[error(transparent)]
    Call(#[from] CallError),
}
