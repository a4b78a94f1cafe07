//! An instance as EC2 sees it: what a session captures, and what a plan can know before anything is touched.

use aws_sdk_ec2::{
    Client,
    types::{AttachmentStatus, DeviceType, Instance as SdkInstance, InstanceBlockDeviceMapping},
};
use quiesce::ports::{AttachedVolume, Instance, VolumeId};
use time::OffsetDateTime;

use super::{billing, instant};
use crate::CallError;

const ACTION: &str = "ec2:DescribeInstances";

/// What EC2 tells about an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// State and attached EBS volumes.
    pub instance: Instance,
    /// False where the root is on instance store: `CreateImage` takes EBS-backed instances only.
    pub ebs_backed: bool,
    pub instance_type: String,
    /// `x86_64`, `arm64`...
    pub architecture: String,
    pub is_windows: bool,
    /// `Linux/UNIX`, `Windows`, `Red Hat Enterprise Linux`...: what the image is billed as.
    pub platform_details: String,
    /// Without one, SSM reaches the instance only by default host management.
    pub instance_profile_arn: Option<String>,
    /// The last time it was started.
    pub launched: Option<OffsetDateTime>,
}

/// The instance, or an error whose code is `InvalidInstanceID.NotFound`. A terminated one is described for an hour or so.
pub async fn describe(ec2: &Client, id: &str) -> Result<Facts, CallError> {
    find(ec2, id).await.map(facts)
}

pub(super) async fn find(ec2: &Client, id: &str) -> Result<SdkInstance, CallError> {
    let answer = ec2
        .describe_instances()
        .instance_ids(id)
        .send()
        .await
        .map_err(|error| CallError::of(ACTION, &error))?;
    answer
        .reservations
        .unwrap_or_default()
        .into_iter()
        .flat_map(|reservation| reservation.instances.unwrap_or_default())
        .find(|instance| instance.instance_id.as_deref() == Some(id))
        .ok_or_else(|| CallError {
            code: "InvalidInstanceID.NotFound".to_owned(),
            ..CallError::refused(ACTION, format!("the instance {id} does not exist"))
        })
}

fn facts(instance: SdkInstance) -> Facts {
    let (billing, lost_by_registering) =
        (billing::of_instance(&instance), billing::lost(&instance));
    let state = instance.state.and_then(|state| state.name);
    Facts {
        ebs_backed: instance.root_device_type == Some(DeviceType::Ebs),
        instance_type: instance
            .instance_type
            .map_or_else(String::new, |it| it.as_str().to_owned()),
        architecture: instance
            .architecture
            .map_or_else(String::new, |it| it.as_str().to_owned()),
        // EC2 tells a platform of Windows only.
        is_windows: instance.platform.is_some(),
        platform_details: instance.platform_details.unwrap_or_default(),
        instance_profile_arn: instance
            .iam_instance_profile
            .and_then(|profile| profile.arn),
        launched: instance.launch_time.as_ref().and_then(instant),
        instance: Instance {
            id: instance.instance_id.unwrap_or_default(),
            state: state.map_or_else(String::new, |it| it.as_str().to_owned()),
            root_device_name: instance.root_device_name.unwrap_or_default(),
            volumes: instance
                .block_device_mappings
                .unwrap_or_default()
                .into_iter()
                .filter_map(volume)
                .collect(),
            billing,
            lost_by_registering,
        },
    }
}

/// A volume that is on its way out may be missing from the image.
fn volume(mapping: InstanceBlockDeviceMapping) -> Option<AttachedVolume> {
    let ebs = mapping.ebs?;
    let leaving = matches!(
        ebs.status,
        Some(AttachmentStatus::Detaching | AttachmentStatus::Detached)
    );
    Some(AttachedVolume {
        volume_id: VolumeId(ebs.volume_id.filter(|_| !leaving)?),
        device_name: mapping.device_name?,
    })
}
