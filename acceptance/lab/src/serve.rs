//! `lab serve`: a lab with one production server in it, for people and scripts.

use std::{
    error::Error,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use lab::{
    cloud::{Lab, LabConfig, iam::User},
    engines::{Engine, POSTGRESQL},
    host::{HostConfig, Layout, ServerSpec},
};
use tokio::signal::unix::{SignalKind, signal};

/// A server that was built before boots in seconds; this is for a busy machine.
const BOOT_LIMIT: Duration = Duration::from_mins(2);

#[derive(Args)]
pub(crate) struct Serve {
    /// A directory for the lab alone: volumes, sockets, journal.
    #[arg(long)]
    dir: PathBuf,
    /// Port on 127.0.0.1 for every API; any free one by default.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How the server's files are spread: two-ext4, two-xfs, tablespace, shared-var, all-on-root.
    #[arg(long, default_value = "two-ext4", value_parser = layout)]
    layout: Layout,
    /// The database: postgresql, mysql, mariadb, redis, valkey.
    #[arg(long, default_value = "postgresql", value_parser = engine)]
    engine: &'static Engine,
    /// How much is in it; for PostgreSQL pgbench's scale factor, 15 MiB of tables each.
    #[arg(long, default_value_t = POSTGRESQL.server.size)]
    scale: u32,
}

fn engine(name: &str) -> Result<&'static Engine, String> {
    Engine::named(name).ok_or_else(|| format!("there is no database {name}"))
}

fn layout(name: &str) -> Result<Layout, String> {
    Layout::ALL
        .into_iter()
        .find(|layout| layout.name() == name)
        .ok_or_else(|| format!("there is no layout {name}"))
}

impl Serve {
    pub(crate) async fn run(self) -> Result<(), Box<dyn Error>> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut config = LabConfig::new(&self.dir);
        config.port = self.port;
        let host = HostConfig::new(&self.dir, std::env::current_exe()?);
        let lab = Lab::start(config, host).await?;
        let served = tokio::select! {
            booted = self.boot(&lab) => match booted {
                Ok(instance) => {
                    print(describe(&lab, &instance).as_bytes())?;
                    tokio::select! {
                        () = lab.asked_down() => {}
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    Ok(())
                }
                Err(error) => Err(error),
            },
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
        };
        lab.close().await?;
        served
    }

    async fn boot(&self, lab: &Lab) -> Result<String, Box<dyn Error>> {
        let server = ServerSpec {
            size: self.scale,
            ..self.engine.server
        };
        let image = lab.golden_image(self.layout, &server).await?;
        let instance = lab.launch(&image, "production")?;
        lab.ready(&instance, BOOT_LIMIT).await?;
        Ok(instance)
    }
}

/// Lines for a shell to `eval`: whatever speaks AWS then speaks to the lab, as the image maker that the provider is.
fn describe(lab: &Lab, instance: &str) -> String {
    let environment = lab.environment(User::ImageMaker).into_iter();
    let exports = environment.map(|(name, value)| format!("export {name}={value}\n"));
    format!(
        "export LAB_INSTANCE={instance}\n{}",
        exports.collect::<String>()
    )
}

pub(crate) fn journal(dir: &Path) -> PathBuf {
    dir.join("journal.jsonl")
}

pub(crate) fn print(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}
