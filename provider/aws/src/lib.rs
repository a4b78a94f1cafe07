//! The adapters: SSM behind quiesce's `Guest` port, EC2 behind its `Imager` port.
//!
//! Whoever configures a provider starts at [`config::Clients`]; the two ports are [`ssm::SsmGuest`] and
//! [`ec2::Ec2Imager`]. What a Terraform resource reads and changes outside a session is in [`ec2::images`],
//! [`ec2::instances`] and [`ssm::agent`].

pub mod config;
pub mod digest;
pub mod ec2;
mod errors;
mod http;
pub mod ssm;

#[cfg(test)]
mod replay;
#[cfg(test)]
mod server;

pub use errors::CallError;
