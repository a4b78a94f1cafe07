//! Whose key signs, and how it was come by.

use super::*;

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
        let clients = Clients::over(settings, Some(Replay::default().into_shared()));
        assert_eq!(
            clients.ec2().await.err(),
            Some(ConfigError::HalfAKey { missing })
        );
    }
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
    let clients = Clients::over(settings, Some(replay.clone().into_shared()));
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
    let clients = Clients::over(settings, Some(replay.clone().into_shared()));
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
