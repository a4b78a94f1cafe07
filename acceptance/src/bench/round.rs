//! One round: make an image of a server under load, boot it, judge it.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use time::OffsetDateTime;

use super::{Hold, Method, Round, Row};
use crate::{
    Error, binaries, clock,
    configuration::Configuration,
    door::Door,
    judge::Flaw,
    ledger::Ledger,
    moment::Follower,
    stage::{self, Stage},
    statistics::milliseconds,
    story::Story,
    terraform::Terraform,
    timeline::Span,
};

/// An image that waits for its judgement, or the reason why there is none.
pub struct Made {
    round: Round,
    began: Duration,
    image: Result<Captured, Flaw>,
    ledger: Ledger,
}

struct Captured {
    id: String,
    /// Inside which the cut lies.
    cut: Span,
    hold: Option<Hold>,
}

/// Makes the image and measures what that did to the server.
pub async fn make(stage: &Stage, row: Row) -> Result<Made, Error> {
    let mut follower = Follower::start(stage.journal())?;
    let (at, began) = (OffsetDateTime::now_utc(), clock::now());
    let name = format!("{row}-{}", at.unix_timestamp_nanos());
    let image = match row.method.quiesce() {
        None => plain(stage, &name, &mut follower).await?,
        Some(quiesce) => proven(stage, &name, row, quiesce).await?,
    };
    let volumes = BTreeMap::new();
    let story = Story {
        entries: follower.entries()?,
        volumes: &volumes,
    };
    let ledger = stage.load.ledger();
    let stall = ledger.longest_stall(began, clock::now());
    let round = Round {
        row,
        at,
        flaws: image.as_ref().err().cloned().into_iter().collect(),
        spread_ms: story.spread().map_or(0.0, milliseconds),
        hold: image.as_ref().ok().and_then(|captured| captured.hold),
        stall_ms: stall.map_or(0.0, milliseconds),
        seconds: 0.0,
    };
    Ok(Made {
        round,
        began,
        image,
        ledger,
    })
}

/// Boots and judges what was made, and removes it.
pub async fn judge(stage: &Stage, made: Made) -> Result<Round, Error> {
    let mut round = made.round;
    if let Ok(captured) = &made.image {
        let judgement = stage
            .judge(&captured.id, &made.ledger, captured.cut)
            .await?;
        round.flaws = judgement.flaws();
        if let Some(image) = stage.account.image(&captured.id).await? {
            stage.account.discard(&image).await?;
        }
    }
    round.seconds = clock::now().saturating_sub(made.began).as_secs_f64();
    Ok(round)
}

async fn plain(
    stage: &Stage,
    name: &str,
    follower: &mut Follower,
) -> Result<Result<Captured, Flaw>, Error> {
    let image = stage.account.plain_image(&stage.instance, name).await?;
    let volumes = BTreeMap::new();
    let story = Story {
        entries: follower.entries()?,
        volumes: &volumes,
    };
    let cut = story
        .captured()
        .ok_or_else(|| Error::Unexpected(format!("{name} has no snapshots")))?;
    Ok(Ok(Captured {
        id: image.id,
        cut,
        hold: None,
    }))
}

async fn proven(
    stage: &Stage,
    name: &str,
    row: Row,
    quiesce: &str,
) -> Result<Result<Captured, Flaw>, Error> {
    let began = clock::now();
    let terraform = Terraform::new(&binaries::provider_directory()?)?;
    let engine = row.engine.name;
    let capture = row.method.capture();
    let arguments = format!(
        "  {engine} = {{}}\n  quiesce = {{ method = \"{quiesce}\" }}\n  capture = \"{capture}\""
    );
    let configuration = Configuration::new(&stage.access());
    let configuration = configuration.image("round", name, &stage.instance, &arguments);
    terraform.configure(configuration.text())?;
    let door = Door::watch(&stage.machine, stage.engine)?;
    let applied = terraform.apply(&[]).await?;
    if applied.code != Some(0) {
        return Ok(Err(Flaw::NoImage(applied.output)));
    }
    let attributes = terraform.attributes("consistent_db_image.round").await?;
    let attributes = attributes.unwrap_or_default();
    let holds = stage.holds_since(began).await?;
    let cut = holds
        .last()
        .and_then(stage::span)
        .ok_or_else(|| Error::Unexpected(format!("{name}: no finished hold: {holds:?}")))?;
    let seen = match row.method {
        // The witness sees a server end and another begin; clients are out from before the one to after the other.
        Method::Stop => door.longest_closed(),
        _ => cut.length(),
    };
    let hold = Hold {
        seen_ms: milliseconds(seen),
        claimed_ms: number(&attributes["evidence"]["hold_ms"])?,
    };
    Ok(Ok(Captured {
        id: attributes["id"].as_str().unwrap_or_default().to_owned(),
        cut,
        hold: Some(hold),
    }))
}

fn number(value: &Value) -> Result<f64, Error> {
    value
        .as_f64()
        .ok_or_else(|| Error::Unexpected(format!("evidence.hold_ms is {value}")))
}
