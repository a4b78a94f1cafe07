//! Images from snapshots, and the end of images: `RegisterImage`, `DeregisterImage`.

use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::{images, params::Params, snapshots, upkeep};
use crate::cloud::{
    Cloud,
    call::{Answer, Call},
    error::ApiError,
    faults::Effect,
    iam::Access,
    ids,
    settings::{Billing, ms},
    tags::{self, Tags},
    traits::{Traits, VolumeKind},
    world::{Image, ImageDevice, ImageState, Protection, Snapshot, SnapshotState, World},
};

/// A device whose content is already with the hypervisor, under the id `snapshot`.
#[derive(Clone, Debug)]
pub struct ImportedDevice {
    /// As `/dev/xvda`; the first device is the root.
    pub name: String,
    pub snapshot: String,
    pub size_gib: u64,
}

pub(super) fn register(call: &Call<'_>, mut params: Params) -> Answer {
    let mut image = read(&mut params, &call.cloud.world())?;
    if call.effects.contains(&Effect::BillingLost) {
        image.traits.billing = Billing {
            platform: String::new(),
            operation: String::new(),
            product_codes: Vec::new(),
        };
    }
    image.visible += ms(call.cloud.settings().capture.visible_after_ms);
    let mut accesses = vec![
        Access::new("ec2:RegisterImage", call.cloud.arn("image", "*")).requesting(&image.tags),
    ];
    accesses.extend(of_snapshots(call, &image));
    accesses.extend(images::tagging_at_creation(
        call,
        "RegisterImage",
        "image",
        &image.tags,
    ));
    call.admit(params, &accesses)?;
    let mut world = call.cloud.world();
    images::name_is_free(&world, &image.name)?;
    let id = image.id.clone();
    world.images.insert(id.clone(), image);
    Ok(json!({"imageId": id}))
}

fn of_snapshots(call: &Call<'_>, image: &Image) -> Vec<Access> {
    let world = call.cloud.world();
    let of_device = |device: &ImageDevice| {
        let snapshot = world.snapshots.get(device.snapshot.as_ref()?)?;
        let arn = call.cloud.arn("snapshot", &snapshot.id);
        Some(Access::new("ec2:RegisterImage", arn).carrying(&snapshot.tags))
    };
    image.devices.iter().filter_map(of_device).collect()
}

fn read(params: &mut Params, world: &World) -> Result<Image, ApiError> {
    let root_device = params.require("RootDeviceName")?;
    let devices = params.groups("BlockDeviceMapping").into_iter();
    let devices: Vec<ImageDevice> = devices
        .map(|group| read_device(group, world))
        .collect::<Result<_, _>>()?;
    if !devices.iter().any(|d| d.name == root_device) {
        return Err(ApiError::new(
            "InvalidBlockDeviceMapping",
            format!("No snapshot given for the root device {root_device}"),
        ));
    }
    let traits = Traits::told(params)?;
    let mut tags = tags::specifications(params, &["image"])?;
    Ok(Image {
        traits,
        description: params.take("Description").unwrap_or_default(),
        tags: tags.remove("image").unwrap_or_default(),
        ..blank(
            images::valid_name(params.require("Name")?)?,
            root_device,
            devices,
        )
    })
}

fn read_device(mut group: Params, world: &World) -> Result<ImageDevice, ApiError> {
    let id = group.require("Ebs.SnapshotId")?;
    let snapshot = world
        .snapshots
        .get(&id)
        .ok_or_else(|| snapshots::not_found(&id))?;
    if snapshot.state != SnapshotState::Completed {
        return Err(ApiError::invalid_value(format!(
            "Snapshot {id} is in invalid state - {}",
            snapshot.state.shown()
        )));
    }
    let device = ImageDevice {
        name: group.require("DeviceName")?,
        snapshot: Some(id),
        size_gib: group.parsed("Ebs.VolumeSize")?.unwrap_or(snapshot.size_gib),
        kind: VolumeKind::told(&mut group)?,
        delete_on_termination: group.parsed("Ebs.DeleteOnTermination")?.unwrap_or(true),
    };
    group.finish()?;
    if device.size_gib < snapshot.size_gib {
        return Err(ApiError::new(
            "InvalidBlockDeviceMapping",
            format!(
                "Volume of size {}GB is smaller than snapshot '{}', expect size >= {}GB",
                device.size_gib, snapshot.id, snapshot.size_gib
            ),
        ));
    }
    Ok(device)
}

fn blank(name: String, root_device: String, devices: Vec<ImageDevice>) -> Image {
    Image {
        id: ids::resource("ami"),
        name,
        description: String::new(),
        state: ImageState::Available,
        reason: String::new(),
        created: OffsetDateTime::now_utc(),
        root_device,
        devices,
        traits: Traits::full(),
        source_instance: None,
        launch_permissions: Vec::new(),
        deprecated_at: None,
        protection: Protection::default(),
        tags: Tags::new(),
        visible: Instant::now(),
    }
}

/// Files an image whose snapshots came with the lab, and returns its id.
pub(crate) fn import(cloud: &Cloud, name: &str, devices: &[ImportedDevice]) -> String {
    let mut world = cloud.world();
    for device in devices {
        let snapshot = Snapshot {
            id: device.snapshot.clone(),
            volume: ids::resource("vol"),
            state: SnapshotState::Completed,
            message: String::new(),
            started: OffsetDateTime::now_utc(),
            size_gib: device.size_gib,
            description: format!("Imported for {name}"),
            tags: Tags::new(),
            visible: Instant::now(),
        };
        world.snapshots.insert(device.snapshot.clone(), snapshot);
    }
    let root_device = devices.first().map(|d| d.name.clone()).unwrap_or_default();
    // The data is to be faster than the root: whoever makes an image has to keep that.
    let kind = |name: &str| {
        let is_root = name == root_device;
        let (iops, throughput) = if is_root { (3_000, 125) } else { (4_000, 250) };
        VolumeKind::gp3(iops, throughput)
    };
    let device = |device: &ImportedDevice| ImageDevice {
        name: device.name.clone(),
        snapshot: Some(device.snapshot.clone()),
        size_gib: device.size_gib,
        kind: kind(&device.name),
        delete_on_termination: true,
    };
    let devices = devices.iter().map(device).collect();
    let image = blank(name.to_owned(), root_device, devices);
    let id = image.id.clone();
    world.images.insert(id.clone(), image);
    id
}

pub(super) async fn deregister(call: &Call<'_>, mut params: Params) -> Answer {
    let id = params.require("ImageId")?;
    let with_snapshots = params.flag("DeleteAssociatedSnapshots")?;
    let image = images::visible(&call.cloud.world(), &id)
        .cloned()
        .ok_or_else(|| images::not_found(&id))?;
    let backing: Vec<String> = image
        .devices
        .iter()
        .filter_map(|device| device.snapshot.clone())
        .filter(|_| with_snapshots)
        .collect();
    call.admit(params, &deregistering(call, &image, &backing))?;
    upkeep::refuse_protected(&image)?;
    call.cloud.world().images.remove(&id);
    let mut results: Vec<Value> = Vec::new();
    for snapshot in backing {
        let outcome = snapshots::remove(call.cloud, &snapshot).await;
        let code = match &outcome {
            Ok(()) => "success",
            Err(error) if error.code == "InvalidSnapshot.InUse" => "skipped",
            Err(_) => "internal-error",
        };
        results.push(json!({"snapshotId": snapshot, "returnCode": code}));
    }
    Ok(json!({"return": true, "deleteSnapshotResultSet": results}))
}

fn deregistering(call: &Call<'_>, image: &Image, snapshots: &[String]) -> Vec<Access> {
    let on = |action: &str, kind: &str, id: &str, tags: &Tags| {
        Access::new(action, call.cloud.arn(kind, id)).carrying(tags)
    };
    let world = call.cloud.world();
    let deleting = snapshots.iter().filter_map(|id| {
        let snapshot = world.snapshots.get(id)?;
        Some(on("ec2:DeleteSnapshot", "snapshot", id, &snapshot.tags))
    });
    std::iter::once(on("ec2:DeregisterImage", "image", &image.id, &image.tags))
        .chain(deleting)
        .collect()
}
