//! The clients, each made when it is first asked for.

use std::{fmt, sync::Arc, time::Duration};

use aws_config::{
    BehaviorVersion, ConfigLoader, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::sync::OnceCell;

use super::{
    Caller, ConfigError, RetryMode, Settings, account, credentials,
    user_agent::{self, Appendix},
};
use crate::http;

/// One attempt of a call outside a session: above the slowest answer that EC2 gives (large Describe calls), below a
/// user's patience with a connection that hangs.
const ATTEMPT_LIMIT: Duration = Duration::from_mins(1);

/// EC2, SSM and STS as the provider block configures them. Cheap to clone; making one touches nothing.
#[derive(Clone)]
pub struct Clients {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    http: SharedHttpClient,
    sdk: OnceCell<SdkConfig>,
    caller: OnceCell<Caller>,
    ec2: OnceCell<aws_sdk_ec2::Client>,
    ssm: OnceCell<aws_sdk_ssm::Client>,
    sts: OnceCell<aws_sdk_sts::Client>,
}

impl Clients {
    /// Nothing is read, resolved or connected before a client is asked for.
    pub fn new(settings: Settings) -> Self {
        Self::over(settings, http::client())
    }

    /// The same, with requests going where a test wants them.
    pub(crate) fn over(settings: Settings, http: SharedHttpClient) -> Self {
        let shared = Shared {
            settings,
            http,
            sdk: OnceCell::new(),
            caller: OnceCell::new(),
            ec2: OnceCell::new(),
            ssm: OnceCell::new(),
            sts: OnceCell::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The region that all clients use.
    pub async fn region(&self) -> Result<String, ConfigError> {
        self.sdk().await.and_then(region_of)
    }

    /// Who we are, by STS; asked once. An error where this account may not be touched.
    pub async fn caller(&self) -> Result<&Caller, ConfigError> {
        let ask = || async { Ok::<_, ConfigError>(Caller::ask(self.sts().await?).await?) };
        let caller = self.shared.caller.get_or_try_init(ask).await?;
        account::admit(&self.shared.settings, &caller.account)?;
        Ok(caller)
    }

    /// EC2, once the account is known to be one that may be touched.
    pub async fn ec2(&self) -> Result<&aws_sdk_ec2::Client, ConfigError> {
        let make = || async {
            let sdk = self.admitted().await?;
            let config = configured!(aws_sdk_ec2, sdk, self.shared.settings.endpoints.ec2);
            Ok(aws_sdk_ec2::Client::from_conf(config.build()))
        };
        self.shared.ec2.get_or_try_init(make).await
    }

    /// SSM, once the account is known to be one that may be touched.
    pub async fn ssm(&self) -> Result<&aws_sdk_ssm::Client, ConfigError> {
        let make = || async {
            let sdk = self.admitted().await?;
            let config = configured!(aws_sdk_ssm, sdk, self.shared.settings.endpoints.ssm);
            Ok(aws_sdk_ssm::Client::from_conf(config.build()))
        };
        self.shared.ssm.get_or_try_init(make).await
    }

    async fn sts(&self) -> Result<&aws_sdk_sts::Client, ConfigError> {
        let make = || async {
            let config = sts_config(&self.shared.settings, self.sdk().await?);
            Ok(aws_sdk_sts::Client::from_conf(config.build()))
        };
        self.shared.sts.get_or_try_init(make).await
    }

    /// The configuration, for use on an account that may be touched.
    async fn admitted(&self) -> Result<&SdkConfig, ConfigError> {
        if account::is_restricted(&self.shared.settings) {
            self.caller().await?;
        }
        self.sdk().await
    }

    async fn sdk(&self) -> Result<&SdkConfig, ConfigError> {
        let load = || load(&self.shared.settings, self.shared.http.clone());
        self.shared.sdk.get_or_try_init(load).await
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

/// A service's configuration: the shared one, its endpoint, the user agent's appendix.
macro_rules! configured {
    ($service:ident, $sdk:expr, $endpoint:expr) => {{
        let mut config = $service::config::Builder::from($sdk);
        if let Some(url) = &$endpoint {
            config = config.endpoint_url(url);
        }
        if let Some(appendix) = Appendix::from_env() {
            config = config.interceptor(appendix);
        }
        config
    }};
}
use configured;

pub(super) fn sts_config(settings: &Settings, sdk: &SdkConfig) -> aws_sdk_sts::config::Builder {
    let config = configured!(aws_sdk_sts, sdk, settings.endpoints.sts);
    match &settings.sts_region {
        Some(region) => config.region(Region::new(region.clone())),
        None => config,
    }
}

async fn load(settings: &Settings, http: SharedHttpClient) -> Result<SdkConfig, ConfigError> {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(ATTEMPT_LIMIT)
                .build(),
        );
    let loader = user_agent::introduce(loader, settings.terraform_version.as_deref());
    let base = override_chain(loader, settings).load().await;
    region_of(&base)?;
    let credentials = credentials::resolve(settings, &base)?;
    let retries = retries(settings, base.retry_config());
    Ok(base
        .into_builder()
        .credentials_provider(credentials)
        .retry_config(retries)
        .build())
}

/// What the provider block sets goes before environment and files; what it does not set is theirs.
fn override_chain(mut loader: ConfigLoader, settings: &Settings) -> ConfigLoader {
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(files) = profile_files(settings) {
        loader = loader.profile_files(files);
    }
    if let Some(fips) = settings.use_fips_endpoint {
        loader = loader.use_fips(fips);
    }
    if let Some(dual_stack) = settings.use_dualstack_endpoint {
        loader = loader.use_dual_stack(dual_stack);
    }
    loader
}

/// The shared files, where the provider block names any; the kind that it does not name stays at its default place.
pub(super) fn profile_files(settings: &Settings) -> Option<EnvConfigFiles> {
    let (configs, credentials) = (
        &settings.shared_config_files,
        &settings.shared_credentials_files,
    );
    if configs.is_empty() && credentials.is_empty() {
        return None;
    }
    let mut files = EnvConfigFiles::builder()
        .include_default_config_file(configs.is_empty())
        .include_default_credentials_file(credentials.is_empty());
    for path in configs {
        files = files.with_file(EnvConfigFileKind::Config, path);
    }
    for path in credentials {
        files = files.with_file(EnvConfigFileKind::Credentials, path);
    }
    Some(files.build())
}

fn retries(settings: &Settings, chain: Option<&RetryConfig>) -> RetryConfig {
    let mut retries = chain.cloned().unwrap_or_else(RetryConfig::standard);
    if let Some(mode) = settings.retry_mode {
        retries = retries.with_retry_mode(match mode {
            RetryMode::Standard => aws_config::retry::RetryMode::Standard,
            RetryMode::Adaptive => aws_config::retry::RetryMode::Adaptive,
        });
    }
    match settings.max_retries {
        // The SDK counts attempts.
        Some(retries_wanted) => retries.with_max_attempts(retries_wanted.saturating_add(1)),
        None => retries,
    }
}

fn region_of(sdk: &SdkConfig) -> Result<String, ConfigError> {
    sdk.region()
        .map(ToString::to_string)
        .ok_or(ConfigError::NoRegion)
}

#[cfg(test)]
mod tests;
