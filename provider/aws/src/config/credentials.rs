//! Where the credentials come from: a web identity, keys, a profile or the SDK's chain, then one role after the other.

mod roles;

use aws_config::{
    SdkConfig,
    ecs::EcsCredentialsProvider,
    environment::EnvironmentVariableCredentialsProvider,
    imds::{self, credentials::ImdsCredentialsProvider},
    meta::credentials::CredentialsProviderChain,
    profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig,
    web_identity_token::WebIdentityTokenCredentialsProvider,
};
use aws_credential_types::{
    credential_fn::provide_credentials_fn, provider::error::CredentialsError,
};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};

use self::roles::RoleProvider;
use super::{ConfigError, Settings, clients};

/// The credentials that `settings` asks for. `metadata`: the instance's, where it may be asked.
pub(super) fn resolve(
    settings: &Settings,
    base: &SdkConfig,
    metadata: Option<imds::Client>,
) -> Result<SharedCredentialsProvider, ConfigError> {
    let start = start(settings, base, metadata)?;
    Ok(settings.assume_role.iter().fold(start, |caller, role| {
        SharedCredentialsProvider::new(RoleProvider::assuming(role, caller, settings, base))
    }))
}

fn start(
    settings: &Settings,
    base: &SdkConfig,
    metadata: Option<imds::Client>,
) -> Result<SharedCredentialsProvider, ConfigError> {
    if let Some(identity) = &settings.assume_role_with_web_identity {
        let provider = RoleProvider::with_token(identity, settings, base);
        return Ok(SharedCredentialsProvider::new(provider));
    }
    if let Some(keys) = keys(settings)? {
        return Ok(SharedCredentialsProvider::new(keys));
    }
    let sources = Sources::new(settings, base, metadata);
    Ok(match &settings.profile {
        // The chain would prefer keys in the environment to a profile that the user chose here.
        Some(name) => SharedCredentialsProvider::new(sources.profile(Some(name))),
        None => SharedCredentialsProvider::new(sources.chain()),
    })
}

fn keys(settings: &Settings) -> Result<Option<Credentials>, ConfigError> {
    let half = |missing| Err(ConfigError::HalfAKey { missing });
    match (&settings.access_key, &settings.secret_key, &settings.token) {
        (Some(id), Some(secret), token) => {
            let token = token.as_ref().map(|token| token.reveal().to_owned());
            Ok(Some(Credentials::new(
                id,
                secret.reveal(),
                token,
                None,
                "provider block",
            )))
        }
        (None, None, None) => Ok(None),
        (None, _, _) => half("access_key"),
        (Some(_), None, _) => half("secret_key"),
    }
}

/// The SDK's sources of credentials: its own chain can be told neither where instance metadata is, nor to leave it alone.
struct Sources<'a> {
    settings: &'a Settings,
    context: ProviderConfig,
    metadata: Option<imds::Client>,
}

impl<'a> Sources<'a> {
    fn new(settings: &'a Settings, base: &SdkConfig, metadata: Option<imds::Client>) -> Self {
        let mut context = ProviderConfig::without_region()
            .with_region(base.region().cloned())
            .with_use_fips(base.use_fips())
            .with_use_dual_stack(base.use_dual_stack());
        if let Some(http) = base.http_client() {
            context = context.with_http_client(http);
        }
        if let Some(retries) = base.retry_config() {
            context = context.with_retry_config(retries.clone());
        }
        if let Some(limits) = base.timeout_config() {
            context = context.with_timeout_config(limits.clone());
        }
        Self {
            settings,
            context,
            metadata,
        }
    }

    /// In the order of the AWS SDKs.
    fn chain(&self) -> CredentialsProviderChain {
        let web = WebIdentityTokenCredentialsProvider::builder().configure(&self.context);
        let container = EcsCredentialsProvider::builder().configure(&self.context);
        let environment = EnvironmentVariableCredentialsProvider::new();
        let chain = CredentialsProviderChain::first_try("Environment", environment)
            .or_else("Profile", self.profile(None))
            .or_else("WebIdentityToken", web.build())
            .or_else("EcsContainer", container.build());
        match self.instance() {
            Some(instance) => chain.or_else("Ec2InstanceMetadata", instance),
            None => chain,
        }
    }

    /// The profile of this name, or else of `AWS_PROFILE`.
    fn profile(&self, name: Option<&str>) -> ProfileFileCredentialsProvider {
        // What `credential_source` of a profile can name.
        const INSTANCE: &str = "Ec2InstanceMetadata";
        let mut builder = ProfileFileCredentialsProvider::builder().configure(&self.context);
        builder = match self.instance() {
            Some(instance) => builder.with_custom_provider(INSTANCE, instance),
            None => builder.with_custom_provider(INSTANCE, provide_credentials_fn(skipped)),
        };
        if let Some(name) = name {
            builder = builder.profile_name(name);
        }
        match clients::profile_files(self.settings) {
            Some(files) => builder.profile_files(files).build(),
            None => builder.build(),
        }
    }

    fn instance(&self) -> Option<ImdsCredentialsProvider> {
        let client = self.metadata.clone()?;
        let builder = ImdsCredentialsProvider::builder().configure(&self.context);
        Some(builder.imds_client(client).build())
    }
}

async fn skipped() -> Result<Credentials, CredentialsError> {
    Err(CredentialsError::not_loaded(
        "`skip_metadata_api_check` keeps instance metadata from being asked",
    ))
}
