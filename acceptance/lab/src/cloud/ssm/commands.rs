//! `SendCommand` and `CancelCommand`, and what becomes of a command.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::{delivery, listing};
use crate::{
    agent::wire,
    cloud::{
        call::{Answer, Call},
        error::ApiError,
        iam::Access,
        ids, lock,
        settings::ms,
    },
};

/// The only document there is.
pub(super) const DOCUMENT: &str = "AWS-RunShellScript";
/// SSM's limit of a stdout and of a stderr, in characters (botocore on `GetCommandInvocation`).
const STDOUT_LIMIT: usize = 24_000;
const STDERR_LIMIT: usize = 8_000;

#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) id: String,
    pub(super) comment: String,
    pub(super) parameters: BTreeMap<String, Vec<String>>,
    pub(super) timeout_seconds: u64,
    pub(super) requested: OffsetDateTime,
    /// Before this, `GetCommandInvocation` does not see it (eventual consistency).
    pub(super) visible: Instant,
    pub(super) invocations: BTreeMap<String, Invocation>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Invocation {
    pub(super) status: InvocationStatus,
    /// The agent has acknowledged it: it may be running.
    pub(super) started: bool,
    pub(super) outcome: Option<wire::Outcome>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum InvocationStatus {
    #[default]
    Pending,
    InProgress,
    Cancelling,
    Success,
    Failed,
    ExecutionTimedOut,
    DeliveryTimedOut,
    Cancelled,
}

impl InvocationStatus {
    /// `Status` and `StatusDetails`.
    pub(super) fn shown(self) -> (&'static str, &'static str) {
        match self {
            Self::Pending => ("Pending", "Pending"),
            Self::InProgress => ("InProgress", "InProgress"),
            Self::Cancelling => ("Cancelling", "Cancelling"),
            Self::Success => ("Success", "Success"),
            Self::Failed => ("Failed", "Failed"),
            Self::ExecutionTimedOut => ("TimedOut", "ExecutionTimedOut"),
            Self::DeliveryTimedOut => ("TimedOut", "DeliveryTimedOut"),
            Self::Cancelled => ("Cancelled", "Cancelled"),
        }
    }

    pub(super) fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::InProgress | Self::Cancelling)
    }
}

impl Invocation {
    /// A final status is final: what comes later is not looked at (FACTS.md part C, 10).
    pub(super) fn end(&mut self, mut outcome: wire::Outcome) {
        if self.status.is_final() {
            return;
        }
        self.status = match outcome.status {
            wire::Status::Success => InvocationStatus::Success,
            wire::Status::Failed => InvocationStatus::Failed,
            wire::Status::TimedOut => InvocationStatus::ExecutionTimedOut,
            wire::Status::Cancelled => InvocationStatus::Cancelled,
        };
        outcome.stdout = outcome.stdout.chars().take(STDOUT_LIMIT).collect();
        outcome.stderr = outcome.stderr.chars().take(STDERR_LIMIT).collect();
        self.outcome = Some(outcome);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct SendCommand {
    document_name: String,
    #[serde(rename = "DocumentVersion")]
    _document_version: Option<String>,
    instance_ids: Vec<String>,
    #[serde(default)]
    comment: String,
    timeout_seconds: Option<u64>,
    #[serde(default)]
    parameters: BTreeMap<String, Vec<String>>,
}

pub(super) fn send(call: &Call<'_>, request: SendCommand) -> Answer {
    let cloud = call.cloud;
    let document = format!(
        "arn:aws:ssm:{}::document/{}",
        cloud.region, request.document_name
    );
    let mut accesses = vec![Access::new("ssm:SendCommand", document)];
    accesses.extend(
        request
            .instance_ids
            .iter()
            .map(|id| Access::new("ssm:SendCommand", cloud.arn("instance", id))),
    );
    call.authorize(&accesses)?;
    request.check(call)?;
    let command = Command {
        id: ids::uuid(),
        comment: request.comment,
        parameters: request.parameters,
        timeout_seconds: request.timeout_seconds.unwrap_or(3_600),
        requested: OffsetDateTime::now_utc(),
        visible: Instant::now() + ms(cloud.settings().commands.visible_after_ms),
        invocations: request
            .instance_ids
            .into_iter()
            .map(|id| (id, Invocation::default()))
            .collect(),
    };
    lock(&cloud.ssm.commands).insert(command.id.clone(), command.clone());
    for instance in command.invocations.keys() {
        let (command, instance) = (command.clone(), instance.clone());
        tokio::spawn(delivery::deliver(
            cloud.clone(),
            command,
            instance,
            call.effects.clone(),
        ));
    }
    Ok(json!({"Command": listing::command(&command)}))
}

impl SendCommand {
    fn check(&self, call: &Call<'_>) -> Result<(), ApiError> {
        if self.document_name != DOCUMENT {
            return Err(ApiError::new(
                "InvalidDocument",
                "The specified document does not exist.",
            ));
        }
        if self
            .timeout_seconds
            .is_some_and(|s| !(30..=2_592_000).contains(&s))
        {
            return Err(ApiError::new(
                "ValidationException",
                "Value at 'timeoutSeconds' failed to satisfy constraint: Member must have value between 30 and 2592000",
            ));
        }
        let known = ["commands", "executionTimeout", "workingDirectory"];
        let unknown = self.parameters.keys().any(|p| !known.contains(&p.as_str()));
        if unknown || !self.parameters.contains_key("commands") {
            return Err(ApiError::new(
                "InvalidParameters",
                format!(
                    "Document {DOCUMENT} takes commands, executionTimeout and workingDirectory"
                ),
            ));
        }
        let links = lock(&call.cloud.ssm.links);
        let registered = |id: &String| links.get(id).is_some_and(|link| link.is_registered());
        if self.instance_ids.is_empty() || !self.instance_ids.iter().all(registered) {
            return Err(ApiError::new(
                "InvalidInstanceId",
                format!(
                    "Instances {:?} not in a valid state for account {}",
                    self.instance_ids,
                    crate::cloud::iam::ACCOUNT
                ),
            ));
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct CancelCommand {
    command_id: String,
    #[serde(default)]
    instance_ids: Vec<String>,
}

/// Best effort, as on AWS: what was not delivered is cancelled at once, what runs is up to its agent.
pub(super) fn cancel(call: &Call<'_>, request: &CancelCommand) -> Answer {
    call.authorize(&[Access::new("ssm:CancelCommand", "*")])?;
    let mut commands = lock(&call.cloud.ssm.commands);
    let command = commands
        .get_mut(&request.command_id)
        .ok_or_else(|| ApiError::new("InvalidCommandId", ""))?;
    let concerned = command.invocations.iter_mut().filter(|(id, invocation)| {
        !invocation.status.is_final()
            && (request.instance_ids.is_empty() || request.instance_ids.contains(id))
    });
    for (instance, invocation) in concerned {
        if invocation.started {
            invocation.status = InvocationStatus::Cancelling;
            delivery::cancel(call.cloud, &request.command_id, instance);
        } else {
            invocation.status = InvocationStatus::Cancelled;
            call.cloud.ssm.withdraw(instance, &request.command_id);
        }
    }
    Ok(json!({}))
}
