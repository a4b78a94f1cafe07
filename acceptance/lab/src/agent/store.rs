//! The agent's files, where the real agent has them: documents in progress, scripts with their output, and the
//! channel between agent and document worker.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tokio::{fs, io::AsyncWriteExt};

use super::{
    process::Process,
    wire::{Message, Outcome},
};

/// What has been begun and must be ended: all that a worker, or the next agent, needs to know.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Task {
    pub(super) message: Message,
    pub(super) instance: String,
    pub(super) region: String,
    pub(super) platform: BTreeMap<String, String>,
    /// How often it was given to a worker.
    pub(super) attempts: u32,
    pub(super) worker: Option<Process>,
}

/// Where a document is in its life; each is a directory of state files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Pending,
    Current,
    Completed,
}

impl Stage {
    fn directory(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Current => "current",
            Self::Completed => "completed",
        }
    }
}

/// `<state dir>/<instance id>`: an instance made from an image does not look into its source's.
#[derive(Clone, Debug)]
pub(super) struct Store(PathBuf);

impl Store {
    pub(super) fn of(state_dir: &Path, instance: &str) -> Self {
        Self(state_dir.join(instance))
    }

    pub(super) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) async fn prepare(&self) -> io::Result<()> {
        for stage in [Stage::Pending, Stage::Current, Stage::Completed] {
            fs::create_dir_all(self.stage(stage)).await?;
        }
        Ok(())
    }

    fn stage(&self, stage: Stage) -> PathBuf {
        self.0.join("document/state").join(stage.directory())
    }

    /// Of the script and its output.
    pub(super) fn orchestration(&self, message: &str) -> PathBuf {
        let plugin = "awsrunShellScript/0.awsrunShellScript";
        self.0
            .join("document/orchestration")
            .join(message)
            .join(plugin)
    }

    fn channel(&self, message: &str) -> PathBuf {
        self.0.join("channels").join(message)
    }

    pub(super) async fn save(&self, stage: Stage, task: &Task) -> io::Result<()> {
        let path = self.stage(stage).join(&task.message.id);
        write_atomically(&path, &serde_json::to_vec(task)?).await
    }

    pub(super) async fn advance(&self, message: &str, from: Stage, to: Stage) -> io::Result<()> {
        let path = |stage| self.stage(stage).join(message);
        fs::rename(path(from), path(to)).await
    }

    pub(super) async fn load(&self, stage: Stage, message: &str) -> io::Result<Task> {
        let text = fs::read(self.stage(stage).join(message)).await?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Has this message been taken before?
    pub(super) async fn knows(&self, message: &str) -> bool {
        for stage in [Stage::Pending, Stage::Current, Stage::Completed] {
            if fs::try_exists(self.stage(stage).join(message))
                .await
                .unwrap_or(false)
            {
                return true;
            }
        }
        false
    }

    /// The tasks of one stage.
    pub(super) async fn tasks(&self, stage: Stage) -> io::Result<Vec<Task>> {
        let mut tasks = Vec::new();
        let mut entries = fs::read_dir(self.stage(stage)).await?;
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !name.ends_with(PARTIAL) {
                tasks.push(self.load(stage, &name).await?);
            }
        }
        Ok(tasks)
    }

    /// Asks the worker of a message to stop its script.
    pub(super) async fn ask_to_cancel(&self, message: &str) -> io::Result<()> {
        fs::create_dir_all(self.channel(message)).await?;
        fs::write(self.channel(message).join("cancel"), b"").await
    }

    pub(super) async fn is_cancelled(&self, message: &str) -> bool {
        let asked = fs::try_exists(self.channel(message).join("cancel"));
        asked.await.unwrap_or(false)
    }

    /// The worker's last word.
    pub(super) async fn put_outcome(&self, message: &str, outcome: &Outcome) -> io::Result<()> {
        fs::create_dir_all(self.channel(message)).await?;
        let path = self.channel(message).join("outcome");
        write_atomically(&path, &serde_json::to_vec(outcome)?).await
    }

    pub(super) async fn outcome(&self, message: &str) -> Option<Outcome> {
        let text = fs::read(self.channel(message).join("outcome")).await.ok()?;
        serde_json::from_slice(&text).ok()
    }
}

const PARTIAL: &str = ".partial";

/// Whoever reads the file reads all of it or nothing.
async fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let partial = path.with_added_extension(&PARTIAL[1..]);
    let mut file = fs::File::create(&partial).await?;
    file.write_all(content).await?;
    file.flush().await?;
    fs::rename(&partial, path).await
}
