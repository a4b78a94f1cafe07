//! The control plane and the agent, tried on machines that exist on paper: no root, no volumes, seconds.

mod clients_boto3;
mod clients_terraform;
mod support;
