//! A command document as it is written: schema 2.2, and 1.2 before it. What the agent would do and we do not is refused, never skipped.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::Value as Json;

use super::{
    LINUX,
    parameters::{Parameter, Values},
};
use crate::ports::Format;

/// The plugin that runs shell text.
const PLUGIN: &str = "aws:runShellScript";
/// `timeoutSeconds`: beyond these bounds the agent silently takes an hour (FACTS of the agent, `pluginutil.go`).
const TIMEOUT_SECONDS: std::ops::RangeInclusive<u64> = 5..=172_800;
const TIMEOUT_OTHERWISE: u64 = 3_600;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Content {
    schema_version: String,
    #[serde(default, rename = "description")]
    _description: Option<Json>,
    #[serde(default)]
    pub(super) parameters: BTreeMap<String, Parameter>,
    #[serde(default)]
    main_steps: Vec<Step>,
    #[serde(default)]
    runtime_config: BTreeMap<String, Plugin>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Step {
    action: String,
    name: String,
    #[serde(default, rename = "description")]
    _description: Option<Json>,
    #[serde(default)]
    precondition: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    inputs: Json,
}

/// Schema 1.2.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Plugin {
    properties: Vec<Json>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Inputs {
    #[serde(default, rename = "id")]
    _id: Option<String>,
    run_command: Vec<String>,
    working_directory: Option<String>,
    timeout_seconds: Option<Json>,
}

/// What the one step runs.
#[derive(Debug)]
pub(super) struct ShellStep {
    /// Not resolved.
    pub(super) lines: Vec<String>,
    pub(super) working_directory: Option<String>,
    pub(super) time_limit: Option<Duration>,
}

impl Content {
    pub(super) fn parse(text: &str, format: Format) -> Result<Self, String> {
        match format {
            Format::Json => serde_json::from_str(text).map_err(|error| place(&error)),
            Format::Yaml => serde_saphyr::from_str::<Json>(text)
                .map_err(|_| "its content is no YAML that can be read".to_owned())
                .and_then(|it| serde_json::from_value(it).map_err(|error| place(&error))),
        }
    }

    /// The one step that runs on Linux.
    pub(super) fn only_step(self, values: &Values) -> Result<ShellStep, String> {
        let mut inputs = match self.schema_version.as_str() {
            "2.0" | "2.2" => steps(self.main_steps, values)?,
            "1.0" | "1.2" => plugins(self.runtime_config)?,
            other => return Err(format!("it is of schema {other}, and 2.2 or 1.2 is needed")),
        };
        let Some(only) = inputs.pop().filter(|_| inputs.is_empty()) else {
            let count = if inputs.is_empty() {
                "no step"
            } else {
                "several steps"
            };
            return Err(format!(
                "{count} of it would run on Linux, and one is needed"
            ));
        };
        ShellStep::new(only, values)
    }
}

/// Where it is wrong, never what stands there.
fn place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let member = text
        .split('`')
        .nth(1)
        .filter(|_| text.starts_with("unknown field") || text.starts_with("missing field"));
    match member {
        Some(member) if text.starts_with("missing") => format!("it lacks {member:?}"),
        Some(member) => {
            format!("it has {member:?}, of which it is not known what the agent would make")
        }
        None => format!(
            "its content cannot be read (line {}, column {})",
            error.line(),
            error.column()
        ),
    }
}

fn steps(steps: Vec<Step>, values: &Values) -> Result<Vec<Json>, String> {
    let mut inputs = Vec::new();
    for step in steps {
        if !step.applies(values)? {
            continue;
        }
        if step.action != PLUGIN {
            let (name, action) = (step.name, step.action);
            return Err(format!(
                "its step {name:?} is {action}, and only {PLUGIN} is understood"
            ));
        }
        inputs.push(step.inputs);
    }
    Ok(inputs)
}

fn plugins(plugins: BTreeMap<String, Plugin>) -> Result<Vec<Json>, String> {
    let mut inputs = Vec::new();
    for (name, plugin) in plugins {
        if name != PLUGIN {
            return Err(format!("it runs {name}, and only {PLUGIN} is understood"));
        }
        inputs.extend(plugin.properties);
    }
    Ok(inputs)
}

impl Step {
    /// The agent skips a step whose precondition does not hold.
    fn applies(&self, values: &Values) -> Result<bool, String> {
        let mut applies = true;
        for (operator, arguments) in &self.precondition {
            let [one, other] = arguments.as_slice() else {
                return Err(format!(
                    "the precondition of its step {:?} does not compare two values",
                    self.name
                ));
            };
            if operator != "StringEquals" {
                return Err(format!(
                    "the precondition of its step {:?} is {operator}, and only StringEquals is understood",
                    self.name
                ));
            }
            applies &= compared(one, values)? == compared(other, values)?;
        }
        Ok(applies)
    }
}

fn compared(argument: &str, values: &Values) -> Result<String, String> {
    if argument == "platformType" {
        return Ok(LINUX.to_owned());
    }
    values.fixed(argument)
}

impl ShellStep {
    fn new(inputs: Json, values: &Values) -> Result<Self, String> {
        let inputs: Inputs = serde_json::from_value(inputs).map_err(|error| place(&error))?;
        let working_directory = inputs.working_directory.as_deref();
        let working_directory = working_directory.map(|it| values.fixed(it)).transpose()?;
        Ok(Self {
            lines: inputs.run_command,
            working_directory: working_directory.filter(|it| !it.is_empty()),
            time_limit: inputs
                .timeout_seconds
                .as_ref()
                .map(|it| time_limit(it, values))
                .transpose()?,
        })
    }
}

fn time_limit(told: &Json, values: &Values) -> Result<Duration, String> {
    let text = match told {
        Json::String(text) => values.fixed(text)?,
        other => other.to_string(),
    };
    let seconds = text.trim().parse().ok();
    let seconds = seconds.filter(|it| TIMEOUT_SECONDS.contains(it));
    Ok(Duration::from_secs(seconds.unwrap_or(TIMEOUT_OTHERWISE)))
}
