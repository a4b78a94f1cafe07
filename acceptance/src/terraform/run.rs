//! One terraform command while it runs: its output as it comes, and the signals that a scenario sends it.

use std::{
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{outcome::Outcome, processes};
use crate::Error;

/// How often something that has no event to wait for is looked at.
const GLANCE: Duration = Duration::from_millis(5);

/// Output that comes after the end is that of a child that outlived terraform; nobody waits for it.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A running command. Dropped, it is killed with all its children.
pub struct Run {
    command: String,
    child: Child,
    pid: Pid,
    output: Output,
    readers: Vec<JoinHandle<()>>,
    over: bool,
}

impl Run {
    /// Starts it at the head of a process group of its own, as a shell does: Ctrl-C reaches the group.
    pub(super) fn start(mut command: Command, arguments: &[&str]) -> Result<Self, Error> {
        let line = format!("terraform {}", arguments.join(" "));
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(Error::io(&line))?;
        let pid = child
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()))
            .ok_or_else(|| Error::Unexpected(format!("{line} has no process id")))?;
        let output = Output::default();
        let readers = [
            child.stdout.take().map(|pipe| output.collect(pipe)),
            child.stderr.take().map(|pipe| output.collect(pipe)),
        ];
        Ok(Self {
            command: line,
            child,
            pid,
            output,
            readers: readers.into_iter().flatten().collect(),
            over: false,
        })
    }

    /// Ctrl-C at a terminal: SIGINT to terraform and to the provider, which shares its group.
    pub fn interrupt(&self) {
        signal_group(self.pid, Signal::INT);
    }

    /// `kill -9` of terraform alone: the provider is orphaned.
    pub fn kill_terraform(&self) {
        signal(self.pid, Signal::KILL);
    }

    /// `kill -9` of the provider alone; an error where there is none.
    pub fn kill_provider(&self) -> Result<(), Error> {
        let providers = self.providers();
        for provider in &providers {
            signal(*provider, Signal::KILL);
        }
        if providers.is_empty() {
            return Err(Error::Unexpected("no provider process to kill".into()));
        }
        Ok(())
    }

    /// The provider processes that run now.
    pub fn providers(&self) -> Vec<Pid> {
        processes::providers_of(self.pid)
    }

    /// Waits until the output holds `text`.
    pub async fn until_said(&self, text: &str, limit: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + limit;
        while !self.output.text().contains(text) {
            if Instant::now() > deadline {
                return Err(self.timed_out(limit));
            }
            sleep(GLANCE).await;
        }
        Ok(())
    }

    /// Waits for the end; after `limit` it is killed with all its children, and what it had said is shown.
    pub async fn finish(mut self, limit: Duration) -> Result<Outcome, Error> {
        let Ok(status) = timeout(limit, self.child.wait()).await else {
            return Err(self.timed_out(limit));
        };
        let status = status.map_err(Error::io(&self.command))?;
        self.over = true;
        for reader in self.readers.drain(..) {
            // Cut short or not, what was read so far is in the output.
            let _ = timeout(LAST_WORDS, reader).await;
        }
        Ok(Outcome {
            command: self.command.clone(),
            code: status.code(),
            output: self.output.text(),
        })
    }

    fn timed_out(&self, after: Duration) -> Error {
        Error::TimedOut {
            what: self.command.clone(),
            after,
            so_far: format!(":\n{}", self.output.text()),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.over {
            signal_group(self.pid, Signal::KILL);
        }
    }
}

/// A process that is gone already is as good as signalled.
fn signal(pid: Pid, signal: Signal) {
    let _ = kill_process(pid, signal);
}

fn signal_group(leader: Pid, signal: Signal) {
    let _ = kill_process_group(leader, signal);
}

/// Both streams in one text, in the order in which they were read.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    fn collect(&self, mut pipe: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<()> {
        let output = self.clone();
        tokio::spawn(async move {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut piece).await {
                output.bytes().extend_from_slice(&piece[..length]);
            }
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    fn bytes(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
