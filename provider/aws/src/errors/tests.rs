//! The mapping as the SDK really reports it: every case goes through a client.

use std::time::Duration;

use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};

use super::*;
use crate::replay::{Answer, Replay};

const ACTION: &str = "ec2:CreateImage";

/// What one `CreateImage` against `replay` ends with.
async fn failure(replay: &Replay) -> CallError {
    failure_of(&replay.ec2()).await
}

async fn failure_of(ec2: &aws_sdk_ec2::Client) -> CallError {
    let once = aws_sdk_ec2::config::Builder::new().retry_config(RetryConfig::disabled());
    let call = ec2
        .create_image()
        .instance_id("i-1")
        .name("n")
        .customize()
        .config_override(once);
    CallError::of(ACTION, &call.send().await.expect_err("the call fails"))
}

async fn answered_with(status: u16, code: &str, message: &str) -> CallError {
    failure(&Replay::default().ec2_error("CreateImage", status, code, message)).await
}

#[tokio::test]
async fn a_denial_names_the_permission_and_hides_the_encoded_message() {
    let said = "You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/ci/x is \
        not authorized to perform: ec2:CreateTags on resource: arn:aws:ec2:eu-central-1::snapshot/* because no \
        identity-based policy allows the ec2:CreateTags action. Encoded authorization failure message: 3ncOd3dBlob";
    let error = answered_with(403, "UnauthorizedOperation", said).await;
    assert!(
        error
            .message
            .contains("lacks the permission `ec2:CreateTags`"),
        "{error}"
    );
    assert!(error.message.contains("assumed-role/ci/x"), "{error}");
    assert!(error.message.contains("schemas/iam"), "{error}");
    assert!(!error.message.contains("3ncOd3dBlob"), "{error}");
    assert_eq!((error.retry, error.maybe_done), (Retry::Never, false));

    let error = answered_with(
        403,
        "UnauthorizedOperation",
        "You are not authorized to perform this operation.",
    )
    .await;
    assert!(
        error
            .message
            .contains("lacks the permission `ec2:CreateImage`"),
        "{error}"
    );
}

#[tokio::test]
async fn what_passes_by_itself_says_when_to_try_again() {
    let secs = |secs| Retry::After(Duration::from_secs(secs));
    for (status, code, retry, maybe_done) in [
        (
            400,
            "SnapshotCreationPerVolumeRateExceeded",
            secs(15),
            false,
        ),
        (400, "ConcurrentSnapshotLimitExceeded", secs(60), false),
        (503, "RequestLimitExceeded", secs(2), false),
        (500, "InternalError", secs(1), true),
        (503, "Unavailable", secs(1), true),
        (400, "InvalidAMIName.Duplicate", Retry::Never, false),
        (400, "InvalidInstanceID.NotFound", Retry::Never, false),
    ] {
        let error = answered_with(status, code, "words of the service").await;
        assert_eq!(error.code, code);
        assert_eq!(
            (error.retry, error.maybe_done),
            (retry, maybe_done),
            "{code}"
        );
        assert!(error.message.starts_with("words of the service"), "{error}");
    }
}

#[tokio::test]
async fn bad_credentials_are_named_without_quoting_the_request() {
    let said = "The Canonical String should have been 'x-amz-security-token:T0ken'";
    let error = answered_with(403, "SignatureDoesNotMatch", said).await;
    assert!(!error.message.contains("T0ken"), "{error}");
    assert!(
        error.message.contains("does not accept the credentials"),
        "{error}"
    );

    let error = answered_with(400, "RequestExpired", "Request has expired.").await;
    assert!(
        error
            .message
            .contains("have expired, or this machine's clock is wrong"),
        "{error}"
    );
}

#[tokio::test]
async fn a_service_cannot_flood_or_steer_the_terminal() {
    let error = answered_with(
        400,
        "Strange",
        &format!("one&#10;two {}", "x".repeat(5_000)),
    )
    .await;
    assert!(error.message.starts_with("one two xxx"), "{error}");
    assert!(error.message.len() <= 600);
}

#[tokio::test]
async fn an_answer_that_never_comes_may_have_been_carried_out() {
    let broken = Answer::Http(200, "not XML".to_owned());
    for answer in [Answer::Lost, broken] {
        let error = failure(&Replay::default().then("CreateImage", answer.clone())).await;
        assert!(error.maybe_done, "{answer:?}: {error}");
        assert!(
            matches!(error.retry, Retry::After(_)),
            "{answer:?}: {error}"
        );
        assert_eq!(error.code, "");
    }
}

/// A client of the real HTTP stack, sent to `url`.
fn real(url: &str) -> aws_sdk_ec2::config::Builder {
    aws_sdk_ec2::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .http_client(crate::http::client(&crate::config::Network::default()).unwrap())
        .endpoint_url(url)
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let keys = Credentials::new("AKIDTEST", "secret", None, None, "test");
    for host in [unused.to_string(), "does-not-exist.invalid".to_owned()] {
        let config = real(&format!("http://{host}"))
            .credentials_provider(keys.clone())
            .build();
        let error = failure_of(&aws_sdk_ec2::Client::from_conf(config)).await;
        assert!(!error.maybe_done, "{host}: {error}");
        assert!(
            error.message.contains("no connection to the ec2 endpoint"),
            "{host}: {error}"
        );
        assert!(matches!(error.retry, Retry::After(_)), "{host}: {error}");
    }
}

#[tokio::test]
async fn without_credentials_nothing_was_sent() {
    #[derive(Debug)]
    struct Nothing;
    impl aws_sdk_ec2::config::ProvideCredentials for Nothing {
        fn provide_credentials<'a>(
            &'a self,
        ) -> aws_credential_types::provider::future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let none = CredentialsError::not_loaded("nothing in the chain");
            aws_credential_types::provider::future::ProvideCredentials::ready(Err(none))
        }
    }
    let replay = Replay::default();
    let config = replay
        .ec2()
        .config()
        .to_builder()
        .credentials_provider(Nothing)
        .build();
    let error = failure_of(&aws_sdk_ec2::Client::from_conf(config)).await;
    assert!(
        error
            .message
            .contains("no AWS credentials found (nothing in the chain)"),
        "{error}"
    );
    assert_eq!((error.retry, error.maybe_done), (Retry::Never, false));
    assert!(replay.asked().is_empty());
}
