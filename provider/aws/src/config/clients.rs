//! The clients, each made when it is first asked for.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig, timeout::TimeoutConfig};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::sync::OnceCell;

use super::{
    Caller, ConfigError, Settings, account,
    call_log::CallLog,
    credentials, metadata, region, retries,
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
    /// In place of the network, for tests.
    http: Option<SharedHttpClient>,
    sdk: OnceCell<SdkConfig>,
    caller: OnceCell<Caller>,
    ec2: OnceCell<aws_sdk_ec2::Client>,
    ssm: OnceCell<aws_sdk_ssm::Client>,
    sts: OnceCell<aws_sdk_sts::Client>,
}

impl Clients {
    /// Nothing is read, resolved or connected before a client is asked for.
    pub fn new(settings: Settings) -> Self {
        Self::over(settings, None)
    }

    fn over(settings: Settings, http: Option<SharedHttpClient>) -> Self {
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
            let config = configured!(aws_sdk_ec2, sdk, &self.shared.settings, ec2);
            Ok(aws_sdk_ec2::Client::from_conf(config.build()))
        };
        self.shared.ec2.get_or_try_init(make).await
    }

    /// SSM, once the account is known to be one that may be touched.
    pub async fn ssm(&self) -> Result<&aws_sdk_ssm::Client, ConfigError> {
        let make = || async {
            let sdk = self.admitted().await?;
            let config = configured!(aws_sdk_ssm, sdk, &self.shared.settings, ssm);
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

/// A service's configuration: the shared one, its endpoint, its retries, its log, the user agent's appendix.
macro_rules! configured {
    ($service:ident, $sdk:expr, $settings:expr, $endpoint:ident) => {{
        let settings: &Settings = $settings;
        let mut config = $service::config::Builder::from($sdk);
        if let Some(url) = &settings.endpoints.$endpoint {
            config = config.endpoint_url(url);
        }
        config = config
            .retry_partition(retries::partition(settings))
            .retry_classifier(retries::NetworkRetries)
            .interceptor(CallLog);
        if let Some(appendix) = Appendix::from_env() {
            config = config.interceptor(appendix);
        }
        config
    }};
}
use configured;

pub(super) fn sts_config(settings: &Settings, sdk: &SdkConfig) -> aws_sdk_sts::config::Builder {
    let config = configured!(aws_sdk_sts, sdk, settings, sts);
    match &settings.sts_region {
        Some(region) => config.region(Region::new(region.clone())),
        None => config,
    }
}

/// `http`: where a test wants its requests to go.
async fn load(
    settings: &Settings,
    http: Option<SharedHttpClient>,
) -> Result<SdkConfig, ConfigError> {
    let http = http.map_or_else(|| http::client(&settings.network), Ok)?;
    let metadata = metadata::client(settings, &http)?;
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .region(region::resolve(settings, metadata.as_ref()).await?)
        .no_credentials()
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(ATTEMPT_LIMIT)
                .build(),
        );
    let loader = user_agent::introduce(loader, settings.terraform_version.as_deref());
    let base = override_chain(loader, settings).load().await;
    let retries = retries::config(settings, &base);
    let base = base.into_builder().retry_config(retries).build();
    let credentials = credentials::resolve(settings, &base, metadata)?;
    let configured = base.into_builder().credentials_provider(credentials);
    Ok(configured.build())
}

/// What the provider block sets goes before environment and files; what it does not set is theirs.
fn override_chain(mut loader: ConfigLoader, settings: &Settings) -> ConfigLoader {
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
        .include_default_credentials_file(credentials.is_empty())
        // There may be no other one, which the builder does not bear.
        .with_contents(EnvConfigFileKind::Config, "");
    for path in existing(configs) {
        files = files.with_file(EnvConfigFileKind::Config, path);
    }
    for path in existing(credentials) {
        files = files.with_file(EnvConfigFileKind::Credentials, path);
    }
    Some(files.build())
}

/// A file that is not there is passed over, as hashicorp/aws does: the same block may run where keys come from elsewhere.
fn existing(paths: &[PathBuf]) -> impl Iterator<Item = &PathBuf> {
    paths.iter().filter(|path| {
        let exists = path.exists();
        if !exists {
            tracing::warn!(path = %path.display(), "a shared file of the provider block does not exist");
        }
        exists
    })
}

fn region_of(sdk: &SdkConfig) -> Result<String, ConfigError> {
    sdk.region()
        .map(ToString::to_string)
        .ok_or(ConfigError::NoRegion)
}

#[cfg(test)]
mod tests;
