//! `CreateSnapshots`: all attached EBS volumes at one instant, every tag from the first moment on.

use aws_sdk_ec2::{
    Client,
    types::{InstanceSpecification, ResourceType, SnapshotInfo},
};
use quiesce::ports::{CaptureRequest, ObservedSnapshot, SnapshotId, VolumeId};

use super::{begin, instant, observe, tags};
use crate::CallError;

const ACTION: &str = "ec2:CreateSnapshots";

/// There is no client token: this is called once, and an answer that is lost leaves the session's tags to look for.
pub(super) async fn create_snapshots(
    ec2: &Client,
    instance_id: &str,
    request: &CaptureRequest,
) -> Result<Vec<ObservedSnapshot>, CallError> {
    let ours = tags::of_session(request, instance_id);
    let tags = tags::specification(
        ACTION,
        ResourceType::Snapshot,
        &request.snapshot_tags,
        &ours,
    )?;
    let instance = InstanceSpecification::builder().instance_id(instance_id);
    let created = ec2
        .create_snapshots()
        .instance_specification(instance.build())
        .description(format!("For the image {} of {instance_id}", request.name))
        .tag_specifications(tags)
        .customize()
        .config_override(begin::within(begin::LIMIT))
        .send()
        .await
        .map_err(|error| CallError::of(ACTION, &error))?;
    let told = created.snapshots.unwrap_or_default().into_iter();
    let told: Option<Vec<ObservedSnapshot>> = told.map(snapshot).collect();
    told.ok_or_else(|| CallError {
        maybe_done: true,
        ..CallError::refused(ACTION, "the answer names a snapshot without its id")
    })
}

fn snapshot(info: SnapshotInfo) -> Option<ObservedSnapshot> {
    Some(ObservedSnapshot {
        id: SnapshotId(info.snapshot_id?),
        volume_id: VolumeId(info.volume_id.unwrap_or_default()),
        state: observe::snapshot_state(info.state),
        started_at: info.start_time.as_ref().and_then(instant),
        size_gib: info.volume_size.map_or(0, i64::from),
        encrypted: info.encrypted.unwrap_or(false),
    })
}
