//! The play: a plain image and a proven one of the same server under load, both booted, both judged.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use acceptance::{
    Error, binaries, clock,
    configuration::Configuration,
    console::{say, step},
    judge::Judgement,
    moment::Follower,
    stage::{self, Stage},
    story::Story,
    terraform::Terraform,
    timeline::{self, Span},
};
use lab::{cloud::settings::Stagger, host::witness::Hold};
use serde_json::Value;
use tokio::time::sleep;

use super::verdict;

/// When the snapshots of one image are taken, in the order of its devices - root, data, WAL: the WAL first, the data
/// 1.5 s later.
const STAGGER_MS: [u64; 3] = [700, 1_500, 0];

/// A plain image can be lucky. More often than this in a row it is not.
const PLAIN_TRIES: u32 = 6;

/// Load before the first image, so that there is something to lose.
const WARM_UP: Duration = Duration::from_secs(5);

const ARGUMENTS: &str = "  postgresql         = {}";
const ADDRESS: &str = "consistent_db_image.orders";

pub(super) async fn play(stage: &Stage, drawing: &Path) -> Result<(), Error> {
    stage.lab.configure(|settings| {
        settings.capture.stagger = Stagger::Fixed {
            ms: STAGGER_MS.to_vec(),
        };
    });
    step(
        "letting pgbench write at full speed, and a client that notes every commit",
        warm_up(),
    )
    .await?;
    let plain = plain(stage).await?;
    let proven = proven(stage, drawing).await?;
    say("");
    say(&verdict::table(&plain, &proven));
    let flaws = proven.flaws();
    if flaws.is_empty() {
        return Ok(());
    }
    Err(Error::Unexpected(format!(
        "our image is not clean: {flaws:?}"
    )))
}

async fn warm_up() -> Result<(), Error> {
    sleep(WARM_UP).await;
    Ok(())
}

/// The first plain image that shows damage, or the last of a few that are all lucky.
async fn plain(stage: &Stage) -> Result<Judgement, Error> {
    say("");
    say(
        "A plain image: CreateImage without reboot, as aws_ami_from_instance with snapshot_without_reboot makes it.",
    );
    say(
        "EC2 does not promise that the volumes are captured at one instant; here they are 1.5 s apart.",
    );
    let mut number = 1;
    loop {
        let judgement = one_plain(stage, number).await?;
        if !judgement.flaws().is_empty() || number == PLAIN_TRIES {
            return Ok(judgement);
        }
        say("  this one was lucky: it is clean. Another:");
        number += 1;
    }
}

async fn one_plain(stage: &Stage, number: u32) -> Result<Judgement, Error> {
    let mut follower = Follower::start(stage.journal())?;
    let name = format!("plain-{number}");
    let image = step(
        "taking it",
        stage.account.plain_image(&stage.instance, &name),
    )
    .await?;
    let cut = Story {
        entries: follower.entries()?,
        volumes: &BTreeMap::new(),
    }
    .captured()
    .ok_or_else(|| Error::Unexpected("a plain image without snapshots".into()))?;
    step(
        "booting it and checking all of it",
        stage.judge(&image.id, &stage.load.ledger(), cut),
    )
    .await
}

async fn proven(stage: &Stage, drawing: &Path) -> Result<Judgement, Error> {
    say("");
    say("A proven image, by terraform apply:");
    let mut follower = Follower::start(stage.journal())?;
    let began = clock::now();
    let terraform = Terraform::new(&binaries::provider_directory()?)?;
    let image = apply(stage, &terraform).await?;
    let holds = stage.holds_since(began).await?;
    let hold = holds
        .last()
        .ok_or_else(|| Error::Unexpected("the lab saw no hold".into()))?;
    let cut = stage::span(hold).ok_or_else(|| Error::Unexpected("still held".into()))?;
    let names = volume_names(&image);
    let story = Story {
        entries: follower.entries()?,
        volumes: &names,
    };
    say("");
    draw(stage, &story, hold, cut, drawing)?;
    let claimed = &image["evidence"]["hold_ms"];
    say(&format!(
        "evidence.hold_ms = {claimed}; the timeline is what the lab saw, from outside."
    ));
    say(&format!("Drawn in {}.", drawing.display()));
    say("");
    let id = image["id"].as_str().unwrap_or_default();
    let ledger = stage.load.ledger();
    let judgement = step(
        "booting it and checking all of it",
        stage.judge(id, &ledger, cut),
    )
    .await?;
    step("terraform destroy", terraform.destroy())
        .await?
        .succeeded()?;
    Ok(judgement)
}

async fn apply(stage: &Stage, terraform: &Terraform) -> Result<Value, Error> {
    let provider = Configuration::new(&stage.access());
    let configuration = provider
        .clone()
        .image("orders", "orders-1", &stage.instance, ARGUMENTS);
    terraform.configure(configuration.text())?;
    for line in configuration.text()[provider.text().len()..].trim().lines() {
        say(&format!("    {line}"));
    }
    let applied = step("terraform apply", terraform.apply(&[]))
        .await?
        .succeeded()?;
    let told = applied
        .output
        .lines()
        .filter(|line| line.starts_with(ADDRESS) || line.starts_with("Apply"));
    told.for_each(|line| say(&format!("    {line}")));
    let attributes = terraform.attributes(ADDRESS).await?;
    attributes.ok_or_else(|| Error::Unexpected(format!("{ADDRESS} is not in the state")))
}

fn draw(stage: &Stage, story: &Story<'_>, hold: &Hold, cut: Span, to: &Path) -> Result<(), Error> {
    let title = format!("Writes held by {}, as the lab saw it", hold.method);
    let drawn = story.timeline(title, cut, &stage.load.ledger());
    say(&timeline::text(&drawn));
    let written = fs::create_dir_all(to.parent().unwrap_or(to))
        .and_then(|()| fs::write(to, timeline::svg(&drawn)));
    written.map_err(Error::io(to.display().to_string()))
}

/// Volumes by what they hold, in the layout of the demo.
fn volume_names(image: &Value) -> BTreeMap<String, String> {
    let snapshots = image["snapshots"].as_array().into_iter().flatten();
    snapshots
        .filter_map(|snapshot| {
            let name = match snapshot["device_name"].as_str()? {
                "/dev/sdf" => "data",
                "/dev/sdg" => "WAL",
                _ => "root",
            };
            Some((snapshot["volume_id"].as_str()?.to_owned(), name.to_owned()))
        })
        .collect()
}
