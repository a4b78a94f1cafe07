//! What the account and the region have: regions, zones, limits, instance types.

use serde_json::json;

use super::params::Params;
use crate::cloud::{
    call::{Answer, Call},
    error::ApiError,
};

/// The only instance type: what it is does not matter to a machine made of namespaces.
pub(super) const INSTANCE_TYPE: &str = "m7i.large";

pub(super) fn regions(call: &Call<'_>, mut params: Params) -> Answer {
    let names = params.list("RegionName");
    params.flag("AllRegions")?;
    call.admit_anywhere("DescribeRegions", params)?;
    let region = &call.cloud.region;
    if let Some(unknown) = names.iter().find(|name| *name != region) {
        return Err(ApiError::invalid_value(format!(
            "Invalid region names: {unknown}"
        )));
    }
    let shown = json!({
        "regionName": region,
        "regionEndpoint": format!("ec2.{region}.amazonaws.com"),
        "optInStatus": "opt-in-not-required",
    });
    Ok(json!({"regionInfo": [shown]}))
}

pub(super) fn zones(call: &Call<'_>, params: Params) -> Answer {
    call.admit_anywhere("DescribeAvailabilityZones", params)?;
    let zone = json!({
        "zoneName": call.cloud.zone(),
        "zoneId": "lab1-az1",
        "zoneState": "available",
        "regionName": call.cloud.region,
        "zoneType": "availability-zone",
        "optInStatus": "opt-in-not-required",
        "groupName": call.cloud.region,
        "networkBorderGroup": call.cloud.region,
    });
    Ok(json!({"availabilityZoneInfo": [zone]}))
}

pub(super) fn attributes(call: &Call<'_>, mut params: Params) -> Answer {
    let names = params.list("AttributeName");
    call.admit_anywhere("DescribeAccountAttributes", params)?;
    let known = [
        ("supported-platforms", "VPC"),
        ("default-vpc", super::network::VPC),
        ("max-instances", "20"),
    ];
    let shown: Vec<_> = known
        .into_iter()
        .filter(|(name, _)| names.is_empty() || names.iter().any(|n| n == name))
        .map(|(name, value)| {
            json!({"attributeName": name, "attributeValueSet": [{"attributeValue": value}]})
        })
        .collect();
    Ok(json!({"accountAttributeSet": shown}))
}

pub(super) fn instance_types(call: &Call<'_>, mut params: Params) -> Answer {
    let types = params.list("InstanceType");
    call.admit_anywhere("DescribeInstanceTypes", params)?;
    if let Some(unknown) = types.iter().find(|t| *t != INSTANCE_TYPE) {
        return Err(ApiError::new(
            "InvalidInstanceType",
            format!("The following supplied instance types do not exist: [{unknown}]"),
        ));
    }
    let shown = json!({
        "instanceType": INSTANCE_TYPE,
        "currentGeneration": true,
        "bareMetal": false,
        "hypervisor": "nitro",
        "burstablePerformanceSupported": false,
        "dedicatedHostsSupported": true,
        "autoRecoverySupported": true,
        "hibernationSupported": false,
        "instanceStorageSupported": false,
        "processorInfo": {
            "supportedArchitectures": ["x86_64"],
            "sustainedClockSpeedInGhz": 3.2,
        },
        "vCpuInfo": {"defaultVCpus": 2, "defaultCores": 1, "defaultThreadsPerCore": 2},
        "memoryInfo": {"sizeInMiB": 8192},
        "ebsInfo": {
            "ebsOptimizedSupport": "default",
            "encryptionSupport": "supported",
            "nvmeSupport": "required",
        },
        "supportedRootDeviceTypes": ["ebs"],
        "supportedVirtualizationTypes": ["hvm"],
        "supportedUsageClasses": ["on-demand"],
        "supportedBootModes": ["legacy-bios", "uefi"],
    });
    Ok(json!({"instanceTypeSet": [shown]}))
}
