//! Undo: whatever ended an attempt, let go what may be held, then discard what may exist.

use std::{sync::Arc, time::Duration};

use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::{
    attempt::{Attempt, Capture, Hold},
    observed::is_empty,
    release::let_go,
};
use crate::{
    error::{Database, ImageFate},
    patience::{Pace, Transient},
    ports::{Guest, Imager, ImagerError, Leftover},
};

/// No undo takes longer: the longest hold, its flush and its service's start, then the discard.
pub(crate) const LONGEST: Duration = Duration::from_mins(30);

/// How long discarding is tried.
const DISCARD_LIMIT: Duration = Duration::from_mins(10);

/// How long nothing is removed while something may still follow: snapshots of one image start within seconds of each
/// other, and of an image that was removed before its last one nobody can tell whether that one will yet start.
const GATHERING: Duration = Duration::from_secs(10);

/// How long nothing must have appeared before a capture that was not seen whole counts as discarded.
const QUIET: Duration = Duration::from_mins(1);

/// The same where its beginning was refused and nothing of it showed: what exists against all odds is listed by then.
const LISTED: Duration = Duration::from_secs(5);

/// One look takes no longer than this; the next one may be luckier.
const LOOK_LIMIT: Duration = Duration::from_secs(3);

/// One call takes no longer than this: it deregisters and deletes one by one.
const CALL_LIMIT: Duration = Duration::from_mins(1);

/// Pays what the attempt still owes, and tells how things are then. Each half runs on a task of its own: should one
/// panic, the other is still done.
pub(crate) async fn undo<G: Guest, I: Imager>(
    attempt: &Arc<Attempt<G, I>>,
) -> (Database, ImageFate) {
    let owing = Arc::clone(attempt);
    let released = tokio::spawn(async move {
        let owed = matches!(
            owing.debts().hold,
            Hold::PerhapsArmed(_) | Hold::PerhapsHeld(_)
        );
        if owed && let Err(cause) = let_go(&owing).await {
            warn!(%cause, "the guest never confirmed the release");
        }
    });
    drop(released.await);
    let owing = Arc::clone(attempt);
    let discarded = tokio::spawn(async move { discard(&owing).await }).await;
    let image = discarded.unwrap_or_else(|_panic| ImageFate::Left {
        known: Vec::new(),
        error: None,
    });
    (database(attempt), image)
}

fn database<G, I>(attempt: &Attempt<G, I>) -> Database {
    match &attempt.debts().hold {
        Hold::None | Hold::PerhapsArmed(_) => Database::NeverHeld,
        Hold::Released => Database::Released,
        Hold::ThawFailed => Database::ThawFailed,
        Hold::PerhapsHeld(owed) => Database::LetsGoBy(wall_clock(owed.lets_go_by)),
    }
}

fn wall_clock(instant: Instant) -> OffsetDateTime {
    let (wall, now) = (OffsetDateTime::now_utc(), Instant::now());
    wall + instant.saturating_duration_since(now) - now.saturating_duration_since(instant)
}

/// Waits until all that is expected of a capture that shows was seen, but not long.
async fn gather<G: Guest, I: Imager>(attempt: &Attempt<G, I>) {
    let until = Instant::now() + GATHERING;
    let mut pace = Pace::new(Duration::from_millis(250), Duration::from_secs(2));
    let partial =
        || matches!(&attempt.debts().capture, Capture::Begun(seen) if seen.any() && !seen.all());
    while Instant::now() < until {
        look(attempt).await;
        if !partial() {
            return;
        }
        sleep(pace.next()).await;
    }
}

/// Removes what shows of the capture, again and again: until all that was expected was seen and nothing is left, or
/// until nothing has appeared for long enough.
async fn discard<G: Guest, I: Imager>(attempt: &Attempt<G, I>) -> ImageFate {
    if matches!(attempt.debts().capture, Capture::None) {
        return ImageFate::None;
    }
    gather(attempt).await;
    let until = Instant::now() + DISCARD_LIMIT;
    let mut quiet_since = None;
    let mut pace = Pace::new(Duration::from_secs(1), Duration::from_secs(5));
    loop {
        // Looked at before anything is removed: what was never seen may yet appear, without its image too.
        let appeared = look(attempt).await;
        let (known, error) = match attempt_to_discard(attempt).await {
            Ok(left) => (left, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let now = Instant::now();
        if appeared {
            quiet_since = None;
        }
        if known.is_empty() && error.is_none() {
            let quiet = now - *quiet_since.get_or_insert(now);
            if let Some(fate) = ended(attempt, quiet) {
                info!("nothing of the session is left");
                return fate;
            }
        } else {
            warn!(
                left = known.len(),
                error = error.as_ref().map(tracing::field::display),
                "not discarded yet"
            );
            quiet_since = None;
            let hopeless = error
                .as_ref()
                .is_some_and(|error| error.retry_after().is_none());
            if hopeless || now >= until {
                return ImageFate::Left { known, error };
            }
        }
        sleep(pace.next()).await;
    }
}

/// How the image ended, once nothing is left and nothing more can appear: so far nothing has appeared for `quiet`.
fn ended<G, I>(attempt: &Attempt<G, I>, quiet: Duration) -> Option<ImageFate> {
    let (fate, whole, long_enough) = match &attempt.debts().capture {
        Capture::None => (ImageFate::None, true, Duration::ZERO),
        Capture::Refused(seen) if !seen.any() => (ImageFate::None, false, LISTED),
        Capture::Refused(seen) | Capture::Begun(seen) => (ImageFate::Discarded, seen.all(), QUIET),
    };
    (whole || quiet >= long_enough).then_some(fate)
}

/// Remembers what shows now, where not all was seen yet; true where something does. A look that fails is worth another
/// one.
async fn look<G: Guest, I: Imager>(attempt: &Attempt<G, I>) -> bool {
    if let Capture::Begun(seen) | Capture::Refused(seen) = &attempt.debts().capture
        && seen.all()
    {
        return false;
    }
    let observing = attempt.imager.observe(&attempt.session);
    let Ok(Ok(observed)) = timeout(LOOK_LIMIT, observing).await else {
        return false;
    };
    attempt.saw(&observed);
    !is_empty(&observed)
}

async fn attempt_to_discard<G: Guest, I: Imager>(
    attempt: &Attempt<G, I>,
) -> Result<Vec<Leftover>, ImagerError> {
    let discarding = attempt.imager.discard(&attempt.session);
    timeout(CALL_LIMIT, discarding)
        .await
        .unwrap_or_else(|_elapsed| Err(ImagerError::unanswered("discard", CALL_LIMIT)))
}
