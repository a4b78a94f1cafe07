//! Searches against an EC2 that answers as the real one does.

use super::*;
use crate::{
    image::fixtures,
    tags::TagPolicy,
    testing::{self, Aws},
};

fn asked(change: impl FnOnce(&mut ImageQuery)) -> ImageQuery {
    let nothing = tfplug::Cty::Map(BTreeMap::new());
    let mut query: ImageQuery = tfplug::Model::from_cty(nothing).expect("all may be null");
    change(&mut query);
    query
}

fn aws(image: impl Into<String>) -> Aws {
    Aws::default()
        .on("DescribeImages", image)
        .on("DescribeSnapshots", fixtures::completed())
}

async fn answer(aws: &Aws, query: ImageQuery) -> Result<ImageQuery> {
    let cx = testing::context(aws.client(TagPolicy::default()));
    ImageSource.read(&cx, query).await
}

async fn refusal(aws: &Aws, query: ImageQuery) -> Diagnostic {
    let told = answer(aws, query).await.expect_err("no image");
    told.into_iter().next().expect("a diagnostic")
}

/// The image twice, under two ids.
fn two() -> String {
    let one = fixtures::mapped(&fixtures::carried());
    let (begin, item) = one.split_once("<imagesSet>").expect("a set");
    let item = item.replace("</imagesSet>", "");
    let newer = item
        .replace(fixtures::IMAGE, "ami-0fedcba9876543210")
        .replace("2026-11-22T16", "2026-11-23T16");
    format!("{begin}<imagesSet>{item}{newer}</imagesSet>")
}

#[tokio::test]
async fn a_proven_image_is_found_and_told_in_full() {
    let aws = aws(fixtures::mapped(&fixtures::carried()));
    let query = asked(|it| {
        it.source_instance_id = fixtures::INSTANCE.into();
        it.engine = "postgresql".into();
        it.name_regex = "^ord".into();
        it.tags = tags::shown([("Team".to_owned(), "dba".to_owned())].into());
    });
    let found = answer(&aws, query).await.expect("an image");
    assert_eq!(found.id, fixtures::IMAGE.into());
    assert_eq!(found.name, "orders".into());
    assert_eq!(
        found.arn,
        "arn:aws:ec2:eu-central-1::image/ami-0123456789abcdef0".into()
    );
    assert_eq!(found.engine_version, "15.14".into());
    assert_eq!(found.recovery_point, "0/1A2B3C".into());
    assert_eq!(
        (found.method, found.hold_ms),
        ("freeze".into(), Value::Known(877))
    );
    assert_eq!(found.session_id, fixtures::SESSION.into());
    assert_eq!(found.verified_at, Value::Null);
    assert_eq!(found.creation_date, "2026-11-22T16:00:02.000Z".into());
    assert_eq!(found.source_instance_id, fixtures::INSTANCE.into());
    let told = tags::known(&found.tags_all).expect("known");
    assert_eq!(
        told.into_keys().collect::<Vec<_>>(),
        ["Team"],
        "those of the proof have attributes of their own"
    );
    let snapshots = found.snapshots.into_known().expect("known");
    let snapshots: Vec<_> = snapshots
        .iter()
        .map(|it| (it.snapshot_id.as_str(), it.size_gib))
        .collect();
    assert_eq!(snapshots, [("snap-1", 8)]);
    let asked = aws.calls("DescribeImages");
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0].contains("Filter.1.Name=tag-key&Filter.1.Value.1=consistent%3Asession"),
        "{}",
        asked[0]
    );
}

#[tokio::test]
async fn of_several_the_newest_is_taken_only_where_that_is_said() {
    let told = refusal(&aws(two()), asked(|_| ())).await;
    assert_eq!(told.summary, "Several images match");
    let newer = told.detail.find("ami-0fedcba9876543210").expect("listed");
    let older = told.detail.find(fixtures::IMAGE).expect("listed");
    assert!(
        newer < older && told.detail.contains("`most_recent = true`"),
        "{}",
        told.detail
    );

    let query = asked(|it| it.most_recent = true.into());
    let found = answer(&aws(two()), query).await.expect("the newest");
    assert_eq!(found.id, "ami-0fedcba9876543210".into());
}

#[tokio::test]
async fn an_image_whose_snapshots_are_gone_is_none() {
    let newest = asked(|it| it.most_recent = true.into());
    let once_gone = Aws::default()
        .on("DescribeImages", two())
        .on("DescribeSnapshots", fixtures::NO_SNAPSHOTS)
        .on("DescribeSnapshots", fixtures::completed());
    let found = answer(&once_gone, newest).await.expect("the older one");
    assert_eq!(found.id, fixtures::IMAGE.into());

    let gone = Aws::default()
        .on("DescribeImages", fixtures::mapped(&fixtures::carried()))
        .on("DescribeSnapshots", fixtures::NO_SNAPSHOTS);
    let told = refusal(&gone, asked(|_| ())).await;
    assert_eq!(told.summary, "No proven image matches");
    assert!(
        told.detail
            .contains("The snapshot snap-1 of /dev/xvda is not there"),
        "{}",
        told.detail
    );
}

#[tokio::test]
async fn where_none_is_found_every_near_miss_says_why() {
    let mut unproven = fixtures::carried();
    unproven.retain(|(key, _)| *key != ours::STATE);
    unproven.push((ours::STATE, ours::PENDING));
    let old = asked(|it| {
        it.max_age = "1h".into();
        it.verified = true.into();
    });
    let told = refusal(&aws(fixtures::mapped(&unproven)), old).await;
    assert_eq!(told.summary, "No proven image matches");
    for words in [
        "  - ami-0123456789abcdef0 (orders, 2026-11-22T16:00:02.000Z): Its tag `consistent:state` is `pending`",
        "It is older than 1h.",
        "No restore test of it has passed",
    ] {
        assert!(told.detail.contains(words), "{words}: {}", told.detail);
    }
}

#[tokio::test]
async fn a_plain_image_of_that_name_is_named_as_what_it_is() {
    let by_name = || asked(|it| it.name_regex = "^orders$".into());
    let plain = Aws::default()
        .on("DescribeImages", fixtures::NO_IMAGES)
        .on("DescribeImages", fixtures::mapped(&[]));
    let told = refusal(&plain, by_name()).await;
    assert!(
        told.detail.contains("this provider did not make it"),
        "{}",
        told.detail
    );

    let told = refusal(&aws(fixtures::NO_IMAGES), by_name()).await;
    assert!(
        told.detail
            .contains("has made no image in region eu-central-1"),
        "{}",
        told.detail
    );
}

#[tokio::test]
async fn a_call_that_is_denied_is_told_as_such() {
    let denied = "You are not authorized to perform this operation.";
    let aws = Aws::default().refusing("DescribeImages", "UnauthorizedOperation", denied);
    let told = refusal(&aws, asked(|_| ())).await;
    assert_eq!(told.summary, "ec2:DescribeImages failed");
}

#[test]
fn a_tag_cannot_be_null() {
    let tags: BTreeMap<String, Value<String>> = [
        ("Env".to_owned(), Value::Null),
        ("Later".to_owned(), Value::Unknown),
    ]
    .into();
    let problems = null_tags(&Value::Known(tags));
    let places: Vec<String> = problems.iter().map(|it| it.path.to_string()).collect();
    assert_eq!(places, ["tags[\"Env\"]"]);
}

#[tokio::test]
async fn arguments_read_as_written_and_else_as_found() {
    let aws = aws(fixtures::mapped(&fixtures::carried()));
    let found = answer(&aws, asked(|_| ())).await.expect("an image");
    assert_eq!(found.source_instance_id, fixtures::INSTANCE.into());
    assert_eq!(found.engine, "postgresql".into());
    assert_eq!(found.tags, found.tags_all);

    let nothing = tags::shown(tags::Tags::new());
    let query = asked(|it| it.tags = nothing.clone());
    let found = answer(&aws, query).await.expect("an image");
    assert_eq!(found.tags, nothing);
    assert_ne!(found.tags_all, nothing);
}

#[tokio::test]
async fn the_nearest_miss_is_listed_first() {
    let ours = two().replace(">i-0123456789abcdef0<", ">i-0aaaaaaaaaaaaaaa0<");
    let plain = fixtures::mapped(&[]).replace(fixtures::IMAGE, "ami-0aaaaaaaaaaaaaaa0");
    let aws = Aws::default()
        .on("DescribeImages", ours)
        .on("DescribeImages", plain);
    let query = asked(|it| {
        it.source_instance_id = fixtures::INSTANCE.into();
        it.name_regex = "^orders$".into();
        it.verified = true.into();
    });
    let told = refusal(&aws, query).await;
    let place = |id: &str| told.detail.find(id).expect("listed");
    let nearest_first = [
        place("ami-0fedcba9876543210"),
        place(fixtures::IMAGE),
        place("ami-0aaaaaaaaaaaaaaa0"),
    ];
    assert!(nearest_first.is_sorted(), "{}", told.detail);
}
