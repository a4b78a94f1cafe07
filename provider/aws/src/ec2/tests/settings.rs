//! What changes in place, as it goes out, and what EC2 says of protection.

use super::*;
use crate::ec2::{
    images,
    settings::{self, Protection},
};

const ID: &str = "ami-1";

fn taking(action: &str) -> Replay {
    Replay::default().ok(action, done(action))
}

#[tokio::test]
async fn a_description_is_set_and_emptied() {
    for text in ["of the orders", ""] {
        let replay = taking("ModifyImageAttribute");
        settings::set_description(&replay.ec2(), ID, text)
            .await
            .unwrap();
        let asked = replay.only("ModifyImageAttribute");
        assert_eq!(asked.param("Description.Value").as_deref(), Some(text));
        assert_eq!(asked.param("ImageId").as_deref(), Some(ID));
    }
}

#[tokio::test]
async fn a_deprecation_goes_out_in_utc() {
    let replay = taking("EnableImageDeprecation");
    let at = time::macros::datetime!(2030-01-01 01:00 +1);
    settings::deprecate(&replay.ec2(), ID, at).await.unwrap();
    let asked = replay.only("EnableImageDeprecation");
    assert_eq!(
        asked.param("DeprecateAt").as_deref(),
        Some("2030-01-01T00:00:00Z")
    );

    let replay = taking("DisableImageDeprecation");
    settings::do_not_deprecate(&replay.ec2(), ID).await.unwrap();
    assert_eq!(replay.actions(), ["DisableImageDeprecation"]);
}

#[tokio::test]
async fn protection_is_switched_on_with_or_without_cooldown_and_off() {
    for (cooldown, told) in [(true, "true"), (false, "false")] {
        let replay = taking("EnableImageDeregistrationProtection");
        settings::protect(&replay.ec2(), ID, Protection::On { cooldown })
            .await
            .unwrap();
        let asked = replay.only("EnableImageDeregistrationProtection");
        assert_eq!(asked.param("WithCooldown").as_deref(), Some(told));
    }
    let replay = taking("DisableImageDeregistrationProtection");
    settings::protect(&replay.ec2(), ID, Protection::Off)
        .await
        .unwrap();
    assert_eq!(replay.actions(), ["DisableImageDeregistrationProtection"]);
}

#[tokio::test]
async fn protection_is_read_by_ec2s_words() {
    for (word, expected) in [
        ("disabled", Protection::Off),
        ("", Protection::Off),
        (
            "enabled-without-cooldown",
            Protection::On { cooldown: false },
        ),
        ("enabled-with-cooldown", Protection::On { cooldown: true }),
    ] {
        let body = format!(
            "<DescribeImagesResponse><imagesSet><item><imageId>{ID}</imageId>\
             <deregistrationProtection>{word}</deregistrationProtection></item></imagesSet></DescribeImagesResponse>"
        );
        let replay = Replay::default().ok("DescribeImages", body);
        let image = images::find(&replay.ec2(), ID).await.unwrap().unwrap();
        assert_eq!(image.protection(), expected, "{word}");
    }
}

#[tokio::test]
async fn a_refusal_names_its_action() {
    let replay = Replay::default().ec2_error(
        "EnableImageDeprecation",
        400,
        "UnauthorizedOperation",
        "You are not authorized to perform this operation.",
    );
    let at = OffsetDateTime::UNIX_EPOCH;
    let error = settings::deprecate(&replay.ec2(), ID, at)
        .await
        .unwrap_err();
    assert!(
        error.message.contains("ec2:EnableImageDeprecation"),
        "{error}"
    );
}
