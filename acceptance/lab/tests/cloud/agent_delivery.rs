//! When commands and replies arrive: the two transports, lost connections, repeated and missing deliveries.

use std::time::Duration;

use lab::{
    agent::Transport,
    cloud::{
        faults::{Effect, Fault},
        iam::{Policy, User},
    },
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    guest::{Guest, GuestAgent, lines},
    support::two_volumes,
};

/// From sending a command to its end, where the one before it has just ended.
async fn second_command(transport: Transport) -> f64 {
    let guest = Guest::start(|settings| settings.agent.transport = transport).await;
    let first = guest.send("true").await;
    guest.ended(&first).await;
    let begun = Instant::now();
    let second = guest.send("true").await;
    guest.ended(&second).await;
    begun.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mds_a_second_command_is_two_seconds_late() {
    let seconds = second_command(Transport::Mds).await;
    assert!((1.7..3.2).contains(&seconds), "{seconds} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mgs_a_second_command_is_as_quick_as_the_first() {
    let seconds = second_command(Transport::Mgs).await;
    assert!(seconds < 1.0, "{seconds} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_command_cannot_be_seen_at_first() {
    let guest = Guest::start(|settings| settings.commands.visible_after_ms = 400).await;
    let command = guest.send("true").await;
    let error = guest.invocation(&command).await.unwrap_err();
    assert_eq!(error.code, "InvocationDoesNotExist");
    assert_eq!(guest.ended(&command).await.status, "Success");
}

#[tokio::test(flavor = "multi_thread")]
async fn six_commands_are_run_by_five_workers() {
    let guest = Guest::start(|_| {}).await;
    let started = guest.path("started");
    let mut commands = Vec::new();
    for _ in 0..6 {
        let script = format!("echo x >>{}; sleep 2", started.display());
        commands.push(guest.send(&script).await);
    }
    lines(&started, 5).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(
        lines(&started, 5).await.len(),
        5,
        "the sixth waits for its turn"
    );
    for command in commands {
        assert_eq!(guest.ended(&command).await.status, "Success");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_into_a_lost_connection_comes_late() {
    let guest = Guest::start(|settings| settings.agent.reply_retry_ms = 2_500).await;
    let trace = guest.path("trace");
    let lost = Effect::AgentOffline {
        ms: 100,
        for_ms: 700,
    };
    guest.lab.fault(Fault::on("ssm:SendCommand", lost).once());
    let script = format!("sleep 0.5; echo x >{}; echo out", trace.display());
    let command = guest.send(&script).await;
    lines(&trace, 1).await;
    let script_ended = Instant::now();
    let ended = guest.ended(&command).await;
    assert_eq!(ended.stdout, "out\n");
    let late = script_ended.elapsed().as_secs_f64();
    assert!((2.2..3.5).contains(&late), "{late} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_delivered_twice_runs_twice_and_the_first_answer_stands() {
    let guest = Guest::start(|_| {}).await;
    let runs = guest.path("runs");
    let twice = Effect::DeliverTwice { ms: 300 };
    guest.lab.fault(Fault::on("ssm:SendCommand", twice).once());
    let script = format!("echo x >>{0}; wc -l <{0}", runs.display());
    let command = guest.send(&script).await;
    assert_eq!(guest.ended(&command).await.stdout.trim(), "1");
    lines(&runs, 2).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(guest.ended(&command).await.stdout.trim(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn success_with_nothing_run_as_moto_answers() {
    let guest = Guest::start(|_| {}).await;
    let trace = guest.path("trace");
    let fault = Fault::on("ssm:SendCommand", Effect::EmptySuccess).containing("trace");
    guest.lab.fault(fault);
    let command = guest.send(&format!("echo x >{}", trace.display())).await;
    let ended = guest.ended(&command).await;
    assert_eq!(
        (ended.status.as_str(), ended.stdout.as_str()),
        ("Success", "")
    );
    assert!(!trace.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_delivered_is_cancelled_for_good() {
    let mut guest = Guest::start(|_| {}).await;
    let trace = guest.path("trace");
    guest.agent.kill().await;
    sleep(Duration::from_millis(200)).await;
    let command = guest.send(&format!("echo x >{}", trace.display())).await;
    sleep(Duration::from_millis(200)).await;
    guest.cancel(&command).await;
    assert_eq!(guest.ended(&command).await.status, "Cancelled");
    guest.agent.restart();
    guest
        .lab
        .ready(&guest.instance, Duration::from_secs(10))
        .await
        .unwrap();
    let next = guest.send("true").await;
    guest.ended(&next).await;
    assert!(!trace.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_delivered_in_time_never_runs() {
    let mut guest = Guest::start(|_| {}).await;
    let trace = guest.path("trace");
    guest.agent.kill().await;
    sleep(Duration::from_millis(200)).await;
    let input = json!({
        "DocumentName": "AWS-RunShellScript",
        "InstanceIds": [guest.instance],
        "TimeoutSeconds": 30,
        "Parameters": {"commands": [format!("echo x >{}", trace.display())]},
    });
    let sent = guest
        .lab
        .call(User::Operator, "ssm:SendCommand", input)
        .await
        .unwrap();
    let command = sent["Command"]["CommandId"].as_str().unwrap();
    let begun = Instant::now();
    guest.ended(command).await;
    assert!(begun.elapsed() > Duration::from_secs(29));
    let shown = guest.invocation(command).await.unwrap();
    assert_eq!(shown["StatusDetails"], "DeliveryTimedOut");
    guest.agent.restart();
    guest
        .lab
        .ready(&guest.instance, Duration::from_secs(10))
        .await
        .unwrap();
    let next = guest.send("true").await;
    guest.ended(&next).await;
    assert!(!trace.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_gone_is_online_for_a_while() {
    let mut guest = Guest::start(|settings| settings.commands.ping_lost_after_ms = 700).await;
    guest.agent.kill().await;
    sleep(Duration::from_millis(200)).await;
    assert_eq!(ping(&guest).await, "Online", "stale, as on AWS");
    sleep(Duration::from_millis(800)).await;
    assert_eq!(ping(&guest).await, "ConnectionLost");
}

async fn ping(guest: &Guest) -> String {
    let answer = guest
        .lab
        .call(
            User::ImageMaker,
            "ssm:DescribeInstanceInformation",
            json!({}),
        )
        .await
        .unwrap();
    let status = &answer["InstanceInformationList"][0]["PingStatus"];
    status.as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_without_the_roles_permissions_does_not_register() {
    let dir = tempfile::tempdir().unwrap();
    let (lab, instance) = two_volumes(dir.path()).await;
    let polling_only = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
        "Action":["ssm:UpdateInstanceInformation","ec2messages:*"],"Resource":"*"}]}"#;
    lab.set_instance_policy(Policy::parse(polling_only).unwrap());
    let _agent = GuestAgent::start(dir.path(), &instance, &dir.path().join("guest"));
    assert!(lab.ready(&instance, Duration::from_secs(2)).await.is_err());
    let input = json!({
        "DocumentName": "AWS-RunShellScript",
        "InstanceIds": [instance],
        "Parameters": {"commands": ["true"]},
    });
    let error = lab
        .call(User::Operator, "ssm:SendCommand", input)
        .await
        .unwrap_err();
    assert_eq!(error.code, "InvalidInstanceId");
    lab.configure(|settings| settings.agent.transport = Transport::Mds);
    lab.ready(&instance, Duration::from_secs(10)).await.unwrap();
}
