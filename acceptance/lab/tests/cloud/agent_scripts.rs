//! How the agent runs a script and what it says of its output (FACTS.md part C, 3, 4, 7, 8).

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use tokio::time::{Instant, sleep};

use crate::guest::{Guest, lines};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_finds_the_agents_surroundings() {
    let guest = Guest::start(|_| {}).await;
    let script = "set -e; test -z \"${HOME+set}\"; umask; echo $AWS_SSM_INSTANCE_ID $AWS_SSM_REGION_NAME; \
                  echo $SSM_COMMAND_ID; test -n \"$AWS_SSM_PLATFORM_NAME\"; echo secret-text";
    let command = guest.send(script).await;
    let ended = guest.ended(&command).await;
    assert_eq!(ended.status, "Success", "{ended:?}");
    let told: Vec<&str> = ended.stdout.lines().collect();
    let instance = format!("{} eu-central-1", guest.instance);
    assert_eq!(told, ["0022", &instance, &command, "secret-text"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_stays_on_disk_and_in_a_log_that_all_may_read() {
    let guest = Guest::start(|_| {}).await;
    let command = guest.send("echo out; echo err >&2").await;
    guest.ended(&command).await;
    let directory = guest.orchestration();
    assert_eq!(mode(&directory.join("_script.sh")), 0o700);
    for (file, text) in [("stdout", "out\n"), ("stderr", "err\n")] {
        assert_eq!(mode(&directory.join(file)), 0o600);
        assert_eq!(fs::read_to_string(directory.join(file)).unwrap(), text);
    }
    assert_eq!(mode(&guest.log()), 0o644);
    assert!(
        fs::read_to_string(guest.log())
            .unwrap()
            .contains("echo out; echo err")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_shown_before_the_end() {
    let guest = Guest::start(|_| {}).await;
    let written = guest.path("written");
    let script = format!("echo early; echo x >{}; sleep 1", written.display());
    let command = guest.send(&script).await;
    lines(&written, 1).await;
    sleep(Duration::from_millis(300)).await;
    let shown = guest.invocation(&command).await.unwrap();
    assert_eq!(shown["Status"], "InProgress");
    assert_eq!(shown["StandardOutputContent"], "");
    assert_eq!(guest.ended(&command).await.stdout, "early\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_output_keeps_its_head() {
    let guest = Guest::start(|_| {}).await;
    let script = "head -c 30000 /dev/zero | tr '\\0' o; head -c 30000 /dev/zero | tr '\\0' e >&2";
    let command = guest.send(script).await;
    let ended = guest.ended(&command).await;
    assert_eq!(ended.stdout.chars().count(), 24_000);
    assert!(ended.stdout.starts_with("ooo") && ended.stdout.ends_with("---Output truncated---"));
    assert_eq!(
        ended.stderr,
        "e".repeat(8_000),
        "the service cuts stderr shorter"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_is_a_sigkill_that_no_trap_sees() {
    let guest = Guest::start(|_| {}).await;
    let trapped = guest.path("trapped");
    let script = format!(
        "trap 'echo x >{}' EXIT TERM HUP INT; sleep 20 & wait",
        trapped.display()
    );
    let begun = Instant::now();
    let command = guest.send_with(&script, "5").await;
    let ended = guest.ended(&command).await;
    assert_eq!((ended.status.as_str(), ended.code), ("TimedOut", 137));
    assert!((5.0..6.5).contains(&begun.elapsed().as_secs_f64()));
    assert!(!trapped.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_is_a_sigkill_that_no_trap_sees() {
    let guest = Guest::start(|_| {}).await;
    let (ready, trapped) = (guest.path("ready"), guest.path("trapped"));
    let script = format!(
        "trap 'echo x >{}' EXIT TERM HUP INT; echo x >{}; sleep 20 & wait",
        trapped.display(),
        ready.display()
    );
    let command = guest.send(&script).await;
    lines(&ready, 1).await;
    guest.cancel(&command).await;
    let ended = guest.ended(&command).await;
    assert_eq!((ended.status.as_str(), ended.code), ("Cancelled", 137));
    assert!(!trapped.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_code_is_a_failure() {
    let guest = Guest::start(|_| {}).await;
    let command = guest.send("exit 7").await;
    let ended = guest.ended(&command).await;
    assert_eq!((ended.status.as_str(), ended.code), ("Failed", 7));
}
