//! Marking an image as proven, last of all.

use super::*;

fn observation() -> Observation {
    Observation {
        image: Some(ObservedImage {
            id: ImageId("ami-1".to_owned()),
            state: ImageState::Available,
            reason: String::new(),
            billing: String::new(),
        }),
        snapshots: vec![ObservedSnapshot {
            id: SnapshotId("snap-1".to_owned()),
            volume_id: VolumeId("vol-1".to_owned()),
            state: SnapshotState::Completed,
            started_at: None,
            size_gib: 8,
            encrypted: false,
        }],
    }
}

#[tokio::test]
async fn the_image_is_the_last_to_be_marked_and_the_mark_is_read_back() {
    let given = pairs(&[("consistent:method", "freeze"), (tags::STATE, tags::PROVEN)]);
    let marked = pairs(&[
        ("consistent:method", "freeze"),
        (tags::STATE, tags::PROVEN),
        (tags::EXPIRES, tags::NEVER),
    ]);
    let replay = Replay::default()
        .ok("CreateTags", done("CreateTags"))
        .ok("CreateTags", done("CreateTags"))
        .ok(
            "DescribeImages",
            images(&[image_xml("ami-1", "available", &[], &marked)]),
        );
    imager(&replay).seal(&observation(), &given).await.unwrap();
    let asked = replay.asked();
    let resources: Vec<_> = asked.iter().map(|it| it.param("ResourceId.1")).collect();
    assert_eq!(
        resources,
        [Some("snap-1".to_owned()), Some("ami-1".to_owned()), None]
    );
    for call in &asked[..2] {
        let keys: Vec<_> = (1..=3)
            .filter_map(|tag| call.param(&format!("Tag.{tag}.Key")))
            .collect();
        assert_eq!(
            keys,
            [
                "consistent:expires",
                "consistent:method",
                "consistent:state"
            ]
        );
    }
}

#[tokio::test]
async fn a_mark_that_does_not_show_is_no_seal() {
    let pending = pairs(&[(tags::STATE, tags::PENDING)]);
    let proven = pairs(&[(tags::STATE, tags::PROVEN)]);
    let replay = Replay::default()
        .ok("CreateTags", done("CreateTags"))
        .ok("CreateTags", done("CreateTags"))
        .ok(
            "DescribeImages",
            images(&[image_xml("ami-1", "available", &[], &pending)]),
        );
    let error = imager(&replay)
        .seal(&observation(), &proven)
        .await
        .unwrap_err();
    assert!(
        error.maybe_done && matches!(error.retry, Retry::After(_)),
        "{error}"
    );

    let replay = Replay::default().ec2_error("CreateTags", 400, "TagLimitExceeded", "too many");
    imager(&replay)
        .seal(&observation(), &proven)
        .await
        .unwrap_err();
    assert_eq!(replay.actions(), ["CreateTags"], "the image was not marked");
}
