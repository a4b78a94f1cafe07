//! What exists of a session now: by its tags, and by the image's own mappings.

use std::collections::BTreeSet;

use aws_sdk_ec2::{
    Client,
    types::{Image, ImageState as SdkImageState, Snapshot, SnapshotState as SdkSnapshotState},
};
use quiesce::{
    ports::{
        ImageId, ImageState, Observation, ObservedImage, ObservedSnapshot, SnapshotId,
        SnapshotState, VolumeId,
    },
    session::SessionId,
};

use super::{billing, describe, instant};
use crate::CallError;

/// Images and snapshots of a session, as EC2 tells them.
pub(super) struct Found {
    pub(super) images: Vec<Image>,
    pub(super) snapshots: Vec<Snapshot>,
}

/// Both questions at once, since writes may be held; a third only for mapped snapshots that bear no tag of ours.
pub(super) async fn find(ec2: &Client, session: &SessionId) -> Result<Found, CallError> {
    let (images, mut snapshots) = tokio::try_join!(
        describe::images(ec2, describe::session(session)),
        describe::snapshots(ec2, describe::session(session)),
    )?;
    let tagged: BTreeSet<&str> = snapshots.iter().filter_map(Snapshot::snapshot_id).collect();
    let untagged: BTreeSet<String> = images
        .iter()
        .flat_map(describe::mapped_snapshots)
        .filter(|id| !tagged.contains(id))
        .map(str::to_owned)
        .collect();
    if !untagged.is_empty() {
        let ids: Vec<String> = untagged.into_iter().collect();
        snapshots.extend(describe::snapshots(ec2, describe::ids("snapshot-id", &ids)).await?);
    }
    Ok(Found { images, snapshots })
}

pub(super) async fn session(ec2: &Client, session: &SessionId) -> Result<Observation, CallError> {
    let found = find(ec2, session).await?;
    if found.images.len() > 1 {
        let message = format!(
            "{} images bear session {session}: which is the one is uncertain",
            found.images.len()
        );
        return Err(CallError::refused("ec2:DescribeImages", message));
    }
    let mut snapshots: Vec<_> = found.snapshots.into_iter().filter_map(snapshot).collect();
    snapshots.sort_by(|one, other| one.volume_id.cmp(&other.volume_id));
    Ok(Observation {
        image: found.images.into_iter().next().and_then(image),
        snapshots,
    })
}

fn image(image: Image) -> Option<ObservedImage> {
    let billing = billing::of_image(&image);
    let reason = image.state_reason.and_then(|reason| reason.message);
    Some(ObservedImage {
        id: ImageId(image.image_id?),
        state: match image.state {
            Some(SdkImageState::Pending) | None => ImageState::Pending,
            Some(SdkImageState::Available) => ImageState::Available,
            Some(other) => ImageState::Failed(other.as_str().to_owned()),
        },
        reason: reason.unwrap_or_default(),
        billing,
    })
}

fn snapshot(snapshot: Snapshot) -> Option<ObservedSnapshot> {
    Some(ObservedSnapshot {
        id: SnapshotId(snapshot.snapshot_id?),
        volume_id: VolumeId(snapshot.volume_id.unwrap_or_default()),
        state: snapshot_state(snapshot.state),
        started_at: snapshot.start_time.as_ref().and_then(instant),
        size_gib: snapshot.volume_size.map_or(0, i64::from),
        encrypted: snapshot.encrypted.unwrap_or(false),
    })
}

pub(super) fn snapshot_state(state: Option<SdkSnapshotState>) -> SnapshotState {
    match state {
        Some(SdkSnapshotState::Pending) => SnapshotState::Pending,
        Some(SdkSnapshotState::Completed) => SnapshotState::Completed,
        Some(other) => SnapshotState::Failed(other.as_str().to_owned()),
        None => SnapshotState::Failed("without a state".to_owned()),
    }
}
