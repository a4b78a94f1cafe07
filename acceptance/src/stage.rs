//! A lab with one production server in it, under load: what scenarios, demo and benchmark play on.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use lab::{
    cloud::{Lab, LabConfig, iam::User},
    engines::Engine,
    host::{HostConfig, Layout, Machine, witness::Hold},
};
use tokio::time::{Instant, sleep};

use crate::{
    Error,
    account::Account,
    binaries, clock,
    configuration::Access,
    judge::{self, Judgement},
    ledger::Ledger,
    load::{Intensity, Load},
    timeline::Span,
};

/// Where labs live unless `LAB_DIRECTORY` says otherwise, below which each purpose has its own directory: what a killed
/// one left is swept by the next. Two checkouts that work at the same time need one each.
const DIRECTORY: &str = "/var/tmp/consistent-lab";

/// A server that was built before boots in seconds; two busy cores need longer.
const BOOT_WITHIN: Duration = Duration::from_mins(2);

/// The lab, its production server, and the clients of that.
pub struct Stage {
    pub lab: Lab,
    /// The account's owner.
    pub account: Account,
    pub engine: &'static Engine,
    pub layout: Layout,
    /// What its servers are launched of.
    image: String,
    /// The production server.
    pub instance: String,
    pub machine: Machine,
    pub load: Load,
}

impl Stage {
    /// Sets it: lab, server, load.
    pub async fn set(
        purpose: &str,
        engine: &'static Engine,
        layout: Layout,
        intensity: Intensity,
    ) -> Result<Self, Error> {
        let lab = open_lab(purpose).await?;
        match Self::in_lab(&lab, engine, layout, intensity).await {
            Ok((image, machine, load)) => Ok(Self {
                account: Account::new(&Access::of(&lab, User::Operator)),
                lab,
                engine,
                layout,
                image,
                instance: machine.name().to_owned(),
                machine,
                load,
            }),
            Err(error) => {
                lab.close().await?;
                Err(error)
            }
        }
    }

    async fn in_lab(
        lab: &Lab,
        engine: &'static Engine,
        layout: Layout,
        intensity: Intensity,
    ) -> Result<(String, Machine, Load), Error> {
        let image = lab.golden_image(layout, &engine.server).await?;
        let instance = lab.launch(&image, "production")?;
        lab.ready(&instance, BOOT_WITHIN).await?;
        let machine = lab
            .machine(&instance)
            .ok_or_else(|| Error::Unexpected(format!("{instance} has no machine")))?;
        let load = Load::start(&machine, engine, intensity).await?;
        Ok((image, machine, load))
    }

    /// More servers like the production server, without clients; whoever asks for them terminates them.
    pub async fn more_servers(&self, count: usize) -> Result<Vec<String>, Error> {
        let launched =
            (1..=count).map(|number| self.lab.launch(&self.image, &format!("server-{number}")));
        let servers = launched.collect::<Result<Vec<String>, _>>()?;
        for server in &servers {
            self.lab.ready(server, BOOT_WITHIN).await?;
        }
        Ok(servers)
    }

    /// What terraform's user has: no more than the policy that the project asks for.
    pub fn access(&self) -> Access {
        Access::of(&self.lab, User::ImageMaker)
    }

    /// Starts the load again, after the server was rebooted.
    pub async fn load_again(&self) -> Result<(), Error> {
        self.lab.ready(&self.instance, BOOT_WITHIN).await?;
        self.load.start_load().await
    }

    /// How long the production server's writes were held, since `instant`.
    pub async fn holds_since(&self, instant: Duration) -> Result<Vec<Hold>, Error> {
        let holds = self.lab.holds(&self.instance).await?;
        let since = |hold: &Hold| clock::since_boot(hold.began) >= instant;
        Ok(holds.into_iter().filter(since).collect())
    }

    /// The journal's file.
    pub fn journal(&self) -> &Path {
        self.lab.journal().path()
    }

    /// Boots an image, examines its database, and terminates it.
    pub async fn judge(&self, image: &str, ledger: &Ledger, cut: Span) -> Result<Judgement, Error> {
        let began = clock::now();
        let instance = Box::pin(self.account.launch(image)).await?;
        let machine = self.machine_of(&instance).await?;
        let judgement = Box::pin(judge::examine(&machine, self.engine, began, ledger, cut)).await;
        Box::pin(self.account.terminate(&instance)).await?;
        judgement
    }

    /// `RunInstances` answers before there is a machine.
    async fn machine_of(&self, instance: &str) -> Result<Machine, Error> {
        let deadline = Instant::now() + BOOT_WITHIN;
        while Instant::now() < deadline {
            if let Some(machine) = self.lab.machine(instance) {
                return Ok(machine);
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err(Error::timed_out(
            format!("the boot of {instance}"),
            BOOT_WITHIN,
        ))
    }

    /// Takes everything down. The lab's guard has the last word on whether something was held too long.
    pub async fn strike(self) -> Result<(), Error> {
        let verdict = self.lab.host().and_then(lab::host::Host::guard_verdict);
        drop(self.load);
        self.lab.close().await?;
        match verdict {
            Some(verdict) => Err(Error::Unexpected(format!(
                "the lab's guard had to thaw: {verdict}"
            ))),
            None => Ok(()),
        }
    }
}

/// A lab's directory.
pub fn directory(purpose: &str) -> PathBuf {
    let labs = env::var_os("LAB_DIRECTORY").unwrap_or_else(|| DIRECTORY.into());
    PathBuf::from(labs).join(purpose)
}

async fn open_lab(purpose: &str) -> Result<Lab, Error> {
    let directory = directory(purpose);
    let config = LabConfig::new(&directory);
    let host = HostConfig::new(&directory, binaries::lab()?);
    Ok(Lab::start(config, host).await?)
}

/// From the first write that could be held to the last one let go: the cut of an image lies inside. `None` while
/// writes are held.
pub fn span(hold: &Hold) -> Option<Span> {
    Some(Span {
        from: clock::since_boot(hold.began),
        to: clock::since_boot(hold.let_go?),
    })
}
