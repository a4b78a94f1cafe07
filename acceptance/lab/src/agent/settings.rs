//! The agent's share of a command's latency, as measured with amazon-ssm-agent 3.3 (FACTS.md part C).

use serde::{Deserialize, Serialize};

/// All times in ms. Told to the agent when it connects.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentSettings {
    pub transport: Transport,
    /// From the arrival of a message until the script starts, on top of what the lab's agent itself needs.
    pub start_ms: u64,
    /// From the end of a script until the reply is sent, on top of what the lab's agent itself needs.
    pub reply_ms: u64,
    /// MDS: after a poll that brought a message, the next one follows this much later (least, most). Measured: a
    /// command sent right after another one finished came 2.19 s late (median), 2.39 s (p95).
    pub poll_pause_ms: (u64, u64),
    /// A reply that could not be delivered is sent again after this long. Measured: 256 s after reconnecting.
    pub reply_retry_ms: u64,
    /// A document worker that died is noticed after this long. Measured: 60 to 64 s.
    pub worker_lost_ms: u64,
}

/// How messages reach the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// ssmmessages: a websocket, messages are pushed.
    #[default]
    Mgs,
    /// ec2messages: a long poll.
    Mds,
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self {
            transport: Transport::Mgs,
            start_ms: 30,
            reply_ms: 5,
            poll_pause_ms: (2_000, 2_500),
            reply_retry_ms: 256_000,
            worker_lost_ms: 60_000,
        }
    }
}
