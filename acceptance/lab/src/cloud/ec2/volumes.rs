//! `DescribeVolumes`.

use serde_json::json;

use super::{
    filters::{Filterable, Filters},
    pages::Page,
    params::Params,
    shapes,
};
use crate::cloud::{
    call::{Answer, Call},
    error::ApiError,
    tags::Tags,
    world::{Instance, InstanceState, Volume, World},
};

pub(super) fn describe(call: &Call<'_>, mut params: Params) -> Answer {
    let filters = Filters::of::<Use<'_>>(&mut params)?;
    let page = Page::of(&mut params)?;
    let ids = params.list("VolumeId");
    call.admit_anywhere("DescribeVolumes", params)?;
    let world = call.cloud.world();
    if let Some(missing) = ids.iter().find(|id| !world.volumes.contains_key(*id)) {
        return Err(not_found(missing));
    }
    let selected = world
        .volumes
        .values()
        .filter(|volume| ids.is_empty() || ids.contains(&volume.id))
        .map(|volume| Use {
            volume,
            by: user(&world, &volume.id),
        })
        .filter(|used| filters.keep(used))
        .map(|used| shapes::volume(call.cloud, used.volume, used.by));
    let (volumes, token) = page.cut(selected.collect());
    Ok(json!({"volumeSet": volumes, "nextToken": token}))
}

/// The instance to which a volume is attached.
fn user<'a>(world: &'a World, volume: &str) -> Option<&'a Instance> {
    world.instances.values().find(|instance| {
        instance.state != InstanceState::Terminated
            && instance.devices.iter().any(|d| d.volume == volume)
    })
}

pub(super) fn not_found(id: &str) -> ApiError {
    ApiError::new(
        "InvalidVolume.NotFound",
        format!("The volume '{id}' does not exist."),
    )
}

/// A volume and who uses it.
struct Use<'a> {
    volume: &'a Volume,
    by: Option<&'a Instance>,
}

impl Filterable for Use<'_> {
    const FILTERS: &'static [&'static str] = &[
        "attachment.device",
        "attachment.instance-id",
        "attachment.status",
        "size",
        "snapshot-id",
        "status",
        "volume-id",
        "volume-type",
    ];

    fn values(&self, name: &str) -> Vec<String> {
        let device = self
            .by
            .and_then(|i| i.devices.iter().find(|d| d.volume == self.volume.id));
        match name {
            "attachment.device" => device.map(|d| d.name.clone()).into_iter().collect(),
            "attachment.instance-id" => self.by.map(|i| i.id.clone()).into_iter().collect(),
            "attachment.status" => device.map(|_| "attached".to_owned()).into_iter().collect(),
            "size" => vec![self.volume.size_gib.to_string()],
            "snapshot-id" => self.volume.snapshot.clone().into_iter().collect(),
            "status" if device.is_some() => vec!["in-use".to_owned()],
            "status" => vec!["available".to_owned()],
            "volume-id" => vec![self.volume.id.clone()],
            "volume-type" => vec!["gp3".to_owned()],
            _ => Vec::new(),
        }
    }

    fn tags(&self) -> &Tags {
        &self.volume.tags
    }
}
