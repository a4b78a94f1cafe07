//! Drives the real terraform binary as a user does: a directory with a configuration, commands, their output.

mod outcome;
mod processes;
mod run;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

pub use self::{
    outcome::{Outcome, Planned},
    run::Run,
};
use crate::{Error, binaries};

/// Longer than any command of a scenario takes on two busy cores; a hang ends here, with the output shown.
const LIMIT: Duration = Duration::from_mins(3);

/// A working directory with its state, and the CLI configuration that points terraform at our provider.
pub struct Terraform {
    binary: PathBuf,
    directory: TempDir,
}

impl Terraform {
    /// An empty working directory in which `consistent-db/consistent` is the provider in `provider_directory`.
    pub fn new(provider_directory: &Path) -> Result<Self, Error> {
        let directory = tempfile::Builder::new()
            .prefix("consistent-")
            .tempdir()
            .map_err(Error::io("a working directory for terraform"))?;
        let terraform = Self {
            binary: binaries::terraform()?,
            directory,
        };
        let overrides = format!(
            "provider_installation {{\n  dev_overrides {{\n    \
             \"registry.terraform.io/consistent-db/consistent\" = {}\n  }}\n  direct {{}}\n}}\n",
            Value::from(provider_directory.to_string_lossy()),
        );
        terraform.write("cli.tfrc", &overrides)?;
        Ok(terraform)
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Replaces the configuration, all of it.
    pub fn configure(&self, configuration: &str) -> Result<(), Error> {
        self.write("main.tf", configuration)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.directory.path().join(name);
        fs::write(&path, text).map_err(Error::io(path.display().to_string()))
    }

    /// Applies without a question.
    pub async fn apply(&self, options: &[&str]) -> Result<Outcome, Error> {
        self.start_apply(options)?.finish(LIMIT).await
    }

    /// Starts to apply, for whoever wants to disturb it.
    pub fn start_apply(&self, options: &[&str]) -> Result<Run, Error> {
        self.start(&[&["apply", "-auto-approve", "-input=false"], options].concat())
    }

    /// What a plan would change.
    pub async fn plan(&self, options: &[&str]) -> Result<Planned, Error> {
        let arguments = [&["plan", "-detailed-exitcode", "-input=false"], options].concat();
        Planned::of(self.run(&arguments).await?)
    }

    /// A plan changes nothing, with and without a refresh.
    pub async fn is_content(&self) -> Result<(), Error> {
        self.plan(&[]).await?.is_empty()?;
        self.plan(&["-refresh=false"]).await?.is_empty()
    }

    pub async fn destroy(&self) -> Result<Outcome, Error> {
        self.run(&["destroy", "-auto-approve", "-input=false"])
            .await
    }

    /// Any other command, until its end.
    pub async fn run(&self, arguments: &[&str]) -> Result<Outcome, Error> {
        self.start(arguments)?.finish(LIMIT).await
    }

    /// The attributes of one resource as the state has them; `None` where it is not in the state.
    pub async fn attributes(&self, address: &str) -> Result<Option<Value>, Error> {
        let resources = self.resources().await?;
        let found = resources.iter().find(|one| one["address"] == address);
        Ok(found.map(|resource| resource["values"].clone()))
    }

    /// Every resource of the state, as `terraform show -json` has it.
    pub async fn resources(&self) -> Result<Vec<Value>, Error> {
        let shown = self.run(&["show", "-json"]).await?.succeeded()?;
        let state: Value = serde_json::from_str(shown.output.trim())
            .map_err(|error| Error::Unexpected(format!("{error} in {shown}")))?;
        let resources = &state["values"]["root_module"]["resources"];
        Ok(resources.as_array().cloned().unwrap_or_default())
    }

    /// A command until its end, with all that providers log at `level` meanwhile.
    pub async fn logged(
        &self,
        level: &str,
        arguments: &[&str],
    ) -> Result<(Outcome, String), Error> {
        let log = self.directory.path().join("log");
        let mut command = self.command(arguments);
        command.env_remove("TF_LOG");
        command
            .env("TF_LOG_PROVIDER", level)
            .env("TF_LOG_PATH", &log);
        let outcome = Run::start(command, arguments)?.finish(LIMIT).await?;
        let text = fs::read_to_string(&log).map_err(Error::io("terraform's log"))?;
        Ok((outcome, text))
    }

    /// Starts any command.
    pub fn start(&self, arguments: &[&str]) -> Result<Run, Error> {
        Run::start(self.command(arguments), arguments)
    }

    fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.binary);
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .envs(env::vars_os().filter(|(name, _)| inherited(&name.to_string_lossy())))
            .env("HOME", self.directory.path())
            .env("TF_CLI_CONFIG_FILE", self.directory.path().join("cli.tfrc"))
            .env("TF_CLI_ARGS", "-no-color")
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null());
        command
    }
}

/// No AWS_* variable and no terraform setting of whoever runs this may change a result; logging may be asked for.
fn inherited(variable: &str) -> bool {
    matches!(variable, "PATH" | "TMPDIR" | "LANG") || variable.starts_with("TF_LOG")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIVIAL: &str = r#"
resource "terraform_data" "build" {
  input = "42"
}
"#;

    fn terraform() -> Terraform {
        let terraform = Terraform::new(Path::new("/nowhere")).expect("terraform is on the PATH");
        terraform.configure(TRIVIAL).expect("written");
        terraform
    }

    #[tokio::test]
    async fn applies_and_plans_and_destroys() -> Result<(), Error> {
        let terraform = terraform();
        assert!(matches!(terraform.plan(&[]).await?, Planned::Changes(_)));
        terraform.apply(&[]).await?.succeeded()?;
        assert!(matches!(terraform.plan(&[]).await?, Planned::Nothing));
        let build = terraform.attributes("terraform_data.build").await?;
        assert_eq!(build.expect("in the state")["output"], "42");
        assert_eq!(terraform.attributes("terraform_data.other").await?, None);
        terraform.destroy().await?.succeeded()?;
        assert_eq!(terraform.attributes("terraform_data.build").await?, None);
        Ok(())
    }

    #[tokio::test]
    async fn a_failure_shows_what_terraform_said() -> Result<(), Error> {
        let terraform = terraform();
        terraform
            .configure("resource \"terraform_data\" \"build\" {\n  no_such_argument = 1\n}\n")?;
        let outcome = terraform.apply(&[]).await?;
        assert!(outcome.said("An argument named \"no_such_argument\" is not expected here."));
        let error = outcome.succeeded().expect_err("it failed").to_string();
        assert!(error.contains("terraform apply") && error.contains("no_such_argument"));
        Ok(())
    }

    #[tokio::test]
    async fn a_hang_is_cut_and_shown() -> Result<(), Error> {
        let terraform = terraform();
        terraform.configure(
            "resource \"terraform_data\" \"build\" {\n  provisioner \"local-exec\" {\n    \
             command = \"echo before the hang; sleep 600\"\n  }\n}\n",
        )?;
        let run = terraform.start_apply(&[])?;
        let error = run
            .finish(Duration::from_secs(5))
            .await
            .expect_err("it hangs");
        assert!(error.to_string().contains("before the hang"), "{error}");
        Ok(())
    }

    #[tokio::test]
    async fn an_interrupt_reaches_terraform() -> Result<(), Error> {
        let terraform = terraform();
        terraform.configure(
            "resource \"terraform_data\" \"build\" {\n  provisioner \"local-exec\" {\n    \
             command = \"echo started; exec sleep 600\"\n  }\n}\n",
        )?;
        let run = terraform.start_apply(&[])?;
        run.until_said("started", Duration::from_secs(20)).await?;
        run.interrupt();
        let outcome = run.finish(Duration::from_secs(20)).await?;
        assert!(outcome.said("Interrupt received"), "{outcome}");
        Ok(())
    }
}
