//! Processes that may outlive whoever started them: a pid alone could be somebody else's by now.

use std::{fs, io};

use serde::{Deserialize, Serialize};

/// A process, told apart from a later one with the same pid by its start time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// In clock ticks since boot: field 22 of /proc/pid/stat.
    started: u64,
}

impl Process {
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let (state, started) = parse(&stat).ok_or(io::ErrorKind::InvalidData)?;
        if state == "Z" {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Self { pid, started })
    }

    pub(super) fn is_alive(&self) -> bool {
        Self::of(self.pid).is_ok_and(|now| now == *self)
    }
}

/// The state (field 3) and the start time (field 22). The name in field 2 may itself contain blanks and brackets.
fn parse(stat: &str) -> Option<(&str, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some((fields.first()?, fields.get(19)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_bracket_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        assert_eq!(parse(stat), Some(("S", 4242)));
    }

    #[test]
    fn the_living_and_the_dead() {
        let own = Process::of(std::process::id()).unwrap();
        assert!(own.is_alive());
        let other = Process {
            started: own.started + 1,
            ..own
        };
        assert!(!other.is_alive());
    }
}
