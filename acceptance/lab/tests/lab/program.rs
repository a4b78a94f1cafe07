//! The lab as a program: served, used by a client that is not ours, taken down alive and dead.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

struct Served {
    process: Child,
    /// The `export` lines.
    environment: Vec<(String, String)>,
}

/// Starts `lab serve` and waits for what it prints.
fn serve(dir: &Path) -> Served {
    let mut process = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(["serve", "--scale", "1", "--dir"])
        .arg(dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut environment = Vec::new();
    while environment
        .last()
        .is_none_or(|(name, _)| name != "AWS_EC2_METADATA_DISABLED")
    {
        let line = lines.next().expect("the lab has ended").unwrap();
        let export = line.strip_prefix("export ").unwrap();
        let (name, value) = export.split_once('=').unwrap();
        environment.push((name.to_owned(), value.to_owned()));
    }
    Served {
        process,
        environment,
    }
}

fn lab(arguments: &[&str], dir: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(arguments)
        .arg("--dir")
        .arg(dir)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Loop devices and mounts of a lab. Passes over a device that is detached already, its file deleted: the kernel lets
/// it go when the last mount namespace made meanwhile, another lab's instance, ends.
fn traces(dir: &Path) -> Vec<String> {
    let name = dir.to_str().unwrap();
    let loops = Command::new("losetup")
        .args(["--list", "--noheadings"])
        .output();
    let loops = String::from_utf8(loops.unwrap().stdout).unwrap();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let lines = loops.lines().chain(mounts.lines());
    lines
        .filter(|line| line.contains(name) && !line.contains("(deleted)"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_served_lab_is_used_and_taken_down() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let mut served = serve(dir.path());
    let instance = &served.environment[0].1;
    let output = Command::new("aws")
        .args([
            "ec2",
            "describe-instances",
            "--output",
            "text",
            "--query",
            "Reservations[].Instances[].InstanceId",
        ])
        .envs(served.environment.iter().cloned())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), instance);
    lab(&["down"], dir.path());
    assert!(served.process.wait().unwrap().success());
    assert_eq!(traces(dir.path()), [""; 0]);
    assert!(lab(&["journal"], dir.path()).contains("ec2:DescribeInstances"));
}

#[test]
fn a_killed_lab_is_taken_down() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let mut served = serve(dir.path());
    served.process.kill().unwrap();
    served.process.wait().unwrap();
    assert_ne!(
        traces(dir.path()),
        [""; 0],
        "there is something to take down"
    );
    lab(&["down"], dir.path());
    assert_eq!(traces(dir.path()), [""; 0]);
}
