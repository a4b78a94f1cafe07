//! `moved { from = aws_ami_from_instance.x }`: hashicorp/aws's image becomes one of ours - unproven, to be replaced.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tfplug::{Diagnostic, MoveSource, Result, Value};

use super::{
    condition,
    model::{ImageModel, Snapshot},
    record,
};
use crate::tags;

const SOURCE_TYPE: &str = "aws_ami_from_instance";
/// Of whatever registry or mirror.
const SOURCE_PROVIDER: &str = "/hashicorp/aws";
/// The only one that it ever had (hashicorp/aws 5.100.0 and 6).
const SOURCE_VERSION: i64 = 0;

/// The attributes of `aws_ami_from_instance` that mean something here.
#[derive(Debug, Deserialize)]
struct AmiFromInstance {
    id: String,
    name: String,
    source_instance_id: String,
    description: Option<String>,
    deprecation_time: Option<String>,
    arn: Option<String>,
    architecture: Option<String>,
    root_device_name: Option<String>,
    owner_id: Option<String>,
    tags: Option<BTreeMap<String, String>>,
    tags_all: Option<BTreeMap<String, String>>,
    ebs_block_device: Option<Vec<EbsBlockDevice>>,
}

#[derive(Debug, Deserialize)]
struct EbsBlockDevice {
    device_name: String,
    snapshot_id: Option<String>,
    volume_size: Option<i64>,
    encrypted: Option<bool>,
}

/// The state of another provider's image as ours; an error says why it cannot be.
pub(super) fn take_over(source: MoveSource) -> Result<ImageModel> {
    check(&source)?;
    let ami: AmiFromInstance = serde_json::from_value(source.state).map_err(|error| {
        let detail = format!("The state of {SOURCE_TYPE} is not as expected: {error}.");
        Diagnostic::error("The image cannot be moved here", detail)
    })?;
    state(ami)
}

fn check(source: &MoveSource) -> Result<()> {
    let (from, version) = (&source.type_name, source.schema_version);
    let detail = if from != SOURCE_TYPE || !source.provider_address.ends_with(SOURCE_PROVIDER) {
        format!(
            "A consistent_db_image can take the place of an {SOURCE_TYPE} of hashicorp/aws, not of {from} of {}.",
            source.provider_address
        )
    } else if version != SOURCE_VERSION {
        format!(
            "The state of {SOURCE_TYPE} has schema version {version}; this provider reads version {SOURCE_VERSION}."
        )
    } else {
        return Ok(());
    };
    Err(Diagnostic::error("The image cannot be moved here", detail).into())
}

fn state(ami: AmiFromInstance) -> Result<ImageModel> {
    let text = |it: Option<String>| Value::from(it.filter(|it| !it.is_empty()));
    let mut state = record::configured(BTreeMap::new()).map_err(Diagnostic::from)?;
    state.id = ami.id.into();
    state.name = ami.name.into();
    state.source_instance_id = ami.source_instance_id.into();
    state.description = text(ami.description);
    state.deprecation_time = text(ami.deprecation_time);
    state.arn = text(ami.arn);
    state.architecture = text(ami.architecture);
    state.root_device_name = text(ami.root_device_name);
    state.owner_id = text(ami.owner_id);
    state.tags = tags::configured(ami.tags.unwrap_or_default(), &Value::Null);
    state.tags_all = tags::shown(ami.tags_all.unwrap_or_default());
    state.state = condition::UNPROVEN.into();
    let devices = ami.ebs_block_device.unwrap_or_default();
    let snapshots = devices.into_iter().filter_map(snapshot);
    state.snapshots = Value::Known(snapshots.collect::<BTreeSet<_>>());
    Ok(state)
}

fn snapshot(device: EbsBlockDevice) -> Option<Snapshot> {
    Some(Snapshot {
        device_name: device.device_name,
        volume_id: None,
        snapshot_id: device.snapshot_id.filter(|it| !it.is_empty())?,
        size_gib: device.volume_size.unwrap_or_default(),
        encrypted: device.encrypted.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source() -> MoveSource {
        MoveSource {
            provider_address: "registry.terraform.io/hashicorp/aws".to_owned(),
            type_name: SOURCE_TYPE.to_owned(),
            schema_version: 0,
            state: json!({
                "id": "ami-1", "name": "orders", "source_instance_id": "i-1", "description": "", "tags": null,
                "tags_all": {"Team": "dba"}, "architecture": "x86_64", "snapshot_without_reboot": true, "timeouts": null,
                "ebs_block_device": [
                    {"device_name": "/dev/sdf", "snapshot_id": "snap-1", "volume_size": 20, "encrypted": true, "iops": 0},
                ],
            }),
            private: Vec::new(),
            identity: None,
        }
    }

    #[test]
    fn an_image_of_hashicorp_aws_comes_in_unproven() {
        for registry in [
            "registry.terraform.io",
            "registry.opentofu.org",
            "mirror.example",
        ] {
            let mut source = source();
            source.provider_address = format!("{registry}/hashicorp/aws");
            let state = take_over(source).expect("taken over");
            assert_eq!(state.state, "unproven".into());
            assert_eq!(
                (state.id.known().map(String::as_str), state.session()),
                (Some("ami-1"), None)
            );
            assert_eq!(state.snapshot_ids(), ["snap-1"]);
            assert_eq!((state.description, state.tags), (Value::Null, Value::Null));
            assert_eq!(state.skip_destroy, Value::Known(false));
        }
    }

    #[test]
    fn anything_else_is_refused_and_named() {
        let refused = |edit: &dyn Fn(&mut MoveSource)| {
            let mut source = source();
            edit(&mut source);
            let error = take_over(source).expect_err("refused");
            error.into_iter().next().expect("one").detail
        };
        let other_type = refused(&|it| it.type_name = "aws_ami".to_owned());
        assert!(other_type.contains("not of aws_ami of registry.terraform.io/hashicorp/aws"));
        let other_provider = refused(&|it| it.provider_address = "example.com/corp/aws".to_owned());
        assert!(other_provider.contains("example.com/corp/aws"));
        let other_version = refused(&|it| it.schema_version = 7);
        assert!(other_version.contains("schema version 7"));
        let broken = refused(&|it| it.state = json!({"id": "ami-1"}));
        assert!(broken.contains("missing field `name`"), "{broken}");
    }
}
