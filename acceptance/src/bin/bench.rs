//! `make bench`: images by the dozen, taken of a server under full load, booted and judged.
//!
//! Rounds are appended to acceptance/bench/data/rounds.jsonl as they are judged, and counted there: an interrupted
//! run goes on where it stopped. acceptance/bench/RESULTS.md is rendered from that file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use acceptance::{
    Error,
    bench::{Journal, Line, Made, Round, Row, judge, make, render, rows},
    binaries,
    console::say,
    load::Intensity,
    machine,
    stage::Stage,
};
use clap::Parser;
use lab::{
    cloud::settings::Stagger,
    engines::{ENGINES, Engine},
    host::Layout,
};
use tokio::signal::ctrl_c;

/// Takes images of a database under load by every method, boots them, and counts the clean ones.
#[derive(Parser)]
struct Options {
    /// How many rounds a row has at the end, those already recorded included.
    #[arg(long, default_value_t = 30)]
    rounds: usize,
    /// Only rows whose name contains this, e.g. `two-ext4/`, `/pause`, `mysql/`.
    #[arg(long, default_value = "")]
    rows: String,
    /// Forgets what is recorded and begins anew.
    #[arg(long)]
    fresh: bool,
}

/// The snapshots of one image are up to this far apart.
const STAGGER_MS: u64 = 1_500;

/// Snapshots complete this fast: nobody needs to wait in a benchmark of holds.
const COMPLETE_MS: u64 = 200;

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(bench(&Options::parse())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(options: &Options) -> Result<(), Error> {
    binaries::terraform()?;
    binaries::provider_directory()?;
    let book = Book::open(options)?;
    for (engine, layout) in stages() {
        let mut due = rows(&options.rows);
        due.retain(|row| row.engine == engine && row.layout == layout);
        book.unfinished(&mut due, options.rounds)?;
        if !due.is_empty() {
            Box::pin(play(&book, engine, layout, &due, options.rounds)).await?;
        }
    }
    book.render()?;
    say(&format!("{} is written", book.results.display()));
    Ok(())
}

/// Every database on each of its layouts.
fn stages() -> Vec<(&'static Engine, Layout)> {
    let on_each = |engine: &&'static Engine| {
        let engine = *engine;
        engine.layouts.iter().map(move |layout| (engine, *layout))
    };
    ENGINES.iter().flat_map(on_each).collect()
}

/// All rows of one layout, on one server.
async fn play(
    book: &Book,
    engine: &'static Engine,
    layout: Layout,
    due: &[Row],
    rounds: usize,
) -> Result<(), Error> {
    let (title, on) = (engine.title, layout.name());
    say(&format!("{title}, {on}: starting the server"));
    let stage = Stage::set("bench", engine, layout, Intensity::Full).await?;
    stage.lab.configure(|settings| {
        settings.capture.stagger = Stagger::Random {
            max_ms: STAGGER_MS,
            seed: None,
        };
        settings.capture.completes_after_ms = COMPLETE_MS;
        settings.capture.available_after_ms = COMPLETE_MS;
    });
    let played = tokio::select! {
        played = play_rows(book, &stage, due, rounds) => played,
        _ = ctrl_c() => Err(Error::Unexpected("interrupted; the rounds so far are recorded".into())),
    };
    played.and(stage.strike().await)
}

async fn play_rows(book: &Book, stage: &Stage, due: &[Row], rounds: usize) -> Result<(), Error> {
    book.append(&Line::Machine(
        machine::describe(&stage.machine, stage.engine).await?,
    ))?;
    for row in due {
        let mut waiting = None;
        for _ in book.recorded(*row)?..rounds {
            // The image of one round is judged while the next one is made.
            let (made, judged) = tokio::join!(make(stage, *row), verdict(stage, waiting.take()));
            book.note(judged?)?;
            waiting = Some(made?);
        }
        book.note(verdict(stage, waiting).await?)?;
        book.render()?;
    }
    Ok(())
}

async fn verdict(stage: &Stage, made: Option<Made>) -> Result<Option<Round>, Error> {
    match made {
        Some(made) => judge(stage, made).await.map(Some),
        None => Ok(None),
    }
}

/// The record on disk, and what is rendered from it.
struct Book {
    journal: Journal,
    results: PathBuf,
}

impl Book {
    fn open(options: &Options) -> Result<Self, Error> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench");
        let data = directory.join("data/rounds.jsonl");
        if options.fresh && data.exists() {
            fs::remove_file(&data).map_err(Error::io(data.display().to_string()))?;
        }
        Ok(Self {
            journal: Journal::new(data),
            results: directory.join("RESULTS.md"),
        })
    }

    fn recorded(&self, row: Row) -> Result<usize, Error> {
        let lines = self.journal.lines()?;
        let of_row = |line: &&Line| matches!(line, Line::Round(round) if round.row == row);
        Ok(lines.iter().filter(of_row).count())
    }

    fn unfinished(&self, due: &mut Vec<Row>, rounds: usize) -> Result<(), Error> {
        let mut unfinished = Vec::new();
        for row in due.drain(..) {
            if self.recorded(row)? < rounds {
                unfinished.push(row);
            }
        }
        due.extend(unfinished);
        Ok(())
    }

    fn append(&self, line: &Line) -> Result<(), Error> {
        self.journal.append(line)
    }

    fn note(&self, round: Option<Round>) -> Result<(), Error> {
        let Some(round) = round else { return Ok(()) };
        self.append(&Line::Round(round.clone()))?;
        let number = self.recorded(round.row)?;
        say(&format!("{} {number}: {round}", round.row));
        Ok(())
    }

    fn render(&self) -> Result<(), Error> {
        fs::write(&self.results, render(&self.journal.lines()?))
            .map_err(Error::io(self.results.display().to_string()))
    }
}
