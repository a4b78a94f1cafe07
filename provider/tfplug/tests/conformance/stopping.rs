//! Ctrl-C, and processes that die: what is held gets released, and nothing stays behind.

use std::{
    os::unix::process::CommandExt as _,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use crate::workspace::{Run, Workspace, eventually, signal};

/// An apply that holds for a minute unless it is stopped, and then needs `release_ms` to release.
fn holding(release_ms: u32) -> (Workspace, Child) {
    let workspace = Workspace::new(&format!(
        "resource \"toy_sleeper\" \"s\" {{\n  name = \"s\"\n  hold_ms = 60000\n  release_ms = {release_ms}\n}}"
    ));
    let terraform = workspace
        .command(&["apply", "-auto-approve", "-no-color"])
        // As a shell does it: Ctrl-C reaches the whole group.
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("the hold begins", || workspace.toy("s.held").exists());
    (workspace, terraform)
}

#[track_caller]
fn is_released(workspace: &Workspace) {
    assert!(workspace.toy("s.released").exists() && !workspace.toy("s.held").exists());
}

fn pid(child: &Child) -> i64 {
    i64::from(child.id())
}

#[test]
fn ctrl_c_releases_at_once() {
    let (workspace, terraform) = holding(100);
    let begun = Instant::now();
    signal("INT", -pid(&terraform));
    let run = Run::of(&terraform.wait_with_output().unwrap());
    assert!(begun.elapsed() < Duration::from_secs(20));
    is_released(&workspace);
    // It was the provider's own answer, not that of a process that is gone.
    run.says("The hold was released before its time.");
    eventually("the provider exits", || workspace.providers().is_empty());
}

#[test]
fn ctrl_c_twice_does_not_cut_the_release_short() {
    // Terraform gives up on its own operation 5 s after the second one, then asks for shutdown.
    let (workspace, terraform) = holding(8_000);
    signal("INT", -pid(&terraform));
    eventually("Terraform takes notice", || {
        !workspace.providers().is_empty()
    });
    signal("INT", -pid(&terraform));
    terraform.wait_with_output().unwrap();
    eventually("the provider exits", || workspace.providers().is_empty());
    is_released(&workspace);
}

#[test]
fn the_provider_outlives_a_killed_terraform_until_it_released() {
    let (workspace, mut terraform) = holding(1_000);
    assert_eq!(workspace.providers().len(), 1);
    signal("KILL", pid(&terraform));
    terraform.wait().unwrap();
    assert!(workspace.toy("s.held").exists());
    eventually("the release", || workspace.toy("s.released").exists());
    is_released(&workspace);
    eventually("the provider exits", || workspace.providers().is_empty());
}

#[test]
fn a_terminated_provider_releases_and_answers_first() {
    for name in ["TERM", "HUP", "QUIT"] {
        let (workspace, terraform) = holding(200);
        let providers = workspace.providers();
        assert_eq!(providers.len(), 1);
        signal(name, i64::from(providers[0]));
        let run = Run::of(&terraform.wait_with_output().unwrap());
        is_released(&workspace);
        run.says("The hold was released before its time.");
        eventually("the provider exits", || workspace.providers().is_empty());
    }
}

#[test]
fn an_interrupt_alone_changes_nothing() {
    let (workspace, terraform) = holding(100);
    let providers = workspace.providers();
    signal("INT", i64::from(providers[0]));
    signal("INT", i64::from(providers[0]));
    assert!(workspace.toy("s.held").exists());
    assert_eq!(workspace.providers(), providers);
    signal("INT", -pid(&terraform));
    terraform.wait_with_output().unwrap();
    is_released(&workspace);
}
