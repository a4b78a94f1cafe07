//! Whatever dies, and whenever: writes go on in time, and the next apply succeeds and cleans up.

use std::time::Duration;

use acceptance::{Error, clock, moment::Moment, scene::Scene, stage, terraform::Run};
use lab::{engines::POSTGRESQL, host::Layout};
use rustix::process::{Pid, test_kill_process};
use tokio::time::{Instant, sleep};

use crate::Scenario;

/// Seconds. A release takes 3 s of it at most, the snapshots 1.5 s.
const MAX_HOLD: u64 = 8;

/// What "at once" means for a release that Ctrl-C asks for: a script has to reach the guest and run there.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A provider without terraform discards what it began, which takes a quiet minute where it cannot know what comes.
const ORPHAN_LIMIT: Duration = Duration::from_mins(2);

/// In ms, by device. Far enough apart to strike in between.
const STAGGER: [u64; 3] = [0, 750, 1_500];

const ARGUMENTS: &str = "  postgresql = {}\n  quiesce    = { max_hold_seconds = 8 }";

#[derive(Clone, Copy)]
enum Blow {
    KillProvider,
    KillTerraform,
    Interrupt,
    InterruptTwice,
}

impl Blow {
    const ALL: [(Self, &'static str); 4] = [
        (Self::KillProvider, "kill_provider"),
        (Self::KillTerraform, "kill_terraform"),
        (Self::Interrupt, "interrupt"),
        (Self::InterruptTwice, "interrupt_twice"),
    ];

    async fn strike(self, run: &Run) -> Result<(), Error> {
        match self {
            Self::KillProvider => run.kill_provider()?,
            Self::KillTerraform => run.kill_terraform(),
            Self::Interrupt => run.interrupt(),
            Self::InterruptTwice => {
                run.interrupt();
                sleep(Duration::from_millis(300)).await;
                run.interrupt();
            }
        }
        Ok(())
    }

    /// Whether somebody is left who lets go at once; otherwise the guest's switch does, in time.
    fn leaves_a_hand(self) -> bool {
        !matches!(self, Self::KillProvider)
    }
}

pub(crate) fn all() -> Vec<Scenario> {
    let cases = Blow::ALL.into_iter().flat_map(|(blow, name)| {
        Moment::ALL.map(|moment| (blow, format!("kills::{name}_at_{moment}"), moment))
    });
    cases
        .map(|(blow, name, moment)| Scenario {
            name,
            engine: &POSTGRESQL,
            layout: Layout::TwoExt4,
            play: Box::new(move |scene| Box::pin(play(scene, blow, moment))),
        })
        .collect()
}

async fn play(scene: &Scene<'_>, blow: Blow, moment: Moment) -> Result<(), Error> {
    scene.snapshots_at(&STAGGER);
    scene.configure(ARGUMENTS)?;
    let run = scene.terraform.start_apply(&[])?;
    scene.until(moment).await?;
    let providers = run.providers();
    let struck = clock::now();
    blow.strike(&run).await?;
    let outcome = scene.finish(run).await?;
    if outcome.code == Some(0) {
        return Err(Error::Unexpected(format!(
            "it went on as if nothing was: {outcome}"
        )));
    }
    all_gone(&providers).await?;
    let_go_in_time(scene, blow, struck).await?;
    the_next_apply_cleans_up(scene).await
}

/// An orphaned provider ends by itself.
async fn all_gone(providers: &[Pid]) -> Result<(), Error> {
    let deadline = Instant::now() + ORPHAN_LIMIT;
    while providers.iter().any(|pid| test_kill_process(*pid).is_ok()) {
        if Instant::now() > deadline {
            return Err(Error::timed_out("an orphaned provider", ORPHAN_LIMIT));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn let_go_in_time(scene: &Scene<'_>, blow: Blow, struck: Duration) -> Result<(), Error> {
    if !blow.leaves_a_hand() {
        scene.held(Duration::from_secs(MAX_HOLD)).await?;
    }
    scene.holds_end_within(MAX_HOLD).await?;
    let holds = scene.holds().await?;
    let latest = holds
        .iter()
        .filter_map(stage::span)
        .map(|span| span.to)
        .max();
    let after = latest.map_or(Duration::ZERO, |at| at.saturating_sub(struck));
    if blow.leaves_a_hand() && after > AT_ONCE {
        return Err(Error::Unexpected(format!(
            "let go after {} ms",
            after.as_millis()
        )));
    }
    scene.writes_again().await
}

/// One image with its three snapshots, and nothing else: what the dead run left is gone.
async fn the_next_apply_cleans_up(scene: &Scene<'_>) -> Result<(), Error> {
    scene.terraform.apply(&[]).await?.succeeded()?;
    let added = scene.added().await?;
    if added.len() != 1 + STAGGER.len() {
        return Err(Error::Unexpected(format!("one image expected: {added:?}")));
    }
    scene.image_is_clean().await
}
