//! Every database that the provider has, beside the first, and whatever users hold by commands of their own: images are
//! clean, whatever holds the writes; what cannot be proven is refused.

mod custom;
mod mysql;
mod redis;

use acceptance::{Error, moment::Moment, offer::offers, scene::Scene, terraform::Outcome};
use lab::{
    cloud::faults::{Effect, Fault},
    engines::{ENGINES, Engine, MARIADB, MYSQL, POSTGRESQL, REDIS, VALKEY},
};

use crate::{Scenario, scenarios};

pub(crate) fn all() -> Vec<Scenario> {
    let mut all = Vec::new();
    for engine in ENGINES {
        if **engine != POSTGRESQL {
            all.extend(of(engine, every_database()));
        }
    }
    for engine in [&MYSQL, &MARIADB] {
        all.extend(of(engine, mysql::all()));
    }
    for engine in [&REDIS, &VALKEY] {
        all.extend(of(engine, redis::all()));
    }
    all.extend(of(&MARIADB, scenarios![two_databases_in_one_hold]));
    all.retain(|scenario| offers(scenario.engine));
    all.extend(custom::all());
    all
}

/// Run with `--include-ignored`. Valkey is Redis under another name, and comes in a root file system of its own, which is
/// a minute's work: `make test` does without.
pub(crate) fn on_request(scenario: &Scenario) -> bool {
    *scenario.engine == VALKEY
}

fn every_database() -> Vec<Scenario> {
    scenarios![
        an_image_by_freeze_is_clean,
        an_image_by_pause_is_clean,
        an_image_by_stop_is_clean,
        a_plain_image_breaks,
        a_server_that_is_down,
    ]
}

/// These scenarios on a server of `engine`.
fn of(engine: &'static Engine, scenarios: Vec<Scenario>) -> Vec<Scenario> {
    let named = scenarios.into_iter().map(|scenario| {
        let (_, name) = scenario.name.split_once("::").unwrap_or_default();
        Scenario {
            name: format!("{}::{name}", engine.name),
            engine,
            ..scenario
        }
    });
    named.collect()
}

/// Leaves a scenario time to meddle while writes are held: a client that has to connect first takes seconds on a busy
/// machine.
const SLOW: u64 = 6_000;

/// A plain image can be lucky. More often than this in a row it is not.
const TRIES: u32 = 6;

/// An image of the stage's database with these arguments of its own, by this method.
fn arguments(scene: &Scene<'_>, own: &str, method: &str) -> String {
    let engine = scene.stage.engine.name;
    format!("  {engine} = {{ {own} }}\n  quiesce = {{ method = \"{method}\" }}")
}

async fn clean(scene: &Scene<'_>, own: &str, method: &str) -> Result<(), Error> {
    scene.configure(&arguments(scene, own, method))?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    let image = scene.image().await?;
    if image["evidence"]["method"] != method || image["recovery_point"] == "" {
        return Err(Error::Unexpected(image.to_string()));
    }
    scene.terraform.plan(&[]).await?.is_empty()?;
    scene.image_is_clean().await
}

/// An apply that fails with these words, without a hold and without anything made.
async fn refused(scene: &Scene<'_>, own: &str, words: &[&str]) -> Result<(), Error> {
    scene.configure(&arguments(scene, own, "auto"))?;
    let outcome = scene.terraform.apply(&[]).await?;
    outcome.failed_saying_all(words)?;
    scene.never_held().await
}

/// Applies while a script does something in the guest as soon as writes are held.
async fn meddled(scene: &Scene<'_>, method: &str, script: &str) -> Result<Outcome, Error> {
    let slow = Effect::DelayBefore { ms: SLOW };
    scene.fault(Fault::on("ec2:CreateImage", slow));
    scene.configure(&arguments(scene, "", method))?;
    let run = scene.terraform.start_apply(&[])?;
    scene.until(Moment::Held).await?;
    scene.in_guest(&["sh", "-ec", script]).await?;
    scene.finish(run).await
}

async fn an_image_by_freeze_is_clean(scene: &Scene<'_>) -> Result<(), Error> {
    clean(scene, "", "freeze").await
}

async fn an_image_by_pause_is_clean(scene: &Scene<'_>) -> Result<(), Error> {
    clean(scene, "", "pause").await
}

async fn an_image_by_stop_is_clean(scene: &Scene<'_>) -> Result<(), Error> {
    clean(scene, "", "stop").await
}

/// What the lab's judge finds in none of ours it does find.
async fn a_plain_image_breaks(scene: &Scene<'_>) -> Result<(), Error> {
    let [logs_first, data_first] = [[700, 1_500, 0], [700, 0, 1_500]];
    // Redis has all of its files on one volume: what it had not synced when that was captured is lost.
    let redis = [&REDIS, &VALKEY].contains(&scene.stage.engine);
    scene.snapshots_at(if redis { &data_first } else { &logs_first });
    for number in 1..=TRIES {
        let flaws = scene.plain_image_flaws(&format!("plain-{number}")).await?;
        if !flaws.is_empty() {
            eprintln!("a plain image of {}: {flaws:?}", scene.stage.engine.title);
            return Ok(());
        }
    }
    Err(Error::Unexpected(format!("{TRIES} plain images are clean")))
}

/// MariaDB on volumes of its own, and Redis, which is installed beside it, on the root: one cut over both. Redis stays up:
/// its end would be a server's, and so a hold, to the witness.
async fn two_databases_in_one_hold(scene: &Scene<'_>) -> Result<(), Error> {
    scene.in_guest(&["systemctl", "start", REDIS.unit]).await?;
    let both = "  mariadb = {}\n  redis = {}\n  quiesce = { method = \"pause\" }";
    scene.configure(both)?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    scene.held_times(1).await?;
    let image = scene.image().await?;
    for told in ["engine_version", "recovery_point"] {
        let parts = image[told].as_str().unwrap_or_default().split(' ').count();
        if parts != 2 {
            return Err(Error::Unexpected(format!("{told} is {}", image[told])));
        }
    }
    scene.image_is_clean().await
}

async fn a_server_that_is_down(scene: &Scene<'_>) -> Result<(), Error> {
    let unit = scene.stage.engine.unit;
    scene.in_guest(&["systemctl", "stop", unit]).await?;
    scene.configure(&arguments(scene, "", "auto"))?;
    let applied = scene.terraform.apply(&[]).await;
    scene.in_guest(&["systemctl", "start", unit]).await?;
    // The server that was stopped by hand is no hold of ours.
    applied?.failed_saying_all(&["server", "runs on this guest"])
}
