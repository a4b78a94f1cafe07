//! The newest protocol without Terraform between: whatever the CLI at hand is too old to ask.

mod client;
mod every_rpc;
mod identity;
mod listing;
