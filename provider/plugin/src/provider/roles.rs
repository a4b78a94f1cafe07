//! The provider block's roles: STS's `AssumeRole` and `AssumeRoleWithWebIdentity`.

use std::collections::{BTreeMap, BTreeSet};

use consistent_aws::config as aws;
use tfplug::{AttributePath, Diagnostic, Model, validate};

use crate::duration;

/// A role to assume.
#[derive(Clone, Debug, Default, Model)]
pub(crate) struct AssumeRole {
    /// The role's ARN.
    #[tf(required, validate = arn)]
    role_arn: String,
    /// The session's name, which CloudTrail shows.
    #[tf(optional, validate = session_name)]
    session_name: Option<String>,
    /// What the role's trust policy may ask for of third parties.
    #[tf(optional, validate = validate::length(2..=1224))]
    external_id: Option<String>,
    /// How long the credentials are good for, e.g. `1h`: 15 minutes to 12 hours.
    #[tf(optional, validate = duration::between("15m", "12h"))]
    duration: Option<String>,
    /// A policy in JSON that narrows what the session may do.
    #[tf(optional, validate = json)]
    policy: Option<String>,
    /// ARNs of policies that narrow what the session may do.
    #[tf(optional, validate = arns)]
    policy_arns: Option<BTreeSet<String>>,
    /// Who is behind the session, for CloudTrail.
    #[tf(optional, validate = session_name)]
    source_identity: Option<String>,
    /// Session tags.
    #[tf(optional)]
    tags: Option<BTreeMap<String, String>>,
    /// Keys of those session tags that the next role in the chain inherits.
    #[tf(optional)]
    transitive_tag_keys: Option<BTreeSet<String>>,
}

/// A role to assume with a token.
#[derive(Clone, Debug, Default, Model)]
pub(crate) struct WebIdentity {
    /// The role's ARN.
    #[tf(required, validate = arn)]
    role_arn: String,
    /// The session's name, which CloudTrail shows.
    #[tf(optional, validate = session_name)]
    session_name: Option<String>,
    /// How long the credentials are good for, e.g. `1h`: 15 minutes to 12 hours.
    #[tf(optional, validate = duration::between("15m", "12h"))]
    duration: Option<String>,
    /// A policy in JSON that narrows what the session may do.
    #[tf(optional, validate = json)]
    policy: Option<String>,
    /// ARNs of policies that narrow what the session may do.
    #[tf(optional, validate = arns)]
    policy_arns: Option<BTreeSet<String>>,
    /// The identity provider's token; or else `web_identity_token_file`.
    #[tf(
        optional,
        sensitive,
        name = "web_identity_token",
        validate = validate::length(4..=20_000)
    )]
    token: Option<String>,
    /// A file with the identity provider's token, read whenever credentials are renewed; or else `web_identity_token`.
    #[tf(optional, name = "web_identity_token_file")]
    token_file: Option<String>,
}

impl AssumeRole {
    /// The validated block, for the AWS adapters.
    pub(super) fn settings(self) -> Result<aws::AssumeRole, String> {
        Ok(aws::AssumeRole {
            role_arn: self.role_arn,
            session_name: self.session_name,
            external_id: self.external_id,
            duration: self.duration.as_deref().map(duration::parse).transpose()?,
            policy: self.policy,
            policy_arns: listed(self.policy_arns),
            source_identity: self.source_identity,
            tags: self.tags.unwrap_or_default(),
            transitive_tag_keys: listed(self.transitive_tag_keys),
        })
    }
}

impl WebIdentity {
    /// What is wrong beyond single attributes.
    pub(super) fn problem(&self) -> Option<Diagnostic> {
        let detail = match (&self.token, &self.token_file) {
            (Some(_), Some(_)) => {
                "`web_identity_token` and `web_identity_token_file` exclude each other."
            }
            (None, None) => "Either `web_identity_token` or `web_identity_token_file` is needed.",
            _ => return None,
        };
        let block = AttributePath::new("assume_role_with_web_identity");
        Some(Diagnostic::error("Where is the web identity token?", detail).at(block))
    }

    /// The validated block, for the AWS adapters.
    pub(super) fn settings(self) -> Result<aws::WebIdentity, String> {
        let token = match (self.token, self.token_file) {
            (Some(token), None) => aws::WebIdentityToken::Inline(token.into()),
            (None, Some(file)) => aws::WebIdentityToken::File(file.into()),
            _ => return Err("One web identity token is needed, and no more.".to_owned()),
        };
        Ok(aws::WebIdentity {
            role_arn: self.role_arn,
            session_name: self.session_name,
            duration: self.duration.as_deref().map(duration::parse).transpose()?,
            policy: self.policy,
            policy_arns: listed(self.policy_arns),
            token,
        })
    }
}

fn listed(set: Option<BTreeSet<String>>) -> Vec<String> {
    set.into_iter().flatten().collect()
}

fn arn(text: &str) -> Result<(), String> {
    if text.starts_with("arn:") && text.splitn(6, ':').filter(|part| !part.is_empty()).count() >= 5
    {
        Ok(())
    } else {
        Err(format!(
            "Must be an ARN like \"arn:aws:iam::123456789012:role/name\", not {text:?}."
        ))
    }
}

fn arns(texts: &BTreeSet<String>) -> Result<(), String> {
    texts.iter().try_for_each(|text| arn(text))
}

/// STS takes 2 to 64 of `[\w+=,.@-]` (`AssumeRole`, `RoleSessionName` and `SourceIdentity`).
fn session_name(text: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if (2..=64).contains(&text.len()) && text.chars().all(allowed) {
        Ok(())
    } else {
        Err(format!(
            "Must be 2 to 64 letters, digits or characters of _+=,.@- and not {text:?}."
        ))
    }
}

fn json(text: &str) -> Result<(), String> {
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("Must be a policy in JSON: {error}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_of_all_partitions_and_nothing_else() {
        for good in [
            "arn:aws:iam::123456789012:role/a",
            "arn:aws-cn:iam::123456789012:role/path/b",
        ] {
            assert_eq!(arn(good), Ok(()));
        }
        for bad in ["", "role/a", "arn:aws:iam", "arn:aws:iam::123456789012:"] {
            assert!(arn(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn session_names_are_those_of_sts() {
        assert_eq!(session_name("ci+job=7@main"), Ok(()));
        for bad in ["a", "with space", "slash/es", &"x".repeat(65)] {
            assert!(session_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_policy_is_a_json_object() {
        assert_eq!(json(r#"{"Version": "2012-10-17"}"#), Ok(()));
        assert!(json("[]").is_err() && json("{").is_err());
    }

    #[test]
    fn exactly_one_token() {
        let with = |token: Option<&str>, file: Option<&str>| WebIdentity {
            role_arn: "arn:aws:iam::123456789012:role/a".to_owned(),
            token: token.map(str::to_owned),
            token_file: file.map(str::to_owned),
            ..WebIdentity::default()
        };
        assert!(with(None, None).problem().is_some());
        assert!(with(Some("token"), Some("/file")).problem().is_some());
        assert_eq!(with(None, Some("/file")).problem(), None);
        let settings = with(None, Some("/file")).settings().expect("settings");
        assert!(
            matches!(settings.token, aws::WebIdentityToken::File(path) if path.ends_with("file"))
        );
    }
}
