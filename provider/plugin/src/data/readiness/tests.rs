//! Servers that are ready and servers that are not, behind an EC2 and an SSM that answer as the real ones do.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use tfplug::{Cty, Model, Value};

use super::*;
use crate::{
    image::fixtures,
    tags::TagPolicy,
    testing::{self, Aws, SESSION_ASKED},
};

/// PostgreSQL with its data on a volume that tells its id, its log on one that does not (Xen).
fn report() -> Json {
    let mount = |point: &str, path: &str, name: &str, volume: Option<&str>| {
        json!({
            "mount_point": point, "source": format!("/dev/{name}"), "fstype": "ext4", "device": "259:1", "data": true,
            "paths": [path], "needed_by_guest": null, "freezable": true,
            "leaves": [{"device": "259:1", "name": name, "volume_id": volume}],
        })
    };
    json!({
        "report": 1, "session": SESSION_ASKED, "phase": "probe", "outcome": "ready",
        "boot_id": "2f6d7c1e-7d0b-4c5e-9a53-0f7c6d6f2a11", "uptime_ms": 1000, "warnings": ["archiving lags"],
        "problems": [], "hold_in_progress": null, "service_manager": "systemd",
        "servers": [{
            "engine": "postgresql", "version": "15.14", "role": "primary", "pid": 812, "os_user": "postgres", "port": 5432,
            "socket_directory": "/run/postgresql", "data_directory": "/pg/main", "service": "postgresql@15-main.service",
            "paths": [{"path": "/pg/main", "purpose": "data"}, {"path": "/pg/wal", "purpose": "wal"}],
        }],
        "mounts": [mount("/pg", "/pg/main", "nvme1n1", Some("vol-b")), mount("/pg/wal", "/pg/wal", "xvdg", None)],
    })
}

/// A running instance with three volumes.
fn instance() -> String {
    let volumes = [("vol-a", "xvda"), ("vol-b", "sdf"), ("vol-c", "sdg")].map(|(id, device)| {
        format!(
            "<item><deviceName>/dev/{device}</deviceName><ebs><volumeId>{id}</volumeId><status>attached</status></ebs></item>"
        )
    });
    let mappings = format!(
        "<blockDeviceMapping>{}</blockDeviceMapping><rootDeviceType>",
        volumes.concat()
    );
    fixtures::instance("running", "ebs", "").replace("<rootDeviceType>", &mappings)
}

/// Everything online; the guest answers with this.
fn aws(report: &Json) -> Aws {
    let invocation = json!({
        "CommandId": "c-1", "InstanceId": fixtures::INSTANCE, "Status": "Success", "StatusDetails": "Success",
        "ResponseCode": 0, "StandardOutputContent": report.to_string(),
    });
    Aws::default()
        .on("DescribeInstances", instance())
        .on("DescribeInstanceInformation", fixtures::agent("Online"))
        .on("SendCommand", r#"{"Command": {"CommandId": "c-1"}}"#)
        .on("GetCommandInvocation", invocation.to_string())
}

fn query(method: Value<String>) -> ReadinessQuery {
    let engine = ("postgresql".to_owned(), Cty::Map([].into()));
    let mut query = ReadinessQuery::from_cty(Cty::Map([engine].into())).expect("a query");
    query.source_instance_id = fixtures::INSTANCE.into();
    query.method = method;
    query
}

async fn answer(aws: &Aws, method: Value<String>) -> Result<ReadinessQuery> {
    let cx = testing::context(aws.client(TagPolicy::default()));
    ReadinessSource.read(&cx, query(method)).await
}

/// The codes of the problems of a server that is not ready.
async fn codes(aws: &Aws, method: Value<String>) -> Vec<String> {
    let told = answer(aws, method).await.expect("an answer");
    assert_eq!(told.ready, Value::Known(false));
    let problems = told.problems.into_known().expect("known");
    problems.into_iter().map(|it| it.code).collect()
}

#[tokio::test]
async fn a_ready_server_is_described() {
    let aws = aws(&report());
    let cx = testing::context(aws.client(TagPolicy::default()));
    let told = ReadinessSource
        .read(&cx, query(Value::Null))
        .await
        .expect("an answer");
    assert_eq!(
        (told.ready, told.problems),
        (Value::Known(true), Value::Known(vec![]))
    );
    assert_eq!(
        (told.method, told.engine_version),
        ("freeze".into(), "15.14".into())
    );
    assert!(told.hold_in_progress.is_null());
    let volumes: BTreeSet<String> = ["vol-b", "vol-c"].map(str::to_owned).into();
    assert_eq!(told.volumes, Value::Known(volumes));
    let servers = told.servers.into_known().expect("known");
    assert_eq!((servers.len(), servers[0].role.as_str()), (1, "primary"));
    let paths = told.paths.into_known().expect("known");
    let (data, wal) = (&paths[0], &paths[1]);
    assert_eq!(
        (data.purpose.as_str(), data.mount_point.as_deref()),
        ("data", Some("/pg"))
    );
    assert_eq!(wal.path, "/pg/wal");
    assert_eq!(
        wal.volume_ids,
        ["vol-c".to_owned()].into(),
        "by its device's name"
    );
    let remarks = cx.take_warnings();
    assert_eq!(
        remarks.iter().next().expect("a remark").detail,
        "Archiving lags."
    );
}

#[tokio::test]
async fn nothing_but_the_probe_is_sent() {
    let aws = aws(&report());
    answer(&aws, Value::Null).await.expect("an answer");
    let sent = aws.calls("SendCommand");
    assert_eq!(sent.len(), 1);
    let sent: Json = serde_json::from_str(&sent[0]).expect("JSON");
    assert_eq!(sent["Comment"], "terraform-provider-consistent: probe");
    for action in ["CreateImage", "CreateTags", "CreateSnapshots"] {
        assert!(aws.calls(action).is_empty(), "{action}");
    }
}

#[tokio::test]
async fn a_method_that_is_unsafe_here_is_a_problem_and_auto_takes_another() {
    let mut on_root = report();
    on_root["mounts"][0]["needed_by_guest"] = "the root file system".into();
    assert_eq!(
        codes(&aws(&on_root), "freeze".into()).await,
        ["unsafe_freeze"]
    );
    for (asked, read) in [
        (Value::Null, "pause"),
        ("auto".into(), "auto"),
        ("stop".into(), "stop"),
    ] {
        let told = answer(&aws(&on_root), asked).await.expect("an answer");
        assert_eq!((told.ready, told.method), (Value::Known(true), read.into()));
    }
}

#[tokio::test]
async fn what_the_guest_refuses_is_told_with_its_advice() {
    let mut refused = report();
    refused["outcome"] = "refused".into();
    refused["problems"] =
        json!([{"code": "fsync_off", "message": "fsync is off", "hint": "turn it on"}]);
    let told = answer(&aws(&refused), Value::Null)
        .await
        .expect("an answer");
    let problem = Problem::new("fsync_off", "fsync is off", "turn it on");
    assert_eq!(told.problems, Value::Known(vec![problem.clone()]));
    assert_eq!(
        (problem.message.as_str(), problem.hint.as_deref()),
        ("Fsync is off.", Some("Turn it on."))
    );
    assert_eq!(told.method, Value::Null);
}

#[tokio::test]
async fn a_hold_in_progress_is_told() {
    let mut report = report();
    report["hold_in_progress"] = json!({
        "session": fixtures::SESSION, "method": "freeze", "held_for_ms": 9_000, "fires_in_ms": 51_000,
    });
    let told = answer(&aws(&report), Value::Null).await.expect("an answer");
    assert_eq!(told.ready, Value::Known(false));
    let hold = told.hold_in_progress.into_known().expect("a hold");
    assert_eq!((hold.held_ms, hold.ends_in_ms), (9_000, 51_000));
    assert_eq!(
        (hold.session_id.as_str(), hold.method.as_str()),
        (fixtures::SESSION, "freeze")
    );
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_not_ready_and_is_sent_nothing() {
    let unknown = r#"{"InstanceInformationList": []}"#;
    let running = || fixtures::instance("running", "ebs", "");
    for (instance, agent, expected) in [
        (
            running(),
            fixtures::agent("ConnectionLost"),
            vec!["agent_not_online"],
        ),
        (running(), unknown.to_owned(), vec!["agent_not_online"]),
        (
            fixtures::young_instance(),
            unknown.to_owned(),
            vec!["agent_awaited"],
        ),
        (
            fixtures::instance("stopped", "ebs", ""),
            unknown.to_owned(),
            vec!["instance_not_running"],
        ),
        (
            fixtures::instance("running", "instance-store", "windows"),
            fixtures::agent("Online"),
            vec!["not_ebs_backed", "windows"],
        ),
    ] {
        let aws = Aws::default()
            .on("DescribeInstances", instance)
            .on("DescribeInstanceInformation", agent);
        assert_eq!(codes(&aws, Value::Null).await, expected);
        assert!(aws.calls("SendCommand").is_empty(), "{expected:?}");
    }
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_no_readiness() {
    assert_eq!(
        codes(&aws(&json!("bash: not found")), Value::Null).await,
        ["unusable_answer"]
    );
}

#[tokio::test]
async fn who_may_not_ask_learns_nothing() {
    let online = || Aws::default().on("DescribeInstances", instance());
    let denied = online().refusing(
        "DescribeInstanceInformation",
        "AccessDeniedException",
        "not authorized",
    );
    let unsent = online()
        .on("DescribeInstanceInformation", fixtures::agent("Online"))
        .refusing("SendCommand", "AccessDeniedException", "not authorized");
    for (aws, summary) in [
        (denied, "ssm:DescribeInstanceInformation failed"),
        (unsent, "The server could not be asked"),
    ] {
        let told = answer(&aws, Value::Null).await.expect_err(summary);
        assert_eq!(told.iter().next().expect("one").summary, summary);
    }
}

#[tokio::test]
async fn an_instance_that_does_not_exist_is_an_error_at_its_place() {
    let aws = Aws::default()
        .refusing(
            "DescribeInstances",
            "InvalidInstanceID.NotFound",
            "The instance ID 'i-0' does not exist",
        )
        .on("DescribeInstanceInformation", fixtures::agent("Online"));
    let told = answer(&aws, Value::Null).await.expect_err("no instance");
    let told = told.iter().next().expect("one");
    assert_eq!(
        (told.summary.as_str(), told.path.to_string().as_str()),
        ("The instance does not exist", "source_instance_id")
    );
}

#[test]
fn silence_is_a_problem_with_a_hint() {
    let waited = std::time::Duration::from_secs(90);
    let unanswered = GuestError::NoAnswer {
        reason: "command c-1: last seen Pending".to_owned(),
        waited,
    };
    for cause in [
        Cause::from(unanswered),
        Cause::TimedOut {
            waited_for: "the answer",
            limit: waited,
        },
    ] {
        let problem = silence(&cause).expect("a problem");
        assert_eq!(problem.code, "no_answer");
        assert!(
            problem.message.contains("90") && problem.hint.is_some(),
            "{problem:?}"
        );
    }
    assert!(silence(&Cause::Stopped).is_err());
}
