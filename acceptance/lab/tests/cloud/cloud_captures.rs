//! When volumes are captured, and what can be seen of it when.

use std::{collections::BTreeMap, time::Duration};

use lab::{
    cloud::{ApiError, Lab, iam::User, journal::Event, settings::Stagger},
    host::Monotonic,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::support::two_volumes;

pub(crate) struct Source {
    pub(crate) lab: Lab,
    pub(crate) instance: String,
    _dir: TempDir,
}

impl Source {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (lab, instance) = two_volumes(dir.path()).await;
        let source = Self {
            lab,
            instance,
            _dir: dir,
        };
        source.until(|state| state == "running").await;
        source
    }

    pub(crate) async fn call(&self, action: &str, input: Value) -> Result<Value, ApiError> {
        let action = format!("ec2:{action}");
        self.lab.call(User::Operator, &action, input).await
    }

    /// An image without reboot, tagged `session` with its snapshots.
    pub(crate) async fn image(&self, name: &str) -> Result<String, ApiError> {
        let input = json!({
            "InstanceId": self.instance,
            "Name": name,
            "NoReboot": "true",
            "TagSpecification.1.ResourceType": "image",
            "TagSpecification.1.Tag.1.Key": "session",
            "TagSpecification.1.Tag.1.Value": name,
            "TagSpecification.2.ResourceType": "snapshot",
            "TagSpecification.2.Tag.1.Key": "session",
            "TagSpecification.2.Tag.1.Value": name,
        });
        let answer = self.call("CreateImage", input).await?;
        Ok(answer["imageId"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn described(&self, image: &str) -> Result<Value, ApiError> {
        let answer = self
            .call("DescribeImages", json!({"ImageId.1": image}))
            .await?;
        Ok(answer["imagesSet"][0].clone())
    }

    /// The image once its state is this one.
    pub(crate) async fn image_in(&self, image: &str, state: &str) -> Value {
        let begun = Instant::now();
        loop {
            let shown = self.described(image).await;
            if let Ok(shown) = &shown
                && shown["imageState"] == state
            {
                return shown.clone();
            }
            assert!(begun.elapsed().as_secs() < 10, "{shown:?} is not {state}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// The snapshots of an image, found by their tag: volume -> state.
    pub(crate) async fn snapshots(&self, session: &str) -> BTreeMap<String, String> {
        let input = json!({"Filter.1.Name": "tag:session", "Filter.1.Value.1": session});
        let answer = self.call("DescribeSnapshots", input).await.unwrap();
        let snapshots = answer["snapshotSet"].as_array().unwrap().iter();
        snapshots
            .map(|s| {
                let text = |member: &str| s[member].as_str().unwrap().to_owned();
                (text("volumeId"), text("status"))
            })
            .collect()
    }

    async fn until(&self, wanted: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        loop {
            let input = json!({"InstanceId.1": self.instance});
            let answer = self.call("DescribeInstances", input).await.unwrap();
            let instance = &answer["reservationSet"][0]["instancesSet"][0];
            if wanted(instance["instanceState"]["name"].as_str().unwrap()) {
                return;
            }
            assert!(begun.elapsed().as_secs() < 10, "{instance}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// When each snapshot was really taken, as the journal has it, in that order.
    pub(crate) fn instants(&self) -> Vec<Monotonic> {
        let entries = self.lab.journal().entries().unwrap();
        let taken = entries.into_iter().filter_map(|entry| match entry.event {
            Event::Snapshot { taken_at, .. } => Some(taken_at),
            _ => None,
        });
        taken.collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_image_takes_its_volumes_at_different_instants() {
    let source = Source::start().await;
    source.lab.configure(|settings| {
        settings.capture.stagger = Stagger::Fixed { ms: vec![100, 600] };
    });
    let image = source.image("staggered").await.unwrap();
    assert_eq!(
        source.described(&image).await.unwrap()["imageState"],
        "pending"
    );
    assert!(
        source.snapshots("staggered").await.is_empty(),
        "nothing is taken yet"
    );
    while source.snapshots("staggered").await.is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    let first = source.snapshots("staggered").await;
    assert_eq!(first.values().collect::<Vec<_>>(), ["pending"]);
    let shown = source.image_in(&image, "available").await;
    assert_eq!(shown["blockDeviceMapping"].as_array().unwrap().len(), 2);
    let both = source.snapshots("staggered").await;
    assert_eq!(
        both.values().collect::<Vec<_>>(),
        ["completed", "completed"]
    );
    let instants = source.instants();
    let apart = instants[1] - instants[0];
    assert!((450..650).contains(&apart.as_millis()), "{apart:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn create_snapshots_takes_them_at_one_instant() {
    let source = Source::start().await;
    let input = json!({"InstanceSpecification.InstanceId": source.instance});
    let answer = source.call("CreateSnapshots", input).await.unwrap();
    let snapshots = answer["snapshotSet"].as_array().unwrap();
    assert_eq!(snapshots.len(), 2);
    assert_eq!(snapshots[0]["startTime"], snapshots[1]["startTime"]);
    assert_eq!(source.instants().len(), 2, "taken before the answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_registered_is_like_nothing_but_what_was_told() {
    let source = Source::start().await;
    let input = json!({"InstanceSpecification.InstanceId": source.instance});
    let answer = source.call("CreateSnapshots", input).await.unwrap();
    let snapshot = answer["snapshotSet"][0]["snapshotId"].clone();
    let mut told = json!({
        "Name": "bare",
        "RootDeviceName": "/dev/xvda",
        "BlockDeviceMapping.1.DeviceName": "/dev/xvda",
        "BlockDeviceMapping.1.Ebs.SnapshotId": snapshot,
    });
    let early = source
        .call("RegisterImage", told.clone())
        .await
        .unwrap_err();
    assert_eq!(early.code, "InvalidParameterValue", "not completed yet");
    source
        .lab
        .configure(|settings| settings.capture.completes_after_ms = 0);
    sleep(Duration::from_millis(1_600)).await;
    let bare = source.call("RegisterImage", told.clone()).await.unwrap();
    let shown = source.described(bare["imageId"].as_str().unwrap()).await;
    let shown = shown.unwrap();
    assert_eq!(shown["architecture"], "i386");
    assert_eq!(shown["bootMode"], Value::Null);
    let input = json!({"ImageId": bare["imageId"], "MinCount": "1", "MaxCount": "1"});
    let unfit = source.call("RunInstances", input).await.unwrap_err();
    assert_eq!(unfit.code, "InvalidParameterCombination");
    told["TpmSupport"] = "v2.0".into();
    let without_uefi = source.call("RegisterImage", told).await.unwrap_err();
    assert_eq!(without_uefi.code, "InvalidParameterValue");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_cannot_be_seen_at_first() {
    let source = Source::start().await;
    source
        .lab
        .configure(|settings| settings.capture.visible_after_ms = 500);
    let image = source.image("eventual").await.unwrap();
    let error = source.described(&image).await.unwrap_err();
    assert_eq!(error.code, "InvalidAMIID.NotFound");
    let duplicate = source.image("eventual").await.unwrap_err();
    assert_eq!(duplicate.code, "InvalidAMIName.Duplicate");
    source.image_in(&image, "available").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_can_be_asked_too_often() {
    let source = Source::start().await;
    source
        .lab
        .configure(|settings| settings.capture.snapshot_gap_ms = 400);
    source.image("first").await.unwrap();
    let error = source.image("second").await.unwrap_err();
    assert_eq!(error.code, "SnapshotCreationPerVolumeRateExceeded");
    sleep(Duration::from_millis(450)).await;
    source.image("second").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deregistered_image_takes_no_more_snapshots() {
    let source = Source::start().await;
    source.lab.configure(|settings| {
        settings.capture.stagger = Stagger::Fixed { ms: vec![0, 500] };
    });
    let image = source.image("withdrawn").await.unwrap();
    while source.instants().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    source
        .call("DeregisterImage", json!({"ImageId": image}))
        .await
        .unwrap();
    sleep(Duration::from_millis(700)).await;
    assert_eq!(source.snapshots("withdrawn").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_with_reboot_is_taken_while_the_machine_is_off() {
    let source = Source::start().await;
    let input = json!({"InstanceId": source.instance, "Name": "rebooted"});
    let answer = source.call("CreateImage", input).await.unwrap();
    source
        .image_in(answer["imageId"].as_str().unwrap(), "available")
        .await;
    source.until(|state| state == "running").await;
}
