//! A document's parameters and their values: declared, given or by default, and checked as SSM checks them.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde::Deserialize;
use serde_json::Value as Json;

use super::{
    execution_id,
    template::{Piece, pieces},
};
use crate::session::SessionId;

/// Which script is to run.
pub(super) const COMMAND: &str = "command";
/// Which run it belongs to.
pub(super) const EXECUTION_ID: &str = "executionId";
/// What Data Lifecycle Manager asks for, and so do we.
const COMMANDS: [&str; 3] = ["pre-script", "post-script", "dry-run"];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Parameter {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, rename = "description")]
    _description: Option<Json>,
    #[serde(default, rename = "displayType")]
    _display_type: Option<Json>,
    default: Option<Json>,
    #[serde(default)]
    allowed_values: Vec<Json>,
    allowed_pattern: Option<String>,
    min_chars: Option<usize>,
    max_chars: Option<usize>,
    #[serde(default, rename = "minItems")]
    _min_items: Option<Json>,
    #[serde(default, rename = "maxItems")]
    _max_items: Option<Json>,
    interpolation_type: Option<String>,
}

/// What each declared parameter stands for.
#[derive(Debug)]
pub(super) struct Values(BTreeMap<String, Place>);

#[derive(Clone, Debug)]
pub(super) enum Place {
    Command,
    ExecutionId,
    Text(String),
    /// Declared, but of a kind that becomes no part of a text.
    Other {
        kind: String,
    },
}

/// The value of every parameter, with what the user `told`.
pub(super) fn values(
    declared: &BTreeMap<String, Parameter>,
    told: &BTreeMap<String, String>,
) -> Result<Values, String> {
    if let Some(name) = told
        .keys()
        .find(|name| [COMMAND, EXECUTION_ID].contains(&name.as_str()))
    {
        return Err(format!(
            "its parameter {name:?} is set by the provider itself: leave it out of `parameters`"
        ));
    }
    if let Some(name) = told.keys().find(|name| !declared.contains_key(*name)) {
        return Err(format!("it declares no parameter {name:?}"));
    }
    let command = declared.get(COMMAND).ok_or_else(|| {
        format!(
            "it declares no parameter {COMMAND:?} that takes {}",
            COMMANDS.join(", ")
        )
    })?;
    for value in COMMANDS {
        command.check(COMMAND, value)?;
    }
    let values = declared
        .iter()
        .map(|(name, parameter)| Ok((name.clone(), parameter.place(name, told.get(name))?)));
    values.collect::<Result<_, String>>().map(Values)
}

impl Parameter {
    fn place(&self, name: &str, told: Option<&String>) -> Result<Place, String> {
        if !name.bytes().all(|it| it.is_ascii_alphanumeric()) {
            return Err(format!(
                "its parameter {name:?} has a name that the agent does not replace"
            ));
        }
        if self
            .interpolation_type
            .as_deref()
            .is_some_and(|it| it != "TEXT")
        {
            return Err(format!(
                "its parameter {name:?} has an interpolationType, which is not understood"
            ));
        }
        match name {
            COMMAND => return Ok(Place::Command),
            EXECUTION_ID => {
                let sample = execution_id(&SessionId::random());
                return self.check(name, &sample).map(|()| Place::ExecutionId);
            }
            _ => {}
        }
        let text = match (&*self.kind, told, &self.default) {
            ("String" | "Integer" | "Boolean", Some(told), _) => told.clone(),
            ("String" | "Integer" | "Boolean", None, Some(Json::String(text))) => text.clone(),
            ("Integer" | "Boolean", None, Some(other)) => other.to_string(),
            (_, None, None) => {
                return Err(format!(
                    "its parameter {name:?} has no default: set it in `parameters`"
                ));
            }
            (kind, Some(_), _) => {
                return Err(format!(
                    "its parameter {name:?} is a {kind}, which cannot be set here"
                ));
            }
            (kind, None, Some(_)) => {
                return Ok(Place::Other {
                    kind: kind.to_owned(),
                });
            }
        };
        self.check(name, &text).map(|()| Place::Text(text))
    }

    fn check(&self, name: &str, value: &str) -> Result<(), String> {
        // The agent would expand both: a reference to the Parameter Store, and a group of its own regular expression.
        if value.contains("{{") || value.contains('$') {
            return Err(format!(
                "the value of its parameter {name:?} has `{{{{` or `$` in it, which the agent would interpret"
            ));
        }
        let kind_fits = match &*self.kind {
            "Integer" => value.parse::<i64>().is_ok(),
            "Boolean" => ["true", "false"].contains(&value),
            kind => kind == "String",
        };
        let letters = value.chars().count();
        let long_enough = self.min_chars.is_none_or(|least| letters >= least);
        let short_enough = self.max_chars.is_none_or(|most| letters <= most);
        if kind_fits
            && long_enough
            && short_enough
            && self.allows(value)
            && self.matches(name, value)?
        {
            Ok(())
        } else {
            Err(format!("its parameter {name:?} does not take {value:?}"))
        }
    }

    fn allows(&self, value: &str) -> bool {
        let same = |allowed: &Json| match allowed {
            Json::String(text) => text == value,
            other => *value == *other.to_string(),
        };
        self.allowed_values.is_empty() || self.allowed_values.iter().any(same)
    }

    /// Anywhere in the value, unless the pattern is anchored: the agent's `MatchString`.
    fn matches(&self, name: &str, value: &str) -> Result<bool, String> {
        let Some(pattern) = &self.allowed_pattern else {
            return Ok(true);
        };
        let pattern = Regex::new(pattern).map_err(|_| {
            format!("the allowedPattern of its parameter {name:?} is not understood")
        })?;
        Ok(pattern.is_match(value))
    }
}

impl Values {
    pub(super) fn of(&self, name: &str) -> Option<&Place> {
        self.0.get(name)
    }

    /// `text` resolved, which must be the same for every command.
    pub(super) fn fixed(&self, text: &str) -> Result<String, String> {
        let mut resolved = String::new();
        for piece in pieces(text, self)? {
            match piece {
                Piece::Text(text) => resolved += &text,
                Piece::Command | Piece::ExecutionId => {
                    return Err(format!(
                        "its parameters {COMMAND} and {EXECUTION_ID} can only stand in the script's text"
                    ));
                }
            }
        }
        Ok(resolved)
    }
}
