//! The last act: image and snapshots are marked as proven, and the mark is read back.

use std::collections::BTreeMap;

use aws_sdk_ec2::Client;
use quiesce::ports::{Observation, Retry};

use super::{describe, images, tags};
use crate::CallError;

const ACTION: &str = "ec2:CreateTags";

/// The snapshots first and the image last: an image is proven only when everything under it is. Each resource takes all
/// its tags in one call, so none is seen half marked.
pub(super) async fn seal(
    ec2: &Client,
    observation: &Observation,
    evidence: &BTreeMap<String, String>,
) -> Result<(), CallError> {
    let Some(image) = &observation.image else {
        return Err(CallError::refused(ACTION, "there is no image to seal"));
    };
    let proof = tags::of_proof(evidence);
    let snapshots: Vec<String> = observation
        .snapshots
        .iter()
        .map(|it| it.id.0.clone())
        .collect();
    if !snapshots.is_empty() {
        images::set_tags(ec2, &snapshots, &proof).await?;
    }
    images::set_tags(ec2, std::slice::from_ref(&image.id.0), &proof).await?;
    read_back(ec2, &image.id.0, &proof).await
}

/// What EC2 does not show is not sealed.
async fn read_back(
    ec2: &Client,
    id: &str,
    proof: &BTreeMap<String, String>,
) -> Result<(), CallError> {
    let found = describe::images(ec2, describe::ids("image-id", &[id.to_owned()])).await?;
    let shown = found
        .into_iter()
        .next()
        .map(|image| tags::from_sdk(image.tags))
        .unwrap_or_default();
    if proof
        .iter()
        .all(|(key, value)| shown.get(key) == Some(value))
    {
        return Ok(());
    }
    Err(CallError {
        retry: Retry::After(std::time::Duration::from_secs(1)),
        maybe_done: true,
        ..CallError::refused(ACTION, format!("{id} does not show the tags of its proof"))
    })
}
