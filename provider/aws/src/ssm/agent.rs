//! Whether an instance's SSM agent can be reached, before anything depends on it.

use aws_sdk_ssm::{
    Client,
    types::{InstanceInformation, InstanceInformationStringFilter, PingStatus},
};
use time::OffsetDateTime;

use super::NOT_MANAGED;
use crate::{CallError, ec2::instant};

const ACTION: &str = "ssm:DescribeInstanceInformation";

/// An SSM agent as the service knows it. `Online` may be five minutes old: that is how often agents report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// `Online`, `ConnectionLost`, `Inactive`.
    pub ping_status: String,
    pub last_ping: Option<OffsetDateTime>,
    /// Of the agent, e.g. `3.3.0.0`.
    pub version: String,
    /// `Linux`, `Windows`, `MacOS`.
    pub platform_type: String,
    /// The distribution, e.g. `Amazon Linux 2023`.
    pub platform: String,
}

impl Agent {
    pub fn is_online(&self) -> bool {
        self.ping_status == PingStatus::Online.as_str()
    }

    /// What stands in the way of running scripts, and what to do about it; None where nothing does.
    pub fn problem(&self, instance_id: &str) -> Option<String> {
        if self.is_online() {
            return None;
        }
        let since = self
            .last_ping
            .map_or_else(String::new, |ping| format!(" since {ping}"));
        Some(format!(
            "the SSM agent of {instance_id} is {}{since}: start amazon-ssm-agent, or check the instance's way to the ssm \
             and ssmmessages endpoints",
            self.ping_status
        ))
    }
}

/// The agent of `instance_id`, or an error that says what the instance lacks; its code is then `InvalidInstanceId`, as
/// that of a command which is sent there.
pub async fn status(ssm: &Client, instance_id: &str) -> Result<Agent, CallError> {
    let filter = InstanceInformationStringFilter::builder()
        .key("InstanceIds")
        .values(instance_id)
        .build()
        .expect("key and values are set");
    let mut known = ssm
        .describe_instance_information()
        .filters(filter)
        .into_paginator()
        .items()
        .send();
    match known.next().await {
        Some(Ok(info)) => Ok(agent(info)),
        Some(Err(error)) => Err(CallError::of(ACTION, &error)),
        // The code that SendCommand would answer with.
        None => Err(CallError {
            code: "InvalidInstanceId".to_owned(),
            ..CallError::refused(ACTION, format!("{instance_id}: {NOT_MANAGED}"))
        }),
    }
}

fn agent(info: InstanceInformation) -> Agent {
    let words = [info.platform_name, info.platform_version];
    Agent {
        ping_status: info
            .ping_status
            .map_or_else(String::new, |it| it.as_str().to_owned()),
        last_ping: info.last_ping_date_time.as_ref().and_then(instant),
        version: info.agent_version.unwrap_or_default(),
        platform_type: info
            .platform_type
            .map_or_else(String::new, |it| it.as_str().to_owned()),
        platform: words.into_iter().flatten().collect::<Vec<_>>().join(" "),
    }
}
