//! Removing what a dead run left, outside any run: the image, then its snapshots, as often as that takes.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    error::Cause,
    patience::{Pace, Patience},
    ports::{Imager, Leftover},
    session::SessionId,
};

/// How long it is tried: a snapshot is in use for a moment after its image has gone.
const LIMIT: Duration = Duration::from_mins(2);

/// Removes what exists of `session`, unless it is proven, and returns what is left when nothing more can be removed.
pub async fn discard<I: Imager>(
    imager: &I,
    session: &SessionId,
    stop: &CancellationToken,
) -> Result<Vec<Leftover>, Cause> {
    let patience = Patience {
        waited_for: "the removal",
        until: Instant::now() + LIMIT,
        limit: LIMIT,
        stop: stop.clone(),
    };
    let mut pace = Pace::new(Duration::from_secs(1), Duration::from_secs(5));
    let mut before = None;
    loop {
        let left = patience.repeat(|_| imager.discard(session)).await?;
        // Twice the same words, in time for EC2 to think again: more tries will not change them.
        if left.is_empty() || before.as_ref() == Some(&left) || Instant::now() >= patience.until {
            return Ok(left);
        }
        before = Some(left);
        sleep(pace.next()).await;
    }
}
