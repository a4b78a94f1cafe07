//! The physical half of the lab, on this machine: real loop devices, file systems, namespaces, systemd, PostgreSQL.
//! Needs root, and what `acceptance/install.sh` installs.

mod boot;
mod guard;
mod server;
mod store;
mod support;
mod witness;
