//! What the provider block leads to, seen on the wire.

use std::{collections::BTreeMap, io::Write};

use aws_sdk_ec2::config::IntoShared;

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

/// The one DescribeImages that a client of these settings sends.
async fn asked(settings: Settings, replay: Replay) -> Asked {
    let replay = replay.ok("DescribeImages", IMAGES);
    let clients = Clients::over(settings, replay.clone().into_shared());
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

#[tokio::test]
async fn keys_of_the_block_sign() {
    let token = Some(Secret::from("t0ken".to_owned()));
    let asked = asked(
        Settings {
            token,
            ..with_keys()
        },
        Replay::default(),
    )
    .await;
    assert_eq!(asked.signer(), Some("AKIDBLOCK"));
    assert_eq!(asked.headers["x-amz-security-token"], "t0ken");
    assert!(
        asked
            .uri
            .starts_with("https://ec2.eu-central-1.amazonaws.com"),
        "{}",
        asked.uri
    );
}

#[tokio::test]
async fn half_a_key_is_refused() {
    for (settings, missing) in [
        (
            Settings {
                secret_key: None,
                ..with_keys()
            },
            "secret_key",
        ),
        (
            Settings {
                access_key: None,
                ..with_keys()
            },
            "access_key",
        ),
    ] {
        let clients = Clients::over(settings, Replay::default().into_shared());
        assert_eq!(
            clients.ec2().await.err(),
            Some(ConfigError::HalfAKey { missing })
        );
    }
}

#[test]
fn without_a_region_the_error_says_where_to_set_one() {
    let error = region_of(&SdkConfig::builder().build()).unwrap_err();
    assert_eq!(error, ConfigError::NoRegion);
    assert!(error.to_string().contains("AWS_REGION"));
}

#[tokio::test]
async fn a_profile_of_the_block_is_read_from_the_files_of_the_block() {
    let mut credentials = tempfile::NamedTempFile::new().unwrap();
    writeln!(
        credentials,
        "[dev]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s"
    )
    .unwrap();
    let settings = Settings {
        region: Some("eu-central-1".to_owned()),
        profile: Some("dev".to_owned()),
        shared_credentials_files: vec![credentials.path().to_owned()],
        ..Settings::default()
    };
    assert_eq!(
        asked(settings, Replay::default()).await.signer(),
        Some("AKIDPROFILE")
    );
}

#[tokio::test]
async fn a_profile_that_does_not_exist_is_an_error_and_not_another_identity() {
    let settings = Settings {
        region: Some("eu-central-1".to_owned()),
        profile: Some("nobody".to_owned()),
        shared_credentials_files: vec![tempfile::NamedTempFile::new().unwrap().path().to_owned()],
        ..Settings::default()
    };
    let replay = Replay::default().ok("DescribeImages", IMAGES);
    let clients = Clients::over(settings, replay.clone().into_shared());
    let ec2 = clients.ec2().await.unwrap();
    let error = crate::ec2::images::find(ec2, "ami-1").await.unwrap_err();
    assert!(error.message.contains("redentials"), "{error}");
    assert!(replay.asked().is_empty());
}

#[tokio::test]
async fn roles_are_assumed_one_after_the_other_with_all_they_ask_for() {
    let first = AssumeRole {
        role_arn: "arn:aws:iam::1:role/first".to_owned(),
        session_name: Some("ci".to_owned()),
        external_id: Some("x-1".to_owned()),
        duration: Some(Duration::from_mins(20)),
        policy: Some("{}".to_owned()),
        policy_arns: vec!["arn:aws:iam::aws:policy/P".to_owned()],
        source_identity: Some("me".to_owned()),
        tags: BTreeMap::from([("team".to_owned(), "db".to_owned())]),
        transitive_tag_keys: vec!["team".to_owned()],
    };
    let second = AssumeRole {
        role_arn: "arn:aws:iam::2:role/second".to_owned(),
        ..AssumeRole::default()
    };
    let replay = Replay::default()
        .ok("AssumeRole", session("AssumeRole", "AKIDFIRST"))
        .ok("AssumeRole", session("AssumeRole", "AKIDSECOND"));
    let settings = Settings {
        assume_role: vec![first, second],
        ..with_keys()
    };
    let image = asked(settings, replay.clone()).await;
    assert_eq!(image.signer(), Some("AKIDSECOND"));
    assert_eq!(image.headers["x-amz-security-token"], "token-of-AKIDSECOND");

    let roles: Vec<_> = replay
        .asked()
        .into_iter()
        .filter(|it| it.action == "AssumeRole")
        .collect();
    let signers: Vec<_> = roles.iter().map(Asked::signer).collect();
    assert_eq!(signers, [Some("AKIDBLOCK"), Some("AKIDFIRST")]);
    for (name, value) in [
        ("RoleArn", "arn:aws:iam::1:role/first"),
        ("RoleSessionName", "ci"),
        ("ExternalId", "x-1"),
        ("DurationSeconds", "1200"),
        ("Policy", "{}"),
        ("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/P"),
        ("SourceIdentity", "me"),
        ("Tags.member.1.Key", "team"),
        ("TransitiveTagKeys.member.1", "team"),
    ] {
        assert_eq!(roles[0].param(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(
        roles[1].param("RoleArn").as_deref(),
        Some("arn:aws:iam::2:role/second")
    );
    assert_eq!(
        roles[1].param("PolicyArns"),
        None,
        "STS refuses empty lists"
    );
}

#[tokio::test]
async fn a_role_that_is_denied_is_named_by_the_call_that_needed_it() {
    let role = AssumeRole {
        role_arn: "arn:aws:iam::1:role/first".to_owned(),
        ..AssumeRole::default()
    };
    let replay = Replay::default().sts_error(
        "AssumeRole",
        403,
        "AccessDenied",
        "User: arn:aws:iam::1:user/u is not authorized to perform: sts:AssumeRole on resource: x",
    );
    let settings = Settings {
        assume_role: vec![role],
        max_retries: Some(0),
        ..with_keys()
    };
    let clients = Clients::over(settings, replay.clone().into_shared());
    let error = crate::ec2::images::find(clients.ec2().await.unwrap(), "ami-1")
        .await
        .unwrap_err();
    assert!(
        error
            .message
            .starts_with("no credentials: sts:AssumeRole: "),
        "{error}"
    );
    assert!(
        error
            .message
            .contains("lacks the permission `sts:AssumeRole`"),
        "{error}"
    );
    assert!(!error.maybe_done);
}

#[tokio::test]
async fn a_web_identity_token_is_exchanged_unsigned() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "jwt-in-a-file").unwrap();
    for (token, expected) in [
        (
            WebIdentityToken::Inline(Secret::from("jwt-inline".to_owned())),
            "jwt-inline",
        ),
        (
            WebIdentityToken::File(file.path().to_owned()),
            "jwt-in-a-file",
        ),
    ] {
        let identity = WebIdentity {
            role_arn: "arn:aws:iam::1:role/web".to_owned(),
            session_name: None,
            duration: None,
            policy: None,
            policy_arns: Vec::new(),
            token,
        };
        let action = "AssumeRoleWithWebIdentity";
        let replay = Replay::default().ok(action, session(action, "AKIDWEB"));
        let settings = Settings {
            region: Some("eu-central-1".to_owned()),
            assume_role_with_web_identity: Some(identity),
            ..Settings::default()
        };
        assert_eq!(
            asked(settings, replay.clone()).await.signer(),
            Some("AKIDWEB")
        );
        let exchange = replay.only(action);
        assert_eq!(exchange.signer(), None);
        assert_eq!(
            exchange.param("WebIdentityToken").as_deref(),
            Some(expected)
        );
    }
}

#[tokio::test]
async fn a_wrong_account_is_known_before_any_client_is_handed_out() {
    let replay = Replay::default().ok("GetCallerIdentity", identity("111111111111"));
    let forbidden_account_ids = vec!["111111111111".to_owned()];
    let settings = Settings {
        forbidden_account_ids,
        ..with_keys()
    };
    let clients = Clients::over(settings, replay.clone().into_shared());
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
    let clients = Clients::over(with_keys(), replay.clone().into_shared());
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
        let clients = Clients::over(settings, replay.clone().into_shared());
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
    let adaptive = Settings {
        retry_mode: Some(RetryMode::Adaptive),
        ..Settings::default()
    };
    assert_eq!(
        retries(&adaptive, None).mode(),
        aws_config::retry::RetryMode::Adaptive
    );
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
