//! The records as EC2 shows them: member names are those of the API's XML.

use serde_json::{Value, json};

use super::{account::INSTANCE_TYPE, network};
use crate::cloud::{
    Cloud,
    clock::iso,
    iam::ACCOUNT,
    tags,
    traits::Traits,
    world::{Image, ImageState, Instance, InstanceState, Snapshot, SnapshotState, Volume},
};

pub(super) fn image(image: &Image) -> Value {
    let failure = (image.state == ImageState::Failed)
        .then(|| json!({"code": "Server.InternalError", "message": image.reason}));
    let mut shown = json!({
        "imageId": image.id,
        "imageLocation": format!("{ACCOUNT}/{}", image.name),
        "imageState": image.state.shown(),
        "imageOwnerId": ACCOUNT,
        "creationDate": iso(image.created),
        "isPublic": image.launch_permissions.iter().any(|who| who == "all"),
        "imageType": "machine",
        "name": image.name,
        "description": image.description,
        "rootDeviceType": "ebs",
        "rootDeviceName": image.root_device,
        "blockDeviceMapping": mappings(image),
        "hypervisor": "xen",
        "imdsSupport": image.traits.imds,
        "sourceInstanceId": image.source_instance,
        "deprecationTime": image.deprecated_at.map(iso),
        "deregistrationProtection": image.protection.shown(),
        "stateReason": failure,
        "tagSet": tags::shown(&image.tags),
    });
    merge(&mut shown, image.traits.shown());
    shown
}

fn mappings(image: &Image) -> Value {
    image
        .devices
        .iter()
        .map(|device| {
            json!({
                "deviceName": device.name,
                "ebs": {
                    "snapshotId": device.snapshot,
                    "volumeSize": device.size_gib,
                    "deleteOnTermination": device.delete_on_termination,
                    "volumeType": device.kind.name,
                    "iops": device.kind.iops,
                    "throughput": device.kind.throughput,
                    "encrypted": false,
                },
            })
        })
        .collect()
}

pub(super) fn snapshot(snapshot: &Snapshot) -> Value {
    let message = (!snapshot.message.is_empty()).then_some(&snapshot.message);
    json!({
        "snapshotId": snapshot.id,
        "volumeId": snapshot.volume,
        "status": snapshot.state.shown(),
        "statusMessage": message,
        "startTime": iso(snapshot.started),
        "progress": progress(snapshot.state),
        "ownerId": ACCOUNT,
        "volumeSize": snapshot.size_gib,
        "description": snapshot.description,
        "encrypted": false,
        "storageTier": "standard",
        "tagSet": tags::shown(&snapshot.tags),
    })
}

/// The `SnapshotInfo` of `CreateSnapshots`: the same under another name for the state.
pub(super) fn snapshot_info(record: &Snapshot) -> Value {
    let mut shown = snapshot(record);
    if let Some(fields) = shown.as_object_mut() {
        let state = fields.remove("status").unwrap_or_default();
        fields.insert("state".to_owned(), state);
        fields.remove("statusMessage");
        fields.remove("storageTier");
    }
    shown
}

fn progress(state: SnapshotState) -> Option<&'static str> {
    match state {
        SnapshotState::Pending => Some("0%"),
        SnapshotState::Completed => Some("100%"),
        SnapshotState::Error => None,
    }
}

pub(super) fn volume(cloud: &Cloud, volume: &Volume, used_by: Option<&Instance>) -> Value {
    let attachments: Vec<Value> = used_by
        .into_iter()
        .flat_map(|instance| instance.devices.iter().map(move |d| (instance, d)))
        .filter(|(_, device)| device.volume == volume.id)
        .map(|(instance, device)| {
            json!({
                "volumeId": volume.id,
                "instanceId": instance.id,
                "device": device.name,
                "status": "attached",
                "attachTime": iso(device.attached),
                "deleteOnTermination": device.delete_on_termination,
            })
        })
        .collect();
    json!({
        "volumeId": volume.id,
        "size": volume.size_gib,
        "snapshotId": volume.snapshot,
        "availabilityZone": cloud.zone(),
        "status": if attachments.is_empty() { "available" } else { "in-use" },
        "createTime": iso(volume.created),
        "volumeType": volume.kind.name,
        "iops": volume.kind.iops.unwrap_or(100),
        "throughput": volume.kind.throughput,
        "encrypted": false,
        "multiAttachEnabled": false,
        "attachmentSet": attachments,
        "tagSet": tags::shown(&volume.tags),
    })
}

pub(super) fn state(state: InstanceState) -> Value {
    let (name, code) = state.shown();
    json!({"code": code, "name": name})
}

/// One reservation per instance, as `RunInstances` with a count of one makes it.
pub(super) fn reservation(cloud: &Cloud, record: &Instance) -> Value {
    json!({
        "reservationId": record.id.replacen("i-", "r-", 1),
        "ownerId": ACCOUNT,
        "groupSet": [],
        "instancesSet": [instance(cloud, record)],
    })
}

fn instance(cloud: &Cloud, record: &Instance) -> Value {
    let mut shown = json!({
        "instanceId": record.id,
        "imageId": record.image,
        "instanceState": state(record.state),
        "privateDnsName": "",
        "dnsName": "",
        "reason": record.reason,
        "amiLaunchIndex": 0,
        "instanceType": INSTANCE_TYPE,
        "launchTime": iso(record.launched),
        "placement": {"availabilityZone": cloud.zone(), "groupName": "", "tenancy": "default"},
        "monitoring": {"state": "disabled"},
        "keyName": record.key_name,
        "rootDeviceType": "ebs",
        "rootDeviceName": record.root_device,
        "hypervisor": "xen",
        "clientToken": record.client_token,
        "ebsOptimized": true,
        "currentInstanceBootMode": "uefi",
        "usageOperationUpdateTime": iso(record.launched),
        "cpuOptions": {"coreCount": 1, "threadsPerCore": 2},
        "capacityReservationSpecification": {"capacityReservationPreference": "open"},
        "hibernationOptions": {"configured": false},
        "enclaveOptions": {"enabled": false},
        "maintenanceOptions": {"autoRecovery": "default"},
        "metadataOptions": metadata_options(record),
        "tagSet": tags::shown(&record.tags),
    });
    merge(&mut shown, billed(cloud, record).shown());
    if record.state != InstanceState::Terminated {
        merge(&mut shown, attached(record));
    }
    shown
}

fn billed(cloud: &Cloud, record: &Instance) -> Traits {
    let mut traits = record.traits.clone();
    if let Some(billing) = cloud.settings().instances.billing {
        traits.billing = billing;
    }
    traits
}

/// What a terminated instance no longer has.
fn attached(record: &Instance) -> Value {
    let devices: Vec<Value> = record
        .devices
        .iter()
        .map(|device| {
            json!({
                "deviceName": device.name,
                "ebs": {
                    "volumeId": device.volume,
                    "status": "attached",
                    "attachTime": iso(device.attached),
                    "deleteOnTermination": device.delete_on_termination,
                },
            })
        })
        .collect();
    let profile = record.profile.as_ref().map(|name| {
        json!({
            "arn": format!("arn:aws:iam::{ACCOUNT}:instance-profile/{name}"),
            "id": "AIPALABINSTANCEPROFIL",
        })
    });
    json!({
        "subnetId": network::SUBNET,
        "vpcId": network::VPC,
        "privateIpAddress": record.private_ip,
        "sourceDestCheck": record.source_dest_check,
        "groupSet": [network::group_identifier()],
        "iamInstanceProfile": profile,
        "blockDeviceMapping": devices,
        "networkInterfaceSet": [network::interface(record)],
    })
}

fn metadata_options(record: &Instance) -> Value {
    let option = |name: &str, default: &str| -> String {
        record
            .metadata
            .get(name)
            .map_or(default, String::as_str)
            .to_owned()
    };
    json!({
        "state": "applied",
        "httpTokens": option("HttpTokens", "required"),
        "httpPutResponseHopLimit": option("HttpPutResponseHopLimit", "2"),
        "httpEndpoint": option("HttpEndpoint", "enabled"),
        "httpProtocolIpv6": option("HttpProtocolIpv6", "disabled"),
        "instanceMetadataTags": option("InstanceMetadataTags", "disabled"),
    })
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}
