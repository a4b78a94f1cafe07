//! What is listed as left behind, and what is not.

use super::{super::remains, *};

const PAST: &str = "2001-01-01T00:00:00Z";

fn tagged(session: &SessionId, state: &str, expires: &str) -> BTreeMap<String, String> {
    pairs(&[
        (tags::SESSION, session.as_str()),
        (tags::STATE, state),
        (tags::EXPIRES, expires),
        (tags::IMAGE_NAME, "orders\u{202e}gpj"),
        (tags::SOURCE_INSTANCE, "i-1"),
    ])
}

#[tokio::test]
async fn pending_sessions_are_listed_whole_and_proven_ones_are_only_counted() {
    let [dead, sealed, bereft] = std::array::from_fn(|_| SessionId::random());
    let foreign = pairs(&[(tags::SOURCE_INSTANCE, "i-1"), (tags::STATE, tags::PENDING)]);
    let replay = Replay::default()
        .ok(
            "DescribeImages",
            images(&[
                image_xml("ami-1", "pending", &[], &tagged(&dead, tags::PENDING, PAST)),
                image_xml(
                    "ami-2",
                    "available",
                    &[],
                    &tagged(&sealed, tags::PROVEN, tags::NEVER),
                ),
                image_xml("ami-3", "available", &[], &foreign),
            ]),
        )
        .ok(
            "DescribeSnapshots",
            snapshots(&[
                // The seal was under way: the snapshots come first.
                snapshot_xml(
                    "snap-1",
                    "vol-1",
                    "completed",
                    &tagged(&dead, tags::PROVEN, tags::NEVER),
                ),
                snapshot_xml(
                    "snap-2",
                    "vol-2",
                    "completed",
                    &tagged(&sealed, tags::PENDING, PAST),
                ),
                snapshot_xml(
                    "snap-3",
                    "vol-3",
                    "completed",
                    &tagged(&bereft, tags::PROVEN, tags::NEVER),
                ),
            ]),
        );
    let found = remains::of_instance(&replay.ec2(), "i-1").await.unwrap();
    let [pending] = &found.pending[..] else {
        panic!("one session expected: {found:?}");
    };
    assert_eq!(pending.session, dead);
    assert_eq!(
        &*pending.image_name, "ordersgpj",
        "nothing that reorders what is read"
    );
    let ids: Vec<_> = pending.parts.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["ami-1", "snap-1"]);
    assert_eq!(pending.parts[1].since.map(OffsetDateTime::year), Some(2026));
    assert_eq!(
        (found.proven, found.orphans),
        (1, vec!["snap-3".to_owned()])
    );

    let asked = replay.asked();
    assert_eq!(asked.len(), 2);
    for question in asked {
        assert_eq!(
            question.param("Filter.1.Name").as_deref(),
            Some("tag:consistent:source-instance")
        );
        assert_eq!(question.param("Filter.1.Value.1").as_deref(), Some("i-1"));
    }
}

#[tokio::test]
async fn a_session_that_stands_on_another_instance_too_is_noticed() {
    let session = SessionId::random();
    let ours = tagged(&session, tags::PENDING, PAST);
    let mut copied = ours.clone();
    copied.insert(tags::SOURCE_INSTANCE.to_owned(), "i-2".to_owned());
    for (other, all_of_one) in [(&ours, true), (&copied, false)] {
        let replay = Replay::default()
            .ok(
                "DescribeImages",
                images(&[image_xml("ami-1", "pending", &[], &ours)]),
            )
            .ok(
                "DescribeSnapshots",
                snapshots(&[snapshot_xml("snap-1", "vol-1", "completed", other)]),
            );
        let answer = remains::are_all_of(&replay.ec2(), &session, "i-1")
            .await
            .unwrap();
        assert_eq!(answer, all_of_one);
    }
}
