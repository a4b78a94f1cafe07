//! Import by image id: an image that carries its proof comes in as if it had been made here; any other is refused.

use std::collections::BTreeMap;

use consistent_aws::ec2::{
    images::{self, Image},
    tags as ours,
};
use tfplug::{Context, Cty, Diagnostic, Result, Value};
use tracing::info;

use super::{
    condition,
    model::{Evidence, ImageModel, Snapshot},
    names,
    private::INPUTS_UNKNOWN,
    record::{self, Record},
    snapshot_tags, soundness,
};
use crate::{client::Client, diagnose, tags};

/// The image's state, as far as EC2 and the image's tags tell it.
pub(super) async fn import(cx: &Context<Client>, id: &str) -> Result<ImageModel> {
    if !names::is_id(id, "ami-") {
        let detail = format!("Must be an image's id like \"ami-0123456789abcdef0\", not {id:?}.");
        return Err(Diagnostic::error("Not an image's id", detail).into());
    }
    let client = cx.client()?;
    let image = found(&client, id).await?;
    let ec2 = client.clients.ec2().await.map_err(diagnose::config)?;
    let mapped: Vec<String> = image
        .snapshots
        .iter()
        .map(|it| it.snapshot_id.clone())
        .collect();
    let snapshots = images::existing_snapshots(ec2, &mapped).await;
    let snapshots = snapshots.map_err(diagnose::call)?;
    let of_image = soundness::image_problems(&image).into_iter();
    let problems: Vec<String> = of_image
        .chain(soundness::snapshot_problems(&image, &snapshots))
        .collect();
    if !problems.is_empty() {
        return Err(refused(id, &problems).into());
    }
    if let Some(remark) = remark(id, record::read(&image.tags).as_ref()) {
        cx.private().set(INPUTS_UNKNOWN, &true)?;
        cx.warn(remark);
    }
    info!(image = id, "the image carries its proof");
    let region = client.clients.region().await.map_err(diagnose::config)?;
    state(&client, &image, &region, &snapshots)
}

async fn found(client: &Client, id: &str) -> Result<Image> {
    let ec2 = client.clients.ec2().await.map_err(diagnose::config)?;
    if let Some(image) = images::find(ec2, id).await.map_err(diagnose::call)? {
        return Ok(image);
    }
    let region = client.clients.region().await.map_err(diagnose::config)?;
    let owner = images::foreign_owner(ec2, id)
        .await
        .map_err(diagnose::call)?;
    let detail = match owner {
        Some(owner) => format!(
            "{id} belongs to account {owner}. Only an image of the account that this provider works in can be imported."
        ),
        None => format!("There is no image {id} in region {region} of this account."),
    };
    Err(Diagnostic::error("The image was not found", detail).into())
}

fn refused(id: &str, problems: &[String]) -> Diagnostic {
    let listed: Vec<String> = problems
        .iter()
        .map(|it| format!("  - {}", it.trim_end()))
        .collect();
    let detail = format!(
        "Nothing vouches for {id}, so it is not imported:\n\n{}\n\nOnly images that consistent_db_image made and proved can be \
         imported.",
        listed.join("\n")
    );
    Diagnostic::error("The image does not carry its proof", detail)
}

/// What an image does not tell of how it was configured.
fn remark(id: &str, record: Option<&Record>) -> Option<Diagnostic> {
    let (what, why) = match record {
        Some(record) if record.is_whole => return None,
        Some(_) => (
            "its engine's commands, or what its document is passed",
            "no tag keeps that",
        ),
        None => (
            "its engine's options, quiesce, triggers and timeouts",
            "they were too long for its tags",
        ),
    };
    let detail = format!(
        "{id} does not tell {what}: {why}. They are taken as they are configured at the next apply that changes \
         something, and watched from then on."
    );
    let summary = "Part of the image's configuration is not known";
    Some(Diagnostic::warning(summary, detail))
}

/// A sound image as it stands in a state.
pub(crate) fn state(
    client: &Client,
    image: &Image,
    region: &str,
    snapshots: &BTreeMap<String, images::Snapshot>,
) -> Result<ImageModel> {
    let record = record::read(&image.tags);
    let mut told = record.map(|it| it.told).unwrap_or_default();
    let tag = |key: &str| image.tags.get(key).cloned();
    for engine in tag(ours::ENGINE).iter().flat_map(|it| it.split(' ')) {
        let empty = || Cty::Map(BTreeMap::new());
        told.entry(engine.to_owned()).or_insert_with(empty);
    }
    let mut state = record::configured(told).map_err(Diagnostic::from)?;
    state.take_facts(image, region);
    state.state = condition::AVAILABLE.into();
    state.source_instance_id = tag(ours::SOURCE_INSTANCE).into();
    state.take_settings(image);
    state.engine_version = tag(ours::ENGINE_VERSION).into();
    state.recovery_point = tag(ours::RECOVERY_POINT).into();
    state.snapshots = Value::Known(Snapshot::of_image(image, snapshots));
    state.evidence = Value::Known(evidence(image, snapshots));
    let managed = client.tags.managed(&image.tags);
    state.snapshot_tags = snapshot_tags::found(&client.tags, &managed, snapshots);
    let mut own = managed.clone();
    own.retain(|key, value| client.tags.defaults.get(key) != Some(value));
    state.tags = tags::configured(own, &Value::Null);
    state.tags_all = tags::shown(managed);
    Ok(state)
}

/// What the tags tell of the hold.
fn evidence(image: &Image, snapshots: &BTreeMap<String, images::Snapshot>) -> Evidence {
    let tag = |key: &str| image.tags.get(key).cloned();
    let mut volumes: Vec<String> = snapshots.values().map(|it| it.volume_id.clone()).collect();
    volumes.sort();
    Evidence {
        session_id: tag(ours::SESSION).unwrap_or_default(),
        method: tag(ours::METHOD),
        data_paths: None,
        volumes,
        frozen_at: None,
        released_at: None,
        hold_ms: tag(ours::HOLD_MS).and_then(|it| it.parse().ok()),
        attempts: None,
        verified_at: tag(ours::VERIFIED_AT),
        checks: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        image::{fixtures, model, read},
        tags::TagPolicy,
        testing::{self, Aws},
    };

    fn aws(image: String) -> Aws {
        Aws::default()
            .on("DescribeImages", image)
            .on("DescribeSnapshots", fixtures::completed())
    }

    async fn refusal(aws: Aws, id: &str) -> (String, String) {
        let cx = testing::context(aws.client(TagPolicy::default()));
        let error = import(&cx, id).await.expect_err("refused");
        let told = error.into_iter().next().expect("one");
        (told.summary, told.detail)
    }

    #[tokio::test]
    async fn a_proven_image_comes_in_as_it_was_made() {
        let policy = TagPolicy {
            defaults: [("Team".to_owned(), "dba".to_owned())].into(),
            ..TagPolicy::default()
        };
        let client = aws(fixtures::mapped(&fixtures::carried())).client(policy);
        let cx = testing::context(client);
        let state = import(&cx, fixtures::IMAGE).await.expect("imported");
        assert!(cx.take_warnings().is_empty());
        let state = read::read(&cx.client().expect("a client"), state).await;
        let state = state.expect("read").expect("there");
        assert_eq!(state.name, "orders".into());
        assert_eq!(state.state, "available".into());
        assert_eq!(state.source_instance_id, fixtures::INSTANCE.into());
        assert_eq!(state.engine_version, "15.14".into());
        assert_eq!(state.recovery_point, "0/1A2B3C".into());
        assert_eq!(
            (state.tags, state.snapshot_tags),
            (Value::Null, Value::Null)
        );
        assert_eq!(
            state.triggers,
            Value::Known([("release".to_owned(), "2026.11".into())].into())
        );
        assert_eq!(state.quiesce, model::Quiesce::default().into());
        assert_eq!(state.engines.chosen().expect("options").len(), 1);
        let evidence = state.evidence.into_known().expect("evidence");
        assert_eq!((evidence.hold_ms, evidence.attempts), (Some(877), None));
        assert_eq!(evidence.volumes, ["vol-1"]);
        assert_eq!(state.snapshots.known().map(BTreeSet::len), Some(1));
    }

    #[tokio::test]
    async fn several_engines_come_in_and_commands_that_no_tag_tells_are_remarked() {
        let with = |engines: &'static str, record: &'static str| {
            let mut tags = fixtures::carried();
            tags.retain(|(key, _)| *key != ours::ENGINE && *key != ours::CONFIGURATION[0]);
            tags.extend([(ours::ENGINE, engines), (ours::CONFIGURATION[0], record)]);
            fixtures::mapped(&tags)
        };
        let cases = [
            (with("postgresql redis", r#"{"redis":{"port":6380}}"#), 2, 0),
            (
                with("custom", r#"{"custom":{"paths":["/srv"]},"left_out":true}"#),
                1,
                1,
            ),
        ];
        for (image, engines, remarks) in cases {
            let cx = testing::context(aws(image).client(TagPolicy::default()));
            let state = import(&cx, fixtures::IMAGE).await.expect("imported");
            let chosen = state.engines.chosen().expect("options");
            assert_eq!(chosen.len(), engines);
            let told = |it: &quiesce::engines::Options| it.iter().any(|(_, value)| value.is_some());
            assert!(chosen.last().is_some_and(told));
            let warnings = cx.take_warnings();
            assert_eq!(warnings.iter().count(), remarks);
            let unknown: Option<bool> = cx.private().get(INPUTS_UNKNOWN).expect("read");
            assert_eq!(unknown.is_some(), remarks == 1);
        }
    }

    #[tokio::test]
    async fn an_image_that_does_not_tell_all_comes_in_with_a_warning() {
        let mut tags = fixtures::carried();
        tags.retain(|(key, _)| *key != ours::CONFIGURATION[0]);
        let cx = testing::context(aws(fixtures::mapped(&tags)).client(TagPolicy::default()));
        let state = import(&cx, fixtures::IMAGE).await.expect("imported");
        assert_eq!(state.triggers, Value::Null);
        assert_eq!(cx.take_warnings().iter().count(), 1);
        let unknown: Option<bool> = cx.private().get(INPUTS_UNKNOWN).expect("read");
        assert_eq!(unknown, Some(true));
    }

    #[tokio::test]
    async fn without_its_proof_an_image_is_refused_and_every_reason_is_said() {
        let without = |key: &str| {
            let mut tags = fixtures::carried();
            tags.retain(|(it, _)| *it != key);
            fixtures::mapped(&tags)
        };
        let with = |key: &'static str, value: &'static str| {
            let mut tags = fixtures::carried();
            tags.retain(|(it, _)| *it != key);
            tags.push((key, value));
            fixtures::mapped(&tags)
        };
        let pending = fixtures::mapped(&fixtures::carried())
            .replace("<imageState>available", "<imageState>pending");
        for (image, said) in [
            (
                without(ours::STATE),
                "no tag `consistent:state`: this provider did not make it",
            ),
            (
                with(ours::STATE, "pending"),
                "is `pending`: it is still in the making",
            ),
            (with(ours::STATE, "checked"), "is \"checked\", not `proven`"),
            (
                without(ours::SESSION),
                "It has no tag `consistent:session`.",
            ),
            (
                without(ours::SOURCE_INSTANCE),
                "It has no tag `consistent:source-instance`.",
            ),
            (with(ours::ENGINE, "db2"), "cannot read"),
            (pending, "It is pending in EC2, not available."),
            (
                fixtures::image("available", &fixtures::carried()),
                "It has no snapshots.",
            ),
        ] {
            let (summary, detail) = refusal(aws(image), fixtures::IMAGE).await;
            assert_eq!(summary, "The image does not carry its proof");
            assert!(detail.contains(said), "{said}: {detail}");
        }
        let gone = Aws::default()
            .on("DescribeImages", fixtures::mapped(&[]))
            .on("DescribeSnapshots", fixtures::NO_SNAPSHOTS);
        let (_, detail) = refusal(gone, fixtures::IMAGE).await;
        assert_eq!(detail.matches("  - ").count(), 5, "{detail}");
        assert!(detail.contains("The snapshot snap-1 of /dev/xvda is not there"));
    }

    #[tokio::test]
    async fn what_is_not_ours_is_not_found() {
        let nowhere = || Aws::default().on("DescribeImages", fixtures::NO_IMAGES);
        let (summary, detail) = refusal(nowhere(), fixtures::IMAGE).await;
        assert_eq!(summary, "The image was not found");
        assert!(detail.contains("no image ami-0123456789abcdef0 in region eu-central-1"));
        let foreign = nowhere().on("DescribeImages", fixtures::image("available", &[]));
        let (_, detail) = refusal(foreign, fixtures::IMAGE).await;
        assert!(
            detail.contains("belongs to account 111122223333"),
            "{detail}"
        );
        let (summary, _) = refusal(Aws::default(), "orders-2026").await;
        assert_eq!(summary, "Not an image's id");
    }
}
