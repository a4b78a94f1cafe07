//! Credentials of roles: STS's `AssumeRole` and `AssumeRoleWithWebIdentity`.
//!
//! The SDK's own role providers know neither source identity, transitive tags nor inline web identity tokens, so the
//! two STS calls are made here.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::provider::{error::CredentialsError, future};
use aws_sdk_sts::{
    Client,
    config::{Credentials, IdentityCache, ProvideCredentials, SharedCredentialsProvider},
    types::{PolicyDescriptorType, Tag},
};

use crate::{
    CallError,
    config::{AssumeRole, Secret, Settings, WebIdentity, WebIdentityToken, clients},
};

/// Credentials of a role, renewed by the SDK's identity cache before they expire.
#[derive(Debug)]
pub(super) struct RoleProvider {
    sts: Client,
    session: Session,
}

#[derive(Debug)]
enum Session {
    Role(AssumeRole),
    WebIdentity(WebIdentity),
}

impl RoleProvider {
    /// A role that is assumed with the credentials of `caller`.
    pub(super) fn assuming(
        role: &AssumeRole,
        caller: SharedCredentialsProvider,
        settings: &Settings,
        base: &SdkConfig,
    ) -> Self {
        let config = sts(settings, base).credentials_provider(caller);
        Self {
            sts: Client::from_conf(config.build()),
            session: Session::Role(role.clone()),
        }
    }

    /// A role that is assumed with a token: that call is not signed.
    pub(super) fn with_token(
        identity: &WebIdentity,
        settings: &Settings,
        base: &SdkConfig,
    ) -> Self {
        Self {
            sts: Client::from_conf(sts(settings, base).build()),
            session: Session::WebIdentity(identity.clone()),
        }
    }
}

/// STS is asked once per renewal, so its client caches nothing itself.
fn sts(settings: &Settings, base: &SdkConfig) -> aws_sdk_sts::config::Builder {
    clients::sts_config(settings, base).identity_cache(IdentityCache::no_cache())
}

impl ProvideCredentials for RoleProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let granted = match &self.session {
                Session::Role(role) => assume(&self.sts, role).await,
                Session::WebIdentity(identity) => assume_with_token(&self.sts, identity).await,
            };
            granted.map_err(CredentialsError::provider_error)
        })
    }
}

async fn assume(sts: &Client, role: &AssumeRole) -> Result<Credentials, CallError> {
    const ACTION: &str = "sts:AssumeRole";
    let tags = role.tags.iter().map(|(key, value)| {
        Tag::builder()
            .key(key)
            .value(value)
            .build()
            .expect("key and value are set")
    });
    let granted = sts
        .assume_role()
        .role_arn(&role.role_arn)
        .role_session_name(session_name(role.session_name.as_ref()))
        .set_external_id(role.external_id.clone())
        .set_duration_seconds(seconds(role.duration))
        .set_policy(role.policy.clone())
        .set_policy_arns(policies(&role.policy_arns))
        .set_source_identity(role.source_identity.clone())
        .set_tags(some(tags.collect()))
        .set_transitive_tag_keys(some(role.transitive_tag_keys.clone()))
        .send()
        .await
        .map_err(|error| CallError::of(ACTION, &error))?;
    credentials(ACTION, granted.credentials)
}

async fn assume_with_token(sts: &Client, identity: &WebIdentity) -> Result<Credentials, CallError> {
    const ACTION: &str = "sts:AssumeRoleWithWebIdentity";
    let token = match &identity.token {
        WebIdentityToken::Inline(token) => token.clone(),
        WebIdentityToken::File(path) => match std::fs::read_to_string(path) {
            Ok(token) => Secret::from(token.trim().to_owned()),
            Err(error) => {
                let message = format!(
                    "the web identity token cannot be read from {}: {error}",
                    path.display()
                );
                return Err(CallError::refused(ACTION, message));
            }
        },
    };
    let granted = sts
        .assume_role_with_web_identity()
        .role_arn(&identity.role_arn)
        .role_session_name(session_name(identity.session_name.as_ref()))
        .web_identity_token(token.reveal())
        .set_duration_seconds(seconds(identity.duration))
        .set_policy(identity.policy.clone())
        .set_policy_arns(policies(&identity.policy_arns))
        .send()
        .await
        .map_err(|error| CallError::of(ACTION, &error))?;
    credentials(ACTION, granted.credentials)
}

fn credentials(
    action: &'static str,
    granted: Option<aws_sdk_sts::types::Credentials>,
) -> Result<Credentials, CallError> {
    let granted =
        granted.ok_or_else(|| CallError::refused(action, "the answer holds no credentials"))?;
    let expires = granted
        .expiration
        .try_into()
        .map_err(|_| CallError::refused(action, "the credentials' expiry is out of range"))?;
    Ok(Credentials::new(
        granted.access_key_id,
        granted.secret_access_key,
        Some(granted.session_token),
        Some(expires),
        "assumed role",
    ))
}

/// What `CloudTrail` shows as the session of the role; it needs no more than to be recognised.
fn session_name(chosen: Option<&String>) -> String {
    chosen
        .cloned()
        .unwrap_or_else(|| "terraform-provider-consistent".to_owned())
}

fn seconds(duration: Option<Duration>) -> Option<i32> {
    duration.map(|it| i32::try_from(it.as_secs()).unwrap_or(i32::MAX))
}

fn policies(arns: &[String]) -> Option<Vec<PolicyDescriptorType>> {
    some(
        arns.iter()
            .map(|arn| PolicyDescriptorType::builder().arn(arn).build())
            .collect(),
    )
}

/// STS takes an absent list, but not an empty one.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
