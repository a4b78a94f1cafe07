//! Harness shared by the scenarios, the demo and the benchmark.
//!
//! It judges from outside: it drives the real terraform, watches the lab's journal and the database's clients, and
//! boots what was made. It knows the provider by its public interface only.

pub mod account;
pub mod bench;
pub mod binaries;
pub mod clock;
pub mod configuration;
pub mod console;
mod door;
mod error;
pub mod judge;
pub mod ledger;
pub mod leftovers;
pub mod load;
pub mod machine;
pub mod moment;
pub mod offer;
pub mod scene;
pub mod stage;
pub mod statistics;
pub mod story;
pub mod terraform;
pub mod timeline;

pub use error::Error;
