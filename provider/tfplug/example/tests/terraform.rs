//! The example under the real Terraform, and as the documentation shows it.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

const MAIN: &str = include_str!("../src/main.rs");
const LIBRARY: &str = include_str!("../../src/lib.rs");

/// A directory with a configuration, and Terraform's settings that find the provider just built.
fn workspace() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let provider = Path::new(env!("CARGO_BIN_EXE_terraform-provider-disk"));
    let settings = format!(
        "provider_installation {{\n  dev_overrides {{\n    \"acme/disk\" = \"{}\"\n  }}\n  direct {{}}\n}}\n",
        provider.parent().expect("a folder").display()
    );
    fs::write(folder.path().join("cli.tfrc"), settings).expect("settings");
    configure(&folder, "hello");
    folder
}

fn configure(folder: &TempDir, content: &str) {
    let file = folder.path().join("greeting");
    let configuration = format!(
        "terraform {{\n  required_providers {{\n    disk = {{ source = \"acme/disk\" }}\n  }}\n}}\n\
         resource \"disk_file\" \"greeting\" {{\n  path = \"{}\"\n  content = \"{content}\"\n}}\n",
        file.display()
    );
    fs::write(folder.path().join("main.tf"), configuration).expect("a configuration");
}

fn terraform(folder: &TempDir, arguments: &[&str]) -> Output {
    let program = std::env::var("TERRAFORM").unwrap_or_else(|_| "terraform".to_owned());
    Command::new(program)
        .args(arguments)
        .current_dir(folder.path())
        .env("TF_CLI_CONFIG_FILE", folder.path().join("cli.tfrc"))
        .output()
        .expect("terraform is on the PATH")
}

#[test]
fn a_file_comes_changes_and_goes() {
    let folder = workspace();
    let greeting = folder.path().join("greeting");
    let read = || fs::read_to_string(&greeting).expect("the file");
    let apply = || {
        let applied = terraform(&folder, &["apply", "-auto-approve", "-no-color"]);
        assert!(applied.status.success(), "{applied:?}");
        let plan = terraform(&folder, &["plan", "-detailed-exitcode"]);
        assert_eq!(plan.status.code(), Some(0), "nothing more to do: {plan:?}");
    };
    apply();
    assert_eq!(read(), "hello");
    configure(&folder, "good day");
    apply();
    assert_eq!(read(), "good day");
    fs::write(&greeting, "damaged").expect("a write");
    apply();
    assert_eq!(read(), "good day", "drift is seen and undone");
    let destroyed = terraform(&folder, &["destroy", "-auto-approve"]);
    assert!(destroyed.status.success(), "{destroyed:?}");
    assert!(!greeting.exists());
}

#[test]
fn a_failure_points_at_its_attribute() {
    let folder = workspace();
    fs::create_dir(folder.path().join("greeting")).expect("a folder in the way");
    let failed = terraform(&folder, &["apply", "-auto-approve", "-no-color"]);
    let said = String::from_utf8_lossy(&failed.stderr);
    assert!(
        !failed.status.success() && said.contains("The file cannot be used"),
        "{said}"
    );
    assert!(
        said.contains("path = "),
        "with the line of the configuration: {said}"
    );
}

#[test]
fn it_is_as_short_as_it_is_said_to_be() {
    let lines = MAIN.lines().count();
    assert!(lines <= 60, "{lines} lines");
}

#[test]
fn the_documentation_shows_this_very_code() {
    let documentation: Vec<&str> = LIBRARY
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    assert!(documentation.join("\n").contains(MAIN.trim_end()));
}
