//! The last act: snapshots and image are marked as proven (or the mark is taken back), and the mark is read back.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_ec2::Client;
use quiesce::ports::{Observation, Retry};
use time::OffsetDateTime;

use super::{describe, images, tags};
use crate::CallError;

const ACTION: &str = "ec2:CreateTags";

/// The snapshots first and the image last: an image is proven only when everything under it is. Each resource takes all
/// its tags in one call, so none is seen half marked.
pub(super) async fn seal(
    ec2: &Client,
    observation: &Observation,
    given: &BTreeMap<String, String>,
) -> Result<(), CallError> {
    let Some(image) = &observation.image else {
        return Err(CallError::refused(ACTION, "there is no image to seal"));
    };
    let marks = tags::of_seal(given, OffsetDateTime::now_utc());
    let snapshots: Vec<String> = observation
        .snapshots
        .iter()
        .map(|it| it.id.0.clone())
        .collect();
    if !snapshots.is_empty() {
        images::set_tags(ec2, &snapshots, &marks).await?;
    }
    images::set_tags(ec2, std::slice::from_ref(&image.id.0), &marks).await?;
    read_back(ec2, &image.id.0, &marks).await
}

/// What EC2 does not show is not sealed.
async fn read_back(
    ec2: &Client,
    id: &str,
    marks: &BTreeMap<String, String>,
) -> Result<(), CallError> {
    let found = describe::images(ec2, describe::ids("image-id", &[id.to_owned()])).await?;
    let shown = found
        .into_iter()
        .next()
        .map(|image| tags::from_sdk(image.tags))
        .unwrap_or_default();
    if marks
        .iter()
        .all(|(key, value)| shown.get(key) == Some(value))
    {
        return Ok(());
    }
    Err(CallError {
        retry: Retry::After(Duration::from_secs(1)),
        maybe_done: true,
        ..CallError::refused(
            ACTION,
            format!("{id} does not show the tags that it was given"),
        )
    })
}
