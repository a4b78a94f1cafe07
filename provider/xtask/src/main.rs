//! Repository chores that need more than a shell line: `cargo xtask <chore>`.

mod claims;
mod contract;
mod docs;
mod golden;
mod layers;
mod schema;

use std::process::{Command, ExitCode};

use golden::Mode;

const USAGE: &str = "usage: cargo xtask <chore>

  layers            check that no crate depends on one that the house keeps from it
  claims            check that docs/design/terraform.md names every RPC, and only tests that exist
  schema [--check]  write schemas/provider.json and query.json from the built provider, as terraform sees it; an error
                    where it breaks what schemas/contract.json promises
  schema --release  write both: what the schema has from now on is promised
  docs [--check]    write docs/ from schemas/, examples/ and the engines' definitions

With --check nothing is written: a difference is an error.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["layers"] => check_layers(),
        ["claims"] => claims::run(),
        ["schema"] => schema::run(Mode::Write),
        ["schema", "--check"] => schema::run(Mode::Check),
        ["schema", "--release"] => schema::release(),
        ["docs"] => docs::run(Mode::Write),
        ["docs", "--check"] => docs::run(Mode::Check),
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
