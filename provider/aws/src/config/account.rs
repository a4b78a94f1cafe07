//! Whose account the credentials belong to, and whether it may be touched.

use aws_sdk_sts::Client;

use super::{ConfigError, Settings};
use crate::CallError;

/// Who STS says that we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Twelve digits.
    pub account: String,
    /// The user or the assumed role.
    pub arn: String,
}

impl Caller {
    /// One `GetCallerIdentity`, which needs no permission.
    pub(super) async fn ask(sts: &Client) -> Result<Self, CallError> {
        const ACTION: &str = "sts:GetCallerIdentity";
        let said = sts
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| CallError::of(ACTION, &error))?;
        match (said.account, said.arn) {
            (Some(account), Some(arn)) => Ok(Self { account, arn }),
            _ => Err(CallError::refused(ACTION, "the answer names no account")),
        }
    }
}

/// True where only STS can say whether the account may be touched.
pub(super) fn is_restricted(settings: &Settings) -> bool {
    !settings.allowed_account_ids.is_empty() || !settings.forbidden_account_ids.is_empty()
}

/// Applies `allowed_account_ids` and `forbidden_account_ids`.
pub(super) fn admit(settings: &Settings, account: &str) -> Result<(), ConfigError> {
    let listed = |ids: &[String]| ids.iter().any(|id| id == account);
    let allowed = &settings.allowed_account_ids;
    let why = if listed(&settings.forbidden_account_ids) {
        "listed in `forbidden_account_ids`"
    } else if !allowed.is_empty() && !listed(allowed) {
        "not listed in `allowed_account_ids`"
    } else {
        return Ok(());
    };
    Err(ConfigError::WrongAccount {
        account: account.to_owned(),
        why,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(allowed: &[&str], forbidden: &[&str]) -> Option<&'static str> {
        let ids = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        let settings = Settings {
            allowed_account_ids: ids(allowed),
            forbidden_account_ids: ids(forbidden),
            ..Settings::default()
        };
        match admit(&settings, "123456789012") {
            Ok(()) => None,
            Err(ConfigError::WrongAccount { why, .. }) => Some(why),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn the_lists_decide() {
        assert_eq!(verdict(&[], &[]), None);
        assert_eq!(verdict(&["123456789012"], &["999999999999"]), None);
        assert_eq!(
            verdict(&["999999999999"], &[]),
            Some("not listed in `allowed_account_ids`")
        );
        assert_eq!(
            verdict(&[], &["123456789012"]),
            Some("listed in `forbidden_account_ids`")
        );
        let both = verdict(&["123456789012"], &["123456789012"]);
        assert_eq!(
            both,
            Some("listed in `forbidden_account_ids`"),
            "forbidden wins"
        );
    }
}
