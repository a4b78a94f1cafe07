//! Discarding, sweeping, destroying: what goes, what stays, in which order.

use super::*;

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
