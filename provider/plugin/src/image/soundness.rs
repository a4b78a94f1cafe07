//! What keeps an image from being taken for a proven one, in sentences: for an import, and for who looks for an image.

use std::collections::BTreeMap;

use consistent_aws::ec2::{
    images::{Image, Snapshot},
    tags as ours,
};
use quiesce::{engines::ENGINES, session::SessionId};

use super::{condition, names};
use crate::diagnose;

/// Everything that the image itself tells.
pub(crate) fn image_problems(image: &Image) -> Vec<String> {
    let state = (image.state != condition::AVAILABLE).then(|| {
        let reason = diagnose::sentence(&image.state_reason);
        format!("It is {} in EC2, not available. {reason}", image.state)
    });
    let proof = proof_problem(&image.tags);
    let missing = missing_tags(&image.tags);
    let none = image
        .snapshots
        .is_empty()
        .then(|| "It has no snapshots.".to_owned());
    let found = state.into_iter().chain(proof).chain(missing).chain(none);
    found.map(|it| it.trim_end().to_owned()).collect()
}

/// Snapshots that the image maps and that do not exist, or not completely.
pub(crate) fn snapshot_problems(
    image: &Image,
    existing: &BTreeMap<String, Snapshot>,
) -> Vec<String> {
    let incomplete = image.snapshots.iter().filter_map(|mapped| {
        let (device, id) = (&mapped.device_name, &mapped.snapshot_id);
        match existing.get(id) {
            None => Some(format!(
                "The snapshot {id} of {device} is not there (or not ours)."
            )),
            Some(it) if !it.is_completed => {
                Some(format!("The snapshot {id} of {device} is not completed."))
            }
            Some(_) => None,
        }
    });
    incomplete.collect()
}

/// Why the image's proof is none, or not complete.
pub(crate) fn proof_problem(tags: &BTreeMap<String, String>) -> Option<String> {
    let key = ours::STATE;
    Some(match tags.get(key).map(String::as_str) {
        Some(ours::PROVEN) => return None,
        Some(ours::PENDING) => format!(
            "Its tag `{key}` is `{}`: it is still in the making, or a run that died left it.",
            ours::PENDING
        ),
        Some(other) => format!(
            "Its tag `{key}` is {other:?}, not `{}`: somebody changed it.",
            ours::PROVEN
        ),
        None => format!(
            "It has no tag `{key}`: this provider did not make it, or somebody took the tag away."
        ),
    })
}

/// The tags without which the rest could not be true.
fn missing_tags(tags: &BTreeMap<String, String>) -> impl Iterator<Item = String> {
    let session = |it: &str| it.parse::<SessionId>().is_ok();
    let instance = |it: &str| names::instance(it).is_ok();
    let known = |name: &str| ENGINES.iter().any(|engine| engine.name == name);
    let engine = |it: &str| !it.is_empty() && it.split(' ').all(known);
    let check = |key: &'static str, is_right: &dyn Fn(&str) -> bool| match tags.get(key) {
        None => Some(format!("It has no tag `{key}`.")),
        Some(value) if !is_right(value) => Some(format!(
            "Its tag `{key}` is {value:?}, which this version of the provider cannot read."
        )),
        Some(_) => None,
    };
    let found = [
        check(ours::SESSION, &session),
        check(ours::SOURCE_INSTANCE, &instance),
        check(ours::ENGINE, &engine),
    ];
    found.into_iter().flatten()
}
