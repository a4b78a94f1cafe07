//! Tags as users of hashicorp/aws know them: `tags`, `default_tags`, `ignore_tags`, and `tags_all` over them all.

use std::collections::{BTreeMap, BTreeSet};

use consistent_aws::ec2::tags as ours;
use tfplug::{AttributePath, Diagnostic, Diagnostics, Value};

/// Keys and values, all known.
pub(crate) type Tags = BTreeMap<String, String>;

/// Tags as they stand in a configuration: Terraform may not know all of them yet.
pub(crate) type ConfiguredTags = Value<BTreeMap<String, Value<String>>>;

/// EC2 takes 50 tags on a resource (EC2 user guide, "Tag restrictions"); thirteen of them are the provider's own, which
/// hold the proof and what an import needs (DESIGN.md section 4, and `consistent_aws::ec2::tags`).
const MOST: usize = 37;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

/// What the provider block says about tags.
///
/// Tags whose keys begin with `aws:` or `consistent:` are nobody's but AWS's and this provider's: users cannot set them,
/// and no attribute shows them.
#[derive(Clone, Debug, Default)]
pub(crate) struct TagPolicy {
    pub(crate) defaults: Tags,
    pub(crate) ignored_keys: BTreeSet<String>,
    pub(crate) ignored_prefixes: BTreeSet<String>,
}

impl TagPolicy {
    /// What a new object is tagged with: the resource's own tags over the provider's defaults. Ignored ones are set
    /// here and never looked at again.
    pub(crate) fn wanted(&self, own: &Tags) -> Tags {
        let mut all = self.defaults.clone();
        all.extend(own.clone());
        all
    }

    /// Those of `tags` that Terraform looks after: what `tags_all` shows.
    pub(crate) fn managed(&self, tags: &Tags) -> Tags {
        let managed = tags
            .iter()
            .filter(|(key, _)| !is_reserved(key) && !self.ignores(key));
        managed
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// What `tags` shows after a refresh: those that it held, as they are now, and those that nobody asked for.
    ///
    /// `managed` is what exists; `own` and `all` are the prior `tags` and `tags_all`. A default tag is no drift of
    /// `tags`, neither while it is configured nor once it no longer is. An ignored one stays as it was written.
    pub(crate) fn refreshed(&self, managed: &Tags, own: &Tags, all: &Tags) -> Tags {
        let ignored = own.iter().filter(|(key, _)| self.ignores(key));
        let foreign = |key: &str| !all.contains_key(key) && !self.defaults.contains_key(key);
        let present = managed
            .iter()
            .filter(|(key, _)| own.contains_key(*key) || foreign(key));
        let shown = present.chain(ignored);
        shown
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    fn ignores(&self, key: &str) -> bool {
        let by_prefix = || {
            self.ignored_prefixes
                .iter()
                .any(|prefix| key.starts_with(prefix))
        };
        self.ignored_keys.contains(key) || by_prefix()
    }
}

/// The tags, once all of them are known. Null is none.
pub(crate) fn known(tags: &ConfiguredTags) -> Option<Tags> {
    match tags {
        Value::Unknown => None,
        Value::Null => Some(Tags::new()),
        Value::Known(tags) => {
            let known = tags
                .iter()
                .map(|(key, value)| Some((key.clone(), value.known()?.clone())));
            known.collect()
        }
    }
}

/// `tags` in the form of a configuration. No tags at all stay null where they were null before.
pub(crate) fn configured(tags: Tags, before: &ConfiguredTags) -> ConfiguredTags {
    if tags.is_empty() && before.is_null() {
        return Value::Null;
    }
    let tags = tags
        .into_iter()
        .map(|(key, value)| (key, Value::Known(value)));
    Value::Known(tags.collect())
}

/// `tags_all`: never null.
pub(crate) fn shown(tags: Tags) -> ConfiguredTags {
    configured(tags, &Value::Unknown)
}

/// What EC2 would refuse, as far as it is known.
pub(crate) fn problems(tags: &ConfiguredTags, at: &AttributePath) -> Diagnostics {
    let Value::Known(tags) = tags else {
        return Diagnostics::default();
    };
    let wrong =
        |path: AttributePath, detail: String| Diagnostic::error("Invalid tag", detail).at(path);
    let mut problems: Diagnostics = tags
        .iter()
        .filter_map(|(key, value)| Some(wrong(at.clone().key(key), objection(key, value)?)))
        .collect();
    if tags.len() > MOST {
        let detail = format!(
            "There can be {MOST} tags at most, not {}: the proof needs some of EC2's 50.",
            tags.len()
        );
        problems.push(wrong(at.clone(), detail));
    }
    problems
}

/// Tags of the resource and of the provider block together.
pub(crate) fn too_many(all: &Tags) -> Option<Diagnostic> {
    let count = all.len();
    (count > MOST).then(|| {
        let detail = format!(
            "With the provider's default_tags there would be {count} tags. There can be {MOST} at most: the proof needs \
             some of EC2's 50."
        );
        Diagnostic::error("Too many tags", detail).at("tags")
    })
}

fn objection(key: &str, value: &Value<String>) -> Option<String> {
    if let Err(reserved) = ours::check(&[(key.to_owned(), String::new())].into()) {
        let ours::Reserved { prefix, .. } = reserved;
        return Some(format!(
            "Keys that begin with {prefix:?} are reserved, so {key:?} cannot be set."
        ));
    }
    if key.is_empty() || key.chars().count() > LONGEST_KEY {
        return Some(format!("A key has 1 to {LONGEST_KEY} characters."));
    }
    match value {
        Value::Null => Some(format!(
            "The value of {key:?} is null: leave the tag out, or give it an empty value."
        )),
        Value::Known(value) if value.chars().count() > LONGEST_VALUE => Some(format!(
            "The value of {key:?} has more than {LONGEST_VALUE} characters."
        )),
        Value::Known(_) | Value::Unknown => None,
    }
}

fn is_reserved(key: &str) -> bool {
    ours::check(&[(key.to_owned(), String::new())].into()).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn policy() -> TagPolicy {
        TagPolicy {
            defaults: tags(&[("Team", "dba"), ("Env", "prod")]),
            ignored_keys: ["Scanned".to_owned()].into(),
            ignored_prefixes: ["cost/".to_owned()].into(),
        }
    }

    #[test]
    fn own_tags_go_over_defaults_and_only_managed_ones_are_shown() {
        let wanted = policy().wanted(&tags(&[("Env", "test"), ("cost/centre", "7")]));
        assert_eq!(
            wanted,
            tags(&[("Team", "dba"), ("Env", "test"), ("cost/centre", "7")])
        );
        assert_eq!(
            policy().managed(&wanted),
            tags(&[("Team", "dba"), ("Env", "test")])
        );
    }

    #[test]
    fn nobody_sees_the_tags_of_aws_and_of_the_proof() {
        let found = tags(&[
            ("aws:ec2:x", "1"),
            ("consistent:state", "proven"),
            ("Scanned", "y"),
            ("Env", "prod"),
        ]);
        assert_eq!(policy().managed(&found), tags(&[("Env", "prod")]));
    }

    #[test]
    fn after_apply_a_refresh_changes_nothing() {
        let own = tags(&[("Name", "orders"), ("Scanned", "no")]);
        let all = policy().managed(&policy().wanted(&own));
        assert_eq!(
            policy().refreshed(&all, &own, &all),
            own,
            "an ignored tag stays as written"
        );
    }

    #[test]
    fn drift_shows_where_it_belongs() {
        let (own, all) = (
            tags(&[("Name", "orders")]),
            tags(&[("Name", "orders"), ("Team", "dba"), ("Env", "prod")]),
        );
        let found = tags(&[
            ("Name", "changed"),
            ("Team", "ops"),
            ("Env", "prod"),
            ("Stranger", "here"),
        ]);
        let shown = policy().refreshed(&found, &own, &all);
        assert_eq!(shown, tags(&[("Name", "changed"), ("Stranger", "here")]));
        assert_eq!(
            policy().refreshed(&tags(&[]), &own, &all),
            tags(&[]),
            "a tag of ours is gone"
        );
    }

    #[test]
    fn a_default_that_is_no_longer_configured_is_no_drift_of_tags() {
        let all = tags(&[("Old", "default")]);
        assert_eq!(
            TagPolicy::default().refreshed(&all, &tags(&[]), &all),
            tags(&[])
        );
    }

    #[test]
    fn null_and_empty_stay_what_they_were() {
        assert_eq!(configured(tags(&[]), &Value::Null), Value::Null);
        assert_eq!(
            configured(tags(&[]), &Value::Known(BTreeMap::new())),
            Value::Known(BTreeMap::new())
        );
        assert_eq!(known(&Value::Null), Some(tags(&[])));
        assert_eq!(
            known(&Value::Known([("a".to_owned(), Value::Unknown)].into())),
            None
        );
    }

    #[test]
    fn what_ec2_would_refuse_is_refused_with_its_place() {
        let configured: BTreeMap<String, Value<String>> = [
            ("consistent:state".to_owned(), "proven".into()),
            ("AWS:x".to_owned(), "".into()),
            ("k".repeat(129), "".into()),
            ("Null".to_owned(), Value::Null),
            ("Long".to_owned(), Value::Known("v".repeat(257))),
            ("Later".to_owned(), Value::Unknown),
            ("Fine".to_owned(), Value::Known("v".repeat(256))),
        ]
        .into();
        let problems = problems(&Value::Known(configured), &AttributePath::new("tags"));
        let places: BTreeSet<String> = problems.iter().map(|it| it.path.to_string()).collect();
        let expected = [
            "AWS:x",
            "Long",
            "Null",
            "consistent:state",
            &"k".repeat(129),
        ];
        assert_eq!(places, expected.map(|key| format!("tags[{key:?}]")).into());
    }

    #[test]
    fn the_proof_has_room_for_its_own() {
        let many: Tags = (0..=MOST)
            .map(|n| (format!("k{n}"), String::new()))
            .collect();
        assert!(too_many(&many).is_some());
        let configured = configured(many, &Value::Null);
        assert_eq!(
            problems(&configured, &AttributePath::new("tags"))
                .iter()
                .count(),
            1
        );
    }
}
