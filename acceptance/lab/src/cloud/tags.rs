//! Tags, as requests bring them and as answers show them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ec2::params::Params, error::ApiError};

pub(crate) type Tags = BTreeMap<String, String>;

/// EC2's limit of tags on one resource.
const MOST: usize = 50;

/// `tagSet`.
pub(crate) fn shown(tags: &Tags) -> Value {
    tags.iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect()
}

/// `Tag.N.Key` and `Tag.N.Value`.
pub(crate) fn read(params: &mut Params) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for mut group in params.groups("Tag") {
        let key = group.require("Key")?;
        if key.starts_with("aws:") {
            return Err(ApiError::invalid_value(
                "Tag keys starting with 'aws:' are reserved for internal use",
            ));
        }
        tags.insert(key, group.take("Value").unwrap_or_default());
        group.finish()?;
    }
    Ok(tags)
}

/// `TagSpecification.N`: tags by resource type, which must be among `types`.
pub(crate) fn specifications(
    params: &mut Params,
    types: &[&str],
) -> Result<BTreeMap<String, Tags>, ApiError> {
    let mut by_type = BTreeMap::new();
    for mut group in params.groups("TagSpecification") {
        let resource_type = group.require("ResourceType")?;
        if !types.contains(&resource_type.as_str()) {
            return Err(ApiError::invalid_value(format!(
                "'{resource_type}' is not a valid taggable resource type for this operation."
            )));
        }
        by_type.insert(resource_type, read(&mut group)?);
        group.finish()?;
    }
    Ok(by_type)
}

/// Adds or overwrites, up to EC2's limit.
pub(crate) fn merge(tags: &mut Tags, new: &Tags) -> Result<(), ApiError> {
    let added = new.keys().filter(|key| !tags.contains_key(*key)).count();
    if tags.len() + added > MOST {
        return Err(ApiError::new(
            "TagLimitExceeded",
            format!("The maximum number of Tags for a resource is {MOST}."),
        ));
    }
    tags.extend(new.clone());
    Ok(())
}
