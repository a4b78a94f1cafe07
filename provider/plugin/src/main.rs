//! The provider binary: what users write, on top of the proof and the AWS adapters.

// The AWS SDK's futures nest deeply.
#![recursion_limit = "256"]

mod client;
mod data;
mod diagnose;
mod doctor;
mod duration;
mod image;
mod provider;
mod tags;
#[cfg(test)]
mod testing;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    // Terraform gives no arguments.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == doctor::NAME)
    {
        return doctor::run().await;
    }
    tfplug::serve(provider::Consistent).await
}
