//! The imager's side of the wire. What EC2 answers stands in the script; what may follow from it is asserted.

mod capture;
mod remains;
mod removal;
mod seal;
mod settings;
mod snapshots;

use std::{collections::BTreeSet, fmt::Write};

use quiesce::ports::{
    ImageState, ObservedImage, ObservedSnapshot, Retry, SnapshotId, SnapshotState, VolumeId,
};

use super::*;
use crate::replay::{Answer, Replay};

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn request(session: &SessionId) -> CaptureRequest {
    CaptureRequest {
        session: session.clone(),
        call: CaptureCall::CreateImage,
        name: "orders".to_owned(),
        description: "of the orders".to_owned(),
        volumes: vec![VolumeId("vol-1".to_owned())],
        tags: pairs(&[("Name", "orders"), ("team", "db")]),
        snapshot_tags: pairs(&[("backup", "no")]),
        expires: OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000),
    }
}

fn tag_set(tags: &BTreeMap<String, String>) -> String {
    tags.iter().fold(String::new(), |mut xml, (key, value)| {
        write!(xml, "<item><key>{key}</key><value>{value}</value></item>").unwrap();
        xml
    })
}

/// An image with one mapping for each snapshot.
fn image_xml(id: &str, state: &str, snapshots: &[&str], tags: &BTreeMap<String, String>) -> String {
    let mappings: String = snapshots.iter().fold(String::new(), |mut xml, snapshot| {
        let ebs =
            format!("<ebs><snapshotId>{snapshot}</snapshotId><volumeSize>8</volumeSize></ebs>");
        write!(xml, "<item><deviceName>/dev/xvda</deviceName>{ebs}</item>").unwrap();
        xml
    });
    format!(
        "<item><imageId>{id}</imageId><imageState>{state}</imageState><blockDeviceMapping>{mappings}\
         </blockDeviceMapping><tagSet>{}</tagSet></item>",
        tag_set(tags)
    )
}

fn images(items: &[String]) -> String {
    format!(
        "<DescribeImagesResponse><imagesSet>{}</imagesSet></DescribeImagesResponse>",
        items.concat()
    )
}

fn snapshot_xml(id: &str, volume: &str, state: &str, tags: &BTreeMap<String, String>) -> String {
    format!(
        "<item><snapshotId>{id}</snapshotId><volumeId>{volume}</volumeId><status>{state}</status>\
         <startTime>2026-11-22T16:00:00.500Z</startTime><volumeSize>8</volumeSize><encrypted>true</encrypted>\
         <tagSet>{}</tagSet></item>",
        tag_set(tags)
    )
}

fn snapshots(items: &[String]) -> String {
    page(items, "")
}

fn page(items: &[String], next: &str) -> String {
    let next = if next.is_empty() {
        String::new()
    } else {
        format!("<nextToken>{next}</nextToken>")
    };
    format!(
        "<DescribeSnapshotsResponse><snapshotSet>{}</snapshotSet>{next}</DescribeSnapshotsResponse>",
        items.concat()
    )
}

fn done(action: &str) -> String {
    format!("<{action}Response><return>true</return></{action}Response>")
}

fn imager(replay: &Replay) -> Ec2Imager {
    Ec2Imager::new(&replay.ec2(), "i-1")
}

const CREATED: &str = "<CreateImageResponse><imageId>ami-1</imageId></CreateImageResponse>";

#[tokio::test]
async fn an_instance_lists_the_volumes_that_stay_attached() {
    let volume = |name: &str, id: &str, status: &str| {
        format!(
            "<item><deviceName>{name}</deviceName><ebs><volumeId>{id}</volumeId><status>{status}</status></ebs></item>"
        )
    };
    let volumes = [
        volume("/dev/xvda", "vol-1", "attached"),
        volume("/dev/sdf", "vol-2", "detaching"),
    ]
    .concat();
    let body = format!(
        "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>\
         <instanceState><name>running</name></instanceState><rootDeviceName>/dev/xvda</rootDeviceName>\
         <rootDeviceType>ebs</rootDeviceType><architecture>arm64</architecture><blockDeviceMapping>{volumes}\
         </blockDeviceMapping></item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
    );
    let replay = Replay::default().ok("DescribeInstances", body);
    let facts = instances::describe(&replay.ec2(), "i-1").await.unwrap();
    assert_eq!(
        (
            facts.instance.state.as_str(),
            facts.ebs_backed,
            facts.architecture.as_str()
        ),
        ("running", true, "arm64")
    );
    let ids: Vec<_> = facts
        .instance
        .volumes
        .iter()
        .map(|it| it.volume_id.0.as_str())
        .collect();
    assert_eq!(ids, ["vol-1"]);

    let replay = Replay::default().ec2_error(
        "DescribeInstances",
        400,
        "InvalidInstanceID.NotFound",
        "The instance ID 'i-1' does not exist",
    );
    let error = imager(&replay).instance().await.unwrap_err();
    assert!(
        error.message.contains("Check `source_instance_id`"),
        "{error}"
    );
}
