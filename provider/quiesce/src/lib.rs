//! Holds a database's writes while an image of its server is taken, and proves that they were held.
//!
//! Knows neither Terraform nor AWS: a [`ports::Guest`] runs scripts, a [`ports::Imager`] captures volumes.
//! [`Plan::execute`] makes a proven image or none; [`inspect`] tells without touching anything whether it could.

pub mod capture;
mod clock;
pub mod document;
pub mod engines;
pub mod error;
pub mod evidence;
pub mod holds;
pub mod leftovers;
pub mod method;
mod patience;
pub mod plan;
pub mod ports;
mod protocol;
pub mod report;
mod run;
pub mod script;
pub mod session;
pub mod shell;
mod survey;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
mod volumes;

pub use error::Failure;
pub use evidence::Proof;
pub use plan::Plan;
pub use survey::{Readiness, inspect};
