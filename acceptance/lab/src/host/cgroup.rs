//! The cgroup v2 subtree of an instance: what all of its processes live in, and how they are ended all at once.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::error::{Context, HostError, Result};

/// How long killed processes may take to be gone; one in D state on a frozen file system never goes.
const KILL_LIMIT: Duration = Duration::from_secs(20);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cgroup(PathBuf);

impl Cgroup {
    pub(super) fn create(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(&path).context(|| path.display().to_string())?;
        Ok(Self(path))
    }

    /// One that exists already.
    pub(super) fn existing(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn exists(&self) -> bool {
        self.0.is_dir()
    }

    /// Every process in the subtree.
    pub(super) fn processes(&self) -> Vec<u32> {
        let mut pids = Vec::new();
        for dir in self.subtree() {
            let listed = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
            pids.extend(listed.lines().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        pids
    }

    /// Freezes or thaws the processes of the whole subtree, and waits at most `within` for the kernel to have done it.
    /// Returns whether it was done by then: a process stuck in the kernel delays it.
    pub(super) async fn set_frozen(&self, frozen: bool, within: Duration) -> Result<bool> {
        self.write("cgroup.freeze", if frozen { "1" } else { "0" })?;
        let expected = format!("frozen {}", u8::from(frozen));
        Ok(self.event(&expected, within).await)
    }

    /// Lets go of every freeze in the subtree, whoever set it.
    pub(super) fn thaw_all(&self) {
        for dir in self.subtree() {
            let file = dir.join("cgroup.freeze");
            if let Err(error) = fs::write(&file, "0") {
                tracing::debug!(file = %file.display(), %error, "could not be thawed");
            }
        }
    }

    /// Kills every process of the subtree at once and waits until they are gone.
    pub(super) async fn kill(&self) -> Result<()> {
        self.signal_kill()?;
        if self.event("populated 0", KILL_LIMIT).await {
            return Ok(());
        }
        Err(HostError::TimedOut {
            what: format!("killing {}", self.0.display()),
            limit: KILL_LIMIT,
        })
    }

    /// SIGKILL for every process of the subtree, without waiting.
    pub(super) fn signal_kill(&self) -> Result<()> {
        if self.exists() {
            self.write("cgroup.kill", "1")
        } else {
            Ok(())
        }
    }

    /// Removes the empty subtree.
    pub(super) fn remove(&self) -> Result<()> {
        for dir in self.subtree().into_iter().rev() {
            fs::remove_dir(&dir).context(|| dir.display().to_string())?;
        }
        Ok(())
    }

    async fn event(&self, expected: &str, within: Duration) -> bool {
        let file = self.0.join("cgroup.events");
        let wait = async {
            loop {
                let events = fs::read_to_string(&file).unwrap_or_default();
                if events.is_empty() || events.lines().any(|line| line == expected) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(within, wait).await.is_ok()
    }

    fn write(&self, name: &str, value: &str) -> Result<()> {
        let file = self.0.join(name);
        fs::write(&file, value).context(|| file.display().to_string())
    }

    /// This directory and all below it, parents first.
    fn subtree(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.0.clone()];
        while let Some(dir) = open.pop() {
            let below = fs::read_dir(&dir).into_iter().flatten().flatten();
            open.extend(
                below
                    .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                    .map(|entry| entry.path()),
            );
            found.push(dir);
        }
        found
    }
}
