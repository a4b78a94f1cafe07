//! What the benchmark saw, one JSON object a line: a long run can be collected in pieces and is never lost.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::Row;
use crate::{Error, judge::Flaw};

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// Stands before the rounds that were run on it.
    Machine(Machine),
    Round(Round),
}

/// On what, and with which versions, rounds were run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub memory_gib: u64,
    pub kernel: String,
    pub terraform: String,
    pub database: String,
    /// Of this repository; `-dirty` where the work tree had changes.
    pub revision: String,
}

/// One image, made and judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    pub row: Row,
    /// When it began, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    pub at: time::OffsetDateTime,
    /// None: the image is clean.
    pub flaws: Vec<Flaw>,
    /// Between the first and the last snapshot's instant.
    pub spread_ms: f64,
    /// `None` for a plain image, and where none was made.
    pub hold: Option<Hold>,
    /// The longest that the writing client waited for a commit while the image was made.
    pub stall_ms: f64,
    /// Begin to verdict.
    pub seconds: f64,
}

/// For the person who waits: clean or how not, the hold, the time.
impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.flaws.is_empty() {
            f.write_str("clean")?;
        }
        for (index, flaw) in self.flaws.iter().enumerate() {
            write!(f, "{}{flaw}", if index == 0 { "" } else { "; " })?;
        }
        if let Some(hold) = self.hold {
            write!(f, ", held {:.0} ms", hold.seen_ms)?;
            write!(f, " (claimed {:.0})", hold.claimed_ms)?;
        }
        write!(f, ", {:.1} s", self.seconds)
    }
}

/// How long writes were held.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// From outside: by the lab's witness, under `stop` by a client.
    pub seen_ms: f64,
    /// By the provider: `evidence.hold_ms`.
    pub claimed_ms: f64,
}

impl Hold {
    /// How far the claim is from what was seen, in percent of the latter.
    pub fn deviation_percent(self) -> f64 {
        (self.claimed_ms - self.seen_ms).abs() / self.seen_ms * 100.0
    }
}

/// The file.
pub struct Journal(PathBuf);

impl Journal {
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// All lines until now; none where the file does not exist yet.
    pub fn lines(&self) -> Result<Vec<Line>, Error> {
        let text = match fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io(self.0.display().to_string())(error)),
        };
        text.lines()
            .map(|line| {
                serde_json::from_str(line)
                    .map_err(|error| Error::Unreadable(self.0.clone(), error.to_string()))
            })
            .collect()
    }

    pub fn append(&self, line: &Line) -> Result<(), Error> {
        self.write(line)
            .map_err(Error::io(self.0.display().to_string()))
    }

    fn write(&self, line: &Line) -> io::Result<()> {
        fs::create_dir_all(self.0.parent().unwrap_or(Path::new(".")))?;
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0)?;
        writeln!(file, "{}", serde_json::to_string(line)?)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::bench::Method;
    use lab::{engines::POSTGRESQL, host::Layout};

    pub(in crate::bench) fn round(method: Method, flaws: Vec<Flaw>, hold: Option<Hold>) -> Round {
        Round {
            row: Row {
                engine: &POSTGRESQL,
                layout: Layout::TwoExt4,
                method,
            },
            at: time::OffsetDateTime::UNIX_EPOCH,
            flaws,
            spread_ms: 800.0,
            hold,
            stall_ms: 950.0,
            seconds: 5.5,
        }
    }

    pub(in crate::bench) fn machine() -> Machine {
        Machine {
            processor: "some CPU".into(),
            cores: 2,
            memory_gib: 24,
            kernel: "6.1".into(),
            terraform: "Terraform v1.11.4".into(),
            database: "15.18".into(),
            revision: "abc1234".into(),
        }
    }

    #[test]
    fn what_was_appended_is_read_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let journal = Journal::new(directory.path().join("data/rounds.jsonl"));
        assert_eq!(journal.lines().expect("absent is empty"), []);
        let lines = [
            Line::Machine(machine()),
            Line::Round(round(Method::Plain, vec![Flaw::LostCommits(3)], None)),
        ];
        for line in &lines {
            journal.append(line).expect("written");
        }
        assert_eq!(journal.lines().expect("readable"), lines);
    }

    #[test]
    fn deviation_is_relative_to_what_was_seen() {
        let hold = Hold {
            seen_ms: 200.0,
            claimed_ms: 190.0,
        };
        assert!((hold.deviation_percent() - 5.0).abs() < 1e-9);
    }
}
