//! An instance on paper with the real `lab agent` beside it, as a process of this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use lab::cloud::{ApiError, Lab, iam::User, settings::Settings};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::support::two_volumes;

const WITHIN: Duration = Duration::from_secs(20);

/// The agent's process. Killed when dropped.
pub(crate) struct GuestAgent {
    process: Child,
    socket: PathBuf,
    home: PathBuf,
}

impl GuestAgent {
    /// Starts the agent of `instance`, whose lab lives in `dir`; its own files go to `home`.
    pub(crate) fn start(dir: &Path, instance: &str, home: &Path) -> Self {
        let socket = dir.join("agents").join(format!("{instance}.sock"));
        Self {
            process: spawn(&socket, home),
            socket,
            home: home.to_owned(),
        }
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// As systemd does after it died.
    pub(crate) fn restart(&mut self) {
        self.process = spawn(&self.socket, &self.home);
    }
}

fn spawn(socket: &Path, home: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_lab"))
        .arg("agent")
        .arg("--socket")
        .arg(socket)
        .arg("--state-dir")
        .arg(home.join("state"))
        .arg("--log-dir")
        .arg(home.join("log"))
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// A lab, its one instance and that instance's agent.
pub(crate) struct Guest {
    pub(crate) lab: Lab,
    pub(crate) instance: String,
    pub(crate) agent: GuestAgent,
    dir: TempDir,
    home: PathBuf,
}

/// The end of a command.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: String,
    pub(crate) code: i64,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Guest {
    /// With the agent online.
    pub(crate) async fn start(configure: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("guest");
        Self::start_at(dir, home, configure).await
    }

    /// With the agent's files in `home`.
    pub(crate) async fn start_at(
        dir: TempDir,
        home: PathBuf,
        configure: impl FnOnce(&mut Settings),
    ) -> Self {
        let (lab, instance) = two_volumes(dir.path()).await;
        lab.configure(configure);
        let agent = GuestAgent::start(dir.path(), &instance, &home);
        lab.ready(&instance, WITHIN).await.unwrap();
        Self {
            lab,
            instance,
            agent,
            dir,
            home,
        }
    }

    /// A path in the test's own directory, for scripts to leave traces.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.home.join("state").join(&self.instance)
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.home.join("log/amazon-ssm-agent.log")
    }

    /// The directory of a command's script and output.
    pub(crate) fn orchestration(&self) -> PathBuf {
        let directory = self.state().join("document/orchestration");
        let message = fs::read_dir(directory).unwrap().next().unwrap().unwrap();
        message.path().join("awsrunShellScript/0.awsrunShellScript")
    }

    pub(crate) async fn send(&self, script: &str) -> String {
        self.send_with(script, "60").await
    }

    pub(crate) async fn send_with(&self, script: &str, execution_timeout: &str) -> String {
        let input = json!({
            "DocumentName": "AWS-RunShellScript",
            "InstanceIds": [self.instance],
            "Parameters": {"commands": [script], "executionTimeout": [execution_timeout]},
        });
        let sent = self.ssm("SendCommand", input).await.unwrap();
        sent["Command"]["CommandId"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn cancel(&self, command: &str) {
        let input = json!({"CommandId": command});
        self.ssm("CancelCommand", input).await.unwrap();
    }

    pub(crate) async fn invocation(&self, command: &str) -> Result<Value, ApiError> {
        let input = json!({"CommandId": command, "InstanceId": self.instance});
        self.ssm("GetCommandInvocation", input).await
    }

    pub(crate) async fn status(&self, command: &str) -> String {
        let invocation = self.invocation(command).await;
        invocation.map_or_else(
            |error| error.code.into_owned(),
            |shown| shown["Status"].as_str().unwrap_or_default().to_owned(),
        )
    }

    /// Waits for a command's end.
    pub(crate) async fn ended(&self, command: &str) -> Ended {
        let begun = Instant::now();
        loop {
            if let Ok(shown) = self.invocation(command).await
                && !matches!(
                    shown["Status"].as_str().unwrap(),
                    "Pending" | "InProgress" | "Cancelling"
                )
            {
                let text = |member: &str| shown[member].as_str().unwrap().to_owned();
                return Ended {
                    status: text("Status"),
                    code: shown["ResponseCode"].as_i64().unwrap(),
                    stdout: text("StandardOutputContent"),
                    stderr: text("StandardErrorContent"),
                };
            }
            assert!(begun.elapsed() < WITHIN * 2, "{command} does not end");
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn ssm(&self, action: &str, input: Value) -> Result<Value, ApiError> {
        self.lab
            .call(User::Operator, &format!("ssm:{action}"), input)
            .await
    }
}

/// Waits until a file has this many lines, and returns them.
pub(crate) async fn lines(path: &Path, count: usize) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.len() >= count && text.ends_with('\n') {
            return lines;
        }
        assert!(begun.elapsed() < WITHIN, "{} has {text:?}", path.display());
        sleep(Duration::from_millis(5)).await;
    }
}

/// The pid in a file that a script wrote.
pub(crate) async fn pid_in(path: &Path) -> Pid {
    Pid::from_raw(lines(path, 1).await[0].trim().parse().unwrap()).unwrap()
}

/// Is the process there, and no zombie?
pub(crate) fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid()));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

pub(crate) fn kill(pid: Pid) {
    kill_process(pid, Signal::KILL).unwrap();
}
