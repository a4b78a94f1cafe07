//! An AWS on one machine in which the database, the volumes and the damage are real; only the control plane is
//! simulated: [`cloud`] on top of [`host`], with [`agent`] inside the guests and one of [`engines`] at work in them.

pub mod agent;
pub mod cloud;
pub mod engines;
pub mod host;
