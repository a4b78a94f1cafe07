//! Every fault does what it says.

use std::{io::Read, io::Write, net::TcpStream, time::Duration};

use lab::cloud::{
    ControlClient,
    faults::{Effect, Fault},
    iam::User,
    journal::Event,
    settings::Settings,
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::cloud_captures::Source;

const CREATE: &str = "ec2:CreateImage";

fn names(image: &serde_json::Value) -> Vec<&str> {
    let devices = image["blockDeviceMapping"].as_array().unwrap().iter();
    devices.map(|d| d["deviceName"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_can_be_missing() {
    let source = Source::start().await;
    let device = "/dev/sdf".to_owned();
    source
        .lab
        .fault(Fault::on(CREATE, Effect::OmitVolume { device }).once());
    let image = source.image("partial").await.unwrap();
    let shown = source.image_in(&image, "available").await;
    assert_eq!(names(&shown), ["/dev/xvda"]);
    assert_eq!(source.snapshots("partial").await.len(), 1);
    let image = source.image("whole").await.unwrap();
    let shown = source.image_in(&image, "available").await;
    assert_eq!(names(&shown), ["/dev/xvda", "/dev/sdf"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_can_be_late() {
    let source = Source::start().await;
    let device = Some("/dev/sdf".to_owned());
    source
        .lab
        .fault(Fault::on(CREATE, Effect::SnapshotLate { device, ms: 900 }));
    let image = source.image("late").await.unwrap();
    source.image_in(&image, "available").await;
    let instants = source.instants();
    let apart = instants[1] - instants[0];
    assert!((950..1_200).contains(&apart.as_millis()), "{apart:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_or_an_image_can_fail() {
    let source = Source::start().await;
    let device = "/dev/sdf".to_owned();
    source
        .lab
        .fault(Fault::on(CREATE, Effect::SnapshotFails { device }).once());
    let image = source.image("broken-snapshot").await.unwrap();
    let shown = source.image_in(&image, "failed").await;
    assert!(
        shown["stateReason"]["message"]
            .as_str()
            .unwrap()
            .contains("/dev/sdf")
    );
    let states = source.snapshots("broken-snapshot").await;
    assert!(states.values().any(|state| state == "error"));
    let reason = "no luck".to_owned();
    source
        .lab
        .fault(Fault::on(CREATE, Effect::ImageFails { reason, ms: 50 }).once());
    let image = source.image("broken-image").await.unwrap();
    let shown = source.image_in(&image, "failed").await;
    assert_eq!(shown["stateReason"]["message"], "no luck");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_can_be_lost_after_the_work_was_done() {
    let source = Source::start().await;
    source
        .lab
        .fault(Fault::on(CREATE, Effect::DropAfter).once());
    assert_eq!(source.image("lost").await.unwrap_err().code, "Dropped");
    assert_eq!(
        source.image("lost").await.unwrap_err().code,
        "InvalidAMIName.Duplicate"
    );
    let outcomes: Vec<String> = source
        .lab
        .journal()
        .entries()
        .unwrap()
        .into_iter()
        .filter_map(|entry| match entry.event {
            Event::Call {
                action, outcome, ..
            } if action == CREATE => Some(outcome),
            _ => None,
        })
        .collect();
    assert_eq!(outcomes, ["dropped", "InvalidAMIName.Duplicate"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_can_come_before_or_after_the_work() {
    let source = Source::start().await;
    let error = |code: &str| (code.to_owned(), "no".to_owned(), 503);
    let (code, message, status) = error("Unavailable");
    source.lab.fault(
        Fault::on(
            CREATE,
            Effect::Error {
                code,
                message,
                status,
            },
        )
        .once(),
    );
    assert_eq!(source.image("refused").await.unwrap_err().status, 503);
    source.image("refused").await.unwrap();
    let (code, message, status) = error("InternalError");
    source.lab.fault(
        Fault::on(
            CREATE,
            Effect::ErrorAfter {
                code,
                message,
                status,
            },
        )
        .once(),
    );
    assert_eq!(
        source.image("done").await.unwrap_err().code,
        "InternalError"
    );
    assert_eq!(
        source.image("done").await.unwrap_err().code,
        "InvalidAMIName.Duplicate"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_can_be_slow_and_throttled() {
    let source = Source::start().await;
    source
        .lab
        .fault(Fault::on("ec2:DescribeVolumes", Effect::DelayAfter { ms: 300 }).once());
    let begun = Instant::now();
    source.call("DescribeVolumes", json!({})).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let throttle = Effect::Throttle {
        burst: 1.0,
        per_second: 5.0,
    };
    let id = source.lab.fault(Fault::on("ec2:Describe*", throttle));
    source.call("DescribeVolumes", json!({})).await.unwrap();
    let error = source.call("DescribeVolumes", json!({})).await.unwrap_err();
    assert_eq!((&*error.code, error.status), ("RequestLimitExceeded", 503));
    sleep(Duration::from_millis(250)).await;
    source.call("DescribeVolumes", json!({})).await.unwrap();
    assert!(source.lab.lift(id));
    source.call("DescribeVolumes", json!({})).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_connection_is_closed_without_a_byte() {
    let source = Source::start().await;
    source
        .lab
        .fault(Fault::on("ec2:DescribeRegions", Effect::Drop).once());
    let address = source.lab.endpoint().replace("http://", "");
    let mut answers = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(&address).unwrap();
        let request = "POST / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\nContent-Length: 22\r\n\r\nAction=DescribeRegions";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answers.push(answer);
    }
    assert_eq!(answers[0], "");
    assert!(answers[1].contains("AuthFailure"), "{}", answers[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_can_reboot_at_a_call() {
    let source = Source::start().await;
    source
        .lab
        .fault(Fault::on(CREATE, Effect::Reboot { ms: 50 }).once());
    source.image("rebooted").await.unwrap();
    sleep(Duration::from_millis(300)).await;
    let states: Vec<String> = source
        .lab
        .journal()
        .entries()
        .unwrap()
        .into_iter()
        .filter_map(|entry| match entry.event {
            Event::Instance { state, .. } => Some(state),
            _ => None,
        })
        .collect();
    assert!(
        states.ends_with(&["rebooting".to_owned(), "rebooted".to_owned()]),
        "{states:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_and_settings_come_through_the_control_socket_too() {
    let source = Source::start().await;
    let dir = source.lab.journal().path().parent().unwrap().to_owned();
    let mut control = ControlClient::connect(&dir).await.unwrap();
    control
        .fault(Fault::on(CREATE, Effect::Drop))
        .await
        .unwrap();
    assert_eq!(source.image("dropped").await.unwrap_err().code, "Dropped");
    control.clear().await.unwrap();
    source.image("dropped").await.unwrap();
    let mut settings = Settings::default();
    settings.capture.completes_after_ms = 7;
    control.configure(settings.clone()).await.unwrap();
    assert_eq!(source.lab.settings(), settings);
    assert_eq!(
        control.settings().await.unwrap()["capture"]["completes_after_ms"],
        7
    );
    let mut asked = std::pin::pin!(source.lab.asked_down());
    control.down().await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), &mut asked)
        .await
        .unwrap();
    let identity = source
        .lab
        .call(User::Nobody, "sts:GetCallerIdentity", json!({}))
        .await;
    assert!(
        identity.unwrap()["Arn"]
            .as_str()
            .unwrap()
            .ends_with("user/nobody")
    );
}
