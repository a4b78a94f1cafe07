//! SSM Run Command behind the `Guest` port.
//!
//! A command is sent once and never cancelled: SSM's cancel is a SIGKILL that proves nothing, the switch on the guest
//! ends every hold, and the protocol's release follows in any case.

pub mod agent;
pub mod documents;
mod pace;

use std::time::{Duration, Instant};

pub use aws_sdk_ssm::Client;
use aws_sdk_ssm::{
    config::{Builder, retry::RetryConfig, timeout::TimeoutConfig},
    operation::get_command_invocation::GetCommandInvocationOutput,
    types::CommandInvocationStatus,
};
use quiesce::ports::{Guest, GuestError, Reply, Retry, Script};

use crate::CallError;
use pace::Pace;

/// What to do about an instance that SSM does not know or cannot reach.
pub(crate) const NOT_MANAGED: &str = "SSM does not manage the instance, or its agent is gone: the instance needs an \
    instance profile with AmazonSSMManagedInstanceCore, a running amazon-ssm-agent, and a way to the ssm and \
    ssmmessages endpoints";

/// AWS's own document that runs shell commands; its newest version, since AWS replaces it as the agents change.
const DOCUMENT: &str = "AWS-RunShellScript";
const SEND: &str = "ssm:SendCommand";
const POLL: &str = "ssm:GetCommandInvocation";

/// `TimeoutSeconds`: for how long SSM may still start the command. It accepts 30 s to 30 days.
const START_WITHIN_SECONDS: (u64, u64) = (30, 2_592_000);
/// `executionTimeout`: beyond these bounds the agent silently takes an hour (FACTS.md part C, 4).
const KILL_AFTER_SECONDS: (u64, u64) = (5, 172_800);
/// A document is limited to 64 KiB with its parameters (Systems Manager quotas, "Document size"); some of that is AWS's own.
const LONGEST_SCRIPT: usize = 63 * 1024;
/// SSM refuses a longer `Comment`.
const LONGEST_COMMENT: usize = 100;
/// A poll that hangs must not eat the time in which the next would have seen the answer.
const POLL_LIMIT: Duration = Duration::from_secs(5);

/// One instance, reached through its SSM agent.
#[derive(Clone, Debug)]
pub struct SsmGuest {
    ssm: Client,
    instance_id: String,
}

impl SsmGuest {
    pub fn new(ssm: Client, instance_id: impl Into<String>) -> Self {
        Self {
            ssm,
            instance_id: instance_id.into(),
        }
    }
}

impl Guest for SsmGuest {
    async fn run(&self, script: &Script, within: Duration) -> Result<Reply, GuestError> {
        let started = Instant::now();
        let mut seen = Seen::Unsent;
        match tokio::time::timeout(within, self.converse(script, within, &mut seen)).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(Failure::Refused(error))) => Err(GuestError::NotSent {
                reason: error.to_string(),
                retry: error.retry,
            }),
            Ok(Err(Failure::Lost(error))) => {
                let reason = format!("{}; {error}", seen.describe());
                Err(GuestError::NoAnswer {
                    reason,
                    waited: started.elapsed(),
                })
            }
            Err(_) => Err(GuestError::NoAnswer {
                reason: seen.describe(),
                waited: started.elapsed(),
            }),
        }
    }
}

/// How a conversation broke off.
enum Failure {
    /// Nothing was sent.
    Refused(CallError),
    /// Something was sent, or may have been.
    Lost(CallError),
}

/// How far a conversation has come, for the message when time runs out.
enum Seen {
    Unsent,
    Sent { command_id: String, last: String },
}

impl Seen {
    fn describe(&self) -> String {
        match self {
            Self::Unsent => "SSM has not acknowledged the command".to_owned(),
            Self::Sent { command_id, last } => format!("command {command_id}: {last}"),
        }
    }
}

impl SsmGuest {
    async fn converse(
        &self,
        script: &Script,
        within: Duration,
        seen: &mut Seen,
    ) -> Result<Reply, Failure> {
        check(script).map_err(Failure::Refused)?;
        let command_id = self.send(script, within).await?;
        tracing::debug!(command_id, purpose = script.purpose, "command sent");
        *seen = Seen::Sent {
            command_id: command_id.clone(),
            last: "not seen by SSM's own list yet".to_owned(),
        };
        let mut pace = Pace::start();
        loop {
            tokio::time::sleep(pace.next()).await;
            let last = match self.poll(&command_id).await {
                Ok(invocation) if is_final(&invocation) => {
                    return Ok(reply(command_id, invocation));
                }
                Ok(invocation) => {
                    pace.answered();
                    format!("last seen {}", status(&invocation))
                }
                // A new command is not known everywhere at once.
                Err(error) if error.code == "InvocationDoesNotExist" => continue,
                Err(error) if error.retry == Retry::Never => return Err(Failure::Lost(error)),
                Err(error) => {
                    pace.failed();
                    format!("last poll failed: {error}")
                }
            };
            *seen = Seen::Sent {
                command_id: command_id.clone(),
                last,
            };
        }
    }

    /// `SendCommand` has no client token, so it is never repeated: a second copy could freeze a second time.
    async fn send(&self, script: &Script, within: Duration) -> Result<String, Failure> {
        let sent = self
            .ssm
            .send_command()
            .document_name(DOCUMENT)
            .instance_ids(&self.instance_id)
            .parameters("commands", vec![script.text.clone()])
            .parameters(
                "executionTimeout",
                vec![clamped(script.kill_after, KILL_AFTER_SECONDS).to_string()],
            )
            .timeout_seconds(
                i32::try_from(clamped(within, START_WITHIN_SECONDS)).unwrap_or(i32::MAX),
            )
            .comment(comment(script))
            .customize()
            .config_override(single_attempt(within))
            .send()
            .await
            .map_err(|error| Failure::of_send(CallError::of(SEND, &error)))?;
        sent.command
            .and_then(|command| command.command_id)
            .ok_or_else(|| Failure::Lost(CallError::refused(SEND, "the answer names no command")))
    }

    async fn poll(&self, command_id: &str) -> Result<GetCommandInvocationOutput, CallError> {
        self.ssm
            .get_command_invocation()
            .command_id(command_id)
            .instance_id(&self.instance_id)
            .customize()
            .config_override(single_attempt(POLL_LIMIT))
            .send()
            .await
            .map_err(|error| CallError::of(POLL, &error))
    }
}

impl Failure {
    fn of_send(error: CallError) -> Self {
        if error.maybe_done {
            Self::Lost(error)
        } else {
            Self::Refused(error)
        }
    }
}

/// Refuses what SSM would change on its way: it replaces `{{ssm:name}}` by a parameter's value wherever it stands.
fn check(script: &Script) -> Result<(), CallError> {
    if script.text.contains("{{") {
        return Err(CallError::refused(
            SEND,
            "the script contains `{{`, which SSM reads as a reference to a parameter",
        ));
    }
    if script.text.len() > LONGEST_SCRIPT {
        let reason = format!(
            "the script for these engines has {} bytes, and SSM carries {LONGEST_SCRIPT}: name fewer engines in one image, or \
             shorter commands or documents",
            script.text.len()
        );
        return Err(CallError::refused(SEND, reason));
    }
    Ok(())
}

fn single_attempt(limit: Duration) -> Builder {
    Builder::new()
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(limit).build())
}

fn clamped(duration: Duration, (least, most): (u64, u64)) -> u64 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    whole.clamp(least, most)
}

/// What a user sees in SSM's command history.
fn comment(script: &Script) -> String {
    let text = format!("terraform-provider-consistent: {}", script.purpose);
    text.chars().take(LONGEST_COMMENT).collect()
}

/// A final status is final, whatever trails in later (FACTS.md part C, 10).
fn is_final(invocation: &GetCommandInvocationOutput) -> bool {
    use CommandInvocationStatus::{Cancelled, Failed, Success, TimedOut};
    matches!(
        invocation.status,
        Some(Cancelled | Failed | Success | TimedOut)
    )
}

fn reply(command_id: String, invocation: GetCommandInvocationOutput) -> Reply {
    Reply {
        command_id,
        status: status(&invocation),
        // SSM's -1 means that there is none.
        exit_code: Some(invocation.response_code).filter(|code| *code >= 0),
        stdout: invocation.standard_output_content.unwrap_or_default(),
        stderr: invocation.standard_error_content.unwrap_or_default(),
    }
}

/// The details say more than the status: `DeliveryTimedOut` against `ExecutionTimedOut`.
fn status(invocation: &GetCommandInvocationOutput) -> String {
    let details = invocation
        .status_details
        .as_deref()
        .filter(|details| !details.is_empty());
    let status = invocation
        .status
        .as_ref()
        .map(CommandInvocationStatus::as_str);
    details.or(status).unwrap_or("without a status").to_owned()
}

#[cfg(test)]
mod tests;
