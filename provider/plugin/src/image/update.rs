//! Changing in place: tags, on the image and its snapshots. Timeouts only live in the state.

use std::collections::BTreeSet;

use consistent_aws::ec2::images;
use tfplug::Result;
use tracing::info;

use super::{model::ImageModel, needed};
use crate::{
    client::Client,
    diagnose,
    tags::{self, Tags},
};

pub(super) async fn update(
    client: &Client,
    prior: &ImageModel,
    planned: ImageModel,
) -> Result<ImageModel> {
    let id = needed(&prior.id, "id")?;
    // A tag may be ignored since this state was written: it is none of ours any more.
    let managed = |all| client.tags.managed(&tags::known(all).unwrap_or_default());
    let change = Change::between(&managed(&prior.tags_all), &managed(&planned.tags_all));
    if change != Change::default() {
        let mut resources = prior.snapshot_ids();
        resources.push(id.clone());
        let ec2 = client.clients.ec2().await.map_err(diagnose::config)?;
        let set = images::set_tags(ec2, &resources, &change.set).await;
        set.map_err(diagnose::call)?;
        let removed = images::remove_tags(ec2, &resources, &change.removed).await;
        removed.map_err(diagnose::call)?;
        info!(
            image = id,
            set = change.set.len(),
            removed = change.removed.len(),
            "tags changed"
        );
    }
    Ok(planned)
}

/// What leads from one set of tags to another.
#[derive(Debug, Default, PartialEq, Eq)]
struct Change {
    set: Tags,
    removed: BTreeSet<String>,
}

impl Change {
    fn between(before: &Tags, after: &Tags) -> Self {
        let set = after
            .iter()
            .filter(|(key, value)| before.get(*key) != Some(*value));
        let removed = before.keys().filter(|key| !after.contains_key(*key));
        Self {
            set: set
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            removed: removed.cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{image::fixtures, tags::TagPolicy, testing::Aws};

    #[tokio::test]
    async fn image_and_snapshots_are_tagged_alike() {
        let done = "<return>true</return>";
        let aws = Aws::default().on("CreateTags", done).on("DeleteTags", done);
        let (mut prior, mut planned) = (fixtures::state(), fixtures::state());
        prior.tags_all = tags::shown([("Old".to_owned(), String::new())].into());
        planned.tags_all = tags::shown([("New".to_owned(), "1".to_owned())].into());
        update(&aws.client(TagPolicy::default()), &prior, planned)
            .await
            .expect("updated");
        let [set, removed] =
            ["CreateTags", "DeleteTags"].map(|action| aws.calls(action).join("\n"));
        for call in [&set, &removed] {
            assert!(
                call.contains(fixtures::IMAGE) && call.contains("snap-1"),
                "{call}"
            );
        }
        assert!(
            set.contains("Key=New") && removed.contains("Key=Old"),
            "{set} {removed}"
        );
    }

    #[tokio::test]
    async fn a_tag_that_is_ignored_by_now_is_not_removed() {
        let aws = Aws::default();
        let mut prior = fixtures::state();
        let found = ["Scanned", "cost/centre"].map(|key| (key.to_owned(), "1".to_owned()));
        prior.tags_all = tags::shown(found.into());
        let policy = TagPolicy {
            ignored_keys: ["Scanned".to_owned()].into(),
            ignored_prefixes: ["cost/".to_owned()].into(),
            ..TagPolicy::default()
        };
        update(&aws.client(policy), &prior, fixtures::state())
            .await
            .expect("updated");
        assert!(aws.calls("DeleteTags").is_empty());
    }

    #[tokio::test]
    async fn timeouts_alone_need_no_call() {
        let aws = Aws::default();
        let state = fixtures::state();
        update(&aws.client(TagPolicy::default()), &state, state.clone())
            .await
            .expect("updated");
        assert!(aws.calls("CreateTags").is_empty());
    }

    #[test]
    fn only_what_differs_is_touched() {
        let tags = |pairs: &[(&str, &str)]| -> Tags {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        let (before, after) = (
            tags(&[("a", "1"), ("b", "2"), ("c", "3")]),
            tags(&[("a", "1"), ("b", "9"), ("d", "")]),
        );
        let change = Change::between(&before, &after);
        assert_eq!(change.set, tags(&[("b", "9"), ("d", "")]));
        assert_eq!(change.removed, ["c".to_owned()].into());
        assert_eq!(Change::between(&after, &after), Change::default());
    }
}
