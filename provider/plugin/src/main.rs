//! The provider binary: what users write, on top of the proof and the AWS adapters.

// The AWS SDK's futures nest deeply.
#![recursion_limit = "256"]

mod client;
mod data;
mod diagnose;
mod duration;
mod image;
mod provider;
mod tags;
#[cfg(test)]
mod testing;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    tfplug::serve(provider::Consistent).await
}
