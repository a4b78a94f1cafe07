//! What the service shows of a capture, against what was asked for.

use std::collections::BTreeSet;

use crate::{
    capture::CaptureCall,
    error::Cause,
    ports::{
        ImageId, ImageState, Observation, ObservedImage, ObservedSnapshot, SnapshotState, VolumeId,
    },
};

/// The volumes of the image: one snapshot of each, no other.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    volumes: BTreeSet<VolumeId>,
    /// What the image has to be billed as, where it is not made of the instance itself.
    billing: Option<String>,
}

/// How far the capture has come, nothing being wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Known from the call's answer or from the service's list.
    pub(crate) image: Option<ImageId>,
    /// Volumes without an initiated snapshot.
    pub(crate) missing: Vec<VolumeId>,
    /// Every snapshot is completed.
    pub(crate) copied: bool,
    /// The image is available and every snapshot completed.
    pub(crate) complete: bool,
}

/// What was ever seen of a capture, whether or not it still exists: once that is all that was expected, nothing more
/// appears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sightings {
    /// No image is yet to appear: it was seen, or is not asked for yet.
    image: bool,
    /// Volumes of which no snapshot was seen.
    unseen: BTreeSet<VolumeId>,
    any: bool,
}

impl Sightings {
    pub(crate) fn none_of(expected: &Expected, call: CaptureCall) -> Self {
        Self {
            image: call == CaptureCall::CreateSnapshots,
            unseen: expected.volumes.clone(),
            any: false,
        }
    }

    /// An image is asked for, of snapshots that were all seen.
    pub(crate) fn image_asked(&mut self) {
        self.image = false;
    }

    /// No image was made, for certain.
    pub(crate) fn image_denied(&mut self) {
        self.image = true;
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
        Self {
            volumes: volumes.collect(),
            billing: None,
        }
    }

    pub(crate) fn billed_as(self, billing: &str) -> Self {
        Self {
            billing: Some(billing.to_owned()),
            ..self
        }
    }

    pub(crate) fn volumes(&self) -> Vec<VolumeId> {
        self.volumes.iter().cloned().collect()
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
            .volumes
            .iter()
            .filter(|volume| !initiated.contains(volume))
            .cloned()
            .collect();
        let available = observed
            .image
            .as_ref()
            .filter(|image| image.state == ImageState::Available);
        if let Some(available) = available {
            self.check_billing(available)?;
        }
        let completed = observed
            .snapshots
            .iter()
            .all(|snapshot| snapshot.state == SnapshotState::Completed);
        let copied = completed && missing.is_empty();
        Ok(Seen {
            image,
            missing,
            copied,
            complete: copied && available.is_some(),
        })
    }

    fn check_billing(&self, image: &ObservedImage) -> Result<(), Cause> {
        match &self.billing {
            Some(wanted) if *wanted != image.billing => Err(Cause::Misbilled {
                id: image.id.clone(),
                billed: image.billing.clone(),
                source_billed: wanted.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn check(&self, snapshot: &ObservedSnapshot) -> Result<(), Cause> {
        if let SnapshotState::Failed(state) = &snapshot.state {
            return Err(Cause::SnapshotFailed {
                id: snapshot.id.clone(),
                volume: snapshot.volume_id.clone(),
                state: state.clone(),
            });
        }
        if !self.volumes.contains(&snapshot.volume_id) {
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
            billing: "Linux".to_owned(),
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
                copied: false,
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
                copied: false,
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
        let mut sightings = Sightings::none_of(&expected(), CaptureCall::CreateImage);
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
    fn an_image_is_missed_from_the_moment_at_which_it_is_asked_for() {
        let snapshots = ["vol-a", "vol-b"].map(|it| snapshot(it, SnapshotState::Completed));
        let mut sightings = Sightings::none_of(&expected(), CaptureCall::CreateSnapshots);
        sightings.note(&Observation {
            image: None,
            snapshots: snapshots.to_vec(),
        });
        assert!(sightings.all());
        sightings.image_asked();
        assert!(!sightings.all());
        let mut denied = sightings.clone();
        denied.image_denied();
        sightings.image_told();
        assert!(sightings.all() && denied.all());
    }

    #[test]
    fn an_available_image_is_billed_as_its_source_is() {
        let of = |state| Observation {
            image: Some(image("ami-1", state)),
            snapshots: vec![],
        };
        let billed = |billing: &str, state| expected().billed_as(billing).compare(None, &of(state));
        assert!(billed("Linux", ImageState::Available).is_ok());
        assert!(
            billed("Red Hat", ImageState::Pending).is_ok(),
            "not settled"
        );
        assert!(matches!(
            billed("Red Hat", ImageState::Available),
            Err(Cause::Misbilled { .. })
        ));
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
