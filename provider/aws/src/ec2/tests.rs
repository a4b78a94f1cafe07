//! The imager's side of the wire. What EC2 answers stands in the script; what may follow from it is asserted.

use std::{collections::BTreeSet, fmt::Write};

use quiesce::ports::{
    ImageState, ObservedImage, ObservedSnapshot, Retry, SnapshotId, SnapshotState, VolumeId,
};

use super::*;
use crate::replay::{Answer, Replay};

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn request(session: &SessionId) -> CaptureRequest {
    CaptureRequest {
        session: session.clone(),
        name: "orders".to_owned(),
        description: "of the orders".to_owned(),
        volumes: vec![VolumeId("vol-1".to_owned())],
        tags: pairs(&[("Name", "orders"), ("team", "db")]),
        snapshot_tags: pairs(&[("backup", "no")]),
        expires: OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000),
    }
}

fn tag_set(tags: &BTreeMap<String, String>) -> String {
    tags.iter().fold(String::new(), |mut xml, (key, value)| {
        write!(xml, "<item><key>{key}</key><value>{value}</value></item>").unwrap();
        xml
    })
}

/// An image with one mapping for each snapshot.
fn image_xml(id: &str, state: &str, snapshots: &[&str], tags: &BTreeMap<String, String>) -> String {
    let mappings: String = snapshots.iter().fold(String::new(), |mut xml, snapshot| {
        let ebs =
            format!("<ebs><snapshotId>{snapshot}</snapshotId><volumeSize>8</volumeSize></ebs>");
        write!(xml, "<item><deviceName>/dev/xvda</deviceName>{ebs}</item>").unwrap();
        xml
    });
    format!(
        "<item><imageId>{id}</imageId><imageState>{state}</imageState><blockDeviceMapping>{mappings}\
         </blockDeviceMapping><tagSet>{}</tagSet></item>",
        tag_set(tags)
    )
}

fn images(items: &[String]) -> String {
    format!(
        "<DescribeImagesResponse><imagesSet>{}</imagesSet></DescribeImagesResponse>",
        items.concat()
    )
}

fn snapshot_xml(id: &str, volume: &str, state: &str, tags: &BTreeMap<String, String>) -> String {
    format!(
        "<item><snapshotId>{id}</snapshotId><volumeId>{volume}</volumeId><status>{state}</status>\
         <startTime>2026-11-22T16:00:00.500Z</startTime><volumeSize>8</volumeSize><encrypted>true</encrypted>\
         <tagSet>{}</tagSet></item>",
        tag_set(tags)
    )
}

fn snapshots(items: &[String]) -> String {
    page(items, "")
}

fn page(items: &[String], next: &str) -> String {
    let next = if next.is_empty() {
        String::new()
    } else {
        format!("<nextToken>{next}</nextToken>")
    };
    format!(
        "<DescribeSnapshotsResponse><snapshotSet>{}</snapshotSet>{next}</DescribeSnapshotsResponse>",
        items.concat()
    )
}

fn done(action: &str) -> String {
    format!("<{action}Response><return>true</return></{action}Response>")
}

fn imager(replay: &Replay) -> Ec2Imager {
    Ec2Imager::new(&replay.ec2(), "i-1")
}

const CREATED: &str = "<CreateImageResponse><imageId>ami-1</imageId></CreateImageResponse>";

#[tokio::test]
async fn everything_begun_is_tagged_from_its_first_moment_on() {
    let session = SessionId::random();
    let replay = Replay::default().ok("CreateImage", CREATED);
    let image = imager(&replay).begin(&request(&session)).await.unwrap();
    assert_eq!(image, ImageId("ami-1".to_owned()));

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

#[tokio::test]
async fn a_proven_image_is_not_discarded() {
    let session = SessionId::random();
    let proven = pairs(&[
        (tags::SESSION, session.as_str()),
        (tags::STATE, tags::PROVEN),
    ]);
    let replay = Replay::default()
        .ok(
            "DescribeImages",
            images(&[image_xml("ami-1", "available", &["snap-1"], &proven)]),
        )
        .ok(
            "DescribeSnapshots",
            snapshots(&[snapshot_xml("snap-1", "vol-1", "completed", &proven)]),
        );
    let left = imager(&replay).discard(&session).await.unwrap();
    let ids: Vec<_> = left.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["ami-1"]);
    assert!(left[0].reason.contains("proven"), "{left:?}");
    assert_eq!(replay.asked().len(), 2, "nothing but questions");
}

#[tokio::test]
async fn a_discard_removes_the_image_first_and_returns_what_stays() {
    let session = SessionId::random();
    let ours = pairs(&[
        (tags::SESSION, session.as_str()),
        (tags::STATE, tags::PENDING),
    ]);
    let foreign = pairs(&[(tags::SESSION, SessionId::random().as_str())]);
    let late = snapshot_xml("snap-9", "vol-9", "pending", &ours);
    let replay = Replay::default()
        .ok(
            "DescribeImages",
            images(&[image_xml("ami-1", "pending", &["snap-1", "snap-7"], &ours)]),
        )
        .ok(
            "DescribeSnapshots",
            snapshots(&[
                snapshot_xml("snap-1", "vol-1", "pending", &ours),
                snapshot_xml("snap-2", "vol-2", "pending", &ours),
            ]),
        )
        .ok(
            "DescribeSnapshots",
            snapshots(&[snapshot_xml("snap-7", "vol-7", "completed", &foreign)]),
        )
        .ok("DescribeSnapshots", snapshots(&[late]))
        .ok("DeregisterImage", done("DeregisterImage"))
        .ec2_error(
            "DeleteSnapshot",
            400,
            "InvalidSnapshot.InUse",
            "in use by ami-1",
        )
        .ec2_error(
            "DeleteSnapshot",
            400,
            "InvalidSnapshot.NotFound",
            "does not exist",
        );
    let left = imager(&replay).discard(&session).await.unwrap();
    let ids: Vec<_> = left.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(
        ids,
        ["snap-1", "snap-9"],
        "gone is gone, foreign is not ours: {left:?}"
    );
    assert!(left[0].reason.contains("in use by ami-1"), "{left:?}");

    let removals: Vec<_> = replay
        .asked()
        .into_iter()
        .filter(|it| it.action.starts_with("De") && !it.action.starts_with("Desc"))
        .collect();
    assert_eq!(removals[0].param("ImageId").as_deref(), Some("ami-1"));
    let deleted: Vec<_> = removals[1..]
        .iter()
        .filter_map(|it| it.param("SnapshotId"))
        .collect();
    assert_eq!(deleted, ["snap-1", "snap-2"]);
}

#[tokio::test]
async fn an_image_that_no_list_shows_yet_is_discarded_by_its_id() {
    let session = SessionId::random();
    let nothing = |replay: Replay| {
        replay
            .ok("DescribeImages", images(&[]))
            .ok("DescribeSnapshots", snapshots(&[]))
            .ok("DescribeSnapshots", snapshots(&[]))
    };
    let mut replay = Replay::default().ok("CreateImage", CREATED);
    replay = nothing(replay).ec2_error("DeregisterImage", 400, "InvalidAMIID.NotFound", "not yet");
    replay = nothing(replay).ok("DeregisterImage", done("DeregisterImage"));
    let replay = nothing(replay);
    let imager = imager(&replay);
    imager.begin(&request(&session)).await.unwrap();

    let left = imager.discard(&session).await.unwrap();
    assert_eq!(
        left.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(),
        ["ami-1"],
        "it may still appear"
    );
    assert_eq!(imager.discard(&session).await.unwrap(), []);
    assert_eq!(imager.discard(&session).await.unwrap(), []);
    let deregistered = replay
        .actions()
        .iter()
        .filter(|it| *it == "DeregisterImage")
        .count();
    assert_eq!(deregistered, 2, "once gone, it is forgotten");
}

fn observation() -> Observation {
    Observation {
        image: Some(ObservedImage {
            id: ImageId("ami-1".to_owned()),
            state: ImageState::Available,
            reason: String::new(),
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

#[tokio::test]
async fn leftovers_are_pending_and_of_the_name_or_past_their_time() {
    let [dead, live, sealed, namesake] = std::array::from_fn(|_| SessionId::random());
    let (past, future) = ("2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z");
    let of = |session: &SessionId, expires: &str| {
        pairs(&[
            (tags::SESSION, session.as_str()),
            (tags::STATE, tags::PENDING),
            (tags::EXPIRES, expires),
        ])
    };
    let image = |tags| images(&[image_xml("ami-1", "pending", &[], &tags)]);
    let snapshot = |tags| snapshots(&[snapshot_xml("snap-1", "vol-1", "pending", &tags)]);
    let proven = pairs(&[
        (tags::SESSION, sealed.as_str()),
        (tags::STATE, tags::PROVEN),
    ]);
    let replay = Replay::default()
        .ok("DescribeImages", image(of(&live, future)))
        .ok("DescribeImages", image(of(&namesake, future)))
        .ok("DescribeSnapshots", snapshot(of(&dead, past)))
        .ok("DescribeSnapshots", snapshot(of(&sealed, past)))
        .ok("DescribeImages", image(proven));
    let left: BTreeSet<_> = imager(&replay)
        .leftovers("orders")
        .await
        .unwrap()
        .into_iter()
        .collect();
    assert_eq!(left, BTreeSet::from([dead, namesake]));

    let asked = replay.asked();
    let filter = |at: usize| {
        [1, 2].map(|number| {
            asked[at]
                .param(&format!("Filter.{number}.Value.1"))
                .unwrap()
        })
    };
    assert_eq!(asked[0].action, "DescribeImages");
    assert_eq!(
        [filter(0), filter(1)],
        [["pending", "i-1"], ["pending", "orders"]]
    );
    assert_eq!(
        [filter(2), filter(3)],
        [["pending", "i-1"], ["pending", "orders"]]
    );
}

#[tokio::test]
async fn an_instance_lists_the_volumes_that_stay_attached() {
    let volume = |name: &str, id: &str, status: &str| {
        format!(
            "<item><deviceName>{name}</deviceName><ebs><volumeId>{id}</volumeId><status>{status}</status></ebs></item>"
        )
    };
    let volumes = [
        volume("/dev/xvda", "vol-1", "attached"),
        volume("/dev/sdf", "vol-2", "detaching"),
    ]
    .concat();
    let body = format!(
        "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>\
         <instanceState><name>running</name></instanceState><rootDeviceName>/dev/xvda</rootDeviceName>\
         <rootDeviceType>ebs</rootDeviceType><architecture>arm64</architecture><blockDeviceMapping>{volumes}\
         </blockDeviceMapping></item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
    );
    let replay = Replay::default().ok("DescribeInstances", body);
    let facts = instances::describe(&replay.ec2(), "i-1").await.unwrap();
    assert_eq!(
        (
            facts.instance.state.as_str(),
            facts.ebs_backed,
            facts.architecture.as_str()
        ),
        ("running", true, "arm64")
    );
    let ids: Vec<_> = facts
        .instance
        .volumes
        .iter()
        .map(|it| it.volume_id.0.as_str())
        .collect();
    assert_eq!(ids, ["vol-1"]);

    let replay = Replay::default().ec2_error(
        "DescribeInstances",
        400,
        "InvalidInstanceID.NotFound",
        "The instance ID 'i-1' does not exist",
    );
    let error = imager(&replay).instance().await.unwrap_err();
    assert!(
        error.message.contains("Check `source_instance_id`"),
        "{error}"
    );
}

#[tokio::test]
async fn a_destroyed_image_takes_its_snapshots_along() {
    let replay = Replay::default()
        .ok(
            "DescribeImages",
            images(&[image_xml(
                "ami-1",
                "available",
                &["snap-1"],
                &BTreeMap::new(),
            )]),
        )
        .ok("DeregisterImage", done("DeregisterImage"))
        .ec2_error(
            "DeleteSnapshot",
            400,
            "InvalidSnapshot.InUse",
            "in use by ami-1",
        )
        .ok("DeleteSnapshot", done("DeleteSnapshot"))
        .ok("DeleteSnapshot", done("DeleteSnapshot"));
    let left = images::destroy(&replay.ec2(), "ami-1", &["snap-2".to_owned()])
        .await
        .unwrap();
    assert_eq!(left, []);
    let deleted: Vec<_> = replay
        .asked()
        .iter()
        .filter_map(|it| it.param("SnapshotId"))
        .collect();
    assert_eq!(deleted, ["snap-1", "snap-2", "snap-1"], "in use passes");
}

#[tokio::test]
async fn an_image_that_cannot_go_keeps_its_snapshots() {
    let replay = Replay::default()
        .ok(
            "DescribeImages",
            images(&[image_xml(
                "ami-1",
                "available",
                &["snap-1"],
                &BTreeMap::new(),
            )]),
        )
        .ec2_error(
            "DeregisterImage",
            400,
            "OperationNotPermitted",
            "deregistration protection is enabled",
        );
    let left = images::destroy(&replay.ec2(), "ami-1", &[]).await.unwrap();
    let ids: Vec<_> = left.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["ami-1", "snap-1"]);
    assert!(
        left[0].reason.contains("deregistration protection"),
        "{left:?}"
    );
    assert_eq!(replay.actions(), ["DescribeImages", "DeregisterImage"]);
}
