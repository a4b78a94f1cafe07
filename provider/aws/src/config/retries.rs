//! How often a call outside a session is tried again. Calls of a session never are.

use aws_config::SdkConfig;
use aws_sdk_ec2::config::retry::{
    ClassifyRetry, RetryAction, RetryConfig, RetryPartition, TokenBucket,
};
use aws_smithy_runtime_api::client::{
    interceptors::context::InterceptorContext, retries::classifiers::RetryClassifierPriority,
};
use aws_types::service_config::ServiceConfigKey;

use super::{RetryMode, Settings};

/// Retries where nobody said how many (hashicorp/aws, `max_retries`).
const DEFAULT: u32 = 25;
/// Nobody waits for more (20 s each), and the SDK sums them all up, one by one, to bound the loading of credentials.
const MOST: u32 = 1000;
/// Retries of a call to which no answer came, within `max_retries` (hashicorp/aws-sdk-go-base, `MaxNetworkRetryCount`):
/// a wrong endpoint or a dead proxy shows in a minute, not in five.
const WITHOUT_ANSWER: u32 = 9;

/// Tokens that a retry takes, and what a call without any gives back: a capacity that was chosen for hashicorp/aws means
/// the same here (aws-sdk-go-v2, `aws/retry`: `DefaultRetryCost`, `DefaultNoRetryIncrement`). There a time-out costs 10; this
/// SDK does not tell one from a server's error.
const COST: u32 = 5;
const REWARD: f32 = 1.0;

pub(super) fn config(settings: &Settings, sdk: &SdkConfig) -> RetryConfig {
    let mut retries = sdk
        .retry_config()
        .cloned()
        .unwrap_or_else(RetryConfig::standard);
    if let Some(mode) = settings.retry_mode {
        retries = retries.with_retry_mode(match mode {
            RetryMode::Standard => aws_config::retry::RetryMode::Standard,
            RetryMode::Adaptive => aws_config::retry::RetryMode::Adaptive,
        });
    }
    match settings.max_retries {
        None if is_counted(sdk) => retries,
        // The SDK counts attempts.
        wanted => retries.with_max_attempts(wanted.unwrap_or(DEFAULT).min(MOST) + 1),
    }
}

/// True where environment or profile say how often to try: the SDK does not tell that from its own default.
fn is_counted(sdk: &SdkConfig) -> bool {
    // The service goes unused: AWS knows no number of attempts for a single one.
    let key = ServiceConfigKey::builder()
        .service_id("EC2")
        .env("AWS_MAX_ATTEMPTS")
        .profile("max_attempts")
        .build();
    let chain = sdk.service_config();
    chain
        .zip(key.ok())
        .is_some_and(|(chain, key)| chain.load_config(key).is_some())
}

/// What limits the retries of one client beyond their number.
pub(super) fn partition(settings: &Settings) -> RetryPartition {
    let bucket = match settings.token_bucket_capacity {
        None | Some(0) => TokenBucket::unlimited(),
        Some(capacity) => TokenBucket::builder()
            .capacity(capacity)
            .retry_cost(COST)
            .throttling_retry_cost(COST)
            .timeout_retry_cost(COST)
            .success_reward(REWARD)
            .build(),
    };
    let partition = RetryPartition::custom(env!("CARGO_PKG_NAME"));
    partition.token_bucket(bucket).build()
}

/// Ends the retries of a call to which no answer ever comes.
#[derive(Debug)]
pub(super) struct NetworkRetries;

impl ClassifyRetry for NetworkRetries {
    fn name(&self) -> &'static str {
        "retries without an answer"
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let unanswered = context
            .output_or_error()
            .and_then(Result::err)
            .is_some_and(|error| error.is_connector_error() || error.is_timeout_error());
        if unanswered && attempt(context).is_some_and(|attempt| attempt > WITHOUT_ANSWER) {
            return RetryAction::RetryForbidden;
        }
        RetryAction::NoActionIndicated
    }

    /// Has the last word.
    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

/// Which attempt this was, from 1: the SDK says so to the service (`amz-sdk-request: attempt=3; max=26`).
fn attempt(context: &InterceptorContext) -> Option<u32> {
    let header = context.request()?.headers().get("amz-sdk-request")?;
    let told = header
        .split(';')
        .find_map(|part| part.trim().strip_prefix("attempt="));
    told?.parse().ok()
}

#[cfg(test)]
mod tests;
