//! Sessions that a dead run left behind: pending, past their time, of the same image name or the same instance.

use std::collections::BTreeSet;

use aws_sdk_ec2::{Client, types::Filter};
use quiesce::session::SessionId;
use time::OffsetDateTime;

use super::{describe, tags};
use crate::CallError;

pub(super) async fn find(
    ec2: &Client,
    instance_id: &str,
    image_name: &str,
    now: OffsetDateTime,
) -> Result<Vec<SessionId>, CallError> {
    let of_instance = || pending(tags::SOURCE_INSTANCE, instance_id);
    let of_name = || pending(tags::IMAGE_NAME, image_name);
    let (images, namesakes, snapshots, their_snapshots) = tokio::try_join!(
        describe::images(ec2, of_instance()),
        describe::images(ec2, of_name()),
        describe::snapshots(ec2, of_instance()),
        describe::snapshots(ec2, of_name()),
    )?;
    let image_tags = images.into_iter().chain(namesakes).map(|image| image.tags);
    let snapshot_tags = snapshots
        .into_iter()
        .chain(their_snapshots)
        .map(|snapshot| snapshot.tags);
    let mut left: BTreeSet<SessionId> = image_tags
        .chain(snapshot_tags)
        .filter_map(|them| tags::expired_session(&tags::from_sdk(them), now))
        .collect();
    for sealed in sealed(ec2, &left).await? {
        left.remove(&sealed);
    }
    Ok(left.into_iter().collect())
}

fn pending(key: &str, value: &str) -> Vec<Filter> {
    vec![
        describe::tag(tags::STATE, tags::PENDING),
        describe::tag(key, value),
    ]
}

/// Those whose image is proven, though a snapshot still says otherwise.
async fn sealed(ec2: &Client, sessions: &BTreeSet<SessionId>) -> Result<Vec<SessionId>, CallError> {
    if sessions.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<String> = sessions.iter().map(ToString::to_string).collect();
    let mut filters = describe::ids(&format!("tag:{}", tags::SESSION), &ids);
    filters.push(describe::tag(tags::STATE, tags::PROVEN));
    let proven = describe::images(ec2, filters).await?;
    Ok(proven
        .into_iter()
        .filter_map(|image| tags::from_sdk(image.tags).get(tags::SESSION)?.parse().ok())
        .collect())
}
