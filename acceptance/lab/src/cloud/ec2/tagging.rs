//! `CreateTags`, `DeleteTags`, `DescribeTags`.

use serde_json::{Value, json};

use super::{
    filters::{Filterable, Filters},
    pages::Page,
    params::Params,
};
use crate::cloud::{
    call::{Answer, Call},
    error::ApiError,
    iam::Access,
    tags::{self, Tags},
    world::World,
};

pub(super) fn create(call: &Call<'_>, mut params: Params) -> Answer {
    let ids = resources(&mut params)?;
    let new = tags::read(&mut params)?;
    if new.is_empty() {
        return Err(missing("Tag"));
    }
    let accesses = accesses(call, "ec2:CreateTags", &ids)?;
    let accesses: Vec<Access> = accesses.into_iter().map(|a| a.requesting(&new)).collect();
    call.admit(params, &accesses)?;
    let mut world = call.cloud.world();
    for id in &ids {
        if let Some(tags) = world.tags_of(id) {
            tags::merge(tags, &new)?;
        }
    }
    Ok(json!({"return": true}))
}

pub(super) fn delete(call: &Call<'_>, mut params: Params) -> Answer {
    let ids = resources(&mut params)?;
    let doomed = Doomed::read(&mut params)?;
    let accesses = accesses(call, "ec2:DeleteTags", &ids)?;
    let accesses: Vec<Access> = accesses
        .into_iter()
        .map(|access| access.tag_keys(doomed.iter().map(|d| &d.key)))
        .collect();
    call.admit(params, &accesses)?;
    let mut world = call.cloud.world();
    for id in &ids {
        if let Some(tags) = world.tags_of(id) {
            // "If you omit this parameter, we delete all user-defined tags" (API reference of DeleteTags).
            tags.retain(|key, value| {
                !doomed.is_empty() && !doomed.iter().any(|d| d.strikes(key, value))
            });
        }
    }
    Ok(json!({"return": true}))
}

/// A tag to delete: whatever its value, unless one is given.
struct Doomed {
    key: String,
    value: Option<String>,
}

impl Doomed {
    fn read(params: &mut Params) -> Result<Vec<Self>, ApiError> {
        let groups = params.groups("Tag").into_iter();
        groups
            .map(|mut group| {
                let doomed = Self {
                    key: group.require("Key")?,
                    value: group.take("Value"),
                };
                group.finish()?;
                Ok(doomed)
            })
            .collect()
    }

    fn strikes(&self, key: &str, value: &str) -> bool {
        self.key == key && self.value.as_deref().is_none_or(|v| v == value)
    }
}

fn resources(params: &mut Params) -> Result<Vec<String>, ApiError> {
    let ids = params.list("ResourceId");
    if ids.is_empty() {
        return Err(missing("ResourceId"));
    }
    Ok(ids)
}

fn missing(what: &str) -> ApiError {
    ApiError::new(
        "MissingParameter",
        format!("The request must contain the parameter {what}"),
    )
}

fn accesses(call: &Call<'_>, action: &str, ids: &[String]) -> Result<Vec<Access>, ApiError> {
    let mut world = call.cloud.world();
    ids.iter()
        .map(|id| {
            let tags = world.tags_of(id).ok_or_else(|| not_found(id))?;
            Ok(Access::new(action, call.cloud.arn(kind(id), id)).carrying(tags))
        })
        .collect()
}

fn not_found(id: &str) -> ApiError {
    match kind(id) {
        "image" => super::images::not_found(id),
        "snapshot" => super::snapshots::not_found(id),
        "volume" => super::volumes::not_found(id),
        "instance" => super::instances::not_found(id),
        _ => ApiError::new("InvalidID", format!("The ID '{id}' is not valid")),
    }
}

/// The resource type as ARNs and `DescribeTags` call it.
fn kind(id: &str) -> &'static str {
    match id.split_once('-').map(|(prefix, _)| prefix) {
        Some("ami") => "image",
        Some("snap") => "snapshot",
        Some("vol") => "volume",
        Some("i") => "instance",
        _ => "",
    }
}

pub(super) fn describe(call: &Call<'_>, mut params: Params) -> Answer {
    let filters = Filters::of::<Attached>(&mut params)?;
    let page = Page::of(&mut params)?;
    call.admit_anywhere("DescribeTags", params)?;
    let all = Attached::all(&call.cloud.world());
    let shown = all.iter().filter(|tag| filters.keep(*tag)).map(|tag| {
        json!({
            "resourceId": tag.resource,
            "resourceType": kind(&tag.resource),
            "key": tag.key,
            "value": tag.value,
        })
    });
    let (tags, token): (Vec<Value>, _) = page.cut(shown.collect());
    Ok(json!({"tagSet": tags, "nextToken": token}))
}

/// A tag together with what carries it.
struct Attached {
    resource: String,
    key: String,
    value: String,
    own: Tags,
}

impl Attached {
    fn all(world: &World) -> Vec<Self> {
        let instances = world.instances.values().map(|i| (&i.id, &i.tags));
        let volumes = world.volumes.values().map(|v| (&v.id, &v.tags));
        let snapshots = world.snapshots.values().map(|s| (&s.id, &s.tags));
        let images = world.images.values().map(|i| (&i.id, &i.tags));
        let carriers = instances.chain(volumes).chain(snapshots).chain(images);
        carriers
            .flat_map(|(id, tags)| tags.iter().map(move |(key, value)| (id, key, value)))
            .map(|(id, key, value)| Self {
                resource: id.clone(),
                key: key.clone(),
                value: value.clone(),
                own: [(key.clone(), value.clone())].into(),
            })
            .collect()
    }
}

impl Filterable for Attached {
    const FILTERS: &'static [&'static str] = &["key", "resource-id", "resource-type", "value"];

    fn values(&self, name: &str) -> Vec<String> {
        match name {
            "key" => vec![self.key.clone()],
            "resource-id" => vec![self.resource.clone()],
            "resource-type" => vec![kind(&self.resource).to_owned()],
            "value" => vec![self.value.clone()],
            _ => Vec::new(),
        }
    }

    fn tags(&self) -> &Tags {
        &self.own
    }
}
