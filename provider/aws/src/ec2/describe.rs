//! The two questions that everything else asks: which images, which snapshots. Only our own account's, all pages.

use aws_sdk_ec2::{
    Client,
    types::{Filter, Image, Snapshot},
};
use quiesce::session::SessionId;

use super::tags;
use crate::CallError;

pub(super) async fn images(ec2: &Client, filters: Vec<Filter>) -> Result<Vec<Image>, CallError> {
    ec2.describe_images()
        .owners("self")
        // A disabled image is still there.
        .include_disabled(true)
        .set_filters(Some(filters))
        .into_paginator()
        .items()
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await
        .map_err(|error| CallError::of("ec2:DescribeImages", &error))
}

pub(super) async fn snapshots(
    ec2: &Client,
    filters: Vec<Filter>,
) -> Result<Vec<Snapshot>, CallError> {
    ec2.describe_snapshots()
        .owner_ids("self")
        .set_filters(Some(filters))
        .into_paginator()
        .items()
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await
        .map_err(|error| CallError::of("ec2:DescribeSnapshots", &error))
}

/// By filter, not by id: an id that is not visible yet, or no longer, is an empty answer instead of an error.
pub(super) fn ids(name: &str, ids: &[String]) -> Vec<Filter> {
    vec![
        Filter::builder()
            .name(name)
            .set_values(Some(ids.to_vec()))
            .build(),
    ]
}

pub(super) fn tag(key: &str, value: &str) -> Filter {
    Filter::builder()
        .name(format!("tag:{key}"))
        .values(literal(value))
        .build()
}

pub(super) fn session(session: &SessionId) -> Vec<Filter> {
    vec![tag(tags::SESSION, session.as_str())]
}

/// EC2's filters take `*` and `?` as wildcards and `\` as their escape.
pub(super) fn literal(value: &str) -> String {
    value.chars().fold(String::new(), |mut escaped, letter| {
        if matches!(letter, '*' | '?' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
        escaped
    })
}

/// The snapshots that an image's block device mappings name.
pub(super) fn mapped_snapshots(image: &Image) -> impl Iterator<Item = &str> {
    image
        .block_device_mappings()
        .iter()
        .filter_map(|mapping| mapping.ebs()?.snapshot_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_matches_the_value_and_nothing_else() {
        let filter = tag("k", r"a*b?c\d");
        assert_eq!(filter.name(), Some("tag:k"));
        assert_eq!(filter.values(), [r"a\*b\?c\\d"]);
    }
}
