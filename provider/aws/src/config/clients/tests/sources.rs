//! Profiles, instance metadata and the environment: where credentials and region come from that the block does not hold.

use std::path::Path;

use tempfile::{NamedTempFile, TempDir};

use super::*;
use crate::{
    config::{ConfigError, Metadata, MetadataMode},
    server::{Request, Server, in_environment},
};

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// Settings that name nothing but this profile of this file.
fn of_profile(name: &str, config: &Path) -> Settings {
    Settings {
        profile: Some(name.to_owned()),
        shared_config_files: vec![config.to_owned()],
        shared_credentials_files: vec![config.with_extension("none")],
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_profile_can_run_a_process() {
    let output = r#"{"Version": 1, "AccessKeyId": "AKIDPROCESS", "SecretAccessKey": "s"}"#;
    let output = file(output);
    let config = file(&format!(
        "[profile tool]\nregion = eu-west-1\ncredential_process = cat {}\n",
        output.path().display()
    ));
    let asked = asked(of_profile("tool", config.path()), Replay::default()).await;
    assert_eq!(asked.signer(), Some("AKIDPROCESS"));
    assert!(
        asked.uri.starts_with("https://ec2.eu-west-1."),
        "{}",
        asked.uri
    );
}

#[tokio::test]
async fn a_profile_can_assume_a_role_with_another_profile() {
    let config = file(
        "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = s\n\
         [profile admin]\nregion = eu-west-1\nrole_arn = arn:aws:iam::1:role/admin\nsource_profile = base\n",
    );
    let replay = Replay::default().ok("AssumeRole", session("AssumeRole", "AKIDROLE"));
    let image = asked(of_profile("admin", config.path()), replay.clone()).await;
    assert_eq!(image.signer(), Some("AKIDROLE"));
    let role = replay.only("AssumeRole");
    assert_eq!(role.signer(), Some("AKIDBASE"));
    assert_eq!(
        role.param("RoleArn").as_deref(),
        Some("arn:aws:iam::1:role/admin")
    );
}

/// SHA-1 of the session's name, `corp`: that is how the AWS CLI names its cache.
const TOKEN_OF_CORP: &str = "ee0bfd2552fbd840c02cc48b6e823320543c450f";

#[tokio::test]
async fn a_profile_can_use_a_session_that_was_signed_in_to() {
    let test = "config::clients::tests::sources::a_profile_can_use_a_session_that_was_signed_in_to";
    let home = TempDir::new().unwrap();
    let cache = home.path().join(".aws/sso/cache");
    std::fs::create_dir_all(&cache).unwrap();
    let token = r#"{"accessToken": "signed-in", "expiresAt": "2099-01-01T00:00:00Z"}"#;
    std::fs::write(cache.join(TOKEN_OF_CORP).with_extension("json"), token).unwrap();
    if !in_environment(test, &[("HOME", home.path().to_str().unwrap())]) {
        return;
    }
    let config = file(
        "[profile dev]\nregion = eu-west-1\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Dba\n\
         [sso-session corp]\nsso_region = eu-central-1\nsso_start_url = https://corp.awsapps.com/start\n",
    );
    let granted = r#"{"roleCredentials": {"accessKeyId": "AKIDSSO", "secretAccessKey": "s", "sessionToken": "t", "expiration": 4070908800000}}"#;
    let replay = Replay::default().ok("/federation/credentials", granted);
    let image = asked(of_profile("dev", config.path()), replay.clone()).await;
    assert_eq!(image.signer(), Some("AKIDSSO"));
    let portal = replay.only("/federation/credentials");
    assert!(
        portal.uri.contains("eu-central-1") && portal.uri.contains("role_name=Dba"),
        "{}",
        portal.uri
    );
    assert_eq!(portal.headers["x-amz-sso_bearer_token"], "signed-in");
}

/// An instance's metadata service, and EC2.
fn instance(request: &Request) -> (u16, &'static str, String) {
    let path = request.line.split(' ').nth(1).unwrap_or_default();
    let body = match path {
        "/latest/api/token" => {
            let ttl = "x-aws-ec2-metadata-token-ttl-seconds: 60\r\n";
            return (200, ttl, "TOKEN".to_owned());
        }
        "/latest/meta-data/placement/region" => "eu-west-3",
        "/latest/meta-data/iam/security-credentials/" => "dba",
        "/latest/meta-data/iam/security-credentials/dba" => {
            r#"{"Code": "Success", "AccessKeyId": "AKIDINSTANCE", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}"#
        }
        "/" => IMAGES,
        _ => return (404, "", String::new()),
    };
    (200, "", body.to_owned())
}

/// Settings that leave everything to the machine that Terraform runs on.
fn on_instance(server: &Server) -> Settings {
    let url = format!("http://{}", server.address);
    Settings {
        metadata: Metadata {
            endpoint: Some(url.clone()),
            ..Metadata::default()
        },
        endpoints: Endpoints {
            ec2: Some(url),
            ..Endpoints::default()
        },
        shared_config_files: vec!["/no/such/file".into()],
        shared_credentials_files: vec!["/no/such/file".into()],
        ..Settings::default()
    }
}

#[tokio::test]
async fn instance_metadata_gives_region_and_credentials_where_the_block_says_it_is() {
    let test = "config::clients::tests::sources::instance_metadata_gives_region_and_credentials_where_the_block_says_it_is";
    if !in_environment(test, &[]) {
        return;
    }
    let server = Server::plain(instance).await;
    let clients = Clients::new(on_instance(&server));
    assert_eq!(clients.region().await.unwrap(), "eu-west-3");
    let ec2 = clients.ec2().await.unwrap();
    ec2.describe_images().send().await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.last().unwrap().signer(), Some("AKIDINSTANCE"));
}

#[tokio::test]
async fn instance_metadata_is_asked_over_the_protocol_of_the_block() {
    let test = "config::clients::tests::sources::instance_metadata_is_asked_over_the_protocol_of_the_block";
    if !in_environment(test, &[]) {
        return;
    }
    for (mode, address) in [
        (MetadataMode::Ipv4, "http://169.254.169.254/"),
        (MetadataMode::Ipv6, "http://[fd00:ec2::254]/"),
    ] {
        let replay = Replay::default();
        let mut settings = of_profile("none", Path::new("/no/such/file"));
        settings.metadata.mode = Some(mode);
        let clients = Clients::over(settings, Some(replay.clone().into_shared()));
        assert_eq!(clients.region().await, Err(ConfigError::NoRegion));
        let asked = replay.asked();
        assert!(!asked.is_empty());
        for request in asked {
            assert!(request.uri.starts_with(address), "{}", request.uri);
        }
    }
}

#[tokio::test]
async fn instance_metadata_is_left_alone_where_that_is_asked_for() {
    let test =
        "config::clients::tests::sources::instance_metadata_is_left_alone_where_that_is_asked_for";
    if !in_environment(test, &[]) {
        return;
    }
    let server = Server::plain(instance).await;
    let mut settings = on_instance(&server);
    settings.metadata.skip = true;
    let nowhere = Clients::new(settings.clone()).region().await;
    assert_eq!(nowhere.unwrap_err(), ConfigError::NoRegion);

    settings.region = Some("eu-west-3".to_owned());
    let clients = Clients::new(settings.clone());
    let error = crate::ec2::images::find(clients.ec2().await.unwrap(), "ami-1").await;
    let error = error.unwrap_err();
    assert!(
        error.message.starts_with("no AWS credentials found"),
        "{error}"
    );

    let config = file(
        "[profile on-instance]\nrole_arn = arn:aws:iam::1:role/a\ncredential_source = Ec2InstanceMetadata\n",
    );
    settings.profile = Some("on-instance".to_owned());
    settings.shared_config_files = vec![config.path().to_owned()];
    let clients = Clients::new(settings);
    let error = crate::ec2::images::find(clients.ec2().await.unwrap(), "ami-1").await;
    let error = error.unwrap_err();
    assert!(error.message.contains("skip_metadata_api_check"), "{error}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn keys_of_the_environment_go_before_a_profile_of_the_environment_only() {
    let test = "config::clients::tests::sources::keys_of_the_environment_go_before_a_profile_of_the_environment_only";
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_REGION", "eu-south-2"),
    ];
    if !in_environment(test, &variables) {
        return;
    }
    let config =
        file("[profile dev]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n");
    let named = of_profile("dev", config.path());
    assert_eq!(
        asked(named.clone(), Replay::default()).await.signer(),
        Some("AKIDPROFILE")
    );
    let unnamed = Settings {
        profile: None,
        ..named
    };
    let image = asked(unnamed, Replay::default()).await;
    assert_eq!(image.signer(), Some("AKIDENVIRONMENT"));
    assert!(
        image.uri.starts_with("https://ec2.eu-south-2."),
        "{}",
        image.uri
    );
}

#[tokio::test]
async fn a_region_from_anywhere_is_checked_unless_told_otherwise() {
    let config = file("[profile typo]\nregion = eu-centrall-1\n");
    let settings = of_profile("typo", config.path());
    let clients = Clients::new(settings.clone());
    let region = "eu-centrall-1".to_owned();
    assert_eq!(
        clients.ec2().await.unwrap_err(),
        ConfigError::UnknownRegion {
            region: region.clone()
        }
    );

    let private = Settings {
        skip_region_validation: true,
        ..settings
    };
    assert_eq!(Clients::new(private).region().await, Ok(region));
}
