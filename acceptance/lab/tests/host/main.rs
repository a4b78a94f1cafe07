//! The physical half of the lab, on this machine: real loop devices, file systems, namespaces, systemd, PostgreSQL.
//! Needs root, and what `acceptance/install.sh` installs.
#![allow(clippy::unwrap_used, reason = "in a test, that is the report")]

mod boot;
mod guard;
mod server;
mod store;
mod support;
mod witness;
