//! The guest's side of the wire: what is sent, what is borne, what is given up, and when.

use serde_json::{Value, json};

use super::*;
use crate::replay::{Answer, Replay};

fn script() -> Script {
    Script {
        purpose: "hold",
        text: "echo 'one'\necho two\n".to_owned(),
        kill_after: Duration::from_millis(90_001),
    }
}

fn sent(replay: Replay) -> Replay {
    replay.ok("SendCommand", r#"{"Command":{"CommandId":"c-1"}}"#)
}

fn invocation(status: &str, details: &str, code: i32, stdout: &str) -> String {
    json!({
        "CommandId": "c-1", "InstanceId": "i-1", "Status": status, "StatusDetails": details, "ResponseCode": code,
        "StandardOutputContent": stdout, "StandardErrorContent": "",
    })
    .to_string()
}

async fn run(replay: &Replay, within: Duration) -> Result<Reply, GuestError> {
    SsmGuest::new(replay.ssm(), "i-1")
        .run(&script(), within)
        .await
}

const AMPLE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_script_goes_out_whole_and_its_answer_comes_back() {
    let replay = sent(Replay::default()).ok(
        "GetCommandInvocation",
        invocation("Success", "Success", 0, "{}"),
    );
    let answer = run(&replay, AMPLE).await.unwrap();
    let expected = Reply {
        command_id: "c-1".to_owned(),
        status: "Success".to_owned(),
        exit_code: Some(0),
        stdout: "{}".to_owned(),
        stderr: String::new(),
    };
    assert_eq!(answer, expected);

    let body: Value = serde_json::from_str(&replay.only("SendCommand").body).unwrap();
    assert_eq!(
        body,
        json!({
            "DocumentName": "AWS-RunShellScript",
            "InstanceIds": ["i-1"],
            "Parameters": { "commands": ["echo 'one'\necho two\n"], "executionTimeout": ["91"] },
            "TimeoutSeconds": 30,
            "Comment": "terraform-provider-consistent: hold",
        })
    );
}

#[test]
fn times_are_rounded_up_and_kept_within_what_ssm_honours() {
    let millis = Duration::from_millis;
    for (asked, kill, start) in [
        (0, 5, 30),
        (4_999, 5, 30),
        (30_001, 31, 31),
        (200_000_000, 172_800, 200_000),
    ] {
        assert_eq!(
            clamped(millis(asked), KILL_AFTER_SECONDS),
            kill,
            "{asked} ms"
        );
        assert_eq!(
            clamped(millis(asked), START_WITHIN_SECONDS),
            start,
            "{asked} ms"
        );
    }
}

#[tokio::test]
async fn trouble_on_the_way_to_the_answer_is_borne() {
    let replay = sent(Replay::default())
        .ssm_error("GetCommandInvocation", 400, "InvocationDoesNotExist", "")
        .ssm_error(
            "GetCommandInvocation",
            400,
            "ThrottlingException",
            "Rate exceeded",
        )
        .then("GetCommandInvocation", Answer::Lost)
        .ok(
            "GetCommandInvocation",
            invocation("InProgress", "InProgress", -1, ""),
        )
        .ssm_error("GetCommandInvocation", 500, "InternalServerError", "")
        .ok(
            "GetCommandInvocation",
            invocation("Success", "Success", 0, "done"),
        );
    assert_eq!(run(&replay, AMPLE).await.unwrap().stdout, "done");
    assert_eq!(replay.asked().len(), 7, "one command, six polls");
}

#[tokio::test]
async fn every_final_status_is_an_answer() {
    for (status, details, code) in [
        ("Failed", "Failed", 1),
        ("TimedOut", "ExecutionTimedOut", 137),
        ("Cancelled", "Cancelled", 137),
    ] {
        let replay = sent(Replay::default()).ok(
            "GetCommandInvocation",
            invocation(status, details, code, ""),
        );
        let answer = run(&replay, AMPLE).await.unwrap();
        assert_eq!(
            (answer.status.as_str(), answer.exit_code),
            (details, Some(code))
        );
    }
}

#[tokio::test]
async fn a_command_that_was_turned_away_was_not_sent() {
    for (code, retry) in [
        ("ThrottlingException", Retry::After(Duration::from_secs(2))),
        ("AccessDeniedException", Retry::Never),
    ] {
        let replay = Replay::default().ssm_error("SendCommand", 400, code, "no");
        match run(&replay, AMPLE).await {
            Err(GuestError::NotSent {
                retry: found,
                reason,
            }) => assert_eq!(found, retry, "{reason}"),
            other => panic!("{code}: {other:?}"),
        }
        assert_eq!(replay.actions(), ["SendCommand"]);
    }
}

#[tokio::test]
async fn a_command_that_may_have_been_sent_is_never_repeated() {
    let failed = Answer::Http(500, r#"{"__type":"InternalServerError"}"#.to_owned());
    for answer in [failed, Answer::Lost] {
        let replay = Replay::default().then("SendCommand", answer.clone());
        let error = run(&replay, AMPLE).await.unwrap_err();
        assert!(
            matches!(error, GuestError::NoAnswer { .. }),
            "{answer:?}: {error}"
        );
        assert_eq!(replay.actions(), ["SendCommand"], "{answer:?}");
    }
}

/// What `run` says when its time is over, which it keeps.
async fn given_up(replay: &Replay) -> String {
    let within = Duration::from_millis(400);
    let started = Instant::now();
    match run(replay, within).await {
        Err(GuestError::NoAnswer { reason, waited }) => {
            assert!(
                waited >= within && started.elapsed() < within * 3,
                "{waited:?}"
            );
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn no_wait_outlasts_its_bound() {
    let silent = Replay::default().then("SendCommand", Answer::Silence);
    assert!(
        given_up(&silent)
            .await
            .contains("SSM has not acknowledged the command")
    );

    let hanging = sent(Replay::default()).then("GetCommandInvocation", Answer::Silence);
    assert_eq!(
        given_up(&hanging).await,
        "command c-1: not seen by SSM's own list yet"
    );

    let running = (0..20).fold(sent(Replay::default()), |replay, _| {
        replay.ok(
            "GetCommandInvocation",
            invocation("InProgress", "InProgress", -1, ""),
        )
    });
    assert_eq!(
        given_up(&running).await,
        "command c-1: last seen InProgress"
    );
    let actions = running.actions();
    assert!(actions.len() > 4, "polled densely: {actions:?}");
    assert!(!actions.contains(&"CancelCommand".to_owned()));
}

#[tokio::test]
async fn a_poll_that_can_never_succeed_ends_the_wait() {
    let replay = sent(Replay::default()).ssm_error(
        "GetCommandInvocation",
        400,
        "AccessDeniedException",
        "no",
    );
    let started = Instant::now();
    let error = run(&replay, AMPLE).await.unwrap_err();
    assert!(started.elapsed() < AMPLE / 2);
    let text = error.to_string();
    assert!(matches!(error, GuestError::NoAnswer { .. }), "{text}");
    assert!(text.contains("command c-1"), "{text}");
    assert!(
        text.contains("lacks the permission `ssm:GetCommandInvocation`"),
        "{text}"
    );
}

#[tokio::test]
async fn what_ssm_cannot_carry_is_not_sent() {
    let replay = Replay::default();
    let script = Script {
        text: "x".repeat(63 * 1024 + 1),
        ..script()
    };
    let error = SsmGuest::new(replay.ssm(), "i-1")
        .run(&script, AMPLE)
        .await
        .unwrap_err();
    let refused = matches!(&error, GuestError::NotSent { reason, .. } if reason.contains("name fewer engines"));
    assert!(refused, "{error}");
}

#[tokio::test]
async fn what_ssm_would_rewrite_is_not_sent() {
    let replay = Replay::default();
    let script = Script {
        text: "echo '{{ssm:secret}}'".to_owned(),
        ..script()
    };
    let error = SsmGuest::new(replay.ssm(), "i-1")
        .run(&script, AMPLE)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            GuestError::NotSent {
                retry: Retry::Never,
                ..
            }
        ),
        "{error}"
    );
    assert!(replay.asked().is_empty());
}

#[tokio::test]
async fn an_instance_that_ssm_does_not_manage_is_explained() {
    let replay = Replay::default().ssm_error(
        "SendCommand",
        400,
        "InvalidInstanceId",
        "Instances not in a valid state",
    );
    let text = run(&replay, AMPLE).await.unwrap_err().to_string();
    assert!(text.contains("AmazonSSMManagedInstanceCore"), "{text}");

    let replay = Replay::default().ok(
        "DescribeInstanceInformation",
        r#"{"InstanceInformationList":[]}"#,
    );
    let error = agent::status(&replay.ssm(), "i-1").await.unwrap_err();
    assert_eq!(error.code, "InvalidInstanceId");
    assert!(
        error.message.contains("AmazonSSMManagedInstanceCore"),
        "{error}"
    );
}

#[tokio::test]
async fn an_agent_is_online_or_has_a_problem() {
    let known = |ping: &str| {
        let info = json!({
            "InstanceId": "i-1", "PingStatus": ping, "LastPingDateTime": 1_700_000_000.0, "AgentVersion": "3.3.0.0",
            "PlatformType": "Linux", "PlatformName": "Debian GNU/Linux", "PlatformVersion": "12",
        });
        let list = json!({ "InstanceInformationList": [info] });
        Replay::default().ok("DescribeInstanceInformation", list.to_string())
    };
    let online = agent::status(&known("Online").ssm(), "i-1").await.unwrap();
    assert_eq!(online.problem("i-1"), None);
    assert_eq!(
        (online.platform.as_str(), online.platform_type.as_str()),
        ("Debian GNU/Linux 12", "Linux")
    );

    let lost = agent::status(&known("ConnectionLost").ssm(), "i-1")
        .await
        .unwrap();
    let problem = lost.problem("i-1").unwrap();
    assert!(
        problem.contains("ConnectionLost since 2023-11-14 22:13:20"),
        "{problem}"
    );
}
