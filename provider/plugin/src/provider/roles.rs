//! The provider block's roles: STS's `AssumeRole` and `AssumeRoleWithWebIdentity`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use consistent_aws::config as aws;
use tfplug::{AttributePath, Diagnostic, Diagnostics, Model, validate};

use super::{
    environment::Environment,
    values::{set, unless_empty, without_nulls},
};
use crate::duration;

/// A role to assume.
#[derive(Clone, Debug, Default, Model)]
pub(crate) struct AssumeRole {
    /// The role's ARN. Without one a single block assumes nothing.
    #[tf(optional, validate = unless_empty(arn))]
    role_arn: Option<String>,
    /// The session's name, which CloudTrail shows.
    #[tf(optional, validate = unless_empty(session_name))]
    session_name: Option<String>,
    /// What the role's trust policy may ask for of third parties.
    #[tf(optional, validate = unless_empty(validate::length(2..=1224)))]
    external_id: Option<String>,
    /// How long the credentials are good for, e.g. `1h`: 15 minutes to 12 hours.
    #[tf(optional, validate = unless_empty(duration::between("15m", "12h")))]
    duration: Option<String>,
    /// A policy in JSON that narrows what the session may do.
    #[tf(optional, validate = unless_empty(json))]
    policy: Option<String>,
    /// ARNs of policies that narrow what the session may do.
    #[tf(optional, validate = arns)]
    policy_arns: Option<BTreeSet<String>>,
    /// Who is behind the session, for CloudTrail.
    #[tf(optional, validate = unless_empty(session_name))]
    source_identity: Option<String>,
    /// Session tags; null leaves one out.
    #[tf(optional)]
    tags: Option<BTreeMap<String, Option<String>>>,
    /// Keys of those session tags that the next role in the chain inherits.
    #[tf(optional)]
    transitive_tag_keys: Option<BTreeSet<String>>,
}

/// A role to assume with a token.
#[derive(Clone, Debug, Default, Model)]
pub(crate) struct WebIdentity {
    /// The role's ARN. Default: `AWS_ROLE_ARN`.
    #[tf(optional, validate = unless_empty(arn))]
    role_arn: Option<String>,
    /// The session's name, which CloudTrail shows. Default: `AWS_ROLE_SESSION_NAME`.
    #[tf(optional, validate = unless_empty(session_name))]
    session_name: Option<String>,
    /// How long the credentials are good for, e.g. `1h`: 15 minutes to 12 hours.
    #[tf(optional, validate = unless_empty(duration::between("15m", "12h")))]
    duration: Option<String>,
    /// A policy in JSON that narrows what the session may do.
    #[tf(optional, validate = unless_empty(json))]
    policy: Option<String>,
    /// ARNs of policies that narrow what the session may do.
    #[tf(optional, validate = arns)]
    policy_arns: Option<BTreeSet<String>>,
    /// The identity provider's token; or else `web_identity_token_file`.
    #[tf(
        optional,
        sensitive,
        name = "web_identity_token",
        validate = unless_empty(validate::length(4..=20_000))
    )]
    token: Option<String>,
    /// A file with the identity provider's token, read whenever credentials are renewed; or else `web_identity_token`.
    /// Default: `AWS_WEB_IDENTITY_TOKEN_FILE`.
    #[tf(optional, name = "web_identity_token_file")]
    token_file: Option<String>,
}

impl AssumeRole {
    /// None where no role is named: there is nothing to assume then.
    pub(super) fn settings(self) -> Result<Option<aws::AssumeRole>, String> {
        let Some(role_arn) = set(self.role_arn) else {
            return Ok(None);
        };
        Ok(Some(aws::AssumeRole {
            role_arn,
            session_name: set(self.session_name),
            external_id: set(self.external_id),
            duration: lasting(self.duration)?,
            policy: set(self.policy),
            policy_arns: listed(self.policy_arns),
            source_identity: set(self.source_identity),
            tags: without_nulls(self.tags),
            transitive_tag_keys: listed(self.transitive_tag_keys),
        }))
    }

    /// True for a block that hashicorp/aws takes as if it were not there: `role_arn` may come from an empty variable.
    pub(super) fn is_empty(&self) -> bool {
        self.role_arn.as_deref().unwrap_or_default().is_empty()
    }
}

impl WebIdentity {
    /// The environment in place of what the block leaves out.
    pub(super) fn completed(self, environment: &Environment) -> Self {
        let role_arn = set(self.role_arn).or_else(|| environment.variable("AWS_ROLE_ARN"));
        let session_name =
            set(self.session_name).or_else(|| environment.variable("AWS_ROLE_SESSION_NAME"));
        let (token, mut token_file) = (set(self.token), set(self.token_file));
        if token.is_none() && token_file.is_none() {
            token_file = environment.variable("AWS_WEB_IDENTITY_TOKEN_FILE");
        }
        Self {
            role_arn,
            session_name,
            token,
            token_file,
            ..self
        }
    }

    /// What is wrong beyond single attributes, once completed.
    pub(super) fn problems(&self) -> Diagnostics {
        let block = AttributePath::new("assume_role_with_web_identity");
        let no_role = self.role_arn.is_none().then(|| {
            let detail = "`role_arn` is needed here, or AWS_ROLE_ARN in the environment.";
            Diagnostic::error("Which role?", detail).at(block.clone().attribute("role_arn"))
        });
        let detail = match (&self.token, &self.token_file) {
            (Some(_), Some(_)) => {
                Some("`web_identity_token` and `web_identity_token_file` exclude each other.")
            }
            (None, None) => Some(
                "Either `web_identity_token` or `web_identity_token_file` is needed here, or AWS_WEB_IDENTITY_TOKEN_FILE \
                 in the environment.",
            ),
            _ => None,
        };
        let token = detail
            .map(|detail| Diagnostic::error("Where is the web identity token?", detail).at(block));
        no_role.into_iter().chain(token).collect()
    }

    /// The validated block, for the AWS adapters.
    pub(super) fn settings(self, environment: &Environment) -> Result<aws::WebIdentity, String> {
        let token = match (self.token, self.token_file) {
            (Some(token), None) => aws::WebIdentityToken::Inline(token.into()),
            (None, Some(file)) => aws::WebIdentityToken::File(environment.path(&file)),
            _ => return Err("One web identity token is needed, and no more.".to_owned()),
        };
        Ok(aws::WebIdentity {
            role_arn: self.role_arn.ok_or("A web identity needs a role.")?,
            session_name: self.session_name,
            duration: lasting(self.duration)?,
            policy: set(self.policy),
            policy_arns: listed(self.policy_arns),
            token,
        })
    }
}

fn lasting(duration: Option<String>) -> Result<Option<Duration>, String> {
    set(duration).as_deref().map(duration::parse).transpose()
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

    fn identity(role: Option<&str>, token: Option<&str>, file: Option<&str>) -> WebIdentity {
        WebIdentity {
            role_arn: role.map(str::to_owned),
            token: token.map(str::to_owned),
            token_file: file.map(str::to_owned),
            ..WebIdentity::default()
        }
    }

    const ROLE: Option<&str> = Some("arn:aws:iam::123456789012:role/a");

    #[test]
    fn exactly_one_token() {
        let nowhere = Environment::default();
        let problems = |token, file| {
            let identity = identity(ROLE, token, file).completed(&nowhere);
            identity.problems().iter().count()
        };
        assert_eq!(problems(None, None), 1);
        assert_eq!(problems(Some("token"), Some("/file")), 1);
        assert_eq!(problems(Some(""), Some("/file")), 0);
        assert_eq!(identity(None, None, None).problems().iter().count(), 2);
    }

    #[test]
    fn the_environment_completes_a_web_identity() {
        let environment = Environment::from([
            (
                "AWS_ROLE_ARN",
                "arn:aws:iam::123456789012:role/of-environment",
            ),
            ("AWS_ROLE_SESSION_NAME", "ci"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "~/token"),
            ("HOME", "/home/me"),
        ]);
        let whole = identity(None, None, None).completed(&environment);
        assert!(whole.problems().is_empty());
        let settings = whole.settings(&environment).expect("settings");
        assert!(settings.role_arn.ends_with("of-environment"));
        assert_eq!(settings.session_name.as_deref(), Some("ci"));
        assert!(
            matches!(settings.token, aws::WebIdentityToken::File(path) if path.ends_with("home/me/token"))
        );

        let own = identity(ROLE, Some("token"), None).completed(&environment);
        let own = own.settings(&environment).expect("settings");
        assert_eq!(Some(own.role_arn.as_str()), ROLE);
        assert!(matches!(own.token, aws::WebIdentityToken::Inline(_)));
    }

    #[test]
    fn a_block_without_a_role_is_no_role() {
        let settings = |arn: Option<&str>| {
            let role = AssumeRole {
                role_arn: arn.map(str::to_owned),
                ..AssumeRole::default()
            };
            (
                role.is_empty(),
                role.settings().expect("settings").is_some(),
            )
        };
        assert_eq!(settings(None), (true, false));
        assert_eq!(settings(Some("")), (true, false));
        assert_eq!(settings(ROLE), (false, true));
    }
}
