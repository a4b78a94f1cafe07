//! `CreateImage`: all attached EBS volumes, no reboot, every tag from the first moment on.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_ec2::{
    Client,
    config::{Builder, timeout::TimeoutConfig},
    types::ResourceType,
};
use quiesce::ports::{CaptureRequest, ImageId};

use super::tags;
use crate::CallError;

const ACTION: &str = "ec2:CreateImage";
/// A capture's call answers within seconds, later for many volumes; the protocol gives up earlier where a hold ends earlier.
pub(super) const LIMIT: Duration = Duration::from_mins(1);

/// There is no client token: this is called once, and an answer that is lost leaves the session's tags to look for.
pub(super) async fn create_image(
    ec2: &Client,
    instance_id: &str,
    request: &CaptureRequest,
    notes: &BTreeMap<String, String>,
) -> Result<ImageId, CallError> {
    let ours = tags::of_session(request, instance_id);
    let mut of_image = ours.clone();
    of_image.extend(notes.clone());
    let tags_of = |kind, users, ours| tags::specification(ACTION, kind, users, ours);
    let created = ec2
        .create_image()
        .instance_id(instance_id)
        .name(&request.name)
        .description(&request.description)
        .no_reboot(true)
        .tag_specifications(tags_of(ResourceType::Image, &request.tags, &of_image)?)
        .tag_specifications(tags_of(
            ResourceType::Snapshot,
            &request.snapshot_tags,
            &ours,
        )?)
        .customize()
        .config_override(within(LIMIT))
        .send()
        .await
        .map_err(|error| CallError::of(ACTION, &error))?;
    match created.image_id {
        Some(id) => Ok(ImageId(id)),
        None => Err(CallError {
            maybe_done: true,
            ..CallError::refused(ACTION, "the answer names no image")
        }),
    }
}

/// The configuration of a call that may take longer than others.
pub(super) fn within(limit: Duration) -> Builder {
    Builder::new().timeout_config(TimeoutConfig::builder().operation_timeout(limit).build())
}
