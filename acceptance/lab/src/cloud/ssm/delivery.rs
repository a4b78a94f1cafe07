//! From `SendCommand` to the agent, and back from the agent's reply to the invocation.

use std::{sync::Arc, time::Duration};

use time::OffsetDateTime;
use tokio::time::sleep;

use super::commands::{Command, InvocationStatus};
use crate::{
    agent::wire::{Document, Message, Order, Outcome, Reply, Status},
    cloud::{Cloud, faults::Effect, ids, journal::Event, lock, settings::ms},
};

/// Puts the command before one instance's agent, and gives up when the agent does not take it in time.
pub(super) async fn deliver(
    cloud: Arc<Cloud>,
    command: Command,
    instance: String,
    effects: Vec<Effect>,
) {
    sleep(ms(cloud.settings().commands.dispatch_ms)).await;
    if effects.contains(&Effect::EmptySuccess) {
        end(&cloud, &command.id, &instance, empty_success());
        return;
    }
    if !cloud
        .ssm
        .advance(&command.id, &instance, InvocationStatus::InProgress)
    {
        return; // cancelled meanwhile
    }
    cloud.ssm.enqueue(&instance, message(&command));
    for effect in &effects {
        if let Effect::DeliverTwice { ms: after } = effect {
            sleep(ms(*after)).await;
            cloud.ssm.enqueue(&instance, message(&command));
        }
    }
    sleep(Duration::from_secs(command.timeout_seconds)).await;
    cloud.ssm.give_up(&command.id, &instance);
}

/// A message of its own each time: the agent recognises a repeated message, not a repeated command.
fn message(command: &Command) -> Message {
    let parameter = |name: &str| {
        let values = command.parameters.get(name);
        values.and_then(|v| v.first()).cloned().unwrap_or_default()
    };
    Message {
        id: ids::uuid(),
        command: command.id.clone(),
        order: Order::Run(Document {
            commands: command
                .parameters
                .get("commands")
                .cloned()
                .unwrap_or_default(),
            working_directory: parameter("workingDirectory"),
            execution_timeout: command
                .parameters
                .get("executionTimeout")
                .and_then(|v| v.first())
                .cloned()
                // The document's own default (SSM user guide, AWS-RunShellScript).
                .unwrap_or_else(|| "3600".to_owned()),
        }),
    }
}

/// Asks the agent to stop a command that it has taken.
pub(super) fn cancel(cloud: &Cloud, command: &str, instance: &str) {
    cloud.ssm.enqueue(
        instance,
        Message {
            id: ids::uuid(),
            command: command.to_owned(),
            order: Order::Cancel,
        },
    );
}

fn empty_success() -> Outcome {
    #[expect(clippy::cast_precision_loss, reason = "exact until the year 287396")]
    let now = OffsetDateTime::now_utc().unix_timestamp() as f64;
    Outcome {
        status: Status::Success,
        exit_code: 0,
        stdout: String::new(),
        stderr: String::new(),
        started: now,
        ended: now,
    }
}

/// The agent has taken a command.
pub(super) fn acknowledged(cloud: &Cloud, command: &str, instance: &str) {
    cloud.ssm.start(command, instance);
    note(cloud, command, instance, "acknowledged");
}

/// The agent has answered; the invocation shows it a little later.
pub(super) fn replied(cloud: &Arc<Cloud>, instance: &str, reply: Reply) {
    note(
        cloud,
        &reply.command,
        instance,
        &format!("replied {:?}", reply.outcome.status),
    );
    let (cloud, instance) = (cloud.clone(), instance.to_owned());
    tokio::spawn(async move {
        sleep(ms(cloud.settings().commands.reply_ms)).await;
        end(&cloud, &reply.command, &instance, reply.outcome);
    });
}

fn end(cloud: &Cloud, command: &str, instance: &str, outcome: Outcome) {
    let mut commands = lock(&cloud.ssm.commands);
    let command = commands.get_mut(command);
    if let Some(invocation) = command.and_then(|c| c.invocations.get_mut(instance)) {
        invocation.end(outcome);
    }
}

pub(super) fn note(cloud: &Cloud, command: &str, instance: &str, what: &str) {
    cloud.journal.record(Event::Command {
        command: command.to_owned(),
        instance: instance.to_owned(),
        what: what.to_owned(),
    });
}

impl super::Ssm {
    /// Moves an invocation on; false where it has ended already.
    fn advance(&self, command: &str, instance: &str, status: InvocationStatus) -> bool {
        let mut commands = lock(&self.commands);
        let command = commands.get_mut(command);
        let invocation = command.and_then(|c| c.invocations.get_mut(instance));
        invocation.is_some_and(|invocation| {
            let open = !invocation.status.is_final();
            if open {
                invocation.status = status;
            }
            open
        })
    }

    fn start(&self, command: &str, instance: &str) {
        let mut commands = lock(&self.commands);
        let command = commands.get_mut(command);
        if let Some(invocation) = command.and_then(|c| c.invocations.get_mut(instance)) {
            invocation.started = true;
        }
    }

    /// "If this time is reached and the command hasn't already started running, it won't run" (botocore,
    /// SendCommand.TimeoutSeconds).
    fn give_up(&self, command: &str, instance: &str) {
        let mut commands = lock(&self.commands);
        let invocation = commands
            .get_mut(command)
            .and_then(|c| c.invocations.get_mut(instance));
        if let Some(invocation) = invocation.filter(|i| !i.started && !i.status.is_final()) {
            invocation.status = InvocationStatus::DeliveryTimedOut;
            self.withdraw(instance, command);
        }
    }
}
