//! `make demo`: a live database, a plain image of it, a proven one, and what becomes of both.

mod act;
mod verdict;

use std::{path::PathBuf, process::ExitCode};

use acceptance::{
    Error, binaries,
    console::{say, step},
    leftovers,
    load::Intensity,
    stage::{self, Stage},
};
use lab::{engines::POSTGRESQL, host::Layout};
use tokio::signal::ctrl_c;

/// The name of its lab.
const PURPOSE: &str = "demo";

#[tokio::main]
async fn main() -> ExitCode {
    match demo().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn demo() -> Result<(), Error> {
    binaries::terraform()?;
    binaries::provider_directory()?;
    say("");
    say(
        "An AWS on this machine: the database, the volumes and the damage are real; only the APIs are simulated.",
    );
    say("");
    let stage = step(
        "starting the lab, and in it a production server: PostgreSQL 15, data and WAL on two volumes (built once, then kept)",
        Stage::set(PURPOSE, &POSTGRESQL, Layout::TwoExt4, Intensity::Full),
    )
    .await?;
    let drawing = drawing()?;
    let played = tokio::select! {
        played = act::play(&stage, &drawing) => played,
        _ = ctrl_c() => Err(Error::Unexpected("interrupted".into())),
    };
    let struck = step("taking the lab down", stage.strike()).await;
    played.and(struck).and_then(|()| nothing_is_left())
}

/// Where the timeline is drawn: beside the profile's directory in Cargo's target directory.
fn drawing() -> Result<PathBuf, Error> {
    let built = binaries::provider_directory()?;
    let target = built.parent().unwrap_or(&built);
    Ok(target.join("demo/timeline.svg"))
}

fn nothing_is_left() -> Result<(), Error> {
    let left = leftovers::of(&stage::directory(PURPOSE));
    if left.is_empty() {
        say("  no loop device, mount, namespace or process is left");
        return Ok(());
    }
    Err(Error::Unexpected(format!(
        "still there: {}",
        left.join(", ")
    )))
}
