//! The agent on a frozen file system, a real one (FACTS.md part C, 6 and 9). Needs root and a loop device.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::time::{Instant, sleep};

use crate::guest::{Guest, lines};

/// A small ext4 of its own, thawed and unmounted when dropped, and thawed after a minute whatever happens.
struct Frozen {
    mount_point: PathBuf,
    guard: std::process::Child,
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status();
    assert!(
        status.unwrap().success(),
        "{program} {arguments:?}: this test needs root"
    );
}

impl Frozen {
    fn mount(dir: &Path) -> Self {
        let (image, mount_point) = (dir.join("image"), dir.join("guest"));
        let file = std::fs::File::create(&image).unwrap();
        file.set_len(64 << 20).unwrap();
        std::fs::create_dir(&mount_point).unwrap();
        run("mkfs.ext4", &["-q", image.to_str().unwrap()]);
        run(
            "mount",
            &[
                "-o",
                "loop",
                image.to_str().unwrap(),
                mount_point.to_str().unwrap(),
            ],
        );
        let guard = Command::new("sh")
            .args(["-c", "sleep 60; fsfreeze -u \"$1\"", "guard"])
            .arg(&mount_point)
            .process_group(0)
            .spawn()
            .unwrap();
        Self { mount_point, guard }
    }

    fn freeze(&self) {
        run("fsfreeze", &["-f", self.mount_point.to_str().unwrap()]);
    }

    fn thaw(&self) {
        run("fsfreeze", &["-u", self.mount_point.to_str().unwrap()]);
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let path = self.mount_point.to_str().unwrap_or_default();
        // Fails where it is thawed already.
        let _ = Command::new("fsfreeze").args(["-u", path]).output();
        let group = Pid::from_child(&self.guard);
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.guard.wait();
        let _ = Command::new("umount").args(["-l", path]).status();
    }
}

async fn guest(configure: impl FnOnce(&mut lab::cloud::settings::Settings)) -> (Frozen, Guest) {
    let dir = tempfile::tempdir().unwrap();
    let frozen = Frozen::mount(dir.path());
    let home = frozen.mount_point.clone();
    (frozen, Guest::start_at(dir, home, configure).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_ends_on_time_but_nothing_is_said_before_the_thaw() {
    let (frozen, guest) = guest(|_| {}).await;
    let (begin, end, next) = (guest.path("begin"), guest.path("end"), guest.path("next"));
    let script = format!(
        "echo x >{}; sleep 1; echo x >{}",
        begin.display(),
        end.display()
    );
    let command = guest.send(&script).await;
    lines(&begin, 1).await;
    frozen.freeze();
    let second = guest.send(&format!("echo x >{}", next.display())).await;
    lines(&end, 1).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(guest.status(&command).await, "InProgress");
    assert!(!next.exists(), "the second command is not begun");
    let taken = guest
        .lab
        .journal()
        .entries()
        .unwrap()
        .into_iter()
        .any(|entry| {
            let text = format!("{:?}", entry.event);
            text.contains(&second) && text.contains("acknowledged")
        });
    assert!(!taken, "nor is it acknowledged");
    frozen.thaw();
    assert_eq!(guest.ended(&command).await.status, "Success");
    assert_eq!(guest.ended(&second).await.status, "Success");
}

#[tokio::test(flavor = "multi_thread")]
async fn much_output_blocks_the_script_until_the_thaw() {
    let (frozen, guest) = guest(|_| {}).await;
    let (begin, end) = (guest.path("begin"), guest.path("end"));
    let script = format!(
        "echo x >{}; sleep 1; head -c 204800 /dev/zero; echo x >{}",
        begin.display(),
        end.display()
    );
    let command = guest.send(&script).await;
    lines(&begin, 1).await;
    frozen.freeze();
    sleep(Duration::from_secs(3)).await;
    assert!(!end.exists());
    frozen.thaw();
    lines(&end, 1).await;
    assert_eq!(guest.ended(&command).await.status, "Success");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_kills_on_time_and_is_reported_at_the_thaw() {
    let (frozen, guest) = guest(|_| {}).await;
    let alive = guest.path("alive");
    let script = format!("while :; do echo x >>{}; sleep 0.2; done", alive.display());
    let command = guest.send_with(&script, "5").await;
    lines(&alive, 1).await;
    let begun = Instant::now();
    frozen.freeze();
    sleep(Duration::from_secs(6)).await;
    let count = lines(&alive, 1).await.len();
    sleep(Duration::from_millis(800)).await;
    assert_eq!(lines(&alive, 1).await.len(), count, "it was killed on time");
    assert_eq!(guest.status(&command).await, "InProgress");
    frozen.thaw();
    assert_eq!(guest.ended(&command).await.status, "TimedOut");
    assert!(begun.elapsed() > Duration::from_secs(6));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_process_writes_after_its_command_timed_out() {
    let (frozen, guest) = guest(|_| {}).await;
    let (begin, late) = (guest.path("begin"), frozen.mount_point.join("late"));
    let script = format!(
        "echo x >{}; sleep 1; echo x >{}",
        begin.display(),
        late.display()
    );
    let command = guest.send_with(&script, "5").await;
    lines(&begin, 1).await;
    frozen.freeze();
    sleep(Duration::from_secs(6)).await;
    frozen.thaw();
    assert_eq!(guest.ended(&command).await.status, "TimedOut");
    // Creating the file was under way when SIGKILL came, and happened.
    assert!(late.exists());
}
