//! What `state` says: whether the image is still what was proven, and why it is to be replaced where it is not.

use consistent_aws::ec2::{images::Image, tags};

/// The one word of EC2's that needs no action.
pub(super) const AVAILABLE: &str = "available";
/// The tags of the proof are gone or changed.
pub(super) const UNPROVEN: &str = "unproven";
/// A snapshot that the image needs is gone.
const SNAPSHOT_MISSING: &str = "snapshot-missing";
/// The image is gone, and snapshots of it are left. EC2's own word for an image on its way out.
pub(super) const DEREGISTERED: &str = "deregistered";

/// The worst that is true of an image.
pub(super) fn of(image: &Image, session: Option<&str>, missing_snapshots: usize) -> String {
    let session_fits = session.is_none_or(|id| {
        image
            .tags
            .get(tags::SESSION)
            .is_some_and(|found| found == id)
    });
    let word = if image.state != AVAILABLE {
        &image.state
    } else if !image.is_proven() || !session_fits {
        UNPROVEN
    } else if missing_snapshots > 0 {
        SNAPSHOT_MISSING
    } else {
        AVAILABLE
    };
    word.to_owned()
}

/// Why an image in this condition is replaced; None where it is sound. `was_proven` tells one that lost its proof from one
/// that came here without any.
pub(super) fn reason_to_replace(id: &str, condition: &str, was_proven: bool) -> Option<String> {
    let why = match condition {
        AVAILABLE => return None,
        UNPROVEN if !was_proven => {
            "was not made by this provider, so nothing proves that it is consistent: an image that is proven takes its place"
        }
        UNPROVEN => {
            "no longer carries the tags of its proof: somebody changed them, so nothing vouches for it"
        }
        SNAPSHOT_MISSING => {
            "lacks a snapshot that it was made of: it cannot be launched completely"
        }
        DEREGISTERED => {
            "is no longer registered; snapshots of it are left, and are deleted with it"
        }
        other => {
            return Some(format!(
                "{id} is {other} in EC2, and an image is of use only while it is available."
            ));
        }
    };
    Some(format!("{id} {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(state: &str, tags: &[(&str, &str)]) -> Image {
        Image {
            id: "ami-1".to_owned(),
            name: "orders".to_owned(),
            description: String::new(),
            state: state.to_owned(),
            state_reason: String::new(),
            architecture: "x86_64".to_owned(),
            root_device_name: "/dev/xvda".to_owned(),
            creation_date: String::new(),
            owner_id: String::new(),
            source_instance_id: String::new(),
            deprecation_time: String::new(),
            deregistration_protection: String::new(),
            tags: tags
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            snapshots: Vec::new(),
        }
    }

    #[test]
    fn the_worst_that_is_true_is_told() {
        let proven = [(tags::STATE, tags::PROVEN), (tags::SESSION, "s1")];
        let of = |state, tags: &[_], missing| of(&image(state, tags), Some("s1"), missing);
        assert_eq!(of("available", &proven, 0), "available");
        assert_eq!(of("available", &proven, 1), "snapshot-missing");
        assert_eq!(of("available", &proven[..1], 0), "unproven", "no session");
        assert_eq!(
            of(
                "available",
                &[(tags::STATE, tags::PROVEN), (tags::SESSION, "s2")],
                0
            ),
            "unproven"
        );
        assert_eq!(
            of("available", &[(tags::STATE, tags::PENDING), proven[1]], 1),
            "unproven"
        );
        assert_eq!(of("disabled", &proven, 1), "disabled");
    }

    #[test]
    fn only_a_sound_image_stays() {
        assert_eq!(reason_to_replace("ami-1", AVAILABLE, true), None);
        let mut reasons = std::collections::BTreeSet::new();
        for (condition, was_proven) in [
            (UNPROVEN, true),
            (UNPROVEN, false),
            (SNAPSHOT_MISSING, true),
            (DEREGISTERED, true),
            ("disabled", true),
        ] {
            let why = reason_to_replace("ami-1", condition, was_proven).expect(condition);
            assert!(why.starts_with("ami-1 ") && why.ends_with('.'), "{why}");
            reasons.insert(why);
        }
        assert_eq!(reasons.len(), 5, "each has its own");
    }
}
