//! `CreateImage` and `DescribeImages`.

use std::collections::BTreeMap;

use serde_json::json;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::{
    capture::{self, Plan},
    filters::{Filterable, Filters},
    pages::Page,
    params::Params,
    shapes, snapshots,
};
use crate::cloud::{
    call::{Answer, Call},
    clock::iso,
    error::ApiError,
    iam::{ACCOUNT, Access},
    ids,
    settings::ms,
    tags::{self, Tags},
    world::{Image, ImageDevice, ImageState, Instance, InstanceState, Protection, World},
};

pub(super) fn create(call: &Call<'_>, mut params: Params) -> Answer {
    let request = Request::read(&mut params)?;
    let instance = source(&call.cloud.world(), &request.instance)?;
    call.admit(params, &request.accesses(call, &instance))?;
    let settings = call.cloud.settings().capture;
    let devices = request.devices(&call.cloud.world(), &instance)?;
    let image = Image {
        id: ids::resource("ami"),
        name: request.name.clone(),
        description: request.description.clone(),
        state: ImageState::Pending,
        reason: String::new(),
        created: OffsetDateTime::now_utc(),
        root_device: instance.root_device.clone(),
        devices,
        traits: instance.traits.clone(),
        source_instance: Some(instance.id.clone()),
        launch_permissions: Vec::new(),
        deprecated_at: None,
        protection: Protection::default(),
        tags: request.image_tags.clone(),
        visible: Instant::now() + ms(settings.visible_after_ms),
    };
    let id = image.id.clone();
    let plan = Plan::new(&image, &instance, &request, &settings, &call.effects);
    {
        let mut world = call.cloud.world();
        name_is_free(&world, &image.name)?;
        let volumes: Vec<String> = plan.volumes().map(str::to_owned).collect();
        snapshots::admit_rate(&mut world, &volumes, settings.snapshot_gap_ms)?;
        world.images.insert(id.clone(), plan.announced(image));
    }
    tokio::spawn(capture::run(call.cloud.clone(), plan));
    Ok(json!({"imageId": id}))
}

/// `CreateImage`'s parameters.
pub(super) struct Request {
    instance: String,
    name: String,
    description: String,
    pub(super) no_reboot: bool,
    image_tags: Tags,
    pub(super) snapshot_tags: Tags,
    overrides: Vec<Override>,
}

/// `BlockDeviceMapping.N`: `CreateImage` can leave a device out, or change what becomes of its volume.
struct Override {
    device: String,
    omitted: bool,
    delete_on_termination: Option<bool>,
}

impl Request {
    fn read(params: &mut Params) -> Result<Self, ApiError> {
        let mut tags = tags::specifications(params, &["image", "snapshot"])?;
        let overrides = params.groups("BlockDeviceMapping").into_iter();
        Ok(Self {
            instance: params.require("InstanceId")?,
            name: valid_name(params.require("Name")?)?,
            description: params.take("Description").unwrap_or_default(),
            no_reboot: params.flag("NoReboot")?,
            image_tags: tags.remove("image").unwrap_or_default(),
            snapshot_tags: tags.remove("snapshot").unwrap_or_default(),
            overrides: overrides.map(Override::read).collect::<Result<_, _>>()?,
        })
    }

    fn accesses(&self, call: &Call<'_>, instance: &Instance) -> Vec<Access> {
        let on = |kind: &str, id: &str| Access::new("ec2:CreateImage", call.cloud.arn(kind, id));
        let mut accesses = vec![
            on("instance", &instance.id).carrying(&instance.tags),
            on("image", "*").requesting(&self.image_tags),
            on("snapshot", "*").requesting(&self.snapshot_tags),
        ];
        for (kind, tags) in [
            ("image", &self.image_tags),
            ("snapshot", &self.snapshot_tags),
        ] {
            accesses.extend(tagging_at_creation(call, "CreateImage", kind, tags));
        }
        accesses
    }

    fn devices(&self, world: &World, instance: &Instance) -> Result<Vec<ImageDevice>, ApiError> {
        if let Some(unknown) = self
            .overrides
            .iter()
            .find(|o| !instance.devices.iter().any(|d| d.name == o.device))
        {
            return Err(ApiError::new(
                "InvalidBlockDeviceMapping",
                format!("The instance has no device {}", unknown.device),
            ));
        }
        let overridden: BTreeMap<&str, &Override> = self
            .overrides
            .iter()
            .map(|o| (o.device.as_str(), o))
            .collect();
        let kept = instance.devices.iter().filter_map(|device| {
            let change = overridden.get(device.name.as_str());
            let volume = world.volumes.get(&device.volume)?;
            (!change.is_some_and(|c| c.omitted)).then(|| ImageDevice {
                name: device.name.clone(),
                snapshot: None,
                size_gib: volume.size_gib,
                kind: volume.kind.clone(),
                delete_on_termination: change
                    .and_then(|c| c.delete_on_termination)
                    .unwrap_or(device.delete_on_termination),
            })
        });
        Ok(kept.collect())
    }
}

impl Override {
    fn read(mut group: Params) -> Result<Self, ApiError> {
        let read = Self {
            device: group.require("DeviceName")?,
            omitted: group.take("NoDevice").is_some(),
            delete_on_termination: group.parsed("Ebs.DeleteOnTermination")?,
        };
        group.finish()?;
        Ok(read)
    }
}

/// Tags that come with a creating call need `ec2:CreateTags` too, under the name of the call.
pub(super) fn tagging_at_creation(
    call: &Call<'_>,
    action: &str,
    kind: &str,
    tags: &Tags,
) -> Option<Access> {
    (!tags.is_empty()).then(|| {
        Access::new("ec2:CreateTags", call.cloud.arn(kind, "*"))
            .requesting(tags)
            .given("ec2:CreateAction", action)
    })
}

fn source(world: &World, id: &str) -> Result<Instance, ApiError> {
    let instance = super::instances::find(world, id)?;
    match instance.state {
        InstanceState::Running | InstanceState::Stopped => Ok(instance.clone()),
        state => Err(ApiError::new(
            "IncorrectState",
            format!(
                "Instance '{id}' is not in state 'running' or 'stopped' but '{}'.",
                state.shown().0
            ),
        )),
    }
}

/// 3 to 128 characters: letters, digits, `( ) [ ] . / - ' @ _` and space (API reference of `CreateImage`).
pub(super) fn valid_name(name: String) -> Result<String, ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c);
    if (3..=128).contains(&name.chars().count()) && name.chars().all(allowed) {
        return Ok(name);
    }
    Err(ApiError::new(
        "InvalidAMIName.Malformed",
        "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/', '_', ' ', '[', ']', '@' and '\''",
    ))
}

pub(super) fn name_is_free(world: &World, name: &str) -> Result<(), ApiError> {
    world
        .images
        .values()
        .find(|image| image.name == name)
        .map_or(Ok(()), |taken| {
            Err(ApiError::new(
                "InvalidAMIName.Duplicate",
                format!("AMI name {name} is already in use by AMI {}", taken.id),
            ))
        })
}

pub(super) fn describe(call: &Call<'_>, mut params: Params) -> Answer {
    let filters = Filters::of::<Image>(&mut params)?;
    let page = Page::of(&mut params)?;
    let ids = params.list("ImageId");
    let owners = params.list("Owner");
    let executable_by = params.list("ExecutableBy");
    // An owner sees all of its images, deprecated ones too; nothing here is ever disabled.
    params.flag("IncludeDeprecated")?;
    params.flag("IncludeDisabled")?;
    call.admit_anywhere("DescribeImages", params)?;
    let world = call.cloud.world();
    if let Some(missing) = ids.iter().find(|id| visible(&world, id).is_none()) {
        return Err(not_found(missing));
    }
    let owned = owners.is_empty() || owners.iter().any(|o| o == "self" || o == ACCOUNT);
    let selected = world.images.values().filter(|image| {
        owned
            && visible(&world, &image.id).is_some()
            && (ids.is_empty() || ids.contains(&image.id))
            && (executable_by.is_empty() || executable(image, &executable_by))
            && filters.keep(*image)
    });
    let (images, token) = page.cut(selected.map(shapes::image).collect());
    Ok(json!({"imagesSet": images, "nextToken": token}))
}

fn executable(image: &Image, by: &[String]) -> bool {
    by.iter()
        .any(|who| who == "self" || image.launch_permissions.contains(who))
}

/// The image, once eventual consistency lets it be seen.
pub(super) fn visible<'a>(world: &'a World, id: &str) -> Option<&'a Image> {
    world
        .images
        .get(id)
        .filter(|image| image.visible <= Instant::now())
}

pub(super) fn not_found(id: &str) -> ApiError {
    if id.starts_with("ami-") {
        ApiError::new(
            "InvalidAMIID.NotFound",
            format!("The image id '[{id}]' does not exist"),
        )
    } else {
        ApiError::new("InvalidAMIID.Malformed", format!("Invalid id: \"{id}\""))
    }
}

impl Filterable for Image {
    const FILTERS: &'static [&'static str] = &[
        "architecture",
        "block-device-mapping.device-name",
        "block-device-mapping.snapshot-id",
        "creation-date",
        "description",
        "image-id",
        "image-type",
        "is-public",
        "name",
        "owner-id",
        "root-device-name",
        "root-device-type",
        "source-instance-id",
        "state",
        "virtualization-type",
    ];

    fn values(&self, name: &str) -> Vec<String> {
        let one = |text: &str| vec![text.to_owned()];
        match name {
            "architecture" => one(&self.traits.architecture),
            "block-device-mapping.device-name" => {
                self.devices.iter().map(|d| d.name.clone()).collect()
            }
            "block-device-mapping.snapshot-id" => self
                .devices
                .iter()
                .filter_map(|d| d.snapshot.clone())
                .collect(),
            "creation-date" => one(&iso(self.created)),
            "description" => one(&self.description),
            "image-id" => one(&self.id),
            "image-type" => one("machine"),
            "is-public" => one(&self
                .launch_permissions
                .contains(&"all".to_owned())
                .to_string()),
            "name" => one(&self.name),
            "owner-id" => one(ACCOUNT),
            "root-device-name" => one(&self.root_device),
            "root-device-type" => one("ebs"),
            "source-instance-id" => self.source_instance.clone().into_iter().collect(),
            "state" => one(self.state.shown()),
            "virtualization-type" => one(&self.traits.virtualization),
            _ => Vec::new(),
        }
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }
}
