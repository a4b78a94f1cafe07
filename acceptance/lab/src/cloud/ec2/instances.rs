//! `DescribeInstances` and `DescribeInstanceStatus`.

use serde_json::json;

use super::{
    account::INSTANCE_TYPE,
    filters::{Filterable, Filters},
    network,
    pages::Page,
    params::Params,
    shapes,
};
use crate::cloud::{
    call::{Answer, Call},
    error::ApiError,
    tags::Tags,
    world::{Instance, InstanceState, World},
};

pub(super) fn describe(call: &Call<'_>, mut params: Params) -> Answer {
    let filters = Filters::of::<Instance>(&mut params)?;
    let page = Page::of(&mut params)?;
    let ids = params.list("InstanceId");
    call.admit_anywhere("DescribeInstances", params)?;
    let world = call.cloud.world();
    let selected = select(&world, &ids, &filters)?.map(|i| shapes::reservation(call.cloud, i));
    let (reservations, token) = page.cut(selected.collect());
    Ok(json!({"reservationSet": reservations, "nextToken": token}))
}

pub(super) fn status(call: &Call<'_>, mut params: Params) -> Answer {
    let filters = Filters::of::<Instance>(&mut params)?;
    let page = Page::of(&mut params)?;
    let ids = params.list("InstanceId");
    let all = params.flag("IncludeAllInstances")?;
    call.admit_anywhere("DescribeInstanceStatus", params)?;
    let world = call.cloud.world();
    let selected = select(&world, &ids, &filters)?
        .filter(|instance| all || instance.state == InstanceState::Running)
        .map(|instance| {
            let verdict = match instance.state {
                InstanceState::Running => "ok",
                _ => "not-applicable",
            };
            json!({
                "instanceId": instance.id,
                "availabilityZone": call.cloud.zone(),
                "instanceState": shapes::state(instance.state),
                "systemStatus": {"status": verdict},
                "instanceStatus": {"status": verdict},
            })
        });
    let (statuses, token) = page.cut(selected.collect());
    Ok(json!({"instanceStatusSet": statuses, "nextToken": token}))
}

fn select<'a>(
    world: &'a World,
    ids: &'a [String],
    filters: &'a Filters,
) -> Result<impl Iterator<Item = &'a Instance>, ApiError> {
    for id in ids {
        find(world, id)?;
    }
    Ok(world.instances.values().filter(move |instance| {
        (ids.is_empty() || ids.contains(&instance.id)) && filters.keep(*instance)
    }))
}

pub(super) fn find<'a>(world: &'a World, id: &str) -> Result<&'a Instance, ApiError> {
    world.instances.get(id).ok_or_else(|| not_found(id))
}

pub(super) fn not_found(id: &str) -> ApiError {
    if id.starts_with("i-") {
        ApiError::new(
            "InvalidInstanceID.NotFound",
            format!("The instance ID '{id}' does not exist"),
        )
    } else {
        ApiError::new(
            "InvalidInstanceID.Malformed",
            format!("Invalid id: \"{id}\""),
        )
    }
}

impl Filterable for Instance {
    const FILTERS: &'static [&'static str] = &[
        "block-device-mapping.volume-id",
        "client-token",
        "image-id",
        "instance-id",
        "instance-state-code",
        "instance-state-name",
        "instance-type",
        "private-ip-address",
        "root-device-type",
        "subnet-id",
        "vpc-id",
    ];

    fn values(&self, name: &str) -> Vec<String> {
        let value = match name {
            "block-device-mapping.volume-id" => {
                return self.devices.iter().map(|d| d.volume.clone()).collect();
            }
            "client-token" => self.client_token.clone(),
            "image-id" => self.image.clone(),
            "instance-id" => self.id.clone(),
            "instance-state-code" => self.state.shown().1.to_string(),
            "instance-state-name" => self.state.shown().0.to_owned(),
            "instance-type" => INSTANCE_TYPE.to_owned(),
            "private-ip-address" => self.private_ip.clone(),
            "root-device-type" => "ebs".to_owned(),
            "subnet-id" => network::SUBNET.to_owned(),
            "vpc-id" => network::VPC.to_owned(),
            _ => return Vec::new(),
        };
        vec![value]
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }
}
