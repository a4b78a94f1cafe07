//! What the provider block leads to, seen on the wire.

mod credentials;
mod sources;

use std::{collections::BTreeMap, io::Write};

use aws_smithy_runtime_api::shared::IntoShared as _;

use super::*;
use crate::{
    config::{AssumeRole, Endpoints, Secret, WebIdentity, WebIdentityToken},
    replay::{Asked, Replay},
};

const IMAGES: &str = "<DescribeImagesResponse><imagesSet/></DescribeImagesResponse>";

fn with_keys() -> Settings {
    Settings {
        region: Some("eu-central-1".to_owned()),
        access_key: Some("AKIDBLOCK".to_owned()),
        secret_key: Some(Secret::from("5ecret".to_owned())),
        ..Settings::default()
    }
}

fn identity(account: &str) -> String {
    format!(
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/u</Arn>\
         <UserId>U</UserId><Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
}

fn session(action: &str, key: &str) -> String {
    format!(
        "<{action}Response><{action}Result><Credentials><AccessKeyId>{key}</AccessKeyId>\
         <SecretAccessKey>s</SecretAccessKey><SessionToken>token-of-{key}</SessionToken>\
         <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></{action}Result></{action}Response>"
    )
}

/// The one `DescribeImages` that a client of these settings sends.
async fn asked(settings: Settings, replay: Replay) -> Asked {
    let replay = replay.ok("DescribeImages", IMAGES);
    let clients = Clients::over(settings, Some(replay.clone().into_shared()));
    clients
        .ec2()
        .await
        .unwrap()
        .describe_images()
        .send()
        .await
        .unwrap();
    replay.only("DescribeImages")
}

#[test]
fn without_a_region_the_error_says_where_to_set_one() {
    let error = region_of(&SdkConfig::builder().build()).unwrap_err();
    assert_eq!(error, ConfigError::NoRegion);
    assert!(error.to_string().contains("AWS_REGION"));
}

#[tokio::test]
async fn a_wrong_account_is_known_before_any_client_is_handed_out() {
    let replay = Replay::default().ok("GetCallerIdentity", identity("111111111111"));
    let forbidden_account_ids = vec!["111111111111".to_owned()];
    let settings = Settings {
        forbidden_account_ids,
        ..with_keys()
    };
    let clients = Clients::over(settings, Some(replay.clone().into_shared()));
    assert!(matches!(
        clients.ec2().await,
        Err(ConfigError::WrongAccount { .. })
    ));
    assert!(matches!(
        clients.ssm().await,
        Err(ConfigError::WrongAccount { .. })
    ));
    assert_eq!(
        replay.actions(),
        ["GetCallerIdentity"],
        "asked once, and nothing else"
    );
}

#[tokio::test]
async fn the_caller_is_asked_once() {
    let replay = Replay::default().ok("GetCallerIdentity", identity("111111111111"));
    let clients = Clients::over(with_keys(), Some(replay.clone().into_shared()));
    assert!(replay.asked().is_empty(), "making clients touches nothing");
    clients.caller().await.unwrap();
    assert_eq!(clients.caller().await.unwrap().account, "111111111111");
    assert_eq!(replay.actions(), ["GetCallerIdentity"]);
}

#[tokio::test]
async fn endpoints_fips_and_dual_stack_lead_elsewhere() {
    let endpoints = Endpoints {
        ec2: Some("http://127.0.0.1:4566".to_owned()),
        ..Endpoints::default()
    };
    let own = asked(
        Settings {
            endpoints,
            ..with_keys()
        },
        Replay::default(),
    )
    .await;
    assert!(own.uri.starts_with("http://127.0.0.1:4566/"), "{}", own.uri);

    let fips = asked(
        Settings {
            use_fips_endpoint: Some(true),
            ..with_keys()
        },
        Replay::default(),
    )
    .await;
    assert!(
        fips.uri.starts_with("https://ec2-fips.eu-central-1."),
        "{}",
        fips.uri
    );

    let dual = asked(
        Settings {
            use_dualstack_endpoint: Some(true),
            ..with_keys()
        },
        Replay::default(),
    )
    .await;
    assert!(
        dual.uri.starts_with("https://ec2.eu-central-1.api.aws"),
        "{}",
        dual.uri
    );
}

#[tokio::test]
async fn retries_are_counted_as_the_user_counts_them() {
    for (max_retries, attempts) in [(0, 1), (1, 2)] {
        let replay = (0..5).fold(Replay::default(), |replay, _| {
            replay.ec2_error("DescribeImages", 503, "Unavailable", "")
        });
        let settings = Settings {
            max_retries: Some(max_retries),
            ..with_keys()
        };
        let clients = Clients::over(settings, Some(replay.clone().into_shared()));
        clients
            .ec2()
            .await
            .unwrap()
            .describe_images()
            .send()
            .await
            .unwrap_err();
        assert_eq!(replay.asked().len(), attempts);
    }
}

#[tokio::test]
async fn the_user_agent_names_provider_and_terraform() {
    let terraform_version = Some("1.11.4".to_owned());
    let asked = asked(
        Settings {
            terraform_version,
            ..with_keys()
        },
        Replay::default(),
    )
    .await;
    let agent = &asked.headers["user-agent"];
    let own = concat!(
        "lib/Terraform/1.11.4 lib/terraform-provider-consistent/",
        env!("CARGO_PKG_VERSION")
    );
    assert!(agent.contains(own), "{agent}");
}

#[test]
fn nothing_secret_is_shown() {
    let token = Some(Secret::from("t0ken".to_owned()));
    let clients = Clients::new(Settings {
        token,
        ..with_keys()
    });
    let shown = format!("{clients:?}");
    assert!(
        shown.contains("AKIDBLOCK") && !shown.contains("5ecret") && !shown.contains("t0ken"),
        "{shown}"
    );
}
