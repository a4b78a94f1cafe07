//! IAM policy documents and their evaluation, as far as this project's own policies reach.
//!
//! What is not understood (an operator, a field) is refused when the document is read, never ignored: a condition
//! that silently did not apply would make the least-privilege tests worthless.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::cloud::wildcard;

/// A policy document.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Policy {
    #[serde(rename = "Version")]
    _version: Version,
    statement: Vec<Statement>,
}

/// Why a text is not a policy that the lab can enforce.
#[derive(Debug, thiserror::Error)]
#[error("not a policy that the lab can enforce: {0}")]
pub struct PolicyError(#[from] serde_json::Error);

impl Policy {
    /// Reads a policy document.
    pub fn parse(json: &str) -> Result<Self, PolicyError> {
        Ok(serde_json::from_str(json)?)
    }

    /// An explicit deny wins; otherwise one statement must allow.
    pub fn allows(&self, access: &Access) -> bool {
        let applies = |effect| {
            self.statement
                .iter()
                .any(|s| s.effect == effect && s.applies(access))
        };
        applies(Effect::Allow) && !applies(Effect::Deny)
    }
}

/// One thing that a call does to one resource: what a policy is asked about.
#[derive(Clone, Debug)]
pub struct Access {
    pub action: String,
    /// An ARN, or `*` for actions without resource types.
    pub resource: String,
    /// Condition keys of the request, e.g. `aws:RequestTag/consistent:session`.
    pub context: BTreeMap<String, Vec<String>>,
}

impl Access {
    /// `action` (as `ec2:CreateImage`) on `resource`, with an empty context.
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            resource: resource.into(),
            context: BTreeMap::new(),
        }
    }

    /// Adds a condition key.
    #[must_use]
    pub fn given(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.context.insert(key.into(), vec![value.into()]);
        self
    }

    /// The tags that the request asks for, as `aws:RequestTag/...` and `aws:TagKeys`.
    #[must_use]
    pub fn requesting(mut self, tags: &BTreeMap<String, String>) -> Self {
        for (key, value) in tags {
            self = self.given(format!("aws:RequestTag/{key}"), value);
        }
        self.tag_keys(tags.keys())
    }

    /// The tag keys that the request names, as `aws:TagKeys`.
    #[must_use]
    pub fn tag_keys<'a>(mut self, keys: impl Iterator<Item = &'a String>) -> Self {
        self.context
            .insert("aws:TagKeys".into(), keys.cloned().collect());
        self
    }

    /// The tags that the resource has, as `aws:ResourceTag/...`.
    #[must_use]
    pub fn carrying(mut self, tags: &BTreeMap<String, String>) -> Self {
        for (key, value) in tags {
            self = self.given(format!("aws:ResourceTag/{key}"), value);
        }
        self
    }
}

#[derive(Clone, Debug, Deserialize)]
enum Version {
    #[serde(rename = "2012-10-17")]
    V2012,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "Sid", default)]
    _sid: Option<String>,
    effect: Effect,
    action: OneOrMany,
    resource: OneOrMany,
    #[serde(default)]
    condition: BTreeMap<Operator, BTreeMap<String, OneOrMany>>,
}

impl Statement {
    fn applies(&self, access: &Access) -> bool {
        // IAM compares action names without regard to case, resources with it.
        let action = access.action.to_lowercase();
        self.action
            .values()
            .any(|a| wildcard::matches(&a.to_lowercase(), &action))
            && self
                .resource
                .values()
                .any(|r| wildcard::matches(r, &access.resource))
            && self.condition.iter().all(|(operator, keys)| {
                keys.iter()
                    .all(|(key, wanted)| operator.holds(access.context.get(key), wanted))
            })
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn values(&self) -> impl Iterator<Item = &String> {
        match self {
            Self::One(value) => std::slice::from_ref(value).iter(),
            Self::Many(values) => values.iter(),
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
enum Operator {
    StringEquals,
    StringLike,
    Null,
    #[serde(rename = "ForAllValues:StringEquals")]
    AllEqual,
    #[serde(rename = "ForAllValues:StringLike")]
    AllLike,
}

impl Operator {
    /// Does the request's value of one key satisfy the condition? `None`: the request has no such key.
    fn holds(self, actual: Option<&Vec<String>>, wanted: &OneOrMany) -> bool {
        let actual = actual.map(Vec::as_slice).unwrap_or_default();
        let equal = |value: &String| wanted.values().any(|w| w == value);
        let like = |value: &String| wanted.values().any(|w| wildcard::matches(w, value));
        match self {
            Self::StringEquals => actual.iter().any(equal),
            Self::StringLike => actual.iter().any(like),
            Self::Null => wanted
                .values()
                .all(|absent| (absent == "true") == actual.is_empty()),
            Self::AllEqual => actual.iter().all(equal),
            Self::AllLike => actual.iter().all(like),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(statement: &str) -> Policy {
        Policy::parse(&format!(
            r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#
        ))
        .unwrap()
    }

    #[test]
    fn what_is_not_listed_is_refused() {
        let policy = policy(
            r#"{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"},
               {"Effect":"Deny","Action":"ec2:DescribeVpcs","Resource":"*"}"#,
        );
        assert!(policy.allows(&Access::new("ec2:DescribeImages", "*")));
        assert!(!policy.allows(&Access::new("ec2:CreateImage", "*")));
        assert!(!policy.allows(&Access::new("ec2:DescribeVpcs", "*")));
    }

    #[test]
    fn a_null_condition_asks_for_the_tag() {
        let policy = policy(
            r#"{"Effect":"Allow","Action":"ec2:DeleteSnapshot","Resource":"arn:aws:ec2:*::snapshot/*",
                "Condition":{"Null":{"aws:ResourceTag/session":"false"}}}"#,
        );
        let bare = Access::new(
            "ec2:DeleteSnapshot",
            "arn:aws:ec2:eu-west-1::snapshot/snap-1",
        );
        assert!(!policy.allows(&bare));
        assert!(policy.allows(&bare.carrying(&[("session".into(), "1".into())].into())));
    }

    #[test]
    fn set_operators_look_at_every_tag_key() {
        let policy = policy(
            r#"{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"*",
                "Condition":{"ForAllValues:StringLike":{"aws:TagKeys":["consistent:*"]}}}"#,
        );
        let tagging = |keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(|k| (*k).to_owned()).collect();
            policy.allows(&Access::new("ec2:CreateTags", "*").tag_keys(keys.iter()))
        };
        assert!(tagging(&["consistent:session"]));
        assert!(!tagging(&["consistent:session", "owner"]));
    }

    #[test]
    fn an_operator_that_is_not_understood_is_an_error() {
        let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*",
            "Condition":{"DateLessThan":{"aws:CurrentTime":"2030-01-01"}}}]}"#;
        assert!(Policy::parse(text).is_err());
    }
}
