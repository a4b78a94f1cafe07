//! What users read when something is wrong, and what stays behind.

use std::fs;

use serde_json::json;

use crate::workspace::Workspace;

fn failing(how: &str) -> String {
    format!("resource \"toy_thing\" \"a\" {{\n  name = \"alpha\"\n  fail = \"{how}\"\n}}\n")
}

#[test]
fn validators_point_at_their_attributes_all_at_once() {
    let config = "resource \"toy_thing\" \"a\" {\n  name = \"a\"\n  size = \"huge\"\n}";
    let workspace = Workspace::new(config);
    let run = workspace.run(&["validate", "-no-color"]);
    assert_eq!(run.code, Some(1));
    run.says("Must have at least 2 and at most 30 characters, not 1.")
        .says("name = \"a\"")
        .says("Must be one of \"small\", \"medium\", \"large\", not \"huge\".")
        .says("size = \"huge\"")
        .says("Invalid value for \"size\"");
}

#[test]
fn numbers_out_of_range_are_found_before_apply() {
    let workspace = Workspace::new(
        "resource \"toy_sleeper\" \"s\" {\n  name = \"s\"\n  hold_ms = -1\n  release_ms = 0\n}",
    );
    let run = workspace.run(&["validate", "-no-color"]);
    run.says("expected a whole number from 0 to")
        .says("hold_ms = -1");
}

#[test]
fn a_resource_checks_what_its_attributes_cannot() {
    let config = "resource \"toy_thing\" \"a\" {\n  name = \"grey\"\n  colour = \"grey\"\n}";
    let workspace = Workspace::new(config);
    let run = workspace.run(&["validate", "-no-color"]);
    run.says("Name and colour are the same.")
        .says("colour = \"grey\"");
}

#[test]
fn a_provider_block_that_is_not_known() {
    let workspace = Workspace::new("");
    let config = r#"
        terraform {
          required_providers {
            toy = { source = "tfplug/toy" }
          }
        }
        resource "terraform_data" "d" { input = "box" }
        provider "toy" { directory = terraform_data.d.output }
        resource "toy_thing" "a" { name = "alpha" }
    "#;
    fs::write(workspace.path("main.tf"), config).unwrap();
    let run = workspace.run(&["plan", "-no-color"]);
    run.says("Toys need a directory now, not after apply.");
}

#[test]
fn a_plan_can_fail() {
    let workspace = Workspace::new(&failing("plan"));
    workspace
        .apply_fails()
        .says("As the configuration asked for.")
        .says("fail = \"plan\"");
    assert_eq!(workspace.entry("toy_thing.a"), None);
}

#[test]
fn a_destruction_can_be_refused_while_it_is_planned() {
    let workspace = Workspace::new(&failing("plan_destroy"));
    workspace.apply();
    let run = workspace.run(&["plan", "-destroy", "-no-color"]);
    assert_eq!(run.code, Some(1));
    run.says("It may not be destroyed.");
}

#[test]
fn nothing_is_stored_of_what_never_was() {
    let workspace = Workspace::new(&failing("early"));
    workspace
        .apply_fails()
        .says("The thing broke")
        .says("fail = \"early\"");
    assert_eq!(workspace.entry("toy_thing.a"), None);
}

#[test]
fn what_is_half_made_is_stored_and_tainted() {
    for how in ["late", "half"] {
        let workspace = Workspace::new(&failing(how));
        workspace.apply_fails();
        let entry = workspace.entry("toy_thing.a").unwrap();
        assert_eq!(entry["status"], "tainted", "{how}");
        let colour = if how == "late" {
            json!("grey")
        } else {
            json!(null)
        };
        assert_eq!(entry["attributes"]["colour"], colour);
        workspace.configure(r#"resource "toy_thing" "a" { name = "alpha" }"#);
        workspace.apply();
    }
}

#[test]
fn failed_changes_keep_the_state_as_it_was() {
    let workspace = Workspace::new(r#"resource "toy_thing" "a" { name = "alpha" }"#);
    workspace.apply();
    let before = workspace.attributes("toy_thing.a");
    workspace.configure(&failing("update"));
    workspace.apply_fails().says("The thing broke");
    assert_eq!(workspace.attributes("toy_thing.a"), before);

    workspace.configure(&failing("delete"));
    workspace.apply();
    let run = workspace.run(&["destroy", "-auto-approve", "-no-color"]);
    assert_eq!(run.code, Some(1));
    assert!(workspace.entry("toy_thing.a").is_some() && workspace.toy("alpha").exists());
}

#[test]
fn a_panic_is_an_error_of_its_call_alone() {
    let config = failing("panic") + "resource \"toy_thing\" \"b\" { name = \"beta\" }\n";
    let workspace = Workspace::new(&config);
    let run = workspace.apply_fails();
    run.says("The provider crashed")
        .says("the toy fell off the table");
    assert_eq!(workspace.entry("toy_thing.a"), None);
    assert!(workspace.entry("toy_thing.b").is_some());
}

#[test]
fn warnings_do_not_stop_anything() {
    let workspace = Workspace::new(&failing("warn"));
    workspace
        .apply()
        .says("Warning: Wobbly")
        .says("It may fall over.")
        .says("fail = \"warn\"");
}

#[test]
fn logs_reach_terraform_with_their_level_and_fields() {
    let workspace = Workspace::new(
        "resource \"toy_sleeper\" \"s\" {\n  name = \"dozy\"\n  hold_ms = 1\n  release_ms = 1\n}",
    );
    let log = workspace.path("log");
    let mut command = workspace.command(&["apply", "-auto-approve"]);
    command
        .env("TF_LOG_PROVIDER", "INFO")
        .env("TF_LOG_PATH", &log);
    assert!(command.output().unwrap().status.success());
    let log = fs::read_to_string(log).unwrap();
    let line = log
        .lines()
        .find(|line| line.contains("holding"))
        .expect("the provider's line");
    assert!(line.contains("[INFO]") && line.contains("dozy"), "{line}");
}
