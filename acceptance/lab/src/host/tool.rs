//! Programs of the host (losetup, mount, mkfs...), run with a time limit and an error that says what failed.

use std::{ffi::OsStr, io, process::Stdio, time::Duration};

use tokio::process::Command;

use super::error::{Context, HostError, Result};

/// A stuck block device is the only reason for any of these programs to take this long.
const LIMIT: Duration = Duration::from_mins(1);

pub(super) struct Tool {
    command: Command,
    line: String,
    limit: Duration,
}

impl Tool {
    pub(super) fn new(program: &str) -> Self {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).kill_on_drop(true);
        Self {
            command,
            line: program.to_owned(),
            limit: LIMIT,
        }
    }

    pub(super) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.line.push(' ');
        self.line.push_str(&arg.as_ref().to_string_lossy());
        self.command.arg(arg);
        self
    }

    pub(super) fn args<A: AsRef<OsStr>>(self, args: impl IntoIterator<Item = A>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    pub(super) fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// What it printed on stdout, if it succeeded.
    pub(super) async fn run(mut self) -> Result<String> {
        let finished = tokio::time::timeout(self.limit, self.command.output()).await;
        let output = finished
            .map_err(|_| HostError::TimedOut {
                what: self.line.clone(),
                limit: self.limit,
            })?
            .map_err(|error| self.not_started(error))?;
        if !output.status.success() {
            return Err(HostError::Command {
                command: self.line,
                status: output.status.to_string(),
                stderr: one_line(&output.stderr),
            });
        }
        String::from_utf8(output.stdout)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
            .context(|| format!("output of {}", self.line))
    }

    fn not_started(&self, error: io::Error) -> HostError {
        let program = self.command.as_std().get_program().to_string_lossy();
        if error.kind() == io::ErrorKind::NotFound {
            return HostError::Missing(program.into_owned());
        }
        HostError::Io {
            what: program.into_owned(),
            source: error,
        }
    }
}

/// The last lines of a program's complaint, as one line.
fn one_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(5)..].join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failure_carries_command_status_and_complaint() {
        let error = Tool::new("sh")
            .args(["-c", "echo one >&2; echo two >&2; exit 3"])
            .run()
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("exit status: 3"), "{text}");
        assert!(text.ends_with("one; two"), "{text}");
    }

    #[tokio::test]
    async fn a_missing_program_points_at_the_installer() {
        let error = Tool::new("no-such-program").run().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "no-such-program is not installed: run acceptance/install.sh"
        );
    }

    #[tokio::test]
    async fn what_hangs_is_given_up() {
        let hang = Tool::new("sleep")
            .arg("30")
            .within(Duration::from_millis(50));
        assert!(matches!(hang.run().await, Err(HostError::TimedOut { .. })));
    }
}
