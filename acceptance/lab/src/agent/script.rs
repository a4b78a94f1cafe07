//! One script under the agent's rules: how it is started, how long it may run, how it is killed.

use std::{
    collections::BTreeMap,
    io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use time::OffsetDateTime;
use tokio::{
    fs,
    process::{Child, Command},
    task::JoinHandle,
    time::{interval, sleep_until},
};

use super::{
    output,
    store::{Store, Task},
    wire::{Document, Outcome, Status},
};

/// How often the worker looks whether it was asked to cancel.
const LOOK: Duration = Duration::from_millis(10);

/// Out of this range, or no number, a time-out silently becomes an hour (FACTS.md part C, 4).
const TIMEOUT_SECONDS: std::ops::RangeInclusive<u64> = 5..=172_800;
const DEFAULT_TIMEOUT: Duration = Duration::from_hours(1);

/// Runs a document's script to its end.
pub(super) async fn run(store: &Store, task: &Task, document: &Document) -> Outcome {
    let started = now();
    let (status, exit_code, stdout, stderr) = match Running::start(store, task, document).await {
        Ok(running) => running.finish(store, task, document).await,
        Err(error) => (
            Status::Failed,
            1,
            String::new(),
            format!("failed to run commands: {error}"),
        ),
    };
    Outcome {
        status,
        exit_code,
        stdout,
        stderr,
        started,
        ended: now(),
    }
}

type Ending = (Status, i32, String, String);

struct Running {
    script: Child,
    /// Process group of the script: it leads its own.
    group: Pid,
    stdout: JoinHandle<io::Result<Vec<u8>>>,
    stderr: JoinHandle<io::Result<Vec<u8>>>,
}

impl Running {
    async fn start(store: &Store, task: &Task, document: &Document) -> io::Result<Self> {
        let directory = store.orchestration(&task.message.id);
        let path = write_script(&directory, document).await?;
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(&path)
            .env_clear()
            .envs(environment(task))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if !document.working_directory.is_empty() {
            command.current_dir(&document.working_directory);
        }
        let out = output::create(&directory.join("stdout")).await?;
        let err = output::create(&directory.join("stderr")).await?;
        let mut script = command.spawn()?;
        let group = script
            .id()
            .and_then(|pid| Pid::from_raw(pid.cast_signed()))
            .ok_or_else(|| io::Error::other("no pid"))?;
        let (stdout, stderr) = script
            .stdout
            .take()
            .zip(script.stderr.take())
            .ok_or_else(|| io::Error::other("no pipes"))?;
        Ok(Self {
            script,
            group,
            stdout: tokio::spawn(output::collect(stdout, out)),
            stderr: tokio::spawn(output::collect(stderr, err)),
        })
    }

    /// Waits for the script and for everybody who holds its stdout or stderr (FACTS.md part C, 2).
    async fn finish(mut self, store: &Store, task: &Task, document: &Document) -> Ending {
        let deadline = tokio::time::Instant::now() + timeout(&document.execution_timeout);
        let mut look = interval(LOOK);
        let mut killed = None;
        let ended = async {
            let status = self.script.wait().await;
            (
                status,
                head(&mut self.stdout).await,
                head(&mut self.stderr).await,
            )
        };
        tokio::pin!(ended);
        let (status, stdout, stderr) = loop {
            let reason = tokio::select! {
                ended = &mut ended => break ended,
                () = sleep_until(deadline), if killed.is_none() => Status::TimedOut,
                _ = look.tick(), if killed.is_none() => {
                    if !store.is_cancelled(&task.message.id).await {
                        continue;
                    }
                    Status::Cancelled
                }
            };
            // Nobody left in the group, yet somebody holds the output: the agent gives up on it.
            if let Err(error) = kill_process_group(self.group, Signal::KILL) {
                return (Status::Failed, 1, String::new(), error.to_string());
            }
            killed = Some(reason);
        };
        let code = status.map_or(1, exit_code);
        told(killed, code, &stdout, &stderr)
    }
}

fn told(killed: Option<Status>, code: i32, stdout: &[u8], stderr: &[u8]) -> Ending {
    let stdout = output::shown(stdout);
    let mut stderr = output::shown(stderr);
    let status = match killed {
        Some(reason) => reason,
        None if code == 0 => Status::Success,
        None => {
            stderr.extend(["failed to run commands: exit status ", &code.to_string()]);
            Status::Failed
        }
    };
    (status, code, stdout, stderr)
}

async fn head(pipe: &mut JoinHandle<io::Result<Vec<u8>>>) -> Vec<u8> {
    pipe.await.ok().and_then(Result::ok).unwrap_or_default()
}

/// A killed script's code is 128 and the signal: 137 for SIGKILL.
fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1)
}

async fn write_script(directory: &Path, document: &Document) -> io::Result<PathBuf> {
    fs::create_dir_all(directory).await?;
    let path = directory.join("_script.sh");
    let mut options = fs::OpenOptions::new();
    let file = options.create(true).write(true).truncate(true).mode(0o700);
    let mut file = file.open(&path).await?;
    let text = document.commands.join("\n") + "\n";
    tokio::io::AsyncWriteExt::write_all(&mut file, text.as_bytes()).await?;
    tokio::io::AsyncWriteExt::flush(&mut file).await?;
    Ok(path)
}

/// All that the script finds: a systemd service's `PATH`, no `HOME` (FACTS.md part C, 8).
fn environment(task: &Task) -> BTreeMap<&'static str, String> {
    let platform = |field: &str| task.platform.get(field).cloned().unwrap_or_default();
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    BTreeMap::from([
        ("PATH", path.to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("AWS_SSM_INSTANCE_ID", task.instance.clone()),
        ("AWS_SSM_REGION_NAME", task.region.clone()),
        ("AWS_SSM_PLATFORM_NAME", platform("name")),
        ("AWS_SSM_PLATFORM_VERSION", platform("version")),
        ("SSM_COMMAND_ID", task.message.command.clone()),
    ])
}

/// What the agent makes of `executionTimeout`: a fraction is cut off.
fn timeout(text: &str) -> Duration {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    whole
        .parse()
        .ok()
        .filter(|seconds| TIMEOUT_SECONDS.contains(seconds))
        .map_or(DEFAULT_TIMEOUT, Duration::from_secs)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact until the year 2255 for microseconds"
)]
fn now() -> f64 {
    let micros = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000;
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_outs_are_what_the_real_agent_made_of_them() {
        for odd in ["4", "1", "0", "-1", "172801", "", "abc"] {
            assert_eq!(timeout(odd), DEFAULT_TIMEOUT, "{odd:?}");
        }
        assert_eq!(timeout("6.7"), Duration::from_secs(6));
        assert_eq!(timeout("5"), Duration::from_secs(5));
        assert_eq!(timeout("172800"), Duration::from_hours(48));
    }
}
