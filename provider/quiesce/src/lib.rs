//! Holds a database's writes while an image of its server is taken, and proves that they were held.
//!
//! Knows neither Terraform nor AWS: a [`ports::Guest`] runs scripts, a [`ports::Imager`] captures volumes.

pub mod engines;
pub mod method;
pub mod ports;
pub mod script;
pub mod session;
pub mod shell;
