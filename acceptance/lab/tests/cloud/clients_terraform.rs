//! The real hashicorp/aws provider against the lab on paper: apply, an empty plan, destroy.

use std::{fs, path::Path};

use lab::cloud::{Lab, iam::User, journal::Event};
use tokio::process::Command;

use crate::support::{client, two_volumes};

/// An unpacked provider mirror with hashicorp/aws 5.100.0; without it this test cannot run.
fn mirror() -> Option<String> {
    let path = std::env::var("LAB_PLUGIN_MIRROR").unwrap_or_else(|_| "/opt/tf-plugins".to_owned());
    let provider = Path::new(&path).join("registry.terraform.io/hashicorp/aws/5.100.0");
    if provider.is_dir() {
        return Some(path);
    }
    eprintln!("NOT RUN: there is no hashicorp/aws 5.100.0 in {path}; set LAB_PLUGIN_MIRROR");
    None
}

struct Terraform<'a> {
    lab: &'a Lab,
    dir: &'a Path,
    source: &'a str,
}

impl Terraform<'_> {
    async fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("terraform");
        command
            .args(arguments)
            .current_dir(self.dir)
            .env("TF_CLI_CONFIG_FILE", self.dir.join("terraform.rc"))
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_VAR_source_instance_id", self.source);
        client(self.lab, User::Operator, &mut command).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hashicorp_aws_makes_an_image_and_an_instance_of_it() {
    let Some(mirror) = mirror() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (lab, source) = two_volumes(&dir.path().join("lab")).await;
    fs::write(
        dir.path().join("main.tf"),
        include_str!("terraform/main.tf"),
    )
    .unwrap();
    fs::write(
        dir.path().join("terraform.rc"),
        format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = \"{mirror}\"\n  }}\n}}\n"
        ),
    )
    .unwrap();
    let terraform = Terraform {
        lab: &lab,
        dir: dir.path(),
        source: &source,
    };
    terraform.run(&["init", "-no-color"]).await;
    terraform
        .run(&["apply", "-auto-approve", "-no-color"])
        .await;
    let image = terraform.run(&["output", "-raw", "image"]).await;
    assert!(image.starts_with("ami-"), "{image}");
    // Exit code 0 of a detailed plan: nothing to change.
    terraform
        .run(&["plan", "-detailed-exitcode", "-no-color"])
        .await;
    terraform
        .run(&["destroy", "-auto-approve", "-no-color"])
        .await;
    let calls = lab.journal().entries().unwrap();
    let refused: Vec<_> = calls
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Call {
                action, outcome, ..
            } if matches!(outcome.as_str(), "InvalidAction" | "UnknownParameter") => Some(action),
            _ => None,
        })
        .collect();
    assert!(
        refused.is_empty(),
        "the provider asked for what the lab does not know: {refused:?}"
    );
}
