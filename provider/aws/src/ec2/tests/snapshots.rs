//! Capturing all volumes at one instant, and registering the image of their snapshots.

use super::*;

const RUNNING: &str = "<instanceId>i-1</instanceId><imageId>ami-0</imageId><rootDeviceName>/dev/xvda</rootDeviceName>\
    <architecture>arm64</architecture><virtualizationType>hvm</virtualizationType><bootMode>uefi-preferred</bootMode>\
    <currentInstanceBootMode>uefi</currentInstanceBootMode><tpmSupport>v2.0</tpmSupport><enaSupport>true</enaSupport>\
    <sriovNetSupport>simple</sriovNetSupport><metadataOptions><httpTokens>required</httpTokens></metadataOptions>";

/// An instance with a root volume and one of each kind that EC2 tells apart.
fn instance() -> String {
    let volumes = ["/dev/xvda", "/dev/sdf", "/dev/sdg"].iter().enumerate();
    let mappings = volumes.fold(String::new(), |mut xml, (index, name)| {
        let ebs = format!(
            "<ebs><volumeId>vol-{}</volumeId><status>attached</status><deleteOnTermination>{}</deleteOnTermination></ebs>",
            index + 1,
            index == 0
        );
        write!(xml, "<item><deviceName>{name}</deviceName>{ebs}</item>").unwrap();
        xml
    });
    format!(
        "<DescribeInstancesResponse><reservationSet><item><instancesSet><item>{RUNNING}<blockDeviceMapping>{mappings}\
         </blockDeviceMapping></item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
    )
}

const VOLUMES: &str = "<DescribeVolumesResponse><volumeSet>\
    <item><volumeId>vol-1</volumeId><volumeType>gp2</volumeType><iops>100</iops></item>\
    <item><volumeId>vol-2</volumeId><volumeType>gp3</volumeType><iops>4000</iops><throughput>250</throughput></item>\
    <item><volumeId>vol-3</volumeId><volumeType>io2</volumeType><iops>9000</iops></item>\
    </volumeSet></DescribeVolumesResponse>";

const UEFI: &str = "<GetInstanceUefiDataResponse><instanceId>i-1</instanceId><uefiData>QU1aTlVFRkk=</uefiData>\
    </GetInstanceUefiDataResponse>";

const REGISTERED: &str = "<RegisterImageResponse><imageId>ami-1</imageId></RegisterImageResponse>";

fn told(imds: &str) -> String {
    images(&[format!("<item><imageId>ami-0</imageId>{imds}</item>")])
}

fn prepared(source: String) -> Replay {
    Replay::default()
        .ok("DescribeInstances", instance())
        .ok("DescribeVolumes", VOLUMES)
        .ok("GetInstanceUefiData", UEFI)
        .ok("DescribeImages", source)
}

fn of_snapshots(session: &SessionId) -> CaptureRequest {
    CaptureRequest {
        call: CaptureCall::CreateSnapshots,
        ..request(session)
    }
}

fn completed(number: u32) -> ObservedSnapshot {
    ObservedSnapshot {
        id: SnapshotId(format!("snap-{number}")),
        volume_id: VolumeId(format!("vol-{number}")),
        state: SnapshotState::Completed,
        started_at: None,
        size_gib: 8,
        encrypted: true,
    }
}

fn three() -> Vec<ObservedSnapshot> {
    (1..=3).map(completed).collect()
}

/// Registers what `replay` answers to; the call, and what became of it.
async fn registered(replay: &Replay, session: &SessionId) -> Result<ImageId, ImagerError> {
    let imager = imager(replay).noting(pairs(&[(tags::CONFIGURATION[0], "{}")]));
    imager.prepare(session).await.unwrap();
    imager.register(&of_snapshots(session), &three()).await
}

#[tokio::test]
async fn one_call_tells_all_snapshots_and_tags_them() {
    let session = SessionId::random();
    let info = |number: u32| {
        format!(
            "<item><snapshotId>snap-{number}</snapshotId><volumeId>vol-{number}</volumeId><state>pending</state>\
             <startTime>2026-11-22T16:00:00.500Z</startTime><volumeSize>8</volumeSize><encrypted>true</encrypted></item>"
        )
    };
    let body = format!(
        "<CreateSnapshotsResponse><snapshotSet>{}{}</snapshotSet></CreateSnapshotsResponse>",
        info(1),
        info(2)
    );
    let replay = Replay::default().ok("CreateSnapshots", body);
    let begun = imager(&replay)
        .begin(&of_snapshots(&session))
        .await
        .unwrap();
    let pending = |number| ObservedSnapshot {
        state: SnapshotState::Pending,
        started_at: OffsetDateTime::from_unix_timestamp_nanos(1_795_363_200_500_000_000).ok(),
        ..completed(number)
    };
    assert_eq!(begun, Begun::Snapshots(vec![pending(1), pending(2)]));

    let asked = replay.only("CreateSnapshots");
    let param = |name: &str| asked.param(name).unwrap_or_default();
    assert_eq!(param("InstanceSpecification.InstanceId"), "i-1");
    assert_eq!(param("TagSpecification.1.ResourceType"), "snapshot");
    let tagged: BTreeMap<String, String> = (1..)
        .map_while(|tag| {
            let part = |what: &str| asked.param(&format!("TagSpecification.1.Tag.{tag}.{what}"));
            part("Key").zip(part("Value"))
        })
        .collect();
    for (key, value) in [
        (tags::SESSION, session.as_str()),
        (tags::STATE, tags::PENDING),
        (tags::IMAGE_NAME, "orders"),
        (tags::EXPIRES, "2024-10-04T00:00:00Z"),
        ("backup", "no"),
    ] {
        assert_eq!(tagged.get(key).map(String::as_str), Some(value), "{key}");
    }
}

#[tokio::test]
async fn the_image_is_told_everything_that_its_source_has() {
    let session = SessionId::random();
    let source = told("<imdsSupport>v2.0</imdsSupport>");
    let replay = prepared(source).ok("RegisterImage", REGISTERED);
    let image = registered(&replay, &session).await.unwrap();
    assert_eq!(image, ImageId("ami-1".to_owned()));

    let asked = replay.only("RegisterImage");
    for (name, value) in [
        ("Name", "orders"),
        ("Description", "of the orders"),
        ("Architecture", "arm64"),
        ("VirtualizationType", "hvm"),
        ("BootMode", "uefi-preferred"),
        ("TpmSupport", "v2.0"),
        ("UefiData", "QU1aTlVFRkk="),
        ("ImdsSupport", "v2.0"),
        ("EnaSupport", "true"),
        ("SriovNetSupport", "simple"),
        ("RootDeviceName", "/dev/xvda"),
        ("TagSpecification.1.ResourceType", "image"),
    ] {
        assert_eq!(asked.param(name).as_deref(), Some(value), "{name}");
    }
    let key = |tag: u32| asked.param(&format!("TagSpecification.1.Tag.{tag}.Key"));
    let keys: BTreeSet<String> = (1..).map_while(key).collect();
    assert!(keys.contains(tags::SESSION) && keys.contains(tags::CONFIGURATION[0]));
    assert!(keys.contains("team") && !keys.contains("backup"));

    let mapping = |number: u32| {
        [
            "DeviceName",
            "Ebs.SnapshotId",
            "Ebs.DeleteOnTermination",
            "Ebs.VolumeType",
            "Ebs.Iops",
            "Ebs.Throughput",
            "Ebs.Encrypted",
        ]
        .map(|field| {
            asked
                .param(&format!("BlockDeviceMapping.{number}.{field}"))
                .unwrap_or_default()
        })
    };
    assert_eq!(
        mapping(1),
        ["/dev/xvda", "snap-1", "true", "gp2", "", "", ""]
    );
    assert_eq!(
        mapping(2),
        ["/dev/sdf", "snap-2", "false", "gp3", "4000", "250", ""]
    );
    assert_eq!(
        mapping(3),
        ["/dev/sdg", "snap-3", "false", "io2", "9000", "", ""]
    );
}

#[tokio::test]
async fn imdsv2_is_asked_for_as_the_source_does() {
    for (source, expected) in [
        (told("<imdsSupport>v2.0</imdsSupport>"), Some("v2.0")),
        (told(""), None),
        // It is gone; the instance insists.
        (images(&[]), Some("v2.0")),
    ] {
        let replay = prepared(source).ok("RegisterImage", REGISTERED);
        registered(&replay, &SessionId::random()).await.unwrap();
        let asked = replay.only("RegisterImage").param("ImdsSupport");
        assert_eq!(asked.as_deref(), expected);
    }
}

/// They may hold keys.
#[tokio::test]
async fn uefi_variables_are_not_for_a_log() {
    let replay = prepared(told(""));
    let imager = imager(&replay);
    imager.prepare(&SessionId::random()).await.unwrap();
    let shown = format!("{imager:?}");
    assert!(
        shown.contains("sdf") && !shown.contains("QU1aTlVFRkk"),
        "{shown}"
    );
}

/// There is no client token; the name is the key, the session tells whose it is.
#[tokio::test]
async fn an_image_that_was_registered_before_is_found_by_its_name() {
    let session = SessionId::random();
    let other = SessionId::random();
    let holder = |session: &SessionId| {
        let tags = pairs(&[(tags::SESSION, session.as_str())]);
        images(&[image_xml("ami-9", "available", &[], &tags)])
    };
    let code = "InvalidAMIName.Duplicate";
    let taken = |named: String| {
        let replay = prepared(told("")).ec2_error("RegisterImage", 400, code, "already in use");
        replay.ok("DescribeImages", named)
    };
    let found = registered(&taken(holder(&session)), &session).await;
    assert_eq!(found, Ok(ImageId("ami-9".to_owned())));

    let error = registered(&taken(holder(&other)), &session)
        .await
        .unwrap_err();
    assert_eq!((error.code.as_str(), error.retry), (code, Retry::Never));
    let error = registered(&taken(images(&[])), &session).await.unwrap_err();
    assert!(matches!(error.retry, Retry::After(_)), "not listed yet");
}

#[tokio::test]
async fn an_image_that_was_registered_is_removed_before_it_is_listed() {
    let session = SessionId::random();
    let replay = prepared(told(""))
        .ok("RegisterImage", REGISTERED)
        .ok("DescribeImages", images(&[]))
        .ok("DescribeSnapshots", snapshots(&[]))
        .ok("DeregisterImage", done("DeregisterImage"))
        .ok("DescribeSnapshots", snapshots(&[]));
    let imager = imager(&replay);
    imager.prepare(&session).await.unwrap();
    imager
        .register(&of_snapshots(&session), &three())
        .await
        .unwrap();
    assert_eq!(imager.discard(&session).await, Ok(vec![]));
    let asked = replay.only("DeregisterImage").param("ImageId");
    assert_eq!(asked.as_deref(), Some("ami-1"));
}

#[tokio::test]
async fn what_was_not_read_before_the_hold_is_not_guessed() {
    let replay = prepared(told(""));
    let (session, imager) = (SessionId::random(), imager(&replay));
    let request = of_snapshots(&session);
    assert!(imager.register(&request, &three()).await.is_err());
    imager.prepare(&session).await.unwrap();
    let strange = imager.register(&request, &[completed(4)]).await;
    let error = strange.unwrap_err();
    assert!(error.message.contains("vol-4"), "{error}");
    assert!(!replay.actions().contains(&"RegisterImage".to_owned()));
}
