//! What `CreateImage` takes over from an instance by itself, and `RegisterImage` has to be told.

use std::{collections::BTreeMap, fmt};

use aws_sdk_ec2::{
    Client,
    types::{
        ArchitectureValues, BlockDeviceMapping, BootModeValues, EbsBlockDevice, HttpTokensState,
        Image, ImdsSupportValues, Instance, InstanceBlockDeviceMapping, InstanceBootModeValues,
        TpmSupportValues, VirtualizationType, Volume, VolumeType,
    },
};
use quiesce::ports::VolumeId;

use super::{describe, instances};
use crate::CallError;

/// An instance and its volumes, as an image tells them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Blueprint {
    pub(super) architecture: Option<ArchitectureValues>,
    pub(super) virtualization: Option<VirtualizationType>,
    pub(super) boot_mode: Option<BootModeValues>,
    pub(super) tpm: Option<TpmSupportValues>,
    pub(super) uefi_data: Option<UefiData>,
    pub(super) imds: Option<ImdsSupportValues>,
    pub(super) ena: Option<bool>,
    pub(super) sriov: Option<String>,
    /// Of paravirtual instances.
    pub(super) kernel: Option<String>,
    pub(super) ramdisk: Option<String>,
    pub(super) root_device_name: Option<String>,
    devices: BTreeMap<VolumeId, Device>,
}

/// The UEFI variables that outlive a boot, as EC2 encodes them: keys of Secure Boot, for example. Not for a log.
#[derive(Clone, PartialEq)]
pub(super) struct UefiData(pub(super) String);

impl fmt::Debug for UefiData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UefiData(..)")
    }
}

/// One volume's place in the image's block device mapping.
#[derive(Clone, Debug, PartialEq)]
struct Device {
    name: String,
    delete_on_termination: Option<bool>,
    kind: Option<VolumeType>,
    /// As configured; None where the kind of volume does not let anybody choose.
    iops: Option<i32>,
    throughput: Option<i32>,
}

pub(super) async fn read(ec2: &Client, instance_id: &str) -> Result<Blueprint, CallError> {
    let instance = instances::find(ec2, instance_id).await?;
    let (volumes, uefi_data, source) = tokio::try_join!(
        volumes(ec2, &instance),
        uefi_data(ec2, &instance),
        source_image(ec2, &instance),
    )?;
    Ok(Blueprint {
        imds: imds(&instance, source.as_ref()),
        devices: devices(&instance, &volumes),
        uefi_data,
        architecture: instance.architecture,
        virtualization: instance.virtualization_type,
        boot_mode: instance.boot_mode,
        tpm: instance.tpm_support.as_deref().map(Into::into),
        ena: instance.ena_support,
        sriov: instance.sriov_net_support,
        kernel: instance.kernel_id,
        ramdisk: instance.ramdisk_id,
        root_device_name: instance.root_device_name,
    })
}

impl Blueprint {
    /// The mapping of a volume's snapshot; None of a volume that was not there. Size and encryption are the snapshot's own.
    pub(super) fn mapping(&self, volume: &VolumeId, snapshot: &str) -> Option<BlockDeviceMapping> {
        let device = self.devices.get(volume)?;
        let ebs = EbsBlockDevice::builder()
            .snapshot_id(snapshot)
            .set_delete_on_termination(device.delete_on_termination)
            .set_volume_type(device.kind.clone())
            .set_iops(device.iops)
            .set_throughput(device.throughput)
            .build();
        let mapping = BlockDeviceMapping::builder().device_name(&device.name);
        Some(mapping.ebs(ebs).build())
    }
}

async fn volumes(ec2: &Client, instance: &Instance) -> Result<Vec<Volume>, CallError> {
    let mappings = instance.block_device_mappings().iter();
    let ids: Vec<String> = mappings
        .filter_map(|mapping| mapping.ebs()?.volume_id().map(str::to_owned))
        .collect();
    ec2.describe_volumes()
        .set_filters(Some(describe::ids("volume-id", &ids)))
        .into_paginator()
        .items()
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await
        .map_err(|error| CallError::of("ec2:DescribeVolumes", &error))
}

/// Only an instance that was started by UEFI has variables.
async fn uefi_data(ec2: &Client, instance: &Instance) -> Result<Option<UefiData>, CallError> {
    if instance.current_instance_boot_mode != Some(InstanceBootModeValues::Uefi) {
        return Ok(None);
    }
    let asked = ec2
        .get_instance_uefi_data()
        .set_instance_id(instance.instance_id.clone())
        .send()
        .await
        .map_err(|error| CallError::of("ec2:GetInstanceUefiData", &error))?;
    let told = asked.uefi_data.filter(|data| !data.is_empty());
    Ok(told.map(UefiData))
}

/// The image that the instance was launched from, where it still shows.
async fn source_image(ec2: &Client, instance: &Instance) -> Result<Option<Image>, CallError> {
    let Some(id) = instance.image_id() else {
        return Ok(None);
    };
    let answer = ec2
        .describe_images()
        .include_deprecated(true)
        .include_disabled(true)
        .set_filters(Some(describe::ids("image-id", &[id.to_owned()])))
        .send()
        .await
        .map_err(|error| CallError::of("ec2:DescribeImages", &error))?;
    Ok(answer.images.unwrap_or_default().into_iter().next())
}

/// An instance does not tell whether its image asks for `IMDSv2`. Where that image is gone, an instance that insists on it can
/// do with it.
fn imds(instance: &Instance, source: Option<&Image>) -> Option<ImdsSupportValues> {
    if let Some(source) = source {
        return source.imds_support.clone();
    }
    let tokens = instance.metadata_options()?.http_tokens()?;
    (*tokens == HttpTokensState::Required).then_some(ImdsSupportValues::V20)
}

fn devices(instance: &Instance, volumes: &[Volume]) -> BTreeMap<VolumeId, Device> {
    let of_mapping = |mapping: &InstanceBlockDeviceMapping| {
        let ebs = mapping.ebs()?;
        let id = ebs.volume_id()?;
        let volume = volumes.iter().find(|it| it.volume_id() == Some(id))?;
        let device = Device {
            name: mapping.device_name()?.to_owned(),
            delete_on_termination: ebs.delete_on_termination,
            kind: volume.volume_type.clone(),
            iops: volume.iops.filter(|_| has_iops(volume)),
            throughput: volume.throughput.filter(|_| has_throughput(volume)),
        };
        Some((VolumeId(id.to_owned()), device))
    };
    let mappings = instance.block_device_mappings().iter();
    mappings.filter_map(of_mapping).collect()
}

/// EC2 tells the IOPS of other kinds too, but takes them for these only (API reference of `EbsBlockDevice`).
fn has_iops(volume: &Volume) -> bool {
    matches!(
        volume.volume_type,
        Some(VolumeType::Gp3 | VolumeType::Io1 | VolumeType::Io2)
    )
}

fn has_throughput(volume: &Volume) -> bool {
    volume.volume_type == Some(VolumeType::Gp3)
}
