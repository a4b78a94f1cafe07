//! What is wrong, or goes unheeded, in a provider block beyond its single values.

use tfplug::{AttributePath, Diagnostic, Diagnostics};

use super::{block::ProviderBlock, environment::Environment, values};
use crate::tags;

impl ProviderBlock {
    /// Everything that is wrong beyond single attributes.
    pub(super) fn problems(&self, environment: &Environment) -> Diagnostics {
        let mut problems = Diagnostics::default();
        problems.extend(self.half_a_key());
        problems.extend(self.both_lists());
        problems.extend(self.unknown_region());
        problems.extend(self.roles_without_arn());
        if let Some(identity) = self.assume_role_with_web_identity.clone() {
            problems.extend(identity.completed(environment).problems());
        }
        let defaults = tags::shown(self.own_default_tags());
        let path = AttributePath::new("default_tags").attribute("tags");
        problems.extend(tags::problems(&defaults, &path));
        problems
    }

    fn half_a_key(&self) -> Option<Diagnostic> {
        let is_set = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let keys = [&self.access_key, &self.secret_key, &self.token].map(is_set);
        let missing = match keys {
            [true, false, _] => "secret_key",
            [false, true, _] | [false, false, true] => "access_key",
            _ => return None,
        };
        let detail = format!(
            "`access_key` and `secret_key` belong together, and `token` to both: {missing} is not set."
        );
        Some(Diagnostic::error("Half a key pair", detail).at(missing))
    }

    fn both_lists(&self) -> Option<Diagnostic> {
        let checks = &self.checks;
        let both = checks.allowed_account_ids.is_some() && checks.forbidden_account_ids.is_some();
        both.then(|| {
            let detail = "`allowed_account_ids` and `forbidden_account_ids` exclude each other.";
            Diagnostic::error("Two lists of accounts", detail).at("forbidden_account_ids")
        })
    }

    fn unknown_region(&self) -> Option<Diagnostic> {
        if self.checks.skip_region_validation == Some(true) {
            return None;
        }
        let region = self.region.as_ref().filter(|region| !region.is_empty())?;
        let detail = values::region_problem(region)?;
        let detail = crate::diagnose::sentence(&detail);
        Some(Diagnostic::error("Unknown AWS region", detail).at("region"))
    }

    /// One block without a role is taken as none, as hashicorp/aws does; in a chain it is a mistake.
    fn roles_without_arn(&self) -> Diagnostics {
        let chain = self.assume_role.len() > 1;
        let empty = (0u64..).zip(&self.assume_role);
        let empty = empty.filter(|(_, role)| chain && role.is_empty());
        let missing = empty.map(|(index, _)| {
            let path = AttributePath::new("assume_role").index(index);
            let detail = "Each role of a chain needs its `role_arn`.";
            Diagnostic::error("Which role?", detail).at(path.attribute("role_arn"))
        });
        missing.collect()
    }

    /// One warning about everything that goes unheeded, however much it is.
    pub(super) fn unheeded(&self) -> Option<Diagnostic> {
        let endpoints = self.all_endpoints();
        let endpoints = endpoints
            .unused()
            .map(|service| format!("endpoints.{service}"));
        let named: Vec<String> = self
            .unused
            .names()
            .map(str::to_owned)
            .chain(endpoints)
            .collect();
        let mut details = Vec::new();
        if !named.is_empty() {
            details.push(format!(
                "This provider calls EC2, SSM and STS only; it ignores {}.",
                listed(&named)
            ));
        }
        let checks = &self.checks;
        let guarded =
            checks.allowed_account_ids.is_some() || checks.forbidden_account_ids.is_some();
        if guarded && checks.skip_requesting_account_id == Some(true) {
            details.push(
                "The account is asked for although `skip_requesting_account_id` is set: nothing else can tell whether it \
                 may be touched."
                    .to_owned(),
            );
        }
        if matches!(&*self.assume_role, [role] if role.is_empty()) {
            details.push("`assume_role` names no role: none is assumed.".to_owned());
        }
        let warning = Diagnostic::warning("Arguments without effect", details.join("\n"));
        let place = named
            .first()
            .map_or("", |name| name.split('.').next().unwrap_or(name));
        match (details.len(), named.len()) {
            (0, _) => None,
            // Terraform shows the line of one place only.
            (1, 1) => Some(warning.at(place)),
            _ => Some(warning),
        }
    }
}

/// `a`, `b` and `c`
fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
