//! The port below the control plane: volumes and machines, whatever they are made of.

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;

use crate::host::Monotonic;

/// Volumes, snapshots and machines by their EC2 ids.
///
/// [`crate::cloud::Metal`] makes them real; [`crate::cloud::Paper`] only keeps the books, for tests of the protocol.
#[async_trait]
pub trait Hypervisor: Send + Sync + 'static {
    /// Makes a volume of a snapshot's content.
    async fn create_volume(&self, volume: &str, from: &str, size_gib: u64) -> Outcome<()>;

    /// Deletes a volume that no machine uses.
    async fn delete_volume(&self, volume: &str) -> Outcome<()>;

    /// Takes a snapshot of one volume, whoever writes to it.
    async fn snapshot(&self, volume: &str, snapshot: &str) -> Outcome<Instant>;

    /// Takes snapshots of several volumes of one machine at one instant, pairs of (volume, snapshot). Answers in
    /// the same order.
    async fn snapshot_at_once(
        &self,
        instance: &str,
        pairs: &[(String, String)],
    ) -> Outcome<Vec<Instant>>;

    /// Deletes a snapshot; the volumes made of it stay.
    async fn delete_snapshot(&self, snapshot: &str) -> Outcome<()>;

    /// Powers a machine on. Returns when its operating system began to start.
    async fn boot(&self, machine: &MachineSpec) -> Outcome<()>;

    /// Shuts the operating system down and powers off; pulls the plug where it does not end in time.
    async fn shutdown(&self, instance: &str, within: Duration) -> Outcome<()>;

    /// Shuts the operating system down and starts it again.
    async fn reboot(&self, instance: &str, within: Duration) -> Outcome<()>;

    /// Waits until a machine has ended by itself: its operating system powered off.
    async fn ended(&self, instance: &str);

    /// Ends a machine at once; its volumes stay.
    async fn terminate(&self, instance: &str) -> Outcome<()>;
}

/// What a machine is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineSpec {
    pub instance: String,
    /// Pairs of (device name, volume); the first one is the root.
    pub devices: Vec<(String, String)>,
    /// Where the service listens for this machine's agent.
    pub agent_socket: PathBuf,
}

/// The instant of a snapshot lies between these two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instant {
    pub began: Monotonic,
    pub taken_at: Monotonic,
}

/// What the machinery below answered; an error is a defect of the lab or of its machine, not a simulated fault.
pub type Outcome<T> = Result<T, HypervisorError>;

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct HypervisorError(pub String);
