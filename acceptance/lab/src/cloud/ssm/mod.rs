//! Systems Manager: Run Command, and the service's end of the agents' connections.

mod agents;
mod commands;
mod delivery;
mod listing;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use serde::de::DeserializeOwned;
use serde_json::Value;

use self::{agents::Link, commands::Command};
use super::{
    call::{Answer, Call},
    error::ApiError,
};

/// What Systems Manager knows.
#[derive(Default)]
pub(crate) struct Ssm {
    commands: Mutex<BTreeMap<String, Command>>,
    links: Mutex<HashMap<String, Arc<Link>>>,
}

/// Every action that is understood.
pub(crate) const ACTIONS: &[&str] = &[
    "CancelCommand",
    "DescribeInstanceInformation",
    "GetCommandInvocation",
    "ListCommandInvocations",
    "ListCommands",
    "SendCommand",
];

pub(crate) fn act(call: &Call<'_>, action: &str, input: Value) -> Answer {
    match action {
        "CancelCommand" => commands::cancel(call, &parse(input)?),
        "DescribeInstanceInformation" => listing::instances(call, parse(input)?),
        "GetCommandInvocation" => listing::invocation(call, &parse(input)?),
        "ListCommandInvocations" => listing::invocations(call, &parse(input)?),
        "ListCommands" => listing::commands(call, &parse(input)?),
        "SendCommand" => commands::send(call, parse(input)?),
        _ => Err(ApiError::new("UnknownOperationException", "")),
    }
}

/// A request of the JSON protocol. Members that are not understood are refused, not ignored.
fn parse<T: DeserializeOwned>(input: Value) -> Result<T, ApiError> {
    serde_json::from_value(input).map_err(|e| ApiError::new("ValidationException", e.to_string()))
}
