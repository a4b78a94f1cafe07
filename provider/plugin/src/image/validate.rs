//! What is wrong in a configuration as a whole: everything at once, each with its place.

use tfplug::{AttributePath, Diagnostic, Diagnostics, Value};

use super::{model::ImageModel, unique};
use crate::tags;

/// Beyond what the attributes' own validators see.
pub(super) fn problems(config: &ImageModel) -> Diagnostics {
    let mut problems = tags::problems(&config.tags, &AttributePath::new("tags"));
    let of_snapshots = AttributePath::new("snapshot_tags");
    problems.extend(tags::problems(&config.snapshot_tags, &of_snapshots));
    problems.extend(name(config));
    problems.extend(config.engines.none_chosen());
    problems.extend(config.engines.incomplete());
    problems.extend(cooldown(config));
    problems
}

/// Exactly one of both - or a name together with the prefix that it was made of, as terraform writes them for an imported
/// image.
fn name(config: &ImageModel) -> Option<Diagnostic> {
    match (&config.name, &config.name_prefix) {
        (Value::Null, Value::Null) => {
            let detail = "Say how the image is called: `name`, or `name_prefix` for a name that is unique by what follows.";
            Some(Diagnostic::error("No name", detail).at("name"))
        }
        (Value::Known(name), Value::Known(prefix)) if !unique::is_of(name, prefix) => {
            let detail = format!(
                "`name` and `name_prefix` exclude each other: {name:?} is no name that {prefix:?} gives."
            );
            Some(Diagnostic::error("Two names", detail).at("name_prefix"))
        }
        _ => None,
    }
}

fn cooldown(config: &ImageModel) -> Option<Diagnostic> {
    let on = |flag: &Value<bool>| flag.known() == Some(&true);
    let protected =
        on(&config.deregistration_protection) || config.deregistration_protection.is_unknown();
    (on(&config.deregistration_protection_cooldown) && !protected).then(|| {
        let detail =
            "Without `deregistration_protection = true` there is nothing that could last longer.";
        Diagnostic::error("A cooldown without protection", detail)
            .at("deregistration_protection_cooldown")
    })
}
