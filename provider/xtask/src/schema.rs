//! `schemas/provider.json`: the provider's schema as terraform reads it from the built binary; and `schemas/query.json`,
//! what only a newer one reads.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    contract,
    golden::{self, Mode},
};

/// The contract with users: a change of it is a change of theirs.
pub(crate) const PATH: &str = "schemas/provider.json";
/// The identities of resources, and what can be asked of lists of them.
pub(crate) const QUERY: &str = "schemas/query.json";
/// The provider's address, as in `schemas/provider.json`.
pub(crate) const ADDRESS: &str = "registry.terraform.io/consistent-db/consistent";
const PACKAGE: &str = "terraform-provider-consistent";

pub(crate) fn run(mode: Mode) -> Result<(), String> {
    let schema = settle(mode)?;
    contract::check(&schema)
}

/// What is written is what a release promises.
pub(crate) fn release() -> Result<(), String> {
    let schema = settle(Mode::Write)?;
    contract::record(&schema)
}

fn settle(mode: Mode) -> Result<Value, String> {
    let binary = build()?;
    let schema = ask(Command::new(terraform()?), &binary)?;
    golden::settle(mode, PATH, &pretty(&schema)?, "schema")?;
    let newer = ask(newer_terraform(), &binary)?;
    golden::settle(mode, QUERY, &pretty(&queries(&newer))?, "schema")?;
    Ok(schema)
}

fn pretty(schema: &Value) -> Result<String, String> {
    let pretty = serde_json::to_string_pretty(schema).map_err(|error| error.to_string())?;
    Ok(format!("{pretty}\n"))
}

/// The rest is in the other file.
fn queries(schema: &Value) -> Value {
    let provider = &schema["provider_schemas"][ADDRESS];
    let parts = ["list_resource_schemas", "resource_identity_schemas"];
    parts
        .iter()
        .map(|part| ((*part).to_owned(), provider[*part].clone()))
        .collect()
}

/// Builds the provider and says where it is.
fn build() -> Result<PathBuf, String> {
    let built = Command::new(env!("CARGO"))
        // The Makefile's group of packages: another one would build the AWS SDK a second time.
        .args(["build", "--quiet", "--package", PACKAGE])
        .args(["--package", "consistent-aws"])
        .args(["--message-format", "json-render-diagnostics"])
        .output()
        .map_err(|error| format!("cargo build: {error}"))?;
    if !built.status.success() {
        return Err(String::from_utf8_lossy(&built.stderr).into_owned());
    }
    let messages = String::from_utf8_lossy(&built.stdout);
    let mut executables = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_ours = message["target"]["name"] == PACKAGE;
        is_ours.then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    executables
        .next_back()
        .ok_or_else(|| format!("cargo built no {PACKAGE}"))
}

fn ask(mut terraform: Command, binary: &Path) -> Result<Value, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (settings, main) = (
        folder.path().join("cli.tfrc"),
        folder.path().join("main.tf"),
    );
    let plugins = binary.parent().unwrap_or(binary);
    fs::write(&settings, overriding(plugins)).map_err(|error| error.to_string())?;
    fs::write(&main, requiring()).map_err(|error| error.to_string())?;
    let asked = terraform
        .args(["providers", "schema", "-json"])
        .current_dir(folder.path())
        .env("TF_CLI_CONFIG_FILE", &settings)
        .output()
        .map_err(|error| format!("terraform: {error}"))?;
    if !asked.status.success() {
        return Err(String::from_utf8_lossy(&asked.stderr).into_owned());
    }
    serde_json::from_slice(&asked.stdout).map_err(|error| format!("terraform's answer: {error}"))
}

/// Terraform 1.15, as tfplug's conformance tests use it: by the Python that `acceptance/install.sh test` made, or the
/// machine's own.
fn newer_terraform() -> Command {
    let installed = golden::root().join(".cache/terraform/bin/python3");
    let mut python = if installed.exists() {
        Command::new(installed)
    } else {
        Command::new("python3")
    };
    python.arg(golden::root().join("provider/tfplug/tests/conformance/newer.py"));
    python
}

fn overriding(plugins: &Path) -> String {
    let plugins = plugins.display();
    format!(
        "provider_installation {{\n  dev_overrides {{\n    \"{ADDRESS}\" = \"{plugins}\"\n  }}\n  direct {{}}\n}}\n"
    )
}

fn requiring() -> String {
    format!(
        "terraform {{\n  required_providers {{\n    consistent = {{\n      source = \"{ADDRESS}\"\n    }}\n  }}\n}}\n"
    )
}

fn terraform() -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let candidates = ["terraform", "tofu"]
        .into_iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    candidates
        .into_iter()
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| "neither terraform nor tofu is on the PATH".to_owned())
}
