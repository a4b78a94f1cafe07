//! Refreshing: the image as it is now, and whether it is still what was proven.

use consistent_aws::ec2::{
    images::{self, Image},
    settings::Protection,
};
use tfplug::{Diagnostics, Result, Value};
use tracing::info;

use super::{condition, model::ImageModel, snapshot_tags};
use crate::{client::Client, diagnose, tags};

/// None where image and snapshots are all gone. While a snapshot is left there is something to destroy.
pub(super) async fn read(client: &Client, mut state: ImageModel) -> Result<Option<ImageModel>> {
    // A create failed, and could not remove what it had begun: only a destroy helps.
    let Value::Known(id) = state.id.clone() else {
        return Ok(Some(state));
    };
    let ec2 = client.clients.ec2().await.map_err(diagnose::config)?;
    let recorded = state.snapshot_ids();
    let (image, existing) = tokio::join!(
        images::find(ec2, &id),
        images::existing_snapshots(ec2, &recorded)
    );
    let image = image.map_err(diagnose::call)?;
    let existing = existing.map_err(diagnose::call)?;

    let Some(image) = image.filter(|image| image.state != condition::DEREGISTERED) else {
        info!(
            image = id,
            snapshots_left = existing.len(),
            "the image is gone"
        );
        state.state = condition::DEREGISTERED.into();
        // What is gone is protected no longer.
        state.take_protection(Protection::Off);
        return Ok((!existing.is_empty()).then_some(state));
    };
    let missing = recorded.len() - existing.len();
    state.state = Value::Known(condition::of(&image, state.session(), missing));
    state.snapshot_tags = snapshot_tags::refreshed(&client.tags, &state.snapshot_tags, &existing);
    take_image(client, &mut state, &image).await?;
    Ok(Some(state))
}

async fn take_image(
    client: &Client,
    state: &mut ImageModel,
    image: &Image,
) -> Result<(), Diagnostics> {
    let region = client.clients.region().await.map_err(diagnose::config)?;
    state.take_facts(image, &region);
    state.take_settings(image);
    let managed = client.tags.managed(&image.tags);
    let (own, all) = (tags::known(&state.tags), tags::known(&state.tags_all));
    let shown = client
        .tags
        .refreshed(&managed, &own.unwrap_or_default(), &all.unwrap_or_default());
    state.tags = tags::configured(shown, &state.tags);
    state.tags_all = tags::shown(managed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{image::fixtures, tags::TagPolicy, testing::Aws};

    fn aws(image: &str, snapshots: &str) -> Aws {
        let aws = Aws::default().on("DescribeImages", image);
        aws.on("DescribeSnapshots", snapshots)
    }

    async fn read_state(aws: &Aws, tags: TagPolicy, state: ImageModel) -> Option<ImageModel> {
        read(&aws.client(tags), state).await.expect("read")
    }

    fn one_snapshot() -> String {
        fixtures::snapshots(&[("snap-1", "vol-1")])
    }

    #[tokio::test]
    async fn a_sound_image_is_described() {
        let aws = aws(
            &fixtures::image("available", &fixtures::proof()),
            &one_snapshot(),
        );
        let state = read_state(&aws, TagPolicy::default(), fixtures::state())
            .await
            .expect("there");
        assert_eq!(state.state, "available".into());
        assert_eq!(state.architecture, "arm64".into());
        assert_eq!(
            state.arn,
            "arn:aws:ec2:eu-central-1::image/ami-0123456789abcdef0".into()
        );
        assert_eq!(state.creation_date, "2026-11-22T16:00:02.000Z".into());
        assert_eq!(state.description, Value::Null);
        assert_eq!(
            (state.tags, state.tags_all),
            (Value::Null, tags::shown(tags::Tags::new()))
        );
    }

    #[tokio::test]
    async fn what_is_wrong_with_it_stands_in_its_state() {
        let cases = [
            (
                fixtures::image("available", &fixtures::proof()),
                fixtures::NO_SNAPSHOTS.to_owned(),
                "snapshot-missing",
            ),
            (
                fixtures::image("available", &fixtures::proof()[1..]),
                one_snapshot(),
                "unproven",
            ),
            (
                fixtures::image("disabled", &fixtures::proof()),
                one_snapshot(),
                "disabled",
            ),
            (
                fixtures::NO_IMAGES.to_owned(),
                one_snapshot(),
                "deregistered",
            ),
            (
                fixtures::image("deregistered", &fixtures::proof()),
                one_snapshot(),
                "deregistered",
            ),
        ];
        for (image, snapshots, expected) in cases {
            let aws = aws(&image, &snapshots);
            let state = read_state(&aws, TagPolicy::default(), fixtures::state())
                .await
                .expect(expected);
            assert_eq!(state.state, expected.into());
        }
    }

    #[tokio::test]
    async fn gone_is_gone_once_nothing_is_left_to_destroy() {
        let aws = aws(fixtures::NO_IMAGES, fixtures::NO_SNAPSHOTS);
        assert!(
            read_state(&aws, TagPolicy::default(), fixtures::state())
                .await
                .is_none()
        );
    }

    #[tokio::test]
    async fn default_tags_show_in_tags_all_only() {
        let mut found = fixtures::proof();
        found.extend([("Team", "dba"), ("Stranger", "1"), ("Scanned", "yes")]);
        let aws = aws(&fixtures::image("available", &found), &one_snapshot());
        let policy = TagPolicy {
            defaults: [("Team".to_owned(), "dba".to_owned())].into(),
            ignored_keys: ["Scanned".to_owned()].into(),
            ..TagPolicy::default()
        };
        let mut before = fixtures::state();
        before.tags_all = tags::shown(policy.defaults.clone());
        let state = read_state(&aws, policy, before).await.expect("there");
        assert_eq!(
            tags::known(&state.tags),
            Some([("Stranger".to_owned(), "1".to_owned())].into())
        );
        let all = tags::known(&state.tags_all).expect("known");
        assert_eq!(all.into_keys().collect::<Vec<_>>(), ["Stranger", "Team"]);
    }

    #[tokio::test]
    async fn a_call_that_is_denied_is_told_as_such() {
        let aws = Aws::default()
            .refusing(
                "DescribeImages",
                "UnauthorizedOperation",
                "You are not authorized to perform this operation.",
            )
            .on("DescribeSnapshots", fixtures::NO_SNAPSHOTS);
        let error = read(&aws.client(TagPolicy::default()), fixtures::state())
            .await
            .expect_err("denied");
        let told = error.iter().next().expect("one");
        assert_eq!(told.summary, "ec2:DescribeImages failed");
        assert!(
            told.detail.contains("`ec2:DescribeImages`"),
            "{}",
            told.detail
        );
    }
}
