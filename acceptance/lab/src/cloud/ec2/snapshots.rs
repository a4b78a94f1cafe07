//! Snapshots made by themselves: `CreateSnapshot`, `CreateSnapshots`, `DescribeSnapshots`, `DeleteSnapshot`.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use super::{
    capture,
    filters::{Filterable, Filters},
    images::tagging_at_creation,
    instances,
    pages::Page,
    params::Params,
    shapes,
};
use crate::cloud::{
    Cloud,
    call::{Answer, Call},
    clock::iso,
    error::ApiError,
    hypervisor,
    iam::{ACCOUNT, Access},
    ids,
    journal::Event,
    settings::ms,
    tags::{self, Tags},
    world::{Instance, Snapshot, SnapshotState, World},
};

pub(super) async fn create(call: &Call<'_>, mut params: Params) -> Answer {
    let volume = params.require("VolumeId")?;
    let description = params.take("Description").unwrap_or_default();
    let tags = snapshot_tags(&mut params)?;
    let carried = call
        .cloud
        .world()
        .volumes
        .get(&volume)
        .map(|v| v.tags.clone())
        .ok_or_else(|| super::volumes::not_found(&volume))?;
    let on_volume =
        Access::new("ec2:CreateSnapshot", call.cloud.arn("volume", &volume)).carrying(&carried);
    call.admit(params, &accesses(call, "CreateSnapshot", on_volume, &tags))?;
    admit_volumes(call, std::slice::from_ref(&volume))?;
    let id = ids::resource("snap");
    let instant = call
        .cloud
        .hypervisor
        .snapshot(&volume, &id)
        .await
        .map_err(ApiError::internal)?;
    let taken = vec![(volume, id.clone())];
    record(
        call.cloud,
        &taken,
        &description,
        |_| tags.clone(),
        &[instant],
    );
    let world = call.cloud.world();
    Ok(world
        .snapshots
        .get(&id)
        .map(shapes::snapshot)
        .unwrap_or_default())
}

pub(super) async fn create_several(call: &Call<'_>, mut params: Params) -> Answer {
    let request = Several::read(&mut params)?;
    let instance = instances::find(&call.cloud.world(), &request.instance)?.clone();
    let on_instance = Access::new(
        "ec2:CreateSnapshots",
        call.cloud.arn("instance", &instance.id),
    )
    .carrying(&instance.tags);
    let volumes = request.volumes(&instance)?;
    let mut accesses = accesses(call, "CreateSnapshots", on_instance, &request.tags);
    accesses.extend(of_volumes(call, &volumes));
    call.admit(params, &accesses)?;
    admit_volumes(call, &volumes)?;
    let pairs: Vec<(String, String)> = volumes
        .into_iter()
        .map(|volume| (volume, ids::resource("snap")))
        .collect();
    let hypervisor = &call.cloud.hypervisor;
    let taken = hypervisor.snapshot_at_once(&instance.id, &pairs).await;
    let instants = taken.map_err(ApiError::internal)?;
    let tags = |volume: &str| request.tags_for(&call.cloud.world(), volume);
    record(call.cloud, &pairs, &request.description, tags, &instants);
    let world = call.cloud.world();
    let shown = pairs.iter().filter_map(|(_, id)| world.snapshots.get(id));
    let shown: Vec<Value> = shown.map(shapes::snapshot_info).collect();
    Ok(json!({"snapshotSet": shown}))
}

/// `CreateSnapshots`' parameters.
struct Several {
    instance: String,
    without_root: bool,
    excluded: Vec<String>,
    description: String,
    tags: Tags,
    copy_tags: bool,
}

impl Several {
    fn read(params: &mut Params) -> Result<Self, ApiError> {
        Ok(Self {
            instance: params.require("InstanceSpecification.InstanceId")?,
            without_root: params.flag("InstanceSpecification.ExcludeBootVolume")?,
            excluded: params.list("InstanceSpecification.ExcludeDataVolumeId"),
            description: params.take("Description").unwrap_or_default(),
            tags: snapshot_tags(params)?,
            copy_tags: params.take("CopyTagsFromSource").as_deref() == Some("volume"),
        })
    }

    /// The snapshot's own tags, on top of its volume's where those are asked for.
    fn tags_for(&self, world: &World, volume: &str) -> Tags {
        let inherited = world.volumes.get(volume).filter(|_| self.copy_tags);
        let mut tags = inherited.map(|v| v.tags.clone()).unwrap_or_default();
        tags.extend(self.tags.clone());
        tags
    }

    fn volumes(&self, instance: &Instance) -> Result<Vec<String>, ApiError> {
        let attached = |id: &String| instance.devices.iter().any(|d| d.volume == *id);
        if let Some(unknown) = self.excluded.iter().find(|id| !attached(id)) {
            return Err(ApiError::invalid_value(format!(
                "The volume '{unknown}' is not attached to instance '{}'",
                instance.id
            )));
        }
        let wanted = instance.devices.iter().filter(|device| {
            let root = device.name == instance.root_device;
            !(root && self.without_root || self.excluded.contains(&device.volume))
        });
        Ok(wanted.map(|device| device.volume.clone()).collect())
    }
}

fn snapshot_tags(params: &mut Params) -> Result<Tags, ApiError> {
    let mut by_type = tags::specifications(params, &["snapshot"])?;
    Ok(by_type.remove("snapshot").unwrap_or_default())
}

fn accesses(call: &Call<'_>, action: &str, source: Access, tags: &Tags) -> Vec<Access> {
    let created = Access::new(format!("ec2:{action}"), call.cloud.arn("snapshot", "*"));
    let mut accesses = vec![source, created.requesting(tags)];
    accesses.extend(tagging_at_creation(call, action, "snapshot", tags));
    accesses
}

/// `CreateSnapshots` is authorized on every volume too (service authorization reference of EC2).
fn of_volumes(call: &Call<'_>, volumes: &[String]) -> Vec<Access> {
    let world = call.cloud.world();
    let of_volume = |id: &String| {
        let tags = &world.volumes.get(id)?.tags;
        Some(Access::new("ec2:CreateSnapshots", call.cloud.arn("volume", id)).carrying(tags))
    };
    volumes.iter().filter_map(of_volume).collect()
}

fn admit_volumes(call: &Call<'_>, volumes: &[String]) -> Result<(), ApiError> {
    let gap = call.cloud.settings().capture.snapshot_gap_ms;
    admit_rate(&mut call.cloud.world(), volumes, gap)
}

/// Enforces the time between two snapshots of one volume, and notes this one.
pub(super) fn admit_rate(
    world: &mut World,
    volumes: &[String],
    gap_ms: u64,
) -> Result<(), ApiError> {
    let now = Instant::now();
    let too_soon = |last: Option<Instant>| last.is_some_and(|at| now < at + ms(gap_ms));
    let hasty = volumes.iter().any(|id| {
        let volume = world.volumes.get(id);
        volume.is_some_and(|v| too_soon(v.last_snapshot))
    });
    if hasty {
        return Err(ApiError::new(
            "SnapshotCreationPerVolumeRateExceeded",
            "The maximum per volume CreateSnapshot request rate has been exceeded. Use an increasing or variable sleep interval between requests.",
        ));
    }
    for id in volumes {
        if let Some(volume) = world.volumes.get_mut(id) {
            volume.last_snapshot = Some(now);
        }
    }
    Ok(())
}

/// Files the snapshots as `pending` and completes them later. All of one call have the same start time
/// ("is the same for all snapshots initiated by the same request", botocore on `SnapshotInfo.StartTime`).
fn record(
    cloud: &Arc<Cloud>,
    pairs: &[(String, String)],
    description: &str,
    tags: impl Fn(&str) -> Tags,
    instants: &[hypervisor::Instant],
) {
    let settings = cloud.settings().capture;
    let started = OffsetDateTime::now_utc();
    for ((volume, id), instant) in pairs.iter().zip(instants) {
        cloud.journal.record(Event::Snapshot {
            snapshot: id.clone(),
            volume: volume.clone(),
            began: instant.began,
            taken_at: instant.taken_at,
        });
        let tags = tags(volume);
        let mut world = cloud.world();
        let snapshot = Snapshot {
            id: id.clone(),
            volume: volume.clone(),
            state: SnapshotState::Pending,
            message: String::new(),
            started,
            size_gib: world.volumes.get(volume).map_or(0, |v| v.size_gib),
            description: description.to_owned(),
            tags,
            visible: Instant::now() + ms(settings.visible_after_ms),
        };
        world.snapshots.insert(id.clone(), snapshot);
    }
    let ids = pairs.iter().map(|(_, id)| id.clone()).collect();
    tokio::spawn(complete(
        cloud.clone(),
        ids,
        ms(settings.completes_after_ms),
    ));
}

async fn complete(cloud: Arc<Cloud>, ids: Vec<String>, after: Duration) {
    sleep(after).await;
    let mut world = cloud.world();
    for id in &ids {
        if let Some(snapshot) = world.snapshots.get_mut(id) {
            capture::end(snapshot, false);
        }
    }
}

pub(super) fn describe(call: &Call<'_>, mut params: Params) -> Answer {
    let filters = Filters::of::<Snapshot>(&mut params)?;
    let page = Page::of(&mut params)?;
    let ids = params.list("SnapshotId");
    let owners = params.list("Owner");
    let restorable_by = params.list("RestorableBy");
    call.admit_anywhere("DescribeSnapshots", params)?;
    let world = call.cloud.world();
    if let Some(missing) = ids.iter().find(|id| visible(&world, id).is_none()) {
        return Err(not_found(missing));
    }
    let mine = |who: &[String]| who.is_empty() || who.iter().any(|w| w == "self" || w == ACCOUNT);
    let ours = mine(&owners) && mine(&restorable_by);
    let selected = world.snapshots.values().filter(|snapshot| {
        ours && visible(&world, &snapshot.id).is_some()
            && (ids.is_empty() || ids.contains(&snapshot.id))
            && filters.keep(*snapshot)
    });
    let (snapshots, token) = page.cut(selected.map(shapes::snapshot).collect());
    Ok(json!({"snapshotSet": snapshots, "nextToken": token}))
}

pub(super) async fn delete(call: &Call<'_>, mut params: Params) -> Answer {
    let id = params.require("SnapshotId")?;
    let carried = visible(&call.cloud.world(), &id)
        .map(|snapshot| snapshot.tags.clone())
        .ok_or_else(|| not_found(&id))?;
    let access =
        Access::new("ec2:DeleteSnapshot", call.cloud.arn("snapshot", &id)).carrying(&carried);
    call.admit(params, &[access])?;
    remove(call.cloud, &id).await?;
    Ok(json!({"return": true}))
}

/// Deletes a snapshot that no image needs.
pub(super) async fn remove(cloud: &Cloud, id: &str) -> Result<(), ApiError> {
    {
        let mut world = cloud.world();
        if let Some(image) = world.image_on(id) {
            return Err(ApiError::new(
                "InvalidSnapshot.InUse",
                format!("The snapshot {id} is currently in use by {}", image.id),
            ));
        }
        world.snapshots.remove(id);
    }
    let deleted = cloud.hypervisor.delete_snapshot(id).await;
    deleted.map_err(ApiError::internal)
}

/// The snapshot, once eventual consistency lets it be seen.
fn visible<'a>(world: &'a World, id: &str) -> Option<&'a Snapshot> {
    world
        .snapshots
        .get(id)
        .filter(|snapshot| snapshot.visible <= Instant::now())
}

pub(super) fn not_found(id: &str) -> ApiError {
    if id.starts_with("snap-") {
        ApiError::new(
            "InvalidSnapshot.NotFound",
            format!("The snapshot '{id}' does not exist."),
        )
    } else {
        ApiError::new(
            "InvalidParameterValue",
            format!("Value ({id}) for parameter snapshotId is invalid. Expected: 'snap-...'."),
        )
    }
}

impl Filterable for Snapshot {
    const FILTERS: &'static [&'static str] = &[
        "description",
        "encrypted",
        "owner-id",
        "progress",
        "snapshot-id",
        "start-time",
        "status",
        "storage-tier",
        "volume-id",
        "volume-size",
    ];

    fn values(&self, name: &str) -> Vec<String> {
        let value = match name {
            "description" => self.description.clone(),
            "encrypted" => "false".to_owned(),
            "owner-id" => ACCOUNT.to_owned(),
            "progress" if self.state == SnapshotState::Pending => "0%".to_owned(),
            "progress" => "100%".to_owned(),
            "snapshot-id" => self.id.clone(),
            "start-time" => iso(self.started),
            "status" => self.state.shown().to_owned(),
            "storage-tier" => "standard".to_owned(),
            "volume-id" => self.volume.clone(),
            "volume-size" => self.size_gib.to_string(),
            _ => return Vec::new(),
        };
        vec![value]
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }
}
