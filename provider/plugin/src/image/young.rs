//! A server that was launched a moment ago: its SSM agent comes online within minutes. A plan does not hold that against it,
//! and an apply waits, so that one apply can launch a server and take its image.

use std::time::Duration;

use consistent_aws::{
    CallError,
    config::Clients,
    ec2::instances::{self, Facts},
    ssm::agent::{self, Agent},
};
use tfplug::{CancellationToken, Diagnostic, Result};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout};
use tracing::info;

use crate::diagnose;

/// An agent that is not online this long after its instance was started has another reason.
const YOUTH: Duration = Duration::from_mins(10);

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(3);

/// Whether this server may just not be ready yet: it was started lately, and its agent has not been heard of since.
pub(crate) fn is_awaited(facts: &Facts, agent: &Result<Agent, CallError>) -> bool {
    let Some(launched) = facts.launched else {
        return facts.instance.state == "pending";
    };
    let is_young = OffsetDateTime::now_utc() - launched < YOUTH;
    match facts.instance.state.as_str() {
        "pending" => true,
        "running" => is_young && !was_heard_of(agent, launched),
        _ => false,
    }
}

/// An agent that was online since the instance started, and is not any more, has another reason.
fn was_heard_of(agent: &Result<Agent, CallError>, since: OffsetDateTime) -> bool {
    match agent {
        Ok(agent) => agent.is_online() || agent.last_ping.is_some_and(|ping| ping > since),
        Err(error) => error.code != "InvalidInstanceId",
    }
}

/// Waits at most `limit` for a young server to run and its agent to be online. Whatever else is wrong with it, or still
/// is then, the run itself will find.
pub(super) async fn grow_up(
    clients: &Clients,
    id: &str,
    limit: Duration,
    stop: &CancellationToken,
) -> Result<()> {
    let waiting = timeout(limit.min(YOUTH), until_ready(clients, id));
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(Diagnostic::error(
            "Stopped: no image was made",
            format!("Waiting for {id} was stopped on request; nothing was touched."),
        ).into()),
        // Out of time: the probe will say what is missing.
        waited = waiting => waited.unwrap_or(Ok(())),
    }
}

async fn until_ready(clients: &Clients, id: &str) -> Result<()> {
    let ec2 = clients.ec2().await.map_err(diagnose::config)?;
    let ssm = clients.ssm().await.map_err(diagnose::config)?;
    let began = Instant::now();
    let mut told = false;
    loop {
        let (facts, agent) = tokio::join!(instances::describe(ec2, id), agent::status(ssm, id));
        if !facts.is_ok_and(|facts| is_awaited(&facts, &agent)) {
            if told {
                info!(
                    instance = id,
                    ms = began.elapsed().as_millis(),
                    "its SSM agent is online"
                );
            }
            return Ok(());
        }
        if !told {
            info!(instance = id, "just launched: waiting for its SSM agent");
            told = true;
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{image::fixtures, tags::TagPolicy, testing::Aws};

    async fn looks_at(aws: &Aws) -> usize {
        let client = aws.client(TagPolicy::default());
        let stop = CancellationToken::new();
        grow_up(&client.clients, fixtures::INSTANCE, YOUTH, &stop)
            .await
            .expect("waited");
        aws.calls("DescribeInstances").len()
    }

    fn agents(aws: Aws, statuses: &[&str]) -> Aws {
        statuses.iter().fold(aws, |aws, status| {
            aws.on("DescribeInstanceInformation", fixtures::agent(status))
        })
    }

    #[tokio::test]
    async fn a_server_that_was_just_launched_is_waited_for() {
        let aws = Aws::default()
            .on(
                "DescribeInstances",
                fixtures::instance("pending", "ebs", ""),
            )
            .on("DescribeInstances", fixtures::young_instance());
        let aws = agents(aws, &["Inactive", "Online"]);
        assert_eq!(looks_at(&aws).await, 2);
    }

    #[tokio::test]
    async fn an_old_one_is_not() {
        let aws = Aws::default().on(
            "DescribeInstances",
            fixtures::instance("running", "ebs", ""),
        );
        assert_eq!(looks_at(&agents(aws, &["ConnectionLost"])).await, 1);
    }

    #[tokio::test]
    async fn an_agent_that_was_there_and_is_lost_is_not() {
        let aws = Aws::default()
            .on("DescribeInstances", fixtures::young_instance())
            .on(
                "DescribeInstanceInformation",
                fixtures::agent_heard_of("ConnectionLost", OffsetDateTime::now_utc() + YOUTH),
            );
        assert_eq!(looks_at(&aws).await, 1);
    }

    #[tokio::test]
    async fn the_waiting_ends_with_the_timeout() {
        let aws = Aws::default().on("DescribeInstances", fixtures::young_instance());
        let aws = agents(aws, &["Inactive"]);
        let client = aws.client(TagPolicy::default());
        let stop = CancellationToken::new();
        let limit = Duration::from_millis(200);
        grow_up(&client.clients, fixtures::INSTANCE, limit, &stop)
            .await
            .expect("the probe will tell");
    }

    #[tokio::test]
    async fn a_stop_ends_the_waiting() {
        let aws = Aws::default().on("DescribeInstances", fixtures::young_instance());
        let aws = agents(aws, &["Inactive"]);
        let client = aws.client(TagPolicy::default());
        let stop = CancellationToken::new();
        stop.cancel();
        let told = grow_up(&client.clients, fixtures::INSTANCE, YOUTH, &stop).await;
        assert!(told.is_err());
    }
}
