//! How fast the simulated AWS is and how consistent: everything that is a latency, not a fault.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::AgentSettings;

/// All times in ms. The defaults are quick but never zero where AWS is never immediate.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub capture: CaptureSettings,
    pub instances: InstanceSettings,
    pub commands: CommandSettings,
    pub agent: AgentSettings,
}

/// How an image comes about.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CaptureSettings {
    /// When, after the answer to `CreateImage`, the snapshot of each volume is really taken.
    pub stagger: Stagger,
    /// Snapshots are `pending` for this long after the last one of the same call was taken.
    pub completes_after_ms: u64,
    /// An image becomes `available` this long after the last of its snapshots completed.
    pub available_after_ms: u64,
    /// Describe calls do not see a new image or snapshot for this long (eventual consistency).
    pub visible_after_ms: u64,
    /// A volume whose last snapshot is younger is refused: `SnapshotCreationPerVolumeRateExceeded`. AWS asks for
    /// 15 s between snapshots of a volume; 0 switches the limit off.
    pub snapshot_gap_ms: u64,
}

impl Default for CaptureSettings {
    fn default() -> Self {
        Self {
            stagger: Stagger::default(),
            completes_after_ms: 1_500,
            available_after_ms: 500,
            visible_after_ms: 0,
            snapshot_gap_ms: 0,
        }
    }
}

/// When the volumes of one `CreateImage` are captured. EC2 promises nothing about simultaneity across volumes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stagger {
    /// Each volume at an instant of its own, evenly spread over 0 to `max_ms`. With a `seed`, every image gets the
    /// same instants.
    Random { max_ms: u64, seed: Option<u64> },
    /// The volumes in the order of their device names, these many ms after the answer; the last one repeats.
    Fixed { ms: Vec<u64> },
}

impl Default for Stagger {
    fn default() -> Self {
        Self::Random {
            max_ms: 1_500,
            seed: None,
        }
    }
}

/// How instances come and go.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct InstanceSettings {
    /// An operating system that does not shut down within this long loses power.
    pub shutdown_within_ms: u64,
    /// What every instance is billed as, instead of what its image says.
    pub billing: Option<Billing>,
}

/// What an instance or an image is billed as (EC2 user guide, "AMI billing information fields").
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Billing {
    pub platform: String,
    pub operation: String,
    pub product_codes: Vec<String>,
}

impl Default for Billing {
    /// Linux without a licence.
    fn default() -> Self {
        Self {
            platform: "Linux/UNIX".to_owned(),
            operation: "RunInstances".to_owned(),
            product_codes: Vec::new(),
        }
    }
}

impl Default for InstanceSettings {
    fn default() -> Self {
        Self {
            shutdown_within_ms: 60_000,
            billing: None,
        }
    }
}

/// Run Command's own share of the time a command takes; the agent's share is in `agent`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommandSettings {
    /// `GetCommandInvocation` answers `InvocationDoesNotExist` for this long after `SendCommand`.
    pub visible_after_ms: u64,
    /// From `SendCommand` until the message can be handed to the agent.
    pub dispatch_ms: u64,
    /// From the agent's reply until `GetCommandInvocation` shows it.
    pub reply_ms: u64,
    /// An agent not heard of for this long is `ConnectionLost`.
    pub ping_lost_after_ms: u64,
}

impl Default for CommandSettings {
    fn default() -> Self {
        Self {
            visible_after_ms: 150,
            dispatch_ms: 20,
            reply_ms: 20,
            ping_lost_after_ms: 5_000,
        }
    }
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_given_in_part_and_misspellings_are_refused() {
        let text = r#"{"capture":{"stagger":{"fixed":{"ms":[0,1000]}}}}"#;
        let settings: Settings = serde_json::from_str(text).unwrap();
        assert_eq!(
            settings.capture.stagger,
            Stagger::Fixed { ms: vec![0, 1000] }
        );
        assert_eq!(settings.commands, CommandSettings::default());
        assert!(serde_json::from_str::<Settings>(r#"{"captur":{}}"#).is_err());
    }
}
