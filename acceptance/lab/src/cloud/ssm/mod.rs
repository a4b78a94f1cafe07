//! Systems Manager: Run Command, the documents that it could run, and the service's end of the agents' connections.

mod agents;
mod commands;
mod delivery;
mod documents;
mod listing;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use serde::de::DeserializeOwned;
use serde_json::Value;

use self::{agents::Link, commands::Command, documents::Document};
use super::{
    call::{Answer, Call},
    error::ApiError,
};

/// What Systems Manager knows.
#[derive(Default)]
pub(crate) struct Ssm {
    commands: Mutex<BTreeMap<String, Command>>,
    links: Mutex<HashMap<String, Arc<Link>>>,
    documents: Mutex<BTreeMap<String, Document>>,
}

/// Every action that is understood.
pub(crate) const ACTIONS: &[&str] = &[
    "CancelCommand",
    "CreateDocument",
    "DeleteDocument",
    "DescribeDocument",
    "DescribeInstanceInformation",
    "GetCommandInvocation",
    "GetDocument",
    "ListCommandInvocations",
    "ListCommands",
    "SendCommand",
    "UpdateDocument",
    "UpdateDocumentDefaultVersion",
];

pub(crate) fn act(call: &Call<'_>, action: &str, input: Value) -> Answer {
    match action {
        "CancelCommand" => commands::cancel(call, &parse(input)?),
        "CreateDocument" => documents::create(call, parse(input)?),
        "DeleteDocument" => documents::delete(call, &parse(input)?),
        "DescribeDocument" => documents::describe(call, &parse(input)?),
        "DescribeInstanceInformation" => listing::instances(call, parse(input)?),
        "GetCommandInvocation" => listing::invocation(call, &parse(input)?),
        "GetDocument" => documents::get(call, &parse(input)?),
        "ListCommandInvocations" => listing::invocations(call, &parse(input)?),
        "ListCommands" => listing::commands(call, &parse(input)?),
        "SendCommand" => commands::send(call, parse(input)?),
        "UpdateDocument" => documents::update(call, parse(input)?),
        "UpdateDocumentDefaultVersion" => documents::update_default(call, &parse(input)?),
        _ => Err(ApiError::new("UnknownOperationException", "")),
    }
}

/// A request of the JSON protocol. Members that are not understood are refused, not ignored.
fn parse<T: DeserializeOwned>(input: Value) -> Result<T, ApiError> {
    serde_json::from_value(input).map_err(|e| ApiError::new("ValidationException", e.to_string()))
}
