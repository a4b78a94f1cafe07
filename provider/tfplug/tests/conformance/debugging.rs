//! A provider that runs already, and Terraform attaching to it; and Terraform without TLS.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use crate::workspace::{Workspace, eventually, signal, toy};

/// Does not outlive its test, however that ends.
struct Debugged(Child);

impl Drop for Debugged {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A provider in debug mode, and what it says to put into the environment.
fn debugged(workspace: &Workspace) -> (Debugged, String) {
    let mut provider = Command::new(toy())
        .arg("--debug")
        .current_dir(workspace.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(provider.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let reattach = line.trim().strip_prefix("TF_REATTACH_PROVIDERS='").unwrap();
    (
        Debugged(provider),
        reattach.strip_suffix('\'').unwrap().to_owned(),
    )
}

#[test]
fn terraform_attaches_and_leaves_it_running() {
    let workspace = Workspace::new(r#"resource "toy_thing" "a" { name = "alpha" }"#);
    let (mut provider, reattach) = debugged(&workspace);
    for arguments in [
        &["apply", "-auto-approve"][..],
        &["plan", "-detailed-exitcode"],
        &["destroy", "-auto-approve"],
    ] {
        let output = workspace
            .command(arguments)
            .env("TF_REATTACH_PROVIDERS", &reattach)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert!(provider.0.try_wait().unwrap().is_none(), "it goes on");
    signal("INT", i64::from(provider.0.id()));
    assert!(provider.0.wait().unwrap().success());
}

#[test]
fn one_run_does_not_stop_another() {
    let sleeper =
        "resource \"toy_sleeper\" \"s\" {\n  name = \"s\"\n  hold_ms = 60000\n  release_ms = 0\n}";
    let (first, second) = (Workspace::new(sleeper), Workspace::new(sleeper));
    let (mut provider, reattach) = debugged(&first);
    let start = |workspace: &Workspace| {
        let mut command = workspace.command(&["apply", "-auto-approve"]);
        // Both providers' `directory` is relative to the workspace: make it absolute.
        command
            .env("TF_REATTACH_PROVIDERS", &reattach)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().unwrap()
    };
    for workspace in [&first, &second] {
        let main = std::fs::read_to_string(workspace.path("main.tf")).unwrap();
        let there = workspace.path("").display().to_string();
        std::fs::write(
            workspace.path("main.tf"),
            main.replace("${path.module}/", &there),
        )
        .unwrap();
    }
    let mut runs = [start(&first), start(&second)];
    eventually("both hold", || {
        first.toy("s.held").exists() && second.toy("s.held").exists()
    });
    signal("INT", i64::from(runs[0].id()));
    runs[0].wait().unwrap();
    assert!(!first.toy("s.held").exists() && second.toy("s.held").exists());
    signal("INT", i64::from(runs[1].id()));
    runs[1].wait().unwrap();
    assert!(!second.toy("s.held").exists());
    signal("TERM", i64::from(provider.0.id()));
    assert!(provider.0.wait().unwrap().success());
}

#[test]
fn without_tls_only_where_terraform_was_told_so() {
    let workspace = Workspace::new(r#"resource "toy_thing" "a" { name = "alpha" }"#);
    let output = workspace
        .command(&["apply", "-auto-approve"])
        .env("TF_DISABLE_PLUGIN_TLS", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
