//! What the service shows of a capture, against what was asked for.

use std::collections::BTreeSet;

use crate::{
    error::Cause,
    ports::{
        ImageId, ImageState, Observation, ObservedImage, ObservedSnapshot, SnapshotState, VolumeId,
    },
};

/// The volumes of the image: one snapshot of each, no other.
#[derive(Clone, Debug)]
pub(crate) struct Expected(BTreeSet<VolumeId>);

/// How far the capture has come, nothing being wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Known from the call's answer or from the service's list.
    pub(crate) image: Option<ImageId>,
    /// Volumes without an initiated snapshot.
    pub(crate) missing: Vec<VolumeId>,
    /// The image is available and every snapshot completed.
    pub(crate) complete: bool,
}

/// What was ever seen of a capture, whether or not it still exists: once that is all that was expected, nothing more
/// appears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sightings {
    image: bool,
    /// Volumes of which no snapshot was seen.
    unseen: BTreeSet<VolumeId>,
    any: bool,
}

impl Sightings {
    pub(crate) fn none_of(expected: &Expected) -> Self {
        Self {
            image: false,
            unseen: expected.0.clone(),
            any: false,
        }
    }

    /// The service told the image's id: the service finds it by that.
    pub(crate) fn image_told(&mut self) {
        (self.image, self.any) = (true, true);
    }

    pub(crate) fn note(&mut self, observed: &Observation) {
        self.image |= observed.image.is_some();
        self.any |= !is_empty(observed);
        for snapshot in &observed.snapshots {
            self.unseen.remove(&snapshot.volume_id);
        }
    }

    pub(crate) fn any(&self) -> bool {
        self.any
    }

    pub(crate) fn all(&self) -> bool {
        self.image && self.unseen.is_empty()
    }
}

/// Nothing of the session shows.
pub(crate) fn is_empty(observed: &Observation) -> bool {
    observed.image.is_none() && observed.snapshots.is_empty()
}

impl Expected {
    pub(crate) fn new(volumes: impl Iterator<Item = VolumeId>) -> Self {
        Self(volumes.collect())
    }

    pub(crate) fn volumes(&self) -> Vec<VolumeId> {
        self.0.iter().cloned().collect()
    }

    /// How far the capture has come, or what is wrong with it for good. Lists lag behind: what is absent may yet come.
    pub(crate) fn compare(
        &self,
        known: Option<&ImageId>,
        observed: &Observation,
    ) -> Result<Seen, Cause> {
        let image = sound_image(known, observed.image.as_ref())?;
        let mut initiated = BTreeSet::new();
        for snapshot in &observed.snapshots {
            self.check(snapshot)?;
            if !initiated.insert(&snapshot.volume_id) {
                let text = format!("{} has two snapshots", snapshot.volume_id);
                return Err(Cause::Mismatch(text));
            }
        }
        let missing: Vec<VolumeId> = self
            .0
            .iter()
            .filter(|volume| !initiated.contains(volume))
            .cloned()
            .collect();
        let available = observed
            .image
            .as_ref()
            .is_some_and(|image| image.state == ImageState::Available);
        let completed = observed
            .snapshots
            .iter()
            .all(|snapshot| snapshot.state == SnapshotState::Completed);
        let complete = available && completed && missing.is_empty();
        Ok(Seen {
            image,
            missing,
            complete,
        })
    }

    fn check(&self, snapshot: &ObservedSnapshot) -> Result<(), Cause> {
        if let SnapshotState::Failed(state) = &snapshot.state {
            return Err(Cause::SnapshotFailed {
                id: snapshot.id.clone(),
                volume: snapshot.volume_id.clone(),
                state: state.clone(),
            });
        }
        if !self.0.contains(&snapshot.volume_id) {
            let text = format!(
                "{} was not attached when the hold was armed",
                snapshot.volume_id
            );
            return Err(Cause::Mismatch(text));
        }
        Ok(())
    }
}

fn sound_image(
    known: Option<&ImageId>,
    observed: Option<&ObservedImage>,
) -> Result<Option<ImageId>, Cause> {
    let Some(observed) = observed else {
        return Ok(known.cloned());
    };
    if let ImageState::Failed(state) = &observed.state {
        let (id, state, reason) = (observed.id.clone(), state.clone(), observed.reason.clone());
        return Err(Cause::ImageFailed { id, state, reason });
    }
    match known {
        Some(known) if *known != observed.id => Err(Cause::Mismatch(format!(
            "the session has two images, {known} and {}",
            observed.id
        ))),
        _ => Ok(Some(observed.id.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SnapshotId;

    fn expected() -> Expected {
        Expected::new(["vol-a", "vol-b"].into_iter().map(|id| VolumeId(id.into())))
    }

    fn snapshot(volume: &str, state: SnapshotState) -> ObservedSnapshot {
        ObservedSnapshot {
            id: SnapshotId(format!("snap-{volume}")),
            volume_id: VolumeId(volume.into()),
            state,
            started_at: None,
            size_gib: 8,
            encrypted: false,
        }
    }

    fn image(id: &str, state: ImageState) -> ObservedImage {
        ObservedImage {
            id: ImageId(id.into()),
            state,
            reason: String::new(),
        }
    }

    #[test]
    fn a_capture_is_complete_when_everything_asked_for_is() {
        use SnapshotState::{Completed, Pending};
        let mut observed = Observation {
            image: None,
            snapshots: vec![snapshot("vol-a", Pending)],
        };
        let seen = expected().compare(None, &observed).unwrap();
        assert_eq!(
            seen,
            Seen {
                image: None,
                missing: vec![VolumeId("vol-b".into())],
                complete: false
            }
        );

        observed.snapshots = vec![snapshot("vol-a", Completed), snapshot("vol-b", Pending)];
        observed.image = Some(image("ami-1", ImageState::Available));
        let seen = expected().compare(None, &observed).unwrap();
        assert_eq!(
            seen,
            Seen {
                image: Some(ImageId("ami-1".into())),
                missing: vec![],
                complete: false
            }
        );

        observed.snapshots[1].state = Completed;
        assert!(expected().compare(None, &observed).unwrap().complete);
    }

    #[test]
    fn all_is_seen_once_the_image_and_every_snapshot_was_if_only_for_once() {
        let one = |volume| Observation {
            image: None,
            snapshots: vec![snapshot(volume, SnapshotState::Pending)],
        };
        let mut sightings = Sightings::none_of(&expected());
        assert!(!sightings.any());
        sightings.note(&one("vol-a"));
        assert!(sightings.any() && !sightings.all());
        sightings.note(&one("vol-b"));
        assert!(!sightings.all(), "its image was not seen");
        let mut told = sightings.clone();
        told.image_told();
        sightings.note(&Observation {
            image: Some(image("ami-1", ImageState::Failed("deregistered".into()))),
            snapshots: vec![],
        });
        assert!(sightings.all() && told.all());
    }

    #[test]
    fn nothing_but_what_was_asked_for_counts() {
        use SnapshotState::{Failed, Pending};
        let two = vec![snapshot("vol-a", Pending), snapshot("vol-a", Pending)];
        let foreign = vec![snapshot("vol-z", Pending)];
        let broken = vec![snapshot("vol-a", Failed("error".into()))];
        for snapshots in [two, foreign, broken] {
            assert!(
                expected()
                    .compare(
                        None,
                        &Observation {
                            image: None,
                            snapshots
                        }
                    )
                    .is_err()
            );
        }
        for state in [
            ImageState::Failed("deregistered".into()),
            ImageState::Pending,
        ] {
            let observed = Observation {
                image: Some(image("ami-2", state)),
                snapshots: vec![],
            };
            assert!(
                expected()
                    .compare(Some(&ImageId("ami-1".into())), &observed)
                    .is_err()
            );
        }
    }
}
