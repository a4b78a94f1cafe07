//! How commands get into an instance: its cgroup first, then its namespaces.

use std::{
    ffi::OsStr,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{io::AsyncWriteExt, process::Command};

use super::{
    cgroup::Cgroup,
    error::{Context, HostError, Result},
};

/// Moves itself into a cgroup and becomes what follows.
const JOIN: &str = r#"echo $$ >"$1/cgroup.procs" && shift && exec "$@""#;

/// What a command inside an instance printed, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    pub fn success(&self) -> bool {
        self.status.success()
    }
}

/// A command of the host that runs in `cgroup`.
pub(super) fn in_cgroup(cgroup: &Path, program: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", JOIN, "join"])
        .arg(cgroup)
        .arg(program)
        .stdin(Stdio::null());
    command
}

/// Runs what follows as a child, and waits for it. nsenter(1) would do so too, but it stops with a child that is stopped,
/// and a shutdown stops everything for a moment: nobody continues nsenter, the child that was killed stays a zombie, and
/// the instance's systemd waits 90 s for it.
const WAIT: &str = r#""$@"; exit $?"#;

/// A command that runs as root in the namespaces of the instance whose first process is `init`, in `cgroup`.
pub(super) fn inside<A: AsRef<OsStr>>(
    init: u32,
    cgroup: &Path,
    argv: impl IntoIterator<Item = A>,
) -> Command {
    let mut command = in_cgroup(cgroup, "nsenter");
    command
        .args(["--target", &init.to_string()])
        .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"])
        .args(["--root", "--wd", "--no-fork", "--"])
        .args(["sh", "-c", WAIT, "wait"])
        .args(["env", "-i", "HOME=/root"])
        .arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .args(argv);
    command
}

/// Runs a command to its end. When time is up, everything in its cgroup is killed; a process in D state stays behind
/// until its file system is thawed, and nobody waits for it.
pub(super) async fn run(
    mut command: Command,
    stdin: &[u8],
    cgroup: &Cgroup,
    within: Duration,
) -> Result<Output> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let last = command.as_std().get_args().last().unwrap_or_default();
    let what = last.display().to_string();
    let mut child = command.spawn().context(|| what.clone())?;
    let mut input = child.stdin.take();
    let finished = tokio::time::timeout(within, async {
        if let Some(mut input) = input.take() {
            // A command need not read what it is given.
            let _ = input.write_all(stdin).await;
        }
        child.wait_with_output().await
    });
    let Ok(output) = finished.await else {
        cgroup.signal_kill()?;
        return Err(HostError::TimedOut {
            what,
            limit: within,
        });
    };
    let output = output.context(|| what)?;
    Ok(Output {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
