//! The one network that every instance stands in. Nothing here carries packets: clients want to see it.

use serde_json::{Value, json};

use super::params::Params;
use crate::cloud::{
    call::{Answer, Call},
    clock::iso,
    error::ApiError,
    iam::ACCOUNT,
    world::Instance,
};

pub(super) const VPC: &str = "vpc-01ab00000000000a1";
pub(super) const SUBNET: &str = "subnet-01ab00000000000b2";
const SECURITY_GROUP: &str = "sg-01ab00000000000c3";

pub(super) fn vpcs(call: &Call<'_>, mut params: Params) -> Answer {
    let ids = params.list("VpcId");
    call.admit_anywhere("DescribeVpcs", params)?;
    only(&ids, VPC, "InvalidVpcID.NotFound")?;
    let vpc = json!({
        "vpcId": VPC,
        "ownerId": ACCOUNT,
        "state": "available",
        "cidrBlock": "172.31.0.0/16",
        "dhcpOptionsId": "default",
        "instanceTenancy": "default",
        "isDefault": true,
    });
    Ok(json!({"vpcSet": [vpc]}))
}

pub(super) fn subnets(call: &Call<'_>, mut params: Params) -> Answer {
    let ids = params.list("SubnetId");
    call.admit_anywhere("DescribeSubnets", params)?;
    only(&ids, SUBNET, "InvalidSubnetID.NotFound")?;
    let subnet = json!({
        "subnetId": SUBNET,
        "subnetArn": call.cloud.arn("subnet", SUBNET),
        "state": "available",
        "ownerId": ACCOUNT,
        "vpcId": VPC,
        "cidrBlock": "172.31.0.0/20",
        "availableIpAddressCount": 4091,
        "availabilityZone": call.cloud.zone(),
        "defaultForAz": true,
        "mapPublicIpOnLaunch": false,
    });
    Ok(json!({"subnetSet": [subnet]}))
}

pub(super) fn security_groups(call: &Call<'_>, mut params: Params) -> Answer {
    let ids = params.list("GroupId");
    call.admit_anywhere("DescribeSecurityGroups", params)?;
    only(&ids, SECURITY_GROUP, "InvalidGroup.NotFound")?;
    let group = json!({
        "groupId": SECURITY_GROUP,
        "groupName": "default",
        "groupDescription": "default VPC security group",
        "ownerId": ACCOUNT,
        "vpcId": VPC,
        "ipPermissions": [],
        "ipPermissionsEgress": [],
    });
    Ok(json!({"securityGroupInfo": [group]}))
}

/// Refuses an id that is not the only one there is.
fn only(ids: &[String], id: &str, code: &'static str) -> Result<(), ApiError> {
    let unknown = ids.iter().find(|wanted| *wanted != id);
    unknown.map_or(Ok(()), |unknown| {
        Err(ApiError::new(
            code,
            format!("The ID '{unknown}' does not exist"),
        ))
    })
}

/// Refuses a subnet or a security group that does not exist.
pub(super) fn check(subnet: Option<&String>, groups: &[String]) -> Result<(), ApiError> {
    only(
        subnet.map_or(&[], std::slice::from_ref),
        SUBNET,
        "InvalidSubnetID.NotFound",
    )?;
    only(groups, SECURITY_GROUP, "InvalidGroup.NotFound")
}

pub(super) fn group_identifier() -> Value {
    json!({"groupId": SECURITY_GROUP, "groupName": "default"})
}

/// An instance's primary network interface.
pub(super) fn interface(instance: &Instance) -> Value {
    json!({
        "networkInterfaceId": instance.id.replacen("i-", "eni-", 1),
        "subnetId": SUBNET,
        "vpcId": VPC,
        "description": "",
        "ownerId": ACCOUNT,
        "status": "in-use",
        "macAddress": "02:00:00:00:00:01",
        "privateIpAddress": instance.private_ip,
        "sourceDestCheck": instance.source_dest_check,
        "interfaceType": "interface",
        "groupSet": [group_identifier()],
        "attachment": {
            "attachmentId": instance.id.replacen("i-", "eni-attach-", 1),
            "deviceIndex": 0,
            "networkCardIndex": 0,
            "status": "attached",
            "attachTime": iso(instance.launched),
            "deleteOnTermination": true,
        },
        "privateIpAddressesSet": [
            {"privateIpAddress": instance.private_ip, "primary": true},
        ],
    })
}
