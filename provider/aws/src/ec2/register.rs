//! `RegisterImage`: the image of snapshots that are completed, like its source in everything that the call has to be told.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_ec2::{
    Client,
    types::{BlockDeviceMapping, ResourceType},
};
use quiesce::ports::{CaptureRequest, ImageId, ObservedSnapshot, Retry};

use super::{begin, blueprint::Blueprint, images, tags};
use crate::CallError;

pub(super) const ACTION: &str = "ec2:RegisterImage";

/// One attempt; nothing is held while it takes its time.
const LIMIT: Duration = Duration::from_secs(25);

/// There is no client token. The name, which is unique, is the idempotency key: an image of that name and of this session
/// is the answer to an earlier call of the same.
pub(super) async fn register(
    ec2: &Client,
    (instance_id, blueprint): (&str, &Blueprint),
    request: &CaptureRequest,
    snapshots: &[ObservedSnapshot],
    notes: &BTreeMap<String, String>,
) -> Result<ImageId, CallError> {
    let mut ours = tags::of_session(request, instance_id);
    ours.extend(notes.clone());
    let tags = tags::specification(ACTION, ResourceType::Image, &request.tags, &ours)?;
    let registered = ec2
        .register_image()
        .name(&request.name)
        .description(&request.description)
        .tag_specifications(tags)
        .set_block_device_mappings(Some(mappings(blueprint, snapshots)?))
        .set_architecture(blueprint.architecture.clone())
        .set_virtualization_type(blueprint.virtualization.as_ref().map(ToString::to_string))
        .set_boot_mode(blueprint.boot_mode.clone())
        .set_tpm_support(blueprint.tpm.clone())
        .set_uefi_data(blueprint.uefi_data.as_ref().map(|it| it.0.clone()))
        .set_imds_support(blueprint.imds.clone())
        .set_ena_support(blueprint.ena)
        .set_sriov_net_support(blueprint.sriov.clone())
        .set_kernel_id(blueprint.kernel.clone())
        .set_ramdisk_id(blueprint.ramdisk.clone())
        .set_root_device_name(blueprint.root_device_name.clone())
        .customize()
        .config_override(begin::within(LIMIT))
        .send()
        .await
        .map_err(|error| CallError::of(ACTION, &error));
    match registered {
        Ok(answer) => answer.image_id.map(ImageId).ok_or_else(|| CallError {
            maybe_done: true,
            ..CallError::refused(ACTION, "the answer names no image")
        }),
        Err(error) if error.code == "InvalidAMIName.Duplicate" => {
            registered_before(ec2, request, error).await
        }
        Err(error) => Err(error),
    }
}

/// The image of this session that bears the name; else the `duplicate` stands. What bears it may not be listed yet.
async fn registered_before(
    ec2: &Client,
    request: &CaptureRequest,
    duplicate: CallError,
) -> Result<ImageId, CallError> {
    let Some(holder) = images::named(ec2, &request.name).await? else {
        return Err(CallError {
            retry: Retry::After(Duration::from_secs(2)),
            ..duplicate
        });
    };
    let session = holder.tags.get(tags::SESSION);
    let is_ours = session.is_some_and(|it| it == request.session.as_str());
    if is_ours {
        Ok(ImageId(holder.id))
    } else {
        Err(duplicate)
    }
}

fn mappings(
    blueprint: &Blueprint,
    snapshots: &[ObservedSnapshot],
) -> Result<Vec<BlockDeviceMapping>, CallError> {
    let mapping = |it: &ObservedSnapshot| {
        let unknown = || {
            let message = format!("{} was not attached before the capture", it.volume_id);
            CallError::refused(ACTION, message)
        };
        let mapping = blueprint.mapping(&it.volume_id, &it.id.0);
        mapping.ok_or_else(unknown)
    };
    snapshots.iter().map(mapping).collect()
}
