//! What the journal tells of one image: when its snapshots were taken, and the timeline of its hold.

use std::{collections::BTreeMap, time::Duration};

use lab::{
    cloud::journal::{Entry, Event},
    host::Monotonic,
};

use crate::{
    clock,
    ledger::Ledger,
    timeline::{Lane, Span, Timeline},
};

/// The entries of the journal during one run, and what is known beside them.
#[derive(Clone, Copy)]
pub struct Story<'a> {
    pub entries: &'a [Entry],
    /// Volume id to what it is called in the drawing.
    pub volumes: &'a BTreeMap<String, String>,
}

impl Story<'_> {
    /// From the first snapshot's instant to the last one's; `None` where none was taken.
    pub fn captured(&self) -> Option<Span> {
        let taken: Vec<_> = self.snapshots().collect();
        Some(Span {
            from: taken.iter().map(|(_, span)| span.from).min()?,
            to: taken.iter().map(|(_, span)| span.to).max()?,
        })
    }

    /// Between the first snapshot and the last one.
    pub fn spread(&self) -> Option<Duration> {
        let instants = || self.snapshots().map(|(_, span)| span.to);
        Some(instants().max()?.saturating_sub(instants().min()?))
    }

    /// The drawing of the run: probe, arm, hold, capture, release, settle, and the clients' commits.
    pub fn timeline(&self, title: String, held: Span, ledger: &Ledger) -> Timeline {
        let scripts = self.scripts();
        let script = |number: usize| scripts.get(number).copied();
        let released = script(3).map(|release| release.to);
        let mut lanes = vec![
            lane("probe", script(0)),
            lane("arm, checkpoint", script(1)),
            lane("last look", script(2).map(|hold| to(hold.from, held.from))),
            lane("writes held", Some(held)),
            lane("CreateImage", self.call("ec2:CreateImage")),
        ];
        lanes.extend(self.snapshots().map(|(volume, span)| Lane {
            label: format!("snapshot {}", self.name(volume)),
            spans: vec![Span::instant(span.to)],
        }));
        lanes.push(lane("release", script(3)));
        let sealed = self.calls("ec2:CreateTags").last();
        lanes.push(lane(
            "settle",
            released.zip(sealed).map(|(from, seal)| to(from, seal.to)),
        ));
        Timeline {
            title,
            held,
            lanes,
            commits: ledger.spans(),
        }
    }

    fn name<'b>(&'b self, volume: &'b str) -> &'b str {
        self.volumes.get(volume).map_or(volume, String::as_str)
    }

    fn snapshots(&self) -> impl Iterator<Item = (&str, Span)> {
        self.entries.iter().filter_map(|entry| match &entry.event {
            Event::Snapshot {
                volume,
                began,
                taken_at,
                ..
            } => Some((volume.as_str(), between(*began, *taken_at))),
            _ => None,
        })
    }

    fn call(&self, action: &str) -> Option<Span> {
        self.calls(action).next()
    }

    fn calls(&self, wanted: &str) -> impl Iterator<Item = Span> {
        self.entries
            .iter()
            .filter_map(move |entry| match &entry.event {
                Event::Call { action, began, .. } if action == wanted => {
                    Some(between(*began, entry.at))
                }
                _ => None,
            })
    }

    /// The scripts in the order in which they were handed to the agent, each until its reply.
    fn scripts(&self) -> Vec<Span> {
        let mut scripts: Vec<(&str, Span)> = Vec::new();
        for entry in self.entries {
            let Event::Command { command, what, .. } = &entry.event else {
                continue;
            };
            let at = clock::since_boot(entry.at);
            match scripts.iter_mut().find(|(known, _)| known == command) {
                Some((_, span)) if what.starts_with("replied") => span.to = at,
                Some(_) => {}
                None => scripts.push((command, Span::instant(at))),
            }
        }
        scripts.into_iter().map(|(_, span)| span).collect()
    }
}

fn lane(label: &str, span: Option<Span>) -> Lane {
    Lane {
        label: label.into(),
        spans: span.into_iter().collect(),
    }
}

fn to(from: Duration, to: Duration) -> Span {
    Span { from, to }
}

fn between(from: Monotonic, to: Monotonic) -> Span {
    Span {
        from: clock::since_boot(from),
        to: clock::since_boot(to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn entry(at_ms: u64, event: Event) -> Entry {
        Entry {
            at: Monotonic::from_micros(at_ms * 1000),
            event,
        }
    }

    fn command(at_ms: u64, command: &str, what: &str) -> Entry {
        entry(
            at_ms,
            Event::Command {
                command: command.into(),
                instance: "i-1".into(),
                what: what.into(),
            },
        )
    }

    fn snapshot(volume: &str, at_ms: u64) -> Entry {
        entry(
            at_ms,
            Event::Snapshot {
                snapshot: "snap".into(),
                volume: volume.into(),
                began: Monotonic::from_micros(at_ms * 1000 - 2000),
                taken_at: Monotonic::from_micros(at_ms * 1000),
            },
        )
    }

    fn call(action: &str, began_ms: u64, at_ms: u64) -> Entry {
        entry(
            at_ms,
            Event::Call {
                action: action.into(),
                principal: String::new(),
                request_id: String::new(),
                began: Monotonic::from_micros(began_ms * 1000),
                outcome: "ok".into(),
                ids: vec![],
                faults: vec![],
            },
        )
    }

    fn entries() -> Vec<Entry> {
        vec![
            command(10, "a", "delivered"),
            command(90, "a", "replied Success"),
            command(100, "b", "delivered"),
            command(101, "b", "acknowledged"),
            command(130, "b", "replied Success"),
            command(140, "c", "delivered"),
            command(200, "c", "replied Success"),
            call("ec2:CreateImage", 210, 230),
            snapshot("vol-1", 300),
            snapshot("vol-2", 700),
            command(720, "d", "delivered"),
            command(760, "d", "replied Success"),
            call("ec2:CreateTags", 1900, 1950),
        ]
    }

    #[test]
    fn the_capture_is_as_long_as_its_snapshots_are_apart() {
        let (entries, volumes) = (entries(), BTreeMap::new());
        let story = Story {
            entries: &entries,
            volumes: &volumes,
        };
        assert_eq!(story.spread(), Some(ms(400)));
        let captured = story.captured().expect("two snapshots");
        assert_eq!((captured.from, captured.to), (ms(298), ms(700)));
        let nothing = Story {
            entries: &[],
            ..story
        };
        assert_eq!((nothing.captured(), nothing.spread()), (None, None));
    }

    #[test]
    fn every_step_has_its_lane() {
        let entries = entries();
        let volumes = BTreeMap::from([("vol-2".to_owned(), "WAL".to_owned())]);
        let story = Story {
            entries: &entries,
            volumes: &volumes,
        };
        let timeline = story.timeline("t".into(), to(ms(150), ms(740)), &Ledger::default());
        let seen: Vec<(String, Vec<Span>)> = timeline
            .lanes
            .into_iter()
            .map(|lane| (lane.label, lane.spans))
            .collect();
        let expected = [
            ("probe", to(ms(10), ms(90))),
            ("arm, checkpoint", to(ms(100), ms(130))),
            ("last look", to(ms(140), ms(150))),
            ("writes held", to(ms(150), ms(740))),
            ("CreateImage", to(ms(210), ms(230))),
            ("snapshot vol-1", to(ms(300), ms(300))),
            ("snapshot WAL", to(ms(700), ms(700))),
            ("release", to(ms(720), ms(760))),
            ("settle", to(ms(760), ms(1950))),
        ];
        assert_eq!(
            seen,
            expected.map(|(label, span)| (label.into(), vec![span]))
        );
    }
}
