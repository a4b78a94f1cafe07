//! The number of retries, who says it, and what ends them early.

use aws_config::BehaviorVersion;
use aws_sdk_ec2::config::{Credentials, Region};
use aws_smithy_runtime_api::client::{
    interceptors::context::{Error, Input},
    orchestrator::{HttpRequest, OrchestratorError},
    result::ConnectorError,
};

use super::*;
use crate::{replay::Replay, server::in_environment};

fn configured(max_retries: Option<u32>) -> u32 {
    let settings = Settings {
        max_retries,
        ..Settings::default()
    };
    config(&settings, &SdkConfig::builder().build()).max_attempts()
}

#[test]
fn retries_are_counted_as_the_user_counts_them() {
    let attempts = [Some(0), Some(1), Some(u32::MAX), None].map(configured);
    assert_eq!(attempts, [1, 2, MOST + 1, 26]);
}

#[test]
fn a_mode_of_the_block_goes_before_the_others() {
    let adaptive = Settings {
        retry_mode: Some(RetryMode::Adaptive),
        ..Settings::default()
    };
    let sdk = SdkConfig::builder().build();
    assert_eq!(
        config(&adaptive, &sdk).mode(),
        aws_config::retry::RetryMode::Adaptive
    );
}

#[tokio::test]
async fn the_environment_counts_attempts_unless_the_block_counts_retries() {
    let test =
        "config::retries::tests::the_environment_counts_attempts_unless_the_block_counts_retries";
    // The SDK's own default, which has to be told from a number that was chosen.
    if !in_environment(test, &[("AWS_MAX_ATTEMPTS", "3")]) {
        return;
    }
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .no_credentials()
        .load()
        .await;
    let with = |max_retries| Settings {
        max_retries,
        ..Settings::default()
    };
    assert_eq!(config(&with(None), &sdk).max_attempts(), 3);
    assert_eq!(config(&with(Some(7)), &sdk).max_attempts(), 8);
}

/// How many calls an EC2 client makes that may retry ten times.
async fn calls(token_bucket_capacity: Option<usize>) -> usize {
    let replay = (0..11).fold(Replay::default(), |replay, _| {
        replay.ec2_error("DescribeImages", 503, "Unavailable", "")
    });
    let settings = Settings {
        token_bucket_capacity,
        ..Settings::default()
    };
    let config = aws_sdk_ec2::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("AKIDTEST", "secret", None, None, "test"))
        .http_client(replay.clone())
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(11)
                .with_initial_backoff(std::time::Duration::from_millis(1)),
        )
        .retry_partition(partition(&settings));
    let ec2 = aws_sdk_ec2::Client::from_conf(config.build());
    ec2.describe_images().send().await.unwrap_err();
    replay.asked().len()
}

#[tokio::test]
async fn a_token_bucket_limits_retries_only_where_it_is_set() {
    assert_eq!(calls(None).await, 11);
    assert_eq!(calls(Some(0)).await, 11);
    assert_eq!(calls(Some(20)).await, 1 + 20 / 5);
}

fn verdict(attempt: u32, error: OrchestratorError<Error>) -> RetryAction {
    let mut request = HttpRequest::empty();
    let told = format!("attempt={attempt}; max=26");
    request.headers_mut().insert("amz-sdk-request", told);
    let mut context = InterceptorContext::new(Input::doesnt_matter());
    context.enter_serialization_phase();
    context.take_input();
    context.set_request(request);
    context.set_output_or_error(Err(error));
    NetworkRetries.classify_retry(&context)
}

#[test]
fn what_never_answers_is_given_up_earlier() {
    let lost = || OrchestratorError::connector(ConnectorError::io("reset".into()));
    assert_eq!(verdict(9, lost()), RetryAction::NoActionIndicated);
    assert_eq!(verdict(10, lost()), RetryAction::RetryForbidden);
    let answered = OrchestratorError::other("an answer that is an error");
    assert_eq!(verdict(10, answered), RetryAction::NoActionIndicated);
}
