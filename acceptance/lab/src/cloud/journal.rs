//! The journal: one file of JSON lines that tells, in one clock, what every call did and what really happened.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Mutex,
};

use serde::{Deserialize, Serialize};

use super::lock;
use crate::host::{Monotonic, witness};

/// One line. `at` is the moment when the event was over.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Entry {
    pub at: Monotonic,
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An API call was answered, or its connection dropped.
    Call {
        /// `<service>:<Action>`
        action: String,
        /// The caller's ARN; empty where nobody could be identified.
        principal: String,
        request_id: String,
        began: Monotonic,
        /// `ok`, `dropped` or the error's code.
        outcome: String,
        /// Every EC2 id and command id that request and answer named.
        ids: Vec<String>,
        /// The faults that struck, in words.
        faults: Vec<String>,
    },
    /// A snapshot was really taken: its instant lies between `began` and `taken_at`.
    Snapshot {
        snapshot: String,
        volume: String,
        began: Monotonic,
        taken_at: Monotonic,
    },
    /// The machine's own witness: freezes, thaws, pauses, as the kernel saw them.
    Witness { what: witness::Event },
    /// An instance changed its state.
    Instance { instance: String, state: String },
    /// An agent came or went.
    Agent { instance: String, what: String },
    /// A command moved on: `delivered`, `acknowledged`, `replied`, with the status where there is one.
    Command {
        command: String,
        instance: String,
        what: String,
    },
}

/// The file, open for appending.
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    /// Appends to `path`, which is created where it does not exist.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(file),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Everything so far, in the order in which it was written.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        read(&self.path)
    }

    pub(crate) fn record(&self, event: Event) {
        self.record_at(Monotonic::now(), event);
    }

    pub(crate) fn record_at(&self, at: Monotonic, event: Event) {
        let entry = Entry { at, event };
        let written = serde_json::to_vec(&entry)
            .map_err(io::Error::from)
            .and_then(|mut line| {
                line.push(b'\n');
                // One write per line: a killed lab leaves whole lines.
                lock(&self.file).write_all(&line)
            });
        if let Err(error) = written {
            tracing::error!(%error, path = %self.path.display(), "the journal lost an entry");
        }
    }
}

/// Reads a journal file.
pub fn read(path: &Path) -> io::Result<Vec<Entry>> {
    fs::read_to_string(path)?
        .lines()
        .map(|line| serde_json::from_str(line).map_err(io::Error::from))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_can_be_read_again_also_after_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let event = |what: &str| Event::Agent {
            instance: "i-1".to_owned(),
            what: what.to_owned(),
        };
        Journal::open(&path).unwrap().record(event("connected"));
        let journal = Journal::open(&path).unwrap();
        journal.record(event("lost"));
        let entries = journal.entries().unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[1].event, event("lost"));
        assert!(entries[0].at <= entries[1].at);
    }
}
