//! `snapshot_tags`: what the snapshots bear over the image's own tags.

use std::collections::BTreeMap;

use consistent_aws::ec2::images::Snapshot;

use crate::{
    client::Client,
    tags::{self, ConfiguredTags, TagPolicy, Tags},
};

/// What a snapshot is tagged with: `snapshot_tags` over `tags` over the provider's defaults.
pub(super) fn wanted(client: &Client, own: &Tags, of_snapshots: &Tags) -> Tags {
    let mut all = client.tags.wanted(own);
    all.extend(of_snapshots.clone());
    all
}

/// Those of a snapshot's tags that Terraform looks after, where the image's are `tags_all`.
pub(super) fn managed(
    policy: &TagPolicy,
    tags_all: &ConfiguredTags,
    of_snapshots: &ConfiguredTags,
) -> Tags {
    let mut all = tags::known(tags_all).unwrap_or_default();
    all.extend(tags::known(of_snapshots).unwrap_or_default());
    policy.managed(&all)
}

/// What a refresh shows: the keys that were asked for, each as it is on the first snapshot that differs. What others put
/// on snapshots - backup policies do - is not looked at.
pub(super) fn refreshed(
    policy: &TagPolicy,
    recorded: &ConfiguredTags,
    snapshots: &BTreeMap<String, Snapshot>,
) -> ConfiguredTags {
    let Some(own) = tags::known(recorded) else {
        return recorded.clone();
    };
    let looked_after = policy.managed(&own);
    let shown = own.into_iter().filter_map(|(key, value)| {
        if !looked_after.contains_key(&key) {
            return Some((key, value));
        }
        let mut found = snapshots.values().map(|snapshot| snapshot.tags.get(&key));
        match found.find(|found| *found != Some(&value)) {
            Some(other) => Some((key, other?.clone())),
            None => Some((key, value)),
        }
    });
    tags::configured(shown.collect(), recorded)
}

/// What an import takes for `snapshot_tags`: what all snapshots bear alike, and the image does not.
pub(super) fn found(
    policy: &TagPolicy,
    of_image: &Tags,
    snapshots: &BTreeMap<String, Snapshot>,
) -> ConfiguredTags {
    let mut snapshots = snapshots.values();
    let Some(first) = snapshots.next() else {
        return ConfiguredTags::Null;
    };
    let mut own = policy.managed(&first.tags);
    own.retain(|key, value| of_image.get(key) != Some(value));
    for snapshot in snapshots {
        own.retain(|key, value| snapshot.tags.get(key) == Some(value));
    }
    tags::configured(own, &ConfiguredTags::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        let owned = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        owned.collect()
    }

    fn snapshots(each: &[&[(&str, &str)]]) -> BTreeMap<String, Snapshot> {
        let snapshot = |own: &&[(&str, &str)]| Snapshot {
            volume_id: "vol-1".to_owned(),
            size_gib: 8,
            encrypted: false,
            is_completed: true,
            tags: tags(own),
        };
        let numbered = each.iter().enumerate();
        numbered
            .map(|(number, own)| (format!("snap-{number}"), snapshot(own)))
            .collect()
    }

    #[test]
    fn the_most_particular_tag_wins() {
        let policy = TagPolicy {
            defaults: tags(&[("a", "default"), ("b", "default"), ("c", "default")]),
            ..TagPolicy::default()
        };
        let client = crate::testing::Aws::default().client(policy);
        let all = wanted(
            &client,
            &tags(&[("b", "tags"), ("c", "tags")]),
            &tags(&[("c", "snapshot")]),
        );
        assert_eq!(
            all,
            tags(&[("a", "default"), ("b", "tags"), ("c", "snapshot")])
        );
    }

    #[test]
    fn a_refresh_shows_what_became_of_those_asked_for() {
        let recorded = tags::shown(tags(&[
            ("kept", "1"),
            ("changed", "1"),
            ("gone", "1"),
            ("Scanned", "no"),
        ]));
        let policy = TagPolicy {
            ignored_keys: ["Scanned".to_owned()].into(),
            ..TagPolicy::default()
        };
        let found = snapshots(&[
            &[
                ("kept", "1"),
                ("changed", "1"),
                ("gone", "1"),
                ("dlm", "yes"),
            ],
            &[("kept", "1"), ("changed", "2")],
        ]);
        let shown = refreshed(&policy, &recorded, &found);
        assert_eq!(
            shown,
            tags::shown(tags(&[("kept", "1"), ("changed", "2"), ("Scanned", "no")]))
        );
        assert_eq!(
            refreshed(&policy, &ConfiguredTags::Null, &found),
            ConfiguredTags::Null
        );
    }

    #[test]
    fn an_import_takes_what_all_have_and_the_image_has_not() {
        let image = tags(&[("Name", "orders"), ("team", "dba")]);
        let found_on = snapshots(&[
            &[("Name", "orders"), ("team", "backup"), ("only", "here")],
            &[("Name", "orders"), ("team", "backup")],
        ]);
        let policy = TagPolicy::default();
        assert_eq!(
            found(&policy, &image, &found_on),
            tags::shown(tags(&[("team", "backup")]))
        );
        assert_eq!(
            found(&policy, &image, &snapshots(&[&[("Name", "orders")]])),
            ConfiguredTags::Null
        );
    }
}
