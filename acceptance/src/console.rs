//! Lines for the person at the terminal: what is being done, and that it is still being done.

use std::{
    io::{self, Write},
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::Error;

/// A step that takes longer says so this often.
const PATIENCE: Duration = Duration::from_secs(10);

/// One line on standard output. A closed pipe is no reason to leave a lab standing.
pub fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Announces a step, says every ten seconds that it is still under way, and how long it took.
pub async fn step<T>(what: &str, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    say(&format!("- {what}"));
    let began = Instant::now();
    let mut ticks = interval_at(began + PATIENCE, PATIENCE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut work = Box::pin(work);
    loop {
        tokio::select! {
            done = &mut work => {
                let done = done?;
                say(&format!("  {:.1} s", began.elapsed().as_secs_f64()));
                return Ok(done);
            }
            _ = ticks.tick() => say(&format!("  ... {} s", began.elapsed().as_secs())),
        }
    }
}
