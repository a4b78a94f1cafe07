//! Whatever dies, nothing stays frozen and nothing stays behind.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use lab::host::{Filesystem, Host, HostConfig, HostError};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{LAB, LONG, Lab, attachment, directory, leftovers, sh};

const CHILD_DIR: &str = "LAB_TEST_CHILD_DIR";
const LIMIT: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_lets_go_of_what_is_held_too_long() {
    let lab = Lab::open_with(|config| config.guard_limit = LIMIT).await;
    let machine = frozen(&lab).await;
    sh(&machine, "pkill -STOP -f '^/usr/bin/sleep 1000'").await;
    assert_eq!(lab.host().guard_verdict(), None);
    // Returns once the write does.
    sh(&machine, "echo written >/data/file").await;
    let stopped = "until grep -q 'State:.S' /proc/$(pgrep -f '^/usr/bin/sleep 1000')/status; do sleep 0.1; done";
    sh(&machine, stopped).await;
    let verdict = lab.host().guard_verdict().expect("a verdict");
    assert!(verdict.contains("held for more than 2 s"), "{verdict}");
    machine.terminate().await.unwrap();
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_frozen_can_be_terminated() {
    let lab = Lab::open().await;
    let machine = frozen(&lab).await;
    machine.terminate().await.unwrap();
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_directory_one_lab() {
    let lab = Lab::open().await;
    let second = Host::open(HostConfig::new(lab.path(), LAB)).await;
    assert!(matches!(second, Err(HostError::InUse(_))));
    let sweep = Host::sweep(&lab.path()).await;
    assert!(matches!(sweep, Err(HostError::InUse(_))));
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_outlives_a_killed_lab() {
    let dir = directory();
    kill_a_lab_with_something_frozen(dir.path());
    let verdict = dir.path().join("guard.verdict");
    for _ in 0..100 {
        if verdict.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(verdict.exists());
    down(dir.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_after_everything_was_killed() {
    let dir = directory();
    kill_a_lab_with_something_frozen(dir.path());
    kill_pid_in(&dir.path().join("guard.pid"));
    // With its first process an instance loses its mounts: what was frozen is out of everybody's reach.
    kill_pid_in(&dir.path().join("machines/i-0aaa/init.pid"));
    tokio::time::sleep(Duration::from_millis(500)).await;
    down(dir.path());
    // And a second time there is nothing to do.
    down(dir.path());
}

/// Not a test: the lab that the tests above kill.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by other tests, in a process of its own"]
async fn child() {
    let dir = env::var_os(CHILD_DIR).expect("a directory");
    let lab = Lab::open_in(dir.as_ref(), |config| config.guard_limit = LIMIT).await;
    frozen(&lab).await;
    fs::write(Path::new(&dir).join("frozen"), "").unwrap();
    std::future::pending::<()>().await;
}

/// Starts a lab in a process of its own, waits until a file system in it is frozen, and kills it.
fn kill_a_lab_with_something_frozen(dir: &Path) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "guard::child", "--ignored", "--nocapture"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let frozen = dir.join("frozen");
    while !frozen.exists() {
        assert_eq!(child.try_wait().unwrap(), None, "the lab ended by itself");
        std::thread::yield_now();
        #[expect(clippy::disallowed_methods, reason = "nothing else runs here")]
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_ne!(leftovers(dir), Vec::<String>::new());
}

fn kill_pid_in(file: &Path) {
    let pid: i32 = fs::read_to_string(file).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

fn down(dir: &Path) {
    let status = Command::new(LAB)
        .args(["down", "--dir"])
        .arg(dir)
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(leftovers(dir), Vec::<String>::new());
}

/// An instance with a frozen file system and a process that sleeps.
async fn frozen(lab: &Lab) -> lab::host::Machine {
    let volume = lab
        .host()
        .create_volume(1, Some((Filesystem::Ext4, "data")))
        .await;
    let data = vec![attachment("/dev/sdf", "vol-0bb", volume.unwrap())];
    let machine = lab.boot("i-0aaa", data).await;
    let script = "mkdir -p /data; mount LABEL=data /data; systemd-run --quiet sleep 1000
        until pgrep -f '^/usr/bin/sleep 1000'; do sleep 0.02; done; fsfreeze -f /data";
    let output = machine
        .exec(&["sh", "-ec", script], b"", LONG)
        .await
        .unwrap();
    assert!(output.success(), "{output:?}");
    machine
}
