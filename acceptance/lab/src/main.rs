//! `lab`: the lab as a program.

mod serve;

use std::{error::Error, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use lab::{
    agent::{self, AgentConfig},
    cloud::ControlClient,
    host::{Host, HostError, guard, witness},
};
use serve::Serve;

/// An AWS on one machine: real volumes, real databases, simulated APIs.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts a lab and boots a database server in it; runs until Ctrl-C or `lab down`.
    Serve(Serve),
    /// Takes a lab down, running or dead.
    Down {
        /// The lab's directory.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Prints the journal of a lab: JSON lines.
    Journal {
        /// The lab's directory.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Makes something go wrong in a running lab; without a fault, puts everything right again.
    Fault {
        /// The lab's directory.
        #[arg(long)]
        dir: PathBuf,
        /// JSON: `{"action":"ec2:CreateImage","times":1,"effect":{"kind":"drop_after"}}`.
        fault: Option<String>,
    },
    /// Prints the settings of a running lab, or replaces them.
    Settings {
        /// The lab's directory.
        #[arg(long)]
        dir: PathBuf,
        /// JSON: `{"capture":{"stagger":{"fixed":{"ms":[0,1000]}}}}`; the rest gets its defaults.
        settings: Option<String>,
    },
    /// The SSM agent of an instance.
    Agent {
        #[arg(long, default_value = "/run/lab/agent.sock")]
        socket: PathBuf,
        #[arg(long, default_value = "/var/lib/amazon/ssm")]
        state_dir: PathBuf,
        #[arg(long, default_value = "/var/log/amazon/ssm")]
        log_dir: PathBuf,
    },
    /// Runs one document. Started by the agent.
    #[command(hide = true)]
    AgentWorker { store: PathBuf, message: String },
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

async fn run(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Serve(serve) => serve.run().await?,
        Command::Down { dir } => down(dir).await?,
        Command::Journal { dir } => serve::print(&std::fs::read(serve::journal(&dir))?)?,
        Command::Fault { dir, fault } => {
            let mut lab = ControlClient::connect(&dir).await?;
            let answer = match fault {
                Some(fault) => lab.fault(serde_json::from_str(&fault)?).await?,
                None => lab.clear().await?,
            };
            serve::print(format!("{answer}\n").as_bytes())?;
        }
        Command::Settings { dir, settings } => {
            let mut lab = ControlClient::connect(&dir).await?;
            if let Some(settings) = settings {
                lab.configure(serde_json::from_str(&settings)?).await?;
            }
            serve::print(format!("{:#}\n", lab.settings().await?).as_bytes())?;
        }
        Command::Agent {
            socket,
            state_dir,
            log_dir,
        } => {
            agent::run(AgentConfig {
                socket,
                state_dir,
                log_dir,
                program: std::env::current_exe()?,
            })
            .await?;
        }
        Command::AgentWorker { store, message } => agent::run_worker(store, &message).await?,
        Command::Guard { dir, limit_ms } => {
            guard::watch(&dir, Duration::from_millis(limit_ms)).await?;
        }
        Command::Probe { file } => witness::beat_forever(&file)?,
    }
    Ok(())
}

/// How long a lab may take to end its machines, and then its process.
const END_LIMIT: Duration = Duration::from_mins(1);

/// A lab that runs is asked to end; what a dead one left is swept.
async fn down(dir: PathBuf) -> Result<(), Box<dyn Error>> {
    if let Ok(mut lab) = ControlClient::connect(&dir).await {
        lab.down().await?;
    }
    let swept = tokio::time::timeout(END_LIMIT, async {
        loop {
            match Host::sweep(&dir).await {
                Err(HostError::InUse(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
                swept => break swept,
            }
        }
    });
    tracing::info!(swept = ?swept.await??, "the lab is down");
    Ok(())
}
