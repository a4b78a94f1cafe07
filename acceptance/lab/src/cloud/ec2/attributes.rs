//! Single attributes of instances and images, read and changed.

use serde_json::{Value, json};

use super::{account::INSTANCE_TYPE, images, instances, params::Params};
use crate::cloud::{
    call::{Answer, Call},
    error::ApiError,
    iam::Access,
    world::{Image, Instance, ShutdownBehavior},
};

pub(super) fn instance(call: &Call<'_>, mut params: Params) -> Answer {
    let id = params.require("InstanceId")?;
    let name = params.require("Attribute")?;
    call.admit_anywhere("DescribeInstanceAttribute", params)?;
    let world = call.cloud.world();
    let instance = instances::find(&world, &id)?;
    let value = instance_attribute(instance, &name)?;
    Ok(json!({"instanceId": id, (name): value}))
}

fn instance_attribute(instance: &Instance, name: &str) -> Answer {
    Ok(match name {
        "disableApiStop" => json!({"value": instance.stop_protected}),
        "disableApiTermination" => json!({"value": instance.termination_protected}),
        "ebsOptimized" => json!({"value": true}),
        "instanceInitiatedShutdownBehavior" => {
            json!({"value": match instance.on_shutdown {
                ShutdownBehavior::Stop => "stop",
                ShutdownBehavior::Terminate => "terminate",
            }})
        }
        "instanceType" => json!({"value": INSTANCE_TYPE}),
        "rootDeviceName" => json!({"value": instance.root_device}),
        "sourceDestCheck" => json!({"value": instance.source_dest_check}),
        "userData" => instance
            .user_data
            .as_ref()
            .map_or_else(|| json!({}), |data| json!({"value": data})),
        _ => return Err(unknown(name)),
    })
}

pub(super) fn modify_instance(call: &Call<'_>, mut params: Params) -> Answer {
    let id = params.require("InstanceId")?;
    let stop = params.parsed("DisableApiStop.Value")?;
    let termination = params.parsed("DisableApiTermination.Value")?;
    let source_dest = params.parsed("SourceDestCheck.Value")?;
    let arn = call.cloud.arn("instance", &id);
    call.admit(params, &[Access::new("ec2:ModifyInstanceAttribute", arn)])?;
    let mut world = call.cloud.world();
    let instance = world
        .instances
        .get_mut(&id)
        .ok_or_else(|| instances::not_found(&id))?;
    let set = |field: &mut bool, value: Option<bool>| *field = value.unwrap_or(*field);
    set(&mut instance.stop_protected, stop);
    set(&mut instance.termination_protected, termination);
    set(&mut instance.source_dest_check, source_dest);
    Ok(json!({"return": true}))
}

pub(super) fn credits(call: &Call<'_>, mut params: Params) -> Answer {
    let ids = params.list("InstanceId");
    call.admit_anywhere("DescribeInstanceCreditSpecifications", params)?;
    let world = call.cloud.world();
    for id in &ids {
        instances::find(&world, id)?;
    }
    // The only instance type there is has no CPU credits.
    Ok(json!({"instanceCreditSpecificationSet": []}))
}

/// `GetInstanceUefiData` is asked with an image's id by hashicorp/aws (FACTS.md part A, section 6): there is nothing to tell.
pub(super) fn uefi_data(call: &Call<'_>, mut params: Params) -> Answer {
    let id = params.require("InstanceId")?;
    let access = Access::new("ec2:GetInstanceUefiData", call.cloud.arn("instance", &id));
    call.admit(params, &[access])?;
    let world = call.cloud.world();
    let data = world
        .instances
        .get(&id)
        .and_then(|it| it.traits.uefi_data.clone());
    Ok(json!({"instanceId": id, "uefiData": data.unwrap_or_default()}))
}

pub(super) fn image(call: &Call<'_>, mut params: Params) -> Answer {
    let id = params.require("ImageId")?;
    let name = params.require("Attribute")?;
    let access = Access::new("ec2:DescribeImageAttribute", call.cloud.arn("image", &id));
    call.admit(params, &[access])?;
    let world = call.cloud.world();
    let image = images::visible(&world, &id).ok_or_else(|| images::not_found(&id))?;
    let (member, value) = image_attribute(image, &name)?;
    Ok(json!({"imageId": id, (member): value}))
}

fn image_attribute(image: &Image, name: &str) -> Result<(&'static str, Value), ApiError> {
    Ok(match name {
        "description" => ("description", json!({"value": image.description})),
        "launchPermission" => {
            let shown = image
                .launch_permissions
                .iter()
                .map(|who| match who.as_str() {
                    "all" => json!({"group": "all"}),
                    account => json!({"userId": account}),
                });
            ("launchPermission", shown.collect())
        }
        "bootMode" => ("bootMode", json!({"value": image.traits.boot_mode})),
        "imdsSupport" => ("imdsSupport", json!({"value": image.traits.imds})),
        "tpmSupport" => ("tpmSupport", json!({"value": image.traits.tpm})),
        "uefiData" => ("uefiData", json!({"value": image.traits.uefi_data})),
        _ => return Err(unknown(name)),
    })
}

pub(super) fn modify_image(call: &Call<'_>, mut params: Params) -> Answer {
    let id = params.require("ImageId")?;
    params.take("Attribute");
    let description = params
        .take("Description.Value")
        .or_else(|| params.take("Value"));
    let added = permissions(&mut params, "LaunchPermission.Add")?;
    let removed = permissions(&mut params, "LaunchPermission.Remove")?;
    let carried = images::visible(&call.cloud.world(), &id)
        .map(|image| image.tags.clone())
        .ok_or_else(|| images::not_found(&id))?;
    let access = Access::new("ec2:ModifyImageAttribute", call.cloud.arn("image", &id));
    call.admit(params, &[access.carrying(&carried)])?;
    if let Some(image) = call.cloud.world().images.get_mut(&id) {
        image
            .launch_permissions
            .retain(|who| !removed.contains(who));
        image.launch_permissions.extend(added);
        if let Some(description) = description {
            image.description = description;
        }
    }
    Ok(json!({"return": true}))
}

fn permissions(params: &mut Params, name: &str) -> Result<Vec<String>, ApiError> {
    let groups = params.groups(name).into_iter();
    groups
        .map(|mut group| {
            let who = group.take("Group").or_else(|| group.take("UserId"));
            group.finish()?;
            who.ok_or_else(|| ApiError::invalid_value(format!("{name} names nobody")))
        })
        .collect()
}

fn unknown(name: &str) -> ApiError {
    ApiError::invalid_value(format!(
        "Value ({name}) for parameter attribute is invalid."
    ))
}
