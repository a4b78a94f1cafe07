//! `triggers`, of which an image tells no more than a digest: somebody may have put there what not everybody may read.
//!
//! An import does not know the configuration, so what it puts into the state is the digest. A plan whose configuration has
//! this digest keeps it, and changes nothing; any other change takes the configuration's words in its place.

use std::collections::BTreeMap;

use consistent_aws::digest::digest;
use tfplug::{Cty, Model as _, Value};

use super::model::ImageModel;

pub(super) const ATTRIBUTE: &str = "triggers";

/// What the digest is called: in the record of an image's configuration, and among an imported image's triggers.
pub(super) const DIGEST: &str = "consistent:digest";

type Triggers = Value<BTreeMap<String, Value<String>>>;

/// The digest of how `model` is configured; None without triggers. A fraction of a second's work.
pub(super) fn digest_of(model: &ImageModel) -> Option<String> {
    let told = imported(&model.triggers).map(str::to_owned);
    told.or_else(|| digest_under(&model.triggers, &salt(model)))
}

/// In the state of an image of which nothing else is known.
pub(super) fn of_digest(digest: &str) -> Cty {
    let digest = Cty::String(digest.to_owned());
    Cty::Map([(DIGEST.to_owned(), digest)].into())
}

/// Whether what is planned is what led to the image.
pub(super) fn unchanged(prior: &ImageModel, planned: &ImageModel) -> bool {
    if prior.triggers == planned.triggers {
        return true;
    }
    let digest = || digest_under(&planned.triggers, &salt(prior));
    imported(&prior.triggers).is_some_and(|told| digest().as_deref() == Some(told))
}

/// Whether a plan that keeps the image would do no more than put the words in the digest's place. What the image never
/// told may become known with it.
pub(super) fn only_worded(prior: &ImageModel, planned: &ImageModel) -> bool {
    let of_import = imported(&prior.triggers).is_some();
    let (prior, planned) = (prior.clone().into_cty(), planned.clone().into_cty());
    let Cty::Map(planned) = planned else {
        return false;
    };
    let mut others = planned.iter().filter(|(name, _)| *name != ATTRIBUTE);
    of_import
        && others.all(|(name, planned)| {
            let prior = prior.attribute(name);
            prior == planned || (prior.is_null() && planned.is_unknown())
        })
}

/// The digest that an import found.
fn imported(triggers: &Triggers) -> Option<&str> {
    let all = triggers.known()?;
    let digest = all.get(DIGEST).filter(|_| all.len() == 1)?;
    digest.known().map(String::as_str)
}

/// None while anything is unknown.
fn digest_under(triggers: &Triggers, salt: &str) -> Option<String> {
    let all = triggers.known()?.iter();
    let words: Option<BTreeMap<&str, Option<&str>>> = all
        .map(|(name, value)| match value {
            Value::Known(value) => Some((name.as_str(), Some(value.as_str()))),
            Value::Null => Some((name.as_str(), None)),
            Value::Unknown => None,
        })
        .collect();
    let text = serde_json::to_string(&words?).ok()?;
    Some(digest(&text, salt))
}

/// No two images have both in common, and an import knows both.
fn salt(model: &ImageModel) -> String {
    let word = |value: &Value<String>| value.known().cloned().unwrap_or_default();
    format!("{}/{}", word(&model.source_instance_id), word(&model.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fixtures;

    fn with(triggers: &[(&str, Value<String>)]) -> ImageModel {
        let triggers = triggers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        let mut model = fixtures::state();
        model.triggers = Value::Known(triggers.collect());
        model
    }

    fn imported_of(model: &ImageModel) -> ImageModel {
        let digest = digest_of(model).expect("triggers");
        with(&[(DIGEST, digest.into())])
    }

    #[test]
    fn an_import_knows_its_configuration_again_and_no_other() {
        let made = with(&[("release", "2026.11".into()), ("none", Value::Null)]);
        let imported = imported_of(&made);
        assert!(unchanged(&imported, &made));
        assert!(unchanged(&imported, &imported));
        for other in [
            with(&[("release", "2026.12".into()), ("none", Value::Null)]),
            with(&[("release", "2026.11".into())]),
            with(&[("release", "2026.11".into()), ("none", Value::Unknown)]),
            with(&[]),
        ] {
            assert!(!unchanged(&imported, &other), "{:?}", other.triggers);
        }
        let mut without = made.clone();
        without.triggers = Value::Null;
        assert!(!unchanged(&imported, &without));
        assert_eq!(digest_of(&without), None);
    }

    #[test]
    fn an_imported_image_tells_what_it_told() {
        let imported = imported_of(&with(&[("release", "2026.11".into())]));
        assert_eq!(
            digest_of(&imported),
            digest_of(&with(&[("release", "2026.11".into())]))
        );
    }

    #[test]
    fn another_image_of_the_same_release_tells_another_digest() {
        let first = with(&[("release", "2026.11".into())]);
        let mut second = first.clone();
        second.name = "orders-2".into();
        assert_ne!(digest_of(&first), digest_of(&second));
    }

    #[test]
    fn what_else_changes_is_seen() {
        let made = with(&[("release", "2026.11".into())]);
        let mut imported = imported_of(&made);
        assert!(only_worded(&imported, &made));
        imported.recovery_point = Value::Null;
        let mut planned = made.clone();
        planned.recovery_point = Value::Unknown;
        assert!(only_worded(&imported, &planned));
        planned.description = "new".into();
        assert!(!only_worded(&imported, &planned));
        assert!(!only_worded(&made, &made), "nothing is worded otherwise");
    }
}
