//! Nothing is allowed that schemas/iam/ does not list.

use std::collections::BTreeSet;

use lab::cloud::{ApiError, iam::User};
use serde_json::{Value, json};

use crate::cloud_captures::Source;

/// One well-formed request for every action of the lab, on things that exist.
fn requests(
    source: &Source,
    image: &str,
    snapshot: &str,
    volume: &str,
) -> Vec<(&'static str, Value)> {
    let instance = &source.instance;
    let role = "arn:aws:iam::111122223333:role/image-maker";
    let document = json!({
        "DocumentName": "AWS-RunShellScript",
        "InstanceIds": [instance],
        "Parameters": {"commands": ["true"]},
    });
    vec![
        (
            "ec2:CreateImage",
            json!({"InstanceId": instance, "Name": "new"}),
        ),
        ("ec2:CreateSnapshot", json!({"VolumeId": volume})),
        (
            "ec2:CreateSnapshots",
            json!({"InstanceSpecification.InstanceId": instance}),
        ),
        (
            "ec2:CreateTags",
            json!({"ResourceId.1": image, "Tag.1.Key": "k"}),
        ),
        ("ec2:DeleteSnapshot", json!({"SnapshotId": snapshot})),
        (
            "ec2:DeleteTags",
            json!({"ResourceId.1": image, "Tag.1.Key": "k"}),
        ),
        ("ec2:DeregisterImage", json!({"ImageId": image})),
        ("ec2:DescribeAccountAttributes", json!({})),
        ("ec2:DescribeAvailabilityZones", json!({})),
        (
            "ec2:DescribeImageAttribute",
            json!({"ImageId": image, "Attribute": "description"}),
        ),
        ("ec2:DescribeImages", json!({})),
        (
            "ec2:DescribeInstanceAttribute",
            json!({"InstanceId": instance, "Attribute": "userData"}),
        ),
        ("ec2:DescribeInstanceCreditSpecifications", json!({})),
        ("ec2:DescribeInstanceStatus", json!({})),
        ("ec2:DescribeInstanceTypes", json!({})),
        ("ec2:DescribeInstances", json!({})),
        ("ec2:DescribeRegions", json!({})),
        ("ec2:DescribeSecurityGroups", json!({})),
        ("ec2:DescribeSnapshots", json!({})),
        ("ec2:DescribeSubnets", json!({})),
        ("ec2:DescribeTags", json!({})),
        ("ec2:DescribeVolumes", json!({})),
        ("ec2:DescribeVpcs", json!({})),
        ("ec2:GetInstanceUefiData", json!({"InstanceId": image})),
        (
            "ec2:ModifyImageAttribute",
            json!({"ImageId": image, "Description.Value": "x"}),
        ),
        (
            "ec2:ModifyInstanceAttribute",
            json!({"InstanceId": instance}),
        ),
        ("ec2:RebootInstances", json!({"InstanceId.1": instance})),
        (
            "ec2:RegisterImage",
            json!({
                "Name": "registered",
                "RootDeviceName": "/dev/xvda",
                "BlockDeviceMapping.1.DeviceName": "/dev/xvda",
                "BlockDeviceMapping.1.Ebs.SnapshotId": snapshot,
            }),
        ),
        (
            "ec2:RunInstances",
            json!({"ImageId": image, "MinCount": "1", "MaxCount": "1"}),
        ),
        ("ec2:StartInstances", json!({"InstanceId.1": instance})),
        ("ec2:StopInstances", json!({"InstanceId.1": instance})),
        ("ec2:TerminateInstances", json!({"InstanceId.1": instance})),
        ("ssm:CancelCommand", json!({"CommandId": "c"})),
        ("ssm:DescribeInstanceInformation", json!({})),
        (
            "ssm:GetCommandInvocation",
            json!({"CommandId": "c", "InstanceId": instance}),
        ),
        ("ssm:ListCommandInvocations", json!({})),
        ("ssm:ListCommands", json!({})),
        ("ssm:SendCommand", document),
        (
            "sts:AssumeRole",
            json!({"RoleArn": role, "RoleSessionName": "s"}),
        ),
        ("sts:GetCallerIdentity", json!({})),
    ]
}

/// The same for what changes an image in time.
fn upkeep(image: &str) -> Vec<(&'static str, Value)> {
    let of_image = || json!({"ImageId": image});
    let until = json!({"ImageId": image, "DeprecateAt": "2035-01-01T00:00:00Z"});
    vec![
        ("ec2:DisableImageDeprecation", of_image()),
        ("ec2:DisableImageDeregistrationProtection", of_image()),
        ("ec2:EnableImageDeprecation", until),
        ("ec2:EnableImageDeregistrationProtection", of_image()),
    ]
}

/// The same of a document.
fn of_documents() -> Vec<(&'static str, Value)> {
    let named = || json!({"Name": "freeze"});
    let written = || json!({"Name": "freeze", "Content": "{}"});
    let default = json!({"Name": "freeze", "DocumentVersion": "1"});
    vec![
        ("ssm:CreateDocument", written()),
        ("ssm:DeleteDocument", named()),
        ("ssm:DescribeDocument", named()),
        ("ssm:GetDocument", named()),
        ("ssm:UpdateDocument", written()),
        ("ssm:UpdateDocumentDefaultVersion", default),
    ]
}

fn is_refusal(answer: &Result<Value, ApiError>) -> bool {
    let codes = [
        "UnauthorizedOperation",
        "AccessDeniedException",
        "AccessDenied",
    ];
    answer
        .as_ref()
        .is_err_and(|error| codes.contains(&&*error.code))
}

/// Somebody else's image, and one of its snapshots.
async fn others(source: &Source) -> (String, String, String) {
    let image = source.image("others").await.unwrap();
    let shown = source.image_in(&image, "available").await;
    let snapshot = shown["blockDeviceMapping"][0]["ebs"]["snapshotId"]
        .as_str()
        .unwrap();
    let volumes = source.snapshots("others").await;
    (
        image,
        snapshot.to_owned(),
        volumes.keys().next().unwrap().clone(),
    )
}

/// The actions that `user` is refused, of all that there are.
async fn refused(source: &Source, user: User) -> BTreeSet<&'static str> {
    let (image, snapshot, volume) = others(source).await;
    let mut requests = requests(source, &image, &snapshot, &volume);
    requests.extend(upkeep(&image));
    requests.extend(of_documents());
    let tried: BTreeSet<String> = requests
        .iter()
        .map(|(action, _)| (*action).to_owned())
        .collect();
    assert_eq!(
        tried,
        lab::cloud::actions().collect(),
        "every action is tried"
    );
    let mut refused = BTreeSet::new();
    for (action, input) in requests {
        if is_refusal(&source.lab.call(user, action, input).await) {
            refused.insert(action);
        }
    }
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_may_only_ask_who_they_are() {
    let source = Source::start().await;
    let refused = refused(&source, User::Nobody).await;
    let allowed: Vec<String> = lab::cloud::actions()
        .filter(|action| !refused.contains(action.as_str()))
        .collect();
    assert_eq!(allowed, ["sts:GetCallerIdentity"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_maker_touches_nothing_of_others() {
    let source = Source::start().await;
    let refused = refused(&source, User::ImageMaker).await;
    let allowed: Vec<String> = lab::cloud::actions()
        .filter(|action| !refused.contains(action.as_str()))
        .collect();
    let reading = [
        "ec2:DescribeImages",
        "ec2:DescribeInstances",
        "ec2:DescribeSnapshots",
        "ec2:DescribeVolumes",
        "ec2:GetInstanceUefiData",
        "ssm:DescribeDocument",
        "ssm:DescribeInstanceInformation",
        "ssm:GetCommandInvocation",
        "ssm:GetDocument",
        "ssm:SendCommand",
        "sts:GetCallerIdentity",
    ];
    assert_eq!(allowed, reading);
}

/// Makes a tagged image, seals it and takes it away again, as the provider does.
async fn life_of_an_image(source: &Source, user: User) -> Result<(), ApiError> {
    let tags = |n: usize, kind: &str| {
        let at = |field: &str| format!("TagSpecification.{n}.{field}");
        [
            (at("ResourceType"), kind.to_owned()),
            (at("Tag.1.Key"), "consistent:session".to_owned()),
            (at("Tag.1.Value"), "0123".to_owned()),
            (at("Tag.2.Key"), "team".to_owned()),
            (at("Tag.2.Value"), "db".to_owned()),
        ]
    };
    let mut input = json!({"InstanceId": source.instance, "Name": "ours", "NoReboot": "true"});
    for (name, value) in tags(1, "image").into_iter().chain(tags(2, "snapshot")) {
        input[name] = Value::String(value);
    }
    let call = |action: &'static str, input: Value| source.lab.call(user, action, input);
    let answer = call("ec2:CreateImage", input).await?;
    let image = answer["imageId"].as_str().unwrap();
    let shown = source.image_in(image, "available").await;
    let seal =
        json!({"ResourceId.1": image, "Tag.1.Key": "consistent:state", "Tag.1.Value": "proven"});
    call("ec2:CreateTags", seal).await?;
    call(
        "ec2:DeleteTags",
        json!({"ResourceId.1": image, "Tag.1.Key": "team"}),
    )
    .await?;
    let settings = [
        ("ec2:ModifyImageAttribute", "Description.Value", "new"),
        (
            "ec2:EnableImageDeprecation",
            "DeprecateAt",
            "2035-01-01T00:00:00Z",
        ),
        ("ec2:DisableImageDeprecation", "DryRun", "false"),
        (
            "ec2:EnableImageDeregistrationProtection",
            "WithCooldown",
            "false",
        ),
        (
            "ec2:DisableImageDeregistrationProtection",
            "DryRun",
            "false",
        ),
    ];
    for (action, name, value) in settings {
        call(action, json!({"ImageId": image, (name): value})).await?;
    }
    call("ec2:DeregisterImage", json!({"ImageId": image})).await?;
    for device in shown["blockDeviceMapping"].as_array().unwrap() {
        let snapshot = &device["ebs"]["snapshotId"];
        call("ec2:DeleteSnapshot", json!({"SnapshotId": snapshot})).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_maker_may_do_all_that_the_provider_does() {
    let source = Source::start().await;
    life_of_an_image(&source, User::ImageMaker).await.unwrap();
    let error = life_of_an_image(&source, User::Deployer).await.unwrap_err();
    assert_eq!(error.code, "UnauthorizedOperation");
}
