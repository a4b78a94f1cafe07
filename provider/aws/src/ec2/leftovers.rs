//! Sessions that a dead run left behind: pending and of the same image name, or of the same instance and past their time.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::{
    Client,
    types::{Filter, Image, Snapshot},
};
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
    let namesakes =
        tag_sets(namesakes, their_snapshots).filter_map(|tags| tags::pending_session(&tags));
    let expired = tag_sets(images, snapshots)
        .filter_map(|tags| tags::pending_session(&tags))
        .filter(|(_, expires)| *expires < now);
    let mut left: BTreeSet<SessionId> = namesakes
        .chain(expired)
        .map(|(session, _)| session)
        .collect();
    for sealed in sealed(ec2, &left).await? {
        left.remove(&sealed);
    }
    Ok(left.into_iter().collect())
}

fn tag_sets(
    images: Vec<Image>,
    snapshots: Vec<Snapshot>,
) -> impl Iterator<Item = BTreeMap<String, String>> {
    let of_images = images.into_iter().map(|image| image.tags);
    let of_snapshots = snapshots.into_iter().map(|snapshot| snapshot.tags);
    of_images.chain(of_snapshots).map(tags::from_sdk)
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
