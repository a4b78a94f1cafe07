//! Beginning a capture and watching it.

use super::*;

#[tokio::test]
async fn everything_begun_is_tagged_from_its_first_moment_on() {
    let session = SessionId::random();
    let replay = Replay::default().ok("CreateImage", CREATED);
    let image = imager(&replay).begin(&request(&session)).await.unwrap();
    assert_eq!(image, Begun::Image(ImageId("ami-1".to_owned())));

    let asked = replay.only("CreateImage");
    for (name, value) in [
        ("InstanceId", "i-1"),
        ("Name", "orders"),
        ("Description", "of the orders"),
        ("NoReboot", "true"),
    ] {
        assert_eq!(asked.param(name).as_deref(), Some(value), "{name}");
    }
    let ours = [
        ("consistent:session", session.as_str()),
        ("consistent:state", "pending"),
        ("consistent:image-name", "orders"),
        ("consistent:source-instance", "i-1"),
        ("consistent:expires", "2024-10-04T00:00:00Z"),
    ];
    let tagged = |number: u32| {
        let part = |tag: u32, what: &str| {
            asked.param(&format!("TagSpecification.{number}.Tag.{tag}.{what}"))
        };
        (1..)
            .map_while(|tag| part(tag, "Key").zip(part(tag, "Value")))
            .collect::<BTreeMap<_, _>>()
    };
    for (number, kind, users) in [
        (1, "image", request(&session).tags),
        (2, "snapshot", request(&session).snapshot_tags),
    ] {
        let kind_asked = asked.param(&format!("TagSpecification.{number}.ResourceType"));
        assert_eq!(kind_asked.as_deref(), Some(kind));
        let mut expected = users;
        expected.extend(pairs(&ours));
        assert_eq!(tagged(number), expected, "{kind}");
    }
}

#[tokio::test]
async fn what_is_noted_stands_on_the_image_only() {
    let replay = Replay::default().ok("CreateImage", CREATED);
    let imager = imager(&replay).noting(pairs(&[(tags::CONFIGURATION[0], "{}")]));
    imager.begin(&request(&SessionId::random())).await.unwrap();
    let asked = replay.only("CreateImage");
    let keys = |number: u32| -> Vec<String> {
        (1..)
            .map_while(|tag| asked.param(&format!("TagSpecification.{number}.Tag.{tag}.Key")))
            .collect()
    };
    let key = tags::CONFIGURATION[0].to_owned();
    assert!(keys(1).contains(&key) && !keys(2).contains(&key));
}

#[tokio::test]
async fn a_creation_whose_answer_is_lost_is_not_repeated() {
    let server_error = Answer::Http(
        500,
        "<Response><Errors><Error><Code>InternalError</Code></Error></Errors></Response>"
            .to_owned(),
    );
    for answer in [server_error, Answer::Lost] {
        let replay = Replay::default().then("CreateImage", answer.clone());
        let error = imager(&replay)
            .begin(&request(&SessionId::random()))
            .await
            .unwrap_err();
        assert!(error.maybe_done, "{answer:?}: {error}");
        assert_eq!(replay.actions(), ["CreateImage"], "{answer:?}");
    }
}

#[tokio::test]
async fn too_soon_for_a_volume_says_how_long_to_wait() {
    let code = "SnapshotCreationPerVolumeRateExceeded";
    let replay = Replay::default().ec2_error(
        "CreateImage",
        400,
        code,
        "The maximum per volume CreateSnapshot request rate has been exceeded.",
    );
    let error = imager(&replay)
        .begin(&request(&SessionId::random()))
        .await
        .unwrap_err();
    assert_eq!(
        (error.action, error.retry, error.maybe_done),
        (
            "ec2:CreateImage",
            Retry::After(Duration::from_secs(15)),
            false
        )
    );
    assert_eq!(replay.actions(), ["CreateImage"]);
}

#[tokio::test]
async fn reserved_tags_are_refused_before_anything_is_asked() {
    for key in ["aws:cloudformation:stack-id", "consistent:state"] {
        let replay = Replay::default();
        let mut request = request(&SessionId::random());
        request.snapshot_tags.insert(key.to_owned(), "x".to_owned());
        let error = imager(&replay).begin(&request).await.unwrap_err();
        assert!(error.message.contains(key), "{error}");
        assert!(replay.asked().is_empty());
    }
}

#[tokio::test]
async fn an_observation_joins_all_pages_and_what_only_the_image_maps() {
    let session = SessionId::random();
    let ours = pairs(&[(tags::SESSION, session.as_str())]);
    let replay = Replay::default()
        .ok(
            "DescribeImages",
            images(&[image_xml("ami-1", "pending", &["snap-1", "snap-3"], &ours)]),
        )
        .ok(
            "DescribeSnapshots",
            page(
                &[snapshot_xml("snap-2", "vol-2", "completed", &ours)],
                "more",
            ),
        )
        .ok(
            "DescribeSnapshots",
            snapshots(&[snapshot_xml("snap-1", "vol-1", "pending", &ours)]),
        )
        .ok(
            "DescribeSnapshots",
            snapshots(&[snapshot_xml("snap-3", "vol-3", "error", &BTreeMap::new())]),
        );
    let seen = imager(&replay).observe(&session).await.unwrap();

    let snapshot = |number: u32, state| ObservedSnapshot {
        id: SnapshotId(format!("snap-{number}")),
        volume_id: VolumeId(format!("vol-{number}")),
        state,
        started_at: Some(
            OffsetDateTime::from_unix_timestamp_nanos(1_795_363_200_500_000_000).unwrap(),
        ),
        size_gib: 8,
        encrypted: true,
    };
    let expected = Observation {
        image: Some(ObservedImage {
            id: ImageId("ami-1".to_owned()),
            state: ImageState::Pending,
            reason: String::new(),
            billing: " ()".to_owned(),
        }),
        snapshots: vec![
            snapshot(1, SnapshotState::Pending),
            snapshot(2, SnapshotState::Completed),
            snapshot(3, SnapshotState::Failed("error".to_owned())),
        ],
    };
    assert_eq!(seen, expected);
    let by_tag = replay
        .asked()
        .into_iter()
        .find(|it| it.action == "DescribeSnapshots")
        .unwrap();
    assert_eq!(
        by_tag.param("Filter.1.Name").as_deref(),
        Some("tag:consistent:session")
    );
    assert_eq!(
        by_tag.param("Filter.1.Value.1").as_deref(),
        Some(session.as_str())
    );
}

#[tokio::test]
async fn image_states_are_told_apart() {
    for (state, expected) in [
        ("available", ImageState::Available),
        ("pending", ImageState::Pending),
        ("failed", ImageState::Failed("failed".to_owned())),
        ("disabled", ImageState::Failed("disabled".to_owned())),
        (
            "deregistered",
            ImageState::Failed("deregistered".to_owned()),
        ),
    ] {
        let replay = Replay::default()
            .ok(
                "DescribeImages",
                images(&[image_xml("ami-1", state, &[], &BTreeMap::new())]),
            )
            .ok("DescribeSnapshots", snapshots(&[]));
        let seen = imager(&replay).observe(&SessionId::random()).await.unwrap();
        assert_eq!(seen.image.unwrap().state, expected);
    }
}

#[tokio::test]
async fn a_single_question_is_asked_once() {
    let replay = Replay::default()
        .ec2_error("DescribeImages", 503, "RequestLimitExceeded", "slow down")
        .ok("DescribeSnapshots", snapshots(&[]));
    let error = imager(&replay)
        .observe(&SessionId::random())
        .await
        .unwrap_err();
    assert!(matches!(error.retry, Retry::After(_)), "{error}");
    let asked = replay.actions();
    assert_eq!(
        asked
            .iter()
            .filter(|action| *action == "DescribeImages")
            .count(),
        1,
        "the protocol owns time"
    );
}
