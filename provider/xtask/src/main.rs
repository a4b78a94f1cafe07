//! Repository chores that need more than a shell line: `cargo xtask <chore>`.

mod layers;

use std::process::{Command, ExitCode};

const USAGE: &str = "usage: cargo xtask <chore>

  layers   check that no crate depends on one that the house keeps from it";

fn main() -> ExitCode {
    let chore = std::env::args().nth(1);
    let outcome = match chore.as_deref() {
        Some("layers") => check_layers(),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn check_layers() -> Result<(), String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    let metadata = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo metadata: {error}"))?;
    let found = layers::violations(&metadata);
    if found.is_empty() {
        Ok(())
    } else {
        Err(found.join("\n"))
    }
}
