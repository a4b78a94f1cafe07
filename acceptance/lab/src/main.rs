//! `lab`: the lab as a program.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use lab::host::{Host, HostError, guard, witness};

/// An AWS on one machine.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Takes down what a lab left behind, whatever became of it.
    Down { dir: PathBuf },
    /// Thaws what a lab holds for too long. Started by the lab itself.
    #[command(hide = true)]
    Guard { dir: PathBuf, limit_ms: u64 },
    /// Writes to a file and reports how long each write took. Started by the lab itself, in an instance.
    #[command(hide = true)]
    Probe { file: PathBuf },
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    match run(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), HostError> {
    match command {
        Command::Down { dir } => Host::sweep(&dir).await.map(|swept| {
            tracing::info!(?swept, "the lab is down");
        }),
        Command::Guard { dir, limit_ms } => {
            guard::watch(&dir, Duration::from_millis(limit_ms)).await
        }
        Command::Probe { file } => witness::beat_forever(&file).map_err(|source| HostError::Io {
            what: file.display().to_string(),
            source,
        }),
    }
}
