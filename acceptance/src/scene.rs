//! One scenario: a working directory of its own on a stage that scenarios share, and what must hold at its end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};

use lab::{
    cloud::{
        faults::Fault,
        journal::Entry,
        settings::{Settings, Stagger},
    },
    engines::Engine,
    host::{Layout, witness::Hold},
};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    Error, binaries, clock,
    configuration::{Access, Configuration},
    judge::Flaw,
    load::Intensity,
    moment::{Follower, Moment},
    stage::{self, Stage},
    story::Story,
    terraform::{Outcome, Run, Terraform},
};

/// Mounts and device of the layouts with two volumes.
pub const DATA_MOUNT: &str = "/var/lib/postgresql";
pub const WAL_MOUNT: &str = "/srv/wal";
pub const WAL_DEVICE: &str = "/dev/sdg";

/// The address of the image that [`Scene::configure`] declares.
pub const IMAGE: &str = "consistent_db_image.orders";
/// Its name.
pub const NAME: &str = "orders";

/// Longer than an apply takes that has to undo what it began.
const LIMIT: Duration = Duration::from_mins(3);
/// A client's commit after writes were let go.
const COMMIT_WITHIN: Duration = Duration::from_secs(15);
const COMMAND_WITHIN: Duration = Duration::from_mins(1);
/// Between two looks at the journal.
const GLANCE: Duration = Duration::from_millis(5);

/// One scenario under way.
pub struct Scene<'a> {
    pub stage: &'a Stage,
    pub terraform: Terraform,
    /// Images and snapshots that were there before.
    before: BTreeSet<String>,
    began: Duration,
    follower: Mutex<Follower>,
}

impl<'a> Scene<'a> {
    /// A fresh working directory, no faults, default settings.
    pub async fn set(stage: &'a Stage) -> Result<Self, Error> {
        stage.lab.clear_faults();
        stage
            .lab
            .configure(|settings| *settings = Settings::default());
        Ok(Self {
            stage,
            terraform: Terraform::new(&binaries::provider_directory()?)?,
            before: stage.account.inventory().await?,
            began: clock::now(),
            follower: Mutex::new(Follower::start(stage.journal())?),
        })
    }

    /// Puts a fault in force.
    pub fn fault(&self, fault: Fault) {
        self.stage.lab.fault(fault);
    }

    /// Lifts all faults.
    pub fn mend(&self) {
        self.stage.lab.clear_faults();
    }

    /// An image takes this long more once its snapshots are taken.
    pub fn images_take(&self, ms: u64) {
        self.stage
            .lab
            .configure(|settings| settings.capture.completes_after_ms = ms);
    }

    /// The snapshots of each image at these times after `CreateImage`, in the order of its devices: root, data, WAL.
    pub fn snapshots_at(&self, ms: &[u64]) {
        let ms = ms.to_vec();
        self.stage
            .lab
            .configure(|settings| settings.capture.stagger = Stagger::Fixed { ms });
    }

    /// Writes a configuration with one image of the production server: [`IMAGE`].
    pub fn configure(&self, arguments: &str) -> Result<(), Error> {
        self.configure_as(&self.stage.access(), arguments)
    }

    /// The same for somebody else.
    pub fn configure_as(&self, access: &Access, arguments: &str) -> Result<(), Error> {
        let configuration = Configuration::new(access);
        let image = configuration.image("orders", NAME, &self.stage.instance, arguments);
        self.terraform.configure(image.text())
    }

    /// Waits for a moment of the hold of a run that is under way.
    pub async fn until(&self, moment: Moment) -> Result<(), Error> {
        let deadline = Instant::now() + COMMAND_WITHIN;
        while !moment.reached(&self.journal()?) {
            if Instant::now() > deadline {
                return Err(Error::timed_out(
                    format!("waiting for {moment}"),
                    COMMAND_WITHIN,
                ));
            }
            sleep(GLANCE).await;
        }
        Ok(())
    }

    /// The journal since this scenario began.
    pub fn journal(&self) -> Result<Vec<Entry>, Error> {
        let mut follower = self
            .follower
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(follower.entries()?.to_vec())
    }

    /// Runs a command as root in the production server; an error where it fails.
    pub async fn in_guest(&self, argv: &[&str]) -> Result<(), Error> {
        let machine = &self.stage.machine;
        let output = machine.exec(argv, b"", COMMAND_WITHIN).await?;
        if output.success() {
            return Ok(());
        }
        Err(Error::Unexpected(format!(
            "{argv:?} in the guest: {output:?}"
        )))
    }

    /// Waits for the end of a run.
    pub async fn finish(&self, run: Run) -> Result<Outcome, Error> {
        run.finish(LIMIT).await
    }

    /// The image's attributes by terraform's state; an error where it has none.
    pub async fn image(&self) -> Result<Value, Error> {
        let attributes = self.terraform.attributes(IMAGE).await?;
        attributes.ok_or_else(|| Error::Unexpected(format!("{IMAGE} is not in the state")))
    }

    /// The holds since this scenario began.
    pub async fn holds(&self) -> Result<Vec<Hold>, Error> {
        self.stage.holds_since(self.began).await
    }

    /// Waits until nothing is held; no hold may have lasted longer than `seconds` and 2.
    pub async fn holds_end_within(&self, seconds: u64) -> Result<(), Error> {
        let limit = Duration::from_secs(seconds + 2);
        let deadline = Instant::now() + limit;
        loop {
            let holds = self.holds().await?;
            let spans: Option<Vec<_>> = holds.iter().map(stage::span).collect();
            match spans {
                Some(spans) => match spans.iter().find(|span| span.length() > limit) {
                    Some(_) => return Err(Error::Unexpected(format!("held too long: {holds:?}"))),
                    None => return Ok(()),
                },
                None if Instant::now() > deadline => {
                    return Err(Error::Unexpected(format!("still held: {holds:?}")));
                }
                None => sleep(GLANCE).await,
            }
        }
    }

    /// Waits until writes are held.
    pub async fn held(&self, within: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + within;
        while self.holds().await?.is_empty() {
            if Instant::now() > deadline {
                return Err(Error::timed_out("waiting for a hold", within));
            }
            sleep(GLANCE).await;
        }
        Ok(())
    }

    /// A client's commit from now on.
    pub async fn writes_again(&self) -> Result<(), Error> {
        let load = &self.stage.load;
        load.writes_after(clock::now(), COMMIT_WITHIN).await?;
        Ok(())
    }

    /// Waits until SSM has noticed that the server's agent is gone.
    pub async fn agent_is_lost(&self) -> Result<(), Error> {
        let lost = self.stage.lab.settings().commands.ping_lost_after_ms;
        sleep(Duration::from_millis(lost) + GLANCE).await;
        Ok(())
    }

    /// No hold since this scenario began.
    pub async fn never_held(&self) -> Result<(), Error> {
        self.held_times(0).await
    }

    /// So many holds since this scenario began.
    pub async fn held_times(&self, times: usize) -> Result<(), Error> {
        let holds = self.holds().await?;
        if holds.len() == times {
            return Ok(());
        }
        Err(Error::Unexpected(format!(
            "held {} times, not {times}: {holds:?}",
            holds.len()
        )))
    }

    /// Boots the image of terraform's state and finds it clean, against the last hold.
    pub async fn image_is_clean(&self) -> Result<(), Error> {
        let image = self.image().await?;
        let id = image["id"].as_str().unwrap_or_default();
        let holds = self.holds().await?;
        let cut = holds
            .last()
            .and_then(stage::span)
            .ok_or_else(|| Error::Unexpected(format!("no finished hold: {holds:?}")))?;
        let ledger = self.stage.load.ledger();
        let flaws = self.stage.judge(id, &ledger, cut).await?.flaws();
        if flaws.is_empty() {
            return Ok(());
        }
        Err(Error::Unexpected(format!(
            "the image is not clean: {flaws:?}"
        )))
    }

    /// Takes a plain image, boots it, judges it, and removes it.
    pub async fn plain_image_flaws(&self, name: &str) -> Result<Vec<Flaw>, Error> {
        let mut follower = Follower::start(self.stage.journal())?;
        let account = &self.stage.account;
        let image = account.plain_image(&self.stage.instance, name).await?;
        let story = Story {
            entries: follower.entries()?,
            volumes: &BTreeMap::new(),
        };
        let cut = story.captured();
        let cut = cut.ok_or_else(|| Error::Unexpected(format!("{name} has no snapshots")))?;
        let ledger = self.stage.load.ledger();
        let judgement = self.stage.judge(&image.id, &ledger, cut).await?;
        account.discard(&image).await?;
        Ok(judgement.flaws())
    }

    /// What there is now and was not before, images and snapshots.
    pub async fn added(&self) -> Result<BTreeSet<String>, Error> {
        let now = self.stage.account.inventory().await?;
        Ok(now.difference(&self.before).cloned().collect())
    }

    /// No image and no snapshot beyond those of before, and a database that writes.
    pub async fn nothing_left(&self) -> Result<(), Error> {
        let added = self.added().await?;
        if !added.is_empty() {
            return Err(Error::Unexpected(format!("left behind: {added:?}")));
        }
        self.writes_again().await
    }

    /// What every scenario owes to the next one.
    pub async fn end(self) -> Result<(), Error> {
        self.terraform.destroy().await?.succeeded()?;
        self.nothing_left().await
    }
}

/// A lab in which one scenario after the other plays, one layout at a time.
pub struct Theatre {
    purpose: String,
    stage: Option<Stage>,
}

impl Theatre {
    /// A closed one. Scenarios that run at the same time need one each.
    pub fn new(number: usize) -> Self {
        Self {
            purpose: format!("scenarios-{number}"),
            stage: None,
        }
    }

    /// Whether its stage is set for these.
    pub fn plays(&self, engine: &Engine, layout: Layout) -> bool {
        let is_theirs = |stage: &Stage| stage.engine == engine && stage.layout == layout;
        self.stage.as_ref().is_some_and(is_theirs)
    }

    /// Whether its stage is set at all.
    pub fn is_set(&self) -> bool {
        self.stage.is_some()
    }

    /// A scene on the stage of `engine` and `layout`, which is set unless it is there.
    pub async fn scene(
        &mut self,
        engine: &'static Engine,
        layout: Layout,
    ) -> Result<Scene<'_>, Error> {
        if !self.plays(engine, layout) {
            self.strike().await?;
            let stage = Stage::set(&self.purpose, engine, layout, Intensity::Steady).await?;
            self.stage = Some(stage);
        }
        match &self.stage {
            Some(stage) => Scene::set(stage).await,
            None => Err(Error::Unexpected("the stage was just set".into())),
        }
    }

    /// Takes the stage down, whatever state it is in.
    pub async fn strike(&mut self) -> Result<(), Error> {
        let Some(stage) = self.stage.take() else {
            return Ok(());
        };
        let struck = stage.strike().await;
        if struck.is_err() {
            // Something of the lab may go on, and its directory is not free: the next one gets another.
            self.purpose.push_str("-again");
        }
        struck
    }
}
