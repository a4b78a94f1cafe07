//! What survives when a part of the agent dies (FACTS.md part C, 5).

use std::{fs, time::Duration};

use rustix::process::Pid;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::guest::{Guest, is_alive, kill, lines, pid_in};

/// The document worker of the only command there is, as its state file names it.
fn worker(guest: &Guest) -> Pid {
    let current = guest.state().join("document/state/current");
    let file = fs::read_dir(current).unwrap().next().unwrap().unwrap();
    let task: Value = serde_json::from_slice(&fs::read(file.path()).unwrap()).unwrap();
    let pid = task["worker"]["pid"].as_i64().unwrap();
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_outlives_the_agent_and_is_adopted_by_the_next_one() {
    let mut guest = Guest::start(|_| {}).await;
    let runs = guest.path("runs");
    let script = format!("echo begin; echo x >>{}; sleep 2; echo end", runs.display());
    let command = guest.send(&script).await;
    lines(&runs, 1).await;
    guest.agent.kill().await;
    guest.agent.restart();
    let ended = guest.ended(&command).await;
    assert_eq!(
        (ended.status.as_str(), ended.stdout.as_str()),
        ("Success", "begin\nend\n")
    );
    assert_eq!(lines(&runs, 1).await.len(), 1, "it was not run again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_ended_while_no_agent_ran_is_reported_by_the_next_one() {
    let mut guest = Guest::start(|_| {}).await;
    let runs = guest.path("runs");
    let script = format!("sleep 0.5; echo out; echo x >>{}", runs.display());
    let command = guest.send(&script).await;
    sleep(Duration::from_millis(400)).await;
    guest.agent.kill().await;
    lines(&runs, 1).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(guest.status(&command).await, "InProgress");
    guest.agent.restart();
    assert_eq!(guest.ended(&command).await.stdout, "out\n");
    assert_eq!(lines(&runs, 1).await.len(), 1, "it was not run again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_document_worker_is_noticed_late_and_its_silent_script_runs_on() {
    let guest = Guest::start(|settings| settings.agent.worker_lost_ms = 1_500).await;
    let (begin, end) = (guest.path("begin"), guest.path("end"));
    let script = format!(
        "echo x >{}; sleep 1; echo x >{}",
        begin.display(),
        end.display()
    );
    let command = guest.send(&script).await;
    lines(&begin, 1).await;
    let killed = Instant::now();
    kill(worker(&guest));
    let ended = guest.ended(&command).await;
    assert_eq!(ended.status, "Failed");
    assert!(killed.elapsed() > Duration::from_millis(1_400));
    assert_eq!(
        lines(&end, 1).await,
        ["x"],
        "and yet the script ran to its end"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reboot_submits_the_command_again() {
    let mut guest = Guest::start(|_| {}).await;
    let (runs, pid) = (guest.path("runs"), guest.path("pid"));
    let script = format!(
        "echo x >>{0}; echo $$ >{1}; test $(wc -l <{0}) = 2 || sleep 20; echo done",
        runs.display(),
        pid.display()
    );
    let command = guest.send(&script).await;
    let script = pid_in(&pid).await;
    // What a reboot does: everything is gone at once, and the agent starts again.
    guest.agent.kill().await;
    kill(worker(&guest));
    kill(script);
    while is_alive(script) {
        sleep(Duration::from_millis(5)).await;
    }
    guest.agent.restart();
    assert_eq!(guest.ended(&command).await.stdout, "done\n");
    assert_eq!(lines(&runs, 2).await.len(), 2, "it was run again");
}
