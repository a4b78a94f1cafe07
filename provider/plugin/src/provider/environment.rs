//! What the environment says where the provider block says nothing, as far as the AWS SDK does not look itself.

use std::{collections::BTreeMap, path::PathBuf};

/// Environment variables.
#[derive(Clone, Default)]
pub(super) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Of this process; those that are not text are left out.
    pub(super) fn of_process() -> Self {
        let all = std::env::vars_os();
        let texts = all
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        Self(texts.collect())
    }

    /// None where it is empty.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// The parts of a variable that are separated by commas.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let value = self.variable(name).unwrap_or_default();
        let parts = value.split(',').filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    }

    /// What follows `prefix` in the names of variables, with their values.
    pub(super) fn beginning_with(&self, prefix: &str) -> BTreeMap<String, String> {
        let found = self.0.iter().filter_map(|(name, value)| {
            let rest = name.strip_prefix(prefix).filter(|rest| !rest.is_empty())?;
            Some((rest.to_owned(), value.clone()))
        });
        found.collect()
    }

    /// A path with its `~` and variables (`$NAME`, `${NAME}`) replaced, as hashicorp/aws does for every path.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        let home = self.0.get("HOME").or_else(|| self.0.get("USERPROFILE"));
        let text = match (text.strip_prefix('~'), home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with(['/', '\\']) => {
                format!("{home}{rest}")
            }
            _ => text.to_owned(),
        };
        self.expanded(&text).into()
    }

    fn expanded(&self, text: &str) -> String {
        let mut parts = text.split('$');
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let braced = part.strip_prefix('{').and_then(|it| it.split_once('}'));
            let (name, rest) = braced.unwrap_or_else(|| {
                let end = part.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
                part.split_at(end.unwrap_or(part.len()))
            });
            whole += self.0.get(name).map_or("", String::as_str);
            whole += rest;
        }
        whole
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Self(
            variables
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_expanded() {
        let environment = Environment::from([("HOME", "/home/me"), ("DIR", "aws")]);
        for (text, path) in [
            ("~/.aws/config", "/home/me/.aws/config"),
            ("$HOME/${DIR}/$DIR", "/home/me/aws/aws"),
            ("/etc/~x/$NONE-y", "/etc/~x/-y"),
            ("~other/x", "~other/x"),
        ] {
            assert_eq!(environment.path(text), PathBuf::from(path));
        }
    }

    #[test]
    fn lists_and_families_of_variables() {
        let environment = Environment::from([
            ("KEYS", "a,b,,c"),
            ("EMPTY", ""),
            ("TAG_Team", "dba"),
            ("TAG_", "nameless"),
        ]);
        assert_eq!(environment.list("KEYS"), ["a", "b", "c"]);
        assert_eq!(environment.variable("EMPTY"), None);
        let tags = environment.beginning_with("TAG_");
        assert_eq!(tags, [("Team".to_owned(), "dba".to_owned())].into());
    }
}
