//! The control plane and the agent, tried on machines that exist on paper: no root, no volumes, seconds.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod agent_children;
mod agent_delivery;
mod agent_frozen;
mod agent_restarts;
mod agent_scripts;
mod clients_boto3;
mod clients_cli;
mod clients_terraform;
mod cloud_captures;
mod cloud_faults;
mod cloud_iam;
mod guest;
mod support;
