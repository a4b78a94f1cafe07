//! The SSM agent inside the guest: behaves as the real one was measured to behave (FACTS.md part C), in what it
//! writes where, what it kills how, what it reports when.
//!
//! Like the real one it is several processes: the agent, which talks to the service, and one document worker per
//! running command, which survives the agent's death. They meet only in files under /var/lib/amazon/ssm, so that
//! a frozen file system stalls them exactly where it stalls the real ones.

mod intake;
mod output;
mod process;
mod script;
mod service;
mod settings;
mod store;
pub(crate) mod wire;
mod worker;

use std::{collections::BTreeMap, fs, io, path::PathBuf, sync::Arc};

use rustix::{fs::Mode, process::umask};
use tokio::sync::mpsc;

use intake::Intake;
use service::Service;
pub use settings::{AgentSettings, Transport};
pub use worker::run as run_worker;

/// The version that the lab's agent was measured against.
const VERSION: &str = "3.3.0.0";

/// Where the agent finds the service and keeps its files.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    pub socket: PathBuf,
    /// /var/lib/amazon/ssm on a real instance.
    pub state_dir: PathBuf,
    /// /var/log/amazon/ssm on a real instance.
    pub log_dir: PathBuf,
    /// The program that is also the document worker.
    pub program: PathBuf,
}

/// Runs the agent until it is killed.
pub async fn run(config: AgentConfig) -> io::Result<()> {
    umask(Mode::from_raw_mode(0o022));
    let (arrived, messages) = mpsc::unbounded_channel();
    let service = Arc::new(Service::new(arrived));
    let welcome = service.connect(&config.socket, &platform()).await;
    let intake = Intake::new(&config, service.clone(), welcome, platform()).await?;
    tokio::spawn(async move { service.stay_connected(&config.socket, &platform()).await });
    intake.run(messages).await
}

/// What the agent tells of its operating system.
fn platform() -> BTreeMap<String, String> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let field = |name: &str| {
        release
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .unwrap_or_default()
            .trim_matches('"')
            .to_owned()
    };
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    BTreeMap::from([
        ("name".to_owned(), field("NAME")),
        ("version".to_owned(), field("VERSION_ID")),
        ("host".to_owned(), host),
    ])
}
