//! The moments of a hold, recognised in the lab's journal: when a scenario strikes.

use std::{
    fmt,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use lab::cloud::journal::{Entry, Event};

use crate::Error;

/// Moments in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The script that will hold writes was handed to the agent.
    HoldDelivered,
    /// It answered: writes are held.
    Held,
    /// `CreateImage`, or `CreateSnapshots`, was answered.
    CaptureAnswered,
    /// The first of several snapshots was taken.
    FirstSnapshot,
    /// The script that lets writes go was handed to the agent.
    ReleaseDelivered,
    /// It answered: what was captured is still copied.
    Released,
}

impl Moment {
    /// Those of the hold itself.
    pub const ALL: [Self; 5] = [
        Self::HoldDelivered,
        Self::Held,
        Self::CaptureAnswered,
        Self::FirstSnapshot,
        Self::ReleaseDelivered,
    ];

    /// Whether it has come, by the entries since a run began.
    pub fn reached(self, entries: &[Entry]) -> bool {
        match self {
            Self::HoldDelivered => commands(entries, "delivered") >= HOLD,
            Self::Held => commands(entries, "replied") >= HOLD,
            Self::CaptureAnswered => CAPTURES.iter().any(|call| calls(entries, call) > 0),
            Self::FirstSnapshot => entries
                .iter()
                .any(|entry| matches!(entry.event, Event::Snapshot { .. })),
            Self::ReleaseDelivered => commands(entries, "delivered") >= RELEASE,
            Self::Released => commands(entries, "replied") >= RELEASE,
        }
    }
}

const CAPTURES: [&str; 2] = ["ec2:CreateImage", "ec2:CreateSnapshots"];

/// A run sends four scripts: probe, arm, hold, release.
const HOLD: usize = 3;
const RELEASE: usize = 4;

/// How many different commands came this far.
fn commands(entries: &[Entry], stage: &str) -> usize {
    let mut seen: Vec<&str> = Vec::new();
    for entry in entries {
        if let Event::Command { command, what, .. } = &entry.event
            && what.starts_with(stage)
            && !seen.contains(&command.as_str())
        {
            seen.push(command);
        }
    }
    seen.len()
}

fn calls(entries: &[Entry], wanted: &str) -> usize {
    entries
        .iter()
        .filter(|entry| matches!(&entry.event, Event::Call { action, .. } if action == wanted))
        .count()
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HoldDelivered => "hold_delivered",
            Self::Held => "held",
            Self::CaptureAnswered => "capture_answered",
            Self::FirstSnapshot => "first_snapshot",
            Self::ReleaseDelivered => "release_delivered",
            Self::Released => "released",
        })
    }
}

/// The journal from one point on, read as it grows.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    offset: u64,
    entries: Vec<Entry>,
}

impl Follower {
    /// From now on.
    pub fn start(path: &Path) -> Result<Self, Error> {
        let length = path.metadata().map_err(Error::io("the lab's journal"))?;
        Ok(Self {
            path: path.to_owned(),
            offset: length.len(),
            entries: Vec::new(),
        })
    }

    /// Everything since the start.
    pub fn entries(&mut self) -> Result<&[Entry], Error> {
        let text = self.rest().map_err(Error::io("the lab's journal"))?;
        // A line that is being written is left for the next look.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        for line in text[..whole].lines() {
            let entry = serde_json::from_str(line)
                .map_err(|error| Error::Unreadable(self.path.clone(), error.to_string()))?;
            self.entries.push(entry);
        }
        self.offset += whole as u64;
        Ok(&self.entries)
    }

    fn rest(&self) -> std::io::Result<String> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use lab::host::Monotonic;

    use super::*;

    fn entry(event: Event) -> Entry {
        Entry {
            at: Monotonic::from_micros(1),
            event,
        }
    }

    fn command(command: &str, what: &str) -> Entry {
        entry(Event::Command {
            command: command.into(),
            instance: "i-1".into(),
            what: what.into(),
        })
    }

    #[test]
    fn each_moment_comes_with_its_entry() {
        let mut entries = vec![
            command("probe", "delivered"),
            command("probe", "replied Success"),
            command("arm", "delivered"),
            command("arm", "replied Success"),
        ];
        assert!(!Moment::HoldDelivered.reached(&entries));
        entries.push(command("hold", "delivered"));
        assert!(Moment::HoldDelivered.reached(&entries));
        assert!(!Moment::Held.reached(&entries));
        entries.push(command("hold", "delivered"));
        assert!(
            !Moment::ReleaseDelivered.reached(&entries),
            "delivered twice"
        );
        entries.push(command("hold", "replied Success"));
        assert!(Moment::Held.reached(&entries));
        assert!(!Moment::FirstSnapshot.reached(&entries));
        entries.push(entry(Event::Snapshot {
            snapshot: "snap-1".into(),
            volume: "vol-1".into(),
            began: Monotonic::from_micros(1),
            taken_at: Monotonic::from_micros(2),
        }));
        assert!(Moment::FirstSnapshot.reached(&entries));
        entries.push(command("release", "delivered"));
        assert!(Moment::ReleaseDelivered.reached(&entries));
        assert!(!Moment::CaptureAnswered.reached(&entries));
    }

    #[test]
    fn a_follower_sees_what_comes_after_it_and_no_half_line() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let line = serde_json::to_string(&command("probe", "delivered")).expect("JSON");
        writeln!(file, "{line}").expect("written");
        let mut follower = Follower::start(file.path()).expect("it exists");
        assert!(follower.entries().expect("read").is_empty());
        let (first, second) = line.split_at(9);
        write!(file, "{first}").expect("written");
        assert!(follower.entries().expect("read").is_empty());
        writeln!(file, "{second}").expect("written");
        assert_eq!(follower.entries().expect("read").len(), 1);
    }
}
