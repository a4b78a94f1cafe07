//! The AWS CLI against the lab on paper: signatures, assumed roles, waiters.

use lab::cloud::{Lab, iam::User};
use tokio::process::Command;

use crate::{cloud_captures::Source, support::client};

fn aws(arguments: &[&str]) -> Command {
    let mut command = Command::new("aws");
    command.args(arguments);
    command
}

async fn told(lab: &Lab, user: User, arguments: &[&str]) -> String {
    client(lab, user, &mut aws(arguments))
        .await
        .trim()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_nobody() {
    let source = Source::start().await;
    for (arguments, code) in [
        (["ec2", "describe-regions"], "AuthFailure"),
        (["sts", "get-caller-identity"], "InvalidClientTokenId"),
        (["ssm", "list-commands"], "UnrecognizedClientException"),
    ] {
        let output = aws(&arguments)
            .envs(source.lab.environment(User::Operator))
            .env("AWS_SECRET_ACCESS_KEY", "guessed")
            .output()
            .await
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && stderr.contains(code),
            "{stderr}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cli_makes_an_image_and_waits_for_it() {
    let source = Source::start().await;
    let (lab, operator) = (&source.lab, User::Operator);
    let create = [
        "ec2",
        "create-image",
        "--instance-id",
        &source.instance,
        "--name",
        "by-cli",
        "--no-reboot",
        "--query",
        "ImageId",
        "--output",
        "text",
    ];
    let image = told(lab, operator, &create).await;
    // The waiter asks every 15 s, and the first time at once: let it be available by then.
    source.image_in(&image, "available").await;
    told(
        lab,
        operator,
        &["ec2", "wait", "image-available", "--image-ids", &image],
    )
    .await;
    let query = [
        "ec2",
        "describe-images",
        "--owners",
        "self",
        "--query",
        "Images[?Name==`by-cli`].State",
        "--output",
        "text",
    ];
    assert_eq!(told(lab, operator, &query).await, "available");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assumed_role_is_the_image_maker() {
    let source = Source::start().await;
    let assume = [
        "sts",
        "assume-role",
        "--role-arn",
        "arn:aws:iam::111122223333:role/image-maker",
        "--role-session-name",
        "apply",
        "--query",
        "Credentials.[AccessKeyId,SecretAccessKey,SessionToken]",
        "--output",
        "text",
    ];
    let credentials = told(&source.lab, User::Deployer, &assume).await;
    let names = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ];
    let session: Vec<_> = names
        .into_iter()
        .zip(credentials.split_whitespace())
        .collect();
    let run = |arguments: &'static [&'static str]| {
        aws(arguments)
            .envs(source.lab.environment(User::Deployer))
            .envs(session.clone())
            .output()
    };
    assert!(
        run(&["ec2", "describe-images"])
            .await
            .unwrap()
            .status
            .success()
    );
    let refused = run(&["ec2", "describe-vpcs"]).await.unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("UnauthorizedOperation"));
    let output = aws(&["ec2", "describe-images"])
        .envs(source.lab.environment(User::Deployer))
        .envs(session[..2].to_vec())
        .output()
        .await
        .unwrap();
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("AuthFailure"),
        "a session needs its token"
    );
}
