//! What becomes of a script's children (FACTS.md part C, 2).

use std::{path::Path, time::Duration};

use tokio::time::sleep;

use crate::guest::{Guest, is_alive, kill, lines, pid_in};

const A_WHILE: Duration = Duration::from_millis(500);

/// A child that notes its pid and then waits, started in three ways.
struct Child {
    how: &'static str,
    survives_the_group: bool,
}

const CHILDREN: [Child; 3] = [
    Child {
        how: "setsid",
        survives_the_group: true,
    },
    Child {
        how: "nohup",
        survives_the_group: false,
    },
    Child {
        how: "",
        survives_the_group: false,
    },
];

fn start(child: &Child, pid: &Path, redirection: &str) -> String {
    let how = child.how;
    format!(
        "{how} sh -c 'echo $$ >{}; exec sleep 30' {redirection} &",
        pid.display()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_child_outlives_a_normal_end() {
    let guest = Guest::start(|_| {}).await;
    for child in &CHILDREN {
        let path = guest.path(&format!("pid-{}", child.how));
        let command = guest
            .send(&start(child, &path, "</dev/null >/dev/null 2>&1"))
            .await;
        assert_eq!(guest.ended(&command).await.status, "Success");
        let pid = pid_in(&path).await;
        sleep(A_WHILE).await;
        assert!(is_alive(pid), "{}", child.how);
        kill(pid);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_setsid_outlives_a_cancel() {
    let guest = Guest::start(|_| {}).await;
    for child in &CHILDREN {
        let path = guest.path(&format!("pid-{}", child.how));
        let script = start(child, &path, "</dev/null >/dev/null 2>&1") + "\nsleep 30";
        let command = guest.send(&script).await;
        let pid = pid_in(&path).await;
        guest.cancel(&command).await;
        assert_eq!(guest.ended(&command).await.status, "Cancelled");
        sleep(A_WHILE).await;
        assert_eq!(is_alive(pid), child.survives_the_group, "{}", child.how);
        if child.survives_the_group {
            kill(pid);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_holds_only_stderr_keeps_the_command_in_progress() {
    let guest = Guest::start(|_| {}).await;
    for child in &CHILDREN {
        let path = guest.path(&format!("pid-{}", child.how));
        let script = start(child, &path, "</dev/null >/dev/null") + "\necho done";
        let command = guest.send(&script).await;
        let pid = pid_in(&path).await;
        sleep(A_WHILE).await;
        assert_eq!(guest.status(&command).await, "InProgress", "{}", child.how);
        kill(pid);
        assert_eq!(guest.ended(&command).await.stdout, "done\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_that_finds_nobody_to_kill_is_a_failure() {
    let guest = Guest::start(|_| {}).await;
    let (path, done) = (guest.path("pid"), guest.path("done"));
    let script = start(&CHILDREN[0], &path, "") + &format!("\necho x >{}", done.display());
    let command = guest.send(&script).await;
    let pid = pid_in(&path).await;
    lines(&done, 1).await;
    sleep(A_WHILE).await;
    guest.cancel(&command).await;
    let ended = guest.ended(&command).await;
    assert_eq!(ended.status, "Failed");
    assert!(
        ended.stderr.to_lowercase().contains("no such process"),
        "{ended:?}"
    );
    assert!(is_alive(pid));
    kill(pid);
}
