//! What the agent and the service say to each other: one JSON object a line, over a unix socket.
//!
//! It stands for both of the real transports (ec2messages, "MDS", and ssmmessages, "MGS"): which one is played
//! decides who asks for messages and how soon, not what they look like.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::settings::AgentSettings;

/// From the service.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ToAgent {
    /// The first line of a connection.
    Welcome {
        instance: String,
        region: String,
        settings: AgentSettings,
    },
    /// Something to do. Repeated after a lost connection until it was acknowledged.
    Message(Message),
    /// The service has the reply to this message.
    Received { message: String },
}

/// From the agent.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum FromAgent {
    /// The first line of a connection.
    Hello {
        version: String,
        platform: BTreeMap<String, String>,
    },
    /// MDS: one message, please, as soon as there is one.
    Poll,
    Acknowledge {
        message: String,
    },
    Reply(Reply),
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) command: String,
    pub(crate) order: Order,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    Run(Document),
    Cancel,
}

/// `AWS-RunShellScript` with its parameters.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Document {
    pub(crate) commands: Vec<String>,
    pub(crate) working_directory: String,
    /// As the caller wrote it; the agent makes what it can of it.
    pub(crate) execution_timeout: String,
}

/// A command's end.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Reply {
    /// The id of the message that brought the command.
    pub(crate) message: String,
    pub(crate) command: String,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Outcome {
    pub(crate) status: Status,
    pub(crate) exit_code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Seconds since 1970.
    pub(crate) started: f64,
    pub(crate) ended: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Status {
    Success,
    Failed,
    TimedOut,
    Cancelled,
}
