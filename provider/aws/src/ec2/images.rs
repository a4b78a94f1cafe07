//! Images outside a session: what a resource reads, tags and destroys. The client's own retries apply here. What else
//! changes in place is in [`super::settings`].

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_sdk_ec2::{
    Client,
    types::{
        BlockDeviceMapping, Filter, Image as SdkImage, Snapshot as SdkSnapshot, SnapshotState, Tag,
    },
};
use quiesce::{ports::Leftover, session::SessionId};

use super::{describe, discard, tags};
use crate::CallError;

/// An image of our own account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `ami-...`
    pub id: String,
    pub name: String,
    pub description: String,
    /// EC2's name of the state: `available`, `pending`, `failed`, `disabled`...
    pub state: String,
    /// EC2's reason where the state is a failure.
    pub state_reason: String,
    /// `x86_64`, `arm64`...
    pub architecture: String,
    pub root_device_name: String,
    /// As EC2 writes it, e.g. `2026-11-22T16:01:02.000Z`.
    pub creation_date: String,
    /// The account, twelve digits.
    pub owner_id: String,
    /// The instance that it was made of, as far as EC2 knows; empty where it does not.
    pub source_instance_id: String,
    /// As EC2 writes it; empty where the image is not to be deprecated.
    pub deprecation_time: String,
    /// `disabled`, `enabled-without-cooldown`...; empty where EC2 does not tell.
    pub deregistration_protection: String,
    pub tags: BTreeMap<String, String>,
    /// One for each EBS volume.
    pub snapshots: Vec<MappedSnapshot>,
}

/// A snapshot as an image's block device mapping tells it. Whether it exists, [`existing_snapshots`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedSnapshot {
    /// `/dev/xvda`...
    pub device_name: String,
    pub snapshot_id: String,
    pub size_gib: i64,
    pub encrypted: bool,
}

/// A snapshot of our own account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The volume that it was taken of; `vol-ffffffff` for a copy.
    pub volume_id: String,
    pub size_gib: i64,
    pub encrypted: bool,
    /// False while it is pending, and for good where it failed.
    pub is_completed: bool,
    pub tags: BTreeMap<String, String>,
}

impl Image {
    pub fn is_proven(&self) -> bool {
        tags::is_proven(&self.tags)
    }
}

/// The image, or None where our account has none of that id.
pub async fn find(ec2: &Client, id: &str) -> Result<Option<Image>, CallError> {
    let found = describe::images(ec2, describe::ids("image-id", &[id.to_owned()])).await?;
    Ok(found.into_iter().next().map(image))
}

/// Every image of our account that bears the tag of a session, proven or not.
pub async fn of_sessions(ec2: &Client) -> Result<Vec<Image>, CallError> {
    let tagged = Filter::builder()
        .name("tag-key")
        .values(tags::SESSION)
        .build();
    let found = describe::images(ec2, vec![tagged]).await?;
    Ok(found.into_iter().map(image).collect())
}

/// Every image of our account, whoever made it.
pub async fn all(ec2: &Client) -> Result<Vec<Image>, CallError> {
    let found = describe::images(ec2, Vec::new()).await?;
    Ok(found.into_iter().map(image).collect())
}

/// The account that owns an image which is not ours, but which we may launch; None where EC2 shows no such image.
pub async fn foreign_owner(ec2: &Client, id: &str) -> Result<Option<String>, CallError> {
    let answer = ec2
        .describe_images()
        .set_filters(Some(describe::ids("image-id", &[id.to_owned()])))
        .send()
        .await
        .map_err(|error| CallError::of("ec2:DescribeImages", &error))?;
    let shown = answer.images.unwrap_or_default().into_iter().next();
    Ok(shown.and_then(|image| image.owner_id))
}

/// The image that bears a name, which is unique in an account and region; None where the name is free.
pub async fn named(ec2: &Client, name: &str) -> Result<Option<Image>, CallError> {
    let found = describe::images(ec2, describe::ids("name", &[describe::literal(name)])).await?;
    Ok(found.into_iter().next().map(image))
}

/// Those of these snapshots that exist, by id.
pub async fn existing_snapshots(
    ec2: &Client,
    ids: &[String],
) -> Result<BTreeMap<String, Snapshot>, CallError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = describe::snapshots(ec2, describe::ids("snapshot-id", ids)).await?;
    Ok(by_id(found))
}

/// The snapshots that bear the tag of a session, by id.
pub async fn session_snapshots(
    ec2: &Client,
    session: &SessionId,
) -> Result<BTreeMap<String, Snapshot>, CallError> {
    let found = describe::snapshots(ec2, describe::session(session)).await?;
    Ok(by_id(found))
}

fn by_id(snapshots: Vec<SdkSnapshot>) -> BTreeMap<String, Snapshot> {
    let entry = |mut it: SdkSnapshot| Some((it.snapshot_id.take()?, snapshot(it)));
    snapshots.into_iter().filter_map(entry).collect()
}

fn snapshot(snapshot: SdkSnapshot) -> Snapshot {
    Snapshot {
        volume_id: snapshot.volume_id.unwrap_or_default(),
        size_gib: snapshot.volume_size.map_or(0, i64::from),
        encrypted: snapshot.encrypted.unwrap_or(false),
        is_completed: snapshot.state == Some(SnapshotState::Completed),
        tags: tags::from_sdk(snapshot.tags),
    }
}

/// Sets tags on images and snapshots; a key that exists gets the new value.
pub async fn set_tags(
    ec2: &Client,
    ids: &[String],
    tags: &BTreeMap<String, String>,
) -> Result<(), CallError> {
    if ids.is_empty() || tags.is_empty() {
        return Ok(());
    }
    let done = ec2
        .create_tags()
        .set_resources(Some(ids.to_vec()))
        .set_tags(Some(tags::to_sdk(tags)))
        .send()
        .await;
    done.map(drop)
        .map_err(|error| CallError::of("ec2:CreateTags", &error))
}

/// Removes tags, whatever their values.
pub async fn remove_tags(
    ec2: &Client,
    ids: &[String],
    keys: &BTreeSet<String>,
) -> Result<(), CallError> {
    if ids.is_empty() || keys.is_empty() {
        return Ok(());
    }
    let done = ec2
        .delete_tags()
        .set_resources(Some(ids.to_vec()))
        .set_tags(Some(
            keys.iter()
                .map(|key| Tag::builder().key(key).build())
                .collect(),
        ))
        .send()
        .await;
    done.map(drop)
        .map_err(|error| CallError::of("ec2:DeleteTags", &error))
}

/// How often and how long EC2 may call a snapshot in use after its image is gone.
const ROUNDS: u32 = 8;
const BETWEEN_ROUNDS: Duration = Duration::from_secs(2);

/// Deregisters the image and deletes its snapshots: those that it maps now, and those in `recorded`. Returns what is
/// left, with EC2's reasons; an error means that nothing was tried. Safe to repeat. Takes up to 15 s beyond the calls.
pub async fn destroy(
    ec2: &Client,
    id: &str,
    recorded: &[String],
) -> Result<Vec<Leftover>, CallError> {
    let mapped = find(ec2, id)
        .await?
        .map_or_else(Vec::new, |image| image.snapshots);
    let mapped = mapped.into_iter().map(|it| it.snapshot_id);
    let snapshots: BTreeSet<String> = mapped.chain(recorded.iter().cloned()).collect();
    if let Err(why) = discard::deregister(ec2, id).await {
        let reason = format!("its image {id} is still registered");
        let kept = snapshots.into_iter().map(|id| Leftover {
            id,
            reason: reason.clone(),
        });
        return Ok(std::iter::once(discard::leftover(id, &why))
            .chain(kept)
            .collect());
    }
    Ok(delete_snapshots(ec2, snapshots).await)
}

async fn delete_snapshots(ec2: &Client, ids: BTreeSet<String>) -> Vec<Leftover> {
    let mut left = Vec::new();
    let mut in_use = ids;
    for round in 1..=ROUNDS {
        for id in std::mem::take(&mut in_use) {
            match discard::delete_snapshot(ec2, &id).await {
                Ok(()) => {}
                // Passes by itself once EC2 has noticed everywhere that the image is gone.
                Err(why) if why.code == "InvalidSnapshot.InUse" && round < ROUNDS => {
                    in_use.insert(id);
                }
                Err(why) => left.push(discard::leftover(&id, &why)),
            }
        }
        if in_use.is_empty() {
            break;
        }
        tokio::time::sleep(BETWEEN_ROUNDS).await;
    }
    left
}

/// `arn:aws:ec2:eu-central-1::image/ami-...`: an image's ARN names no account.
pub fn arn(region: &str, id: &str) -> String {
    format!("arn:{}:ec2:{region}::image/{id}", partition(region))
}

/// AWS's partitions, by how their regions' names begin (partitions.json of the AWS SDKs).
fn partition(region: &str) -> &'static str {
    const OTHERS: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("eu-isoe-", "aws-iso-e"),
        ("eusc-", "aws-eusc"),
    ];
    let other = OTHERS.iter().find(|(prefix, _)| region.starts_with(prefix));
    other.map_or("aws", |(_, partition)| partition)
}

fn image(image: SdkImage) -> Image {
    Image {
        id: image.image_id.unwrap_or_default(),
        name: image.name.unwrap_or_default(),
        description: image.description.unwrap_or_default(),
        state: image
            .state
            .map_or_else(String::new, |it| it.as_str().to_owned()),
        state_reason: image
            .state_reason
            .and_then(|it| it.message)
            .unwrap_or_default(),
        architecture: image
            .architecture
            .map_or_else(String::new, |it| it.as_str().to_owned()),
        root_device_name: image.root_device_name.unwrap_or_default(),
        creation_date: image.creation_date.unwrap_or_default(),
        owner_id: image.owner_id.unwrap_or_default(),
        source_instance_id: image.source_instance_id.unwrap_or_default(),
        deprecation_time: image.deprecation_time.unwrap_or_default(),
        deregistration_protection: image.deregistration_protection.unwrap_or_default(),
        tags: tags::from_sdk(image.tags),
        snapshots: image
            .block_device_mappings
            .unwrap_or_default()
            .into_iter()
            .filter_map(mapped)
            .collect(),
    }
}

fn mapped(mapping: BlockDeviceMapping) -> Option<MappedSnapshot> {
    let ebs = mapping.ebs?;
    Some(MappedSnapshot {
        device_name: mapping.device_name.unwrap_or_default(),
        snapshot_id: ebs.snapshot_id?,
        size_gib: ebs.volume_size.map_or(0, i64::from),
        encrypted: ebs.encrypted.unwrap_or(false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_has_its_regions_partition() {
        assert_eq!(
            arn("eu-central-1", "ami-1"),
            "arn:aws:ec2:eu-central-1::image/ami-1"
        );
        assert_eq!(
            arn("cn-north-1", "ami-1"),
            "arn:aws-cn:ec2:cn-north-1::image/ami-1"
        );
        assert_eq!(partition("us-gov-west-1"), "aws-us-gov");
        assert_eq!(partition("us-isob-east-1"), "aws-iso-b");
    }
}
