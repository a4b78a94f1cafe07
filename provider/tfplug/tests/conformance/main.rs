//! The toy provider under a real Terraform: what core enforces, and what users see.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod debugging;
mod failures;
mod lifecycle;
mod newer;
mod stopping;
mod transport;
mod values;
mod wire;
mod workspace;
