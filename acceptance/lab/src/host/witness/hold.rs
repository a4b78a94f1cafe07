//! From what happened to how long writes were held.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::{Event, EventKind};
use crate::host::clock::Monotonic;

/// How writes were held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldMethod {
    /// File systems were frozen.
    Freeze,
    /// Processes stood still.
    Pause,
    /// No server ran.
    Stop,
}

impl fmt::Display for HoldMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Freeze => "freeze",
            Self::Pause => "pause",
            Self::Stop => "stop",
        })
    }
}

/// One hold of one instance, from the first thing taken to the last one let go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub method: HoldMethod,
    /// Device names, cgroups or pids.
    pub targets: BTreeSet<String>,
    /// The first target began to be taken: from here on writes may stall.
    pub began: Monotonic,
    /// The last target was taken: from here on nothing is written.
    pub held: Monotonic,
    /// The first target began to be let go: until here nothing was written.
    pub release_began: Option<Monotonic>,
    /// The last target was let go.
    pub let_go: Option<Monotonic>,
}

/// The holds in `events`, which are one instance's, in the order in which they began. The last of a method may be
/// open: its `let_go` is `None`.
pub(super) fn holds<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<Hold> {
    let mut books = BTreeMap::<HoldMethod, Book>::new();
    let mut finished = Vec::new();
    for event in events {
        let Some((method, change)) = change(event) else {
            continue;
        };
        let book = books.entry(method).or_default();
        match change {
            Change::Take(target) => book.take(method, target, event),
            Change::LetGo(target) => finished.extend(book.let_go(&target, event)),
        }
    }
    finished.extend(books.into_values().filter_map(|book| book.open));
    finished.sort_by_key(|hold| hold.began);
    finished
}

enum Change {
    Take(String),
    LetGo(String),
}

fn change(event: &Event) -> Option<(HoldMethod, Change)> {
    use Change::{LetGo, Take};
    use HoldMethod::{Freeze, Pause, Stop};
    Some(match &event.kind {
        EventKind::Frozen { device } => (Freeze, Take(device.clone())),
        EventKind::Thawed { device } => (Freeze, LetGo(device.clone())),
        EventKind::CgroupFrozen { path } => (Pause, Take(path.clone())),
        EventKind::CgroupThawed { path } => (Pause, LetGo(path.clone())),
        EventKind::ProcessStopped { target } => (Pause, Take(target.to_string())),
        EventKind::ProcessContinued { target } => (Pause, LetGo(target.to_string())),
        EventKind::ServerEnded { .. } => (Stop, Take("server".to_owned())),
        EventKind::ServerStarted { .. } => (Stop, LetGo("server".to_owned())),
        EventKind::FreezeFailed { .. } | EventKind::ThawFailed { .. } | EventKind::Lost { .. } => {
            return None;
        }
    })
}

/// What is held by one method now.
#[derive(Default)]
struct Book {
    held: BTreeSet<String>,
    open: Option<Hold>,
}

impl Book {
    fn take(&mut self, method: HoldMethod, target: String, event: &Event) {
        if !self.held.insert(target.clone()) {
            return;
        }
        let hold = self.open.get_or_insert_with(|| Hold {
            method,
            targets: BTreeSet::new(),
            began: event.began,
            held: event.at,
            release_began: None,
            let_go: None,
        });
        hold.targets.insert(target);
        hold.held = event.at;
    }

    /// The hold, once its last target is let go.
    fn let_go(&mut self, target: &str, event: &Event) -> Option<Hold> {
        if !self.held.remove(target) {
            return None;
        }
        let hold = self.open.as_mut()?;
        hold.release_began.get_or_insert(event.began);
        if !self.held.is_empty() {
            return None;
        }
        hold.let_go = Some(event.at);
        self.open.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(began: u64, at: u64, kind: EventKind) -> Event {
        Event {
            began: Monotonic::from_micros(began),
            at: Monotonic::from_micros(at),
            instance: Some("i-1".to_owned()),
            pid: 1,
            comm: "fsfreeze".to_owned(),
            kind,
        }
    }

    fn frozen(device: &str) -> EventKind {
        let device = device.to_owned();
        EventKind::Frozen { device }
    }

    fn thawed(device: &str) -> EventKind {
        let device = device.to_owned();
        EventKind::Thawed { device }
    }

    #[test]
    fn one_hold_over_two_file_systems() {
        let events = [
            event(10, 20, frozen("/dev/sdf")),
            event(20, 35, frozen("/dev/sdg")),
            event(90, 91, thawed("/dev/sdf")),
            event(92, 95, thawed("/dev/sdg")),
            event(200, 210, frozen("/dev/sdf")),
        ];
        let holds = holds(&events);
        let [first, second] = holds.as_slice() else {
            panic!("{holds:?}");
        };
        let micros = Monotonic::from_micros;
        assert_eq!((first.began, first.held), (micros(10), micros(35)));
        assert_eq!(first.release_began, Some(micros(90)));
        assert_eq!(first.let_go, Some(micros(95)));
        assert_eq!(second.let_go, None, "still held");
    }

    #[test]
    fn letting_go_what_was_never_taken_is_no_hold() {
        let device = "/dev/sdf".to_owned();
        let failed = EventKind::ThawFailed {
            device: Some(device),
            errno: 22,
        };
        assert_eq!(
            holds(&[event(1, 2, thawed("/dev/sdf")), event(3, 4, failed)]),
            []
        );
    }
}
