//! An instance, an image and a state for tests, and what EC2 and SSM say of them.

use std::{collections::BTreeMap, fmt::Write as _};

use consistent_aws::ec2::tags;
use tfplug::{Cty, Model, Value};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::model::{Evidence, ImageModel, Snapshot};

pub(crate) const INSTANCE: &str = "i-0123456789abcdef0";
pub(crate) const IMAGE: &str = "ami-0123456789abcdef0";
pub(crate) const SESSION: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const NO_IMAGES: &str = "<imagesSet/>";
pub(crate) const NO_SNAPSHOTS: &str = "<snapshotSet/>";

/// A configuration with nothing but what is required.
pub(crate) fn planned() -> ImageModel {
    let mut planned =
        ImageModel::from_cty(Cty::Map(BTreeMap::new())).expect("all attributes may be null");
    planned.name = "orders".into();
    planned.source_instance_id = INSTANCE.into();
    planned
}

/// The state of an image of one volume, without tags.
pub(crate) fn state() -> ImageModel {
    let mut state = planned();
    state.id = IMAGE.into();
    state.state = "available".into();
    state.tags_all = Value::Known(BTreeMap::new());
    state.snapshots = Value::Known([snapshot()].into());
    state.evidence = Value::Known(evidence());
    state
}

fn snapshot() -> Snapshot {
    Snapshot {
        device_name: "/dev/xvda".to_owned(),
        volume_id: Some("vol-1".to_owned()),
        snapshot_id: "snap-1".to_owned(),
        size_gib: 8,
        encrypted: false,
    }
}

fn evidence() -> Evidence {
    Evidence {
        session_id: SESSION.to_owned(),
        method: Some("freeze".to_owned()),
        data_paths: Some(vec!["/data".to_owned()]),
        volumes: vec!["vol-1".to_owned()],
        frozen_at: Some("2026-11-22T16:00:00Z".to_owned()),
        released_at: Some("2026-11-22T16:00:01Z".to_owned()),
        hold_ms: Some(1000),
        attempts: Some(1),
        verified_at: None,
        checks: Some(Vec::new()),
    }
}

/// The answer to `DescribeInstances`: launched long ago.
pub(crate) fn instance(state: &str, root_device_type: &str, platform: &str) -> String {
    let launched = OffsetDateTime::UNIX_EPOCH;
    instance_launched(launched, state, root_device_type, platform)
}

/// A running instance that was launched just now.
pub(crate) fn young_instance() -> String {
    instance_launched(OffsetDateTime::now_utc(), "running", "ebs", "")
}

fn instance_launched(
    at: OffsetDateTime,
    state: &str,
    root_device_type: &str,
    platform: &str,
) -> String {
    let platform = if platform.is_empty() {
        String::new()
    } else {
        format!("<platform>{platform}</platform>")
    };
    let at = at.format(&Rfc3339).expect("a year of four digits");
    format!(
        "<reservationSet><item><instancesSet><item><instanceId>{INSTANCE}</instanceId>\
         <instanceState><code>16</code><name>{state}</name></instanceState><launchTime>{at}</launchTime>\
         <rootDeviceType>{root_device_type}</rootDeviceType>{platform}</item></instancesSet></item></reservationSet>"
    )
}

/// The answer to `DescribeInstanceInformation`: an agent that has not been heard of since long ago.
pub(crate) fn agent(ping_status: &str) -> String {
    agent_heard_of(ping_status, OffsetDateTime::UNIX_EPOCH)
}

/// One that was last heard of at this time.
pub(crate) fn agent_heard_of(ping_status: &str, at: OffsetDateTime) -> String {
    format!(
        r#"{{"InstanceInformationList": [{{"InstanceId": "{INSTANCE}", "PingStatus": "{ping_status}", "LastPingDateTime": {}}}]}}"#,
        at.unix_timestamp()
    )
}

/// The answer to `DescribeImages`.
pub(crate) fn image(state: &str, tags: &[(&str, &str)]) -> String {
    format!(
        "<imagesSet><item><imageId>{IMAGE}</imageId><name>orders</name><imageState>{state}</imageState>\
         <architecture>arm64</architecture><rootDeviceName>/dev/xvda</rootDeviceName>\
         <imageOwnerId>111122223333</imageOwnerId><creationDate>2026-11-22T16:00:02.000Z</creationDate>\
         <tagSet>{}</tagSet></item></imagesSet>",
        tag_items(tags)
    )
}

/// The tags of a proven image.
pub(crate) fn proof() -> Vec<(&'static str, &'static str)> {
    vec![(tags::STATE, tags::PROVEN), (tags::SESSION, SESSION)]
}

/// The answer to `DescribeSnapshots`: snapshots with their volumes.
pub(crate) fn snapshots(snapshots: &[(&str, &str)]) -> String {
    let items = snapshots
        .iter()
        .fold(String::new(), |mut items, (id, volume)| {
            let _ = write!(
                items,
                "<item><snapshotId>{id}</snapshotId><volumeId>{volume}</volumeId></item>"
            );
            items
        });
    format!("<snapshotSet>{items}</snapshotSet>")
}

/// The tags of an image that this provider made.
pub(crate) fn carried() -> Vec<(&'static str, &'static str)> {
    let mut found = proof();
    found.extend([
        (tags::SOURCE_INSTANCE, INSTANCE),
        (tags::ENGINE, "postgresql"),
        (tags::ENGINE_VERSION, "15.14"),
        (tags::METHOD, "freeze"),
        (tags::RECOVERY_POINT, "0/1A2B3C"),
        (tags::HOLD_MS, "877"),
        (
            tags::CONFIGURATION[0],
            r#"{"triggers":{"release":"2026.11"}}"#,
        ),
        ("Team", "dba"),
    ]);
    found
}

/// The answer to `DescribeImages`: with one snapshot.
pub(crate) fn mapped(found: &[(&str, &str)]) -> String {
    let mapping = "<blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><snapshotId>snap-1</snapshotId>\
                   <volumeSize>8</volumeSize></ebs></item></blockDeviceMapping><tagSet>";
    image("available", found).replace("<tagSet>", mapping)
}

/// The answer to `DescribeSnapshots`: that snapshot, complete.
pub(crate) fn completed() -> String {
    let snapshots = snapshots(&[("snap-1", "vol-1")]);
    snapshots.replace(
        "</item>",
        "<status>completed</status><volumeSize>8</volumeSize></item>",
    )
}

fn tag_items(tags: &[(&str, &str)]) -> String {
    tags.iter().fold(String::new(), |mut items, (key, value)| {
        let _ = write!(items, "<item><key>{key}</key><value>{value}</value></item>");
        items
    })
}
