//! The control plane and the agent, tried on machines that exist on paper: no root, no volumes, seconds.

mod agent_children;
mod agent_delivery;
mod agent_frozen;
mod agent_restarts;
mod agent_scripts;
mod clients_boto3;
mod clients_terraform;
mod guest;
mod support;
