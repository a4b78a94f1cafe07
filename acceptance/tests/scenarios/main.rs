//! The scenarios: the real terraform against the lab, with a real database under load. They mostly wait, so that a few
//! play at the same time, each in a lab with a server that it shares with none of them; after one that fails both are
//! made anew.
//!
//! Run one with `cargo test --package acceptance --test scenarios -- <part of its name>`.

mod adoption;
mod captures;
mod commands;
mod containers;
mod content;
mod databases;
mod doctor;
mod documents;
mod kills;
mod limits;
mod logs;
mod many;
mod permissions;
mod proof;
mod refusals;
mod theatres;

use std::{pin::Pin, process::ExitCode, sync::Arc, time::Duration};

use acceptance::{
    Error,
    scene::{Scene, Theatre},
};
use lab::{engines::Engine, host::Layout};
use libtest_mimic::{Arguments, Failed, Trial};
use theatres::Theatres;
use tokio::{
    runtime::Runtime,
    time::{Instant, timeout},
};

/// Scenarios at a time, unless `--test-threads` says otherwise: what two cores carry without a deadline missed.
const AT_ONCE: usize = 3;

/// No scenario takes this long; one that does hangs.
const LIMIT: Duration = Duration::from_mins(4);

/// One scenario: on which layout, and what it does.
struct Scenario {
    name: String,
    engine: &'static Engine,
    layout: Layout,
    play: Play,
}

type Play = Box<
    dyn for<'a> Fn(&'a Scene<'a>) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>
        + Send,
>;

/// Functions as scenarios, on PostgreSQL and two volumes with ext4 unless they say otherwise.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        vec![$($crate::Scenario {
            name: format!("{}::{}", module_path!().rsplit("::").next().unwrap_or_default(), stringify!($name)),
            engine: &lab::engines::POSTGRESQL,
            layout: lab::host::Layout::TwoExt4,
            play: Box::new(|scene| Box::pin($name(scene))),
        }),*]
    };
}
use scenarios;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let at_once = *arguments.test_threads.get_or_insert(AT_ONCE);
    let runtime = Arc::new(Runtime::new().expect("threads"));
    let theatres = Arc::new(Theatres::new(at_once));
    let conclusion = libtest_mimic::run(&arguments, trials(&runtime, &theatres));
    if let Err(error) = runtime.block_on(theatres.strike()) {
        eprintln!("the lab was not torn down: {error}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

fn trials(runtime: &Arc<Runtime>, theatres: &Arc<Theatres>) -> Vec<Trial> {
    let chapters = [
        content::all(),
        adoption::all(),
        many::all(),
        limits::all(),
        logs::all(),
        permissions::all(),
        refusals::all(),
        proof::all(),
        captures::all(),
        kills::all(),
        doctor::all(),
        commands::all(),
        containers::all(),
        documents::all(),
        databases::all(),
    ];
    let mut all: Vec<Scenario> = chapters.into_iter().flatten().collect();
    // A change of the server costs a boot.
    all.sort_by_key(|scenario| (scenario.engine.name, scenario.layout));
    all.into_iter()
        .map(|scenario| {
            let (runtime, theatres) = (runtime.clone(), theatres.clone());
            let on_request = databases::on_request(&scenario);
            let trial = Trial::test(scenario.name.clone(), move || {
                let mut theatre = theatres.lend(scenario.engine, scenario.layout);
                runtime
                    .block_on(play(&mut theatre, &scenario))
                    .map_err(Failed::from)
            });
            trial.with_ignored_flag(on_request)
        })
        .collect()
}

async fn play(theatre: &mut Theatre, scenario: &Scenario) -> Result<(), Error> {
    let began = Instant::now();
    let scene = theatre.scene(scenario.engine, scenario.layout).await?;
    let played = timeout(LIMIT, (scenario.play)(&scene)).await;
    let played = played.unwrap_or_else(|_| Err(Error::timed_out(&scenario.name, LIMIT)));
    let result = match played {
        Ok(()) => scene.end().await,
        Err(error) => Err(error),
    };
    if result.is_err() {
        // The next scenario is to have a lab that this one did not touch.
        if let Err(error) = theatre.strike().await {
            eprintln!("{}: taking the lab down: {error}", scenario.name);
        }
    }
    eprintln!(
        "{} took {:.1} s",
        scenario.name,
        began.elapsed().as_secs_f64()
    );
    result
}
