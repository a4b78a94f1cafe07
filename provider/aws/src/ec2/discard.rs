//! Removes what a session made: the image first, since its snapshots cannot go before it.

use std::collections::BTreeSet;

use aws_sdk_ec2::{
    Client,
    types::{Image, Snapshot},
};
use quiesce::{
    ports::{ImageId, Leftover},
    session::SessionId,
};

use super::{describe, observe, tags};
use crate::CallError;

const DEREGISTER: &str = "ec2:DeregisterImage";

/// One round, each call once. What could not be removed comes back with EC2's reason; an error means that nothing was
/// tried, because EC2 did not say what there is. Of a session whose image is proven, nothing is removed.
pub(super) async fn session(
    ec2: &Client,
    session: &SessionId,
    begun: Option<&ImageId>,
) -> Result<Vec<Leftover>, CallError> {
    let found = observe::find(ec2, session).await?;
    if let Some(proven) = found.images.iter().find(|image| is_proven(image)) {
        return Ok(vec![Leftover {
            id: proven.image_id().unwrap_or_default().to_owned(),
            reason: "it is proven, so it is not discarded".to_owned(),
        }]);
    }
    let images: BTreeSet<&str> = found.images.iter().filter_map(Image::image_id).collect();
    let ours = found.snapshots.iter().filter(|it| !is_foreign(it, session));

    let mut left = Vec::new();
    for id in &images {
        left.extend(
            deregister(ec2, id)
                .await
                .err()
                .map(|why| leftover(id, &why)),
        );
    }
    if let Some(unseen) = begun
        .map(|id| id.0.as_str())
        .filter(|id| !images.contains(id))
    {
        let outcome = deregister_unseen(ec2, unseen).await;
        left.extend(outcome.err().map(|why| leftover(unseen, &why)));
    }
    for id in ours.filter_map(Snapshot::snapshot_id) {
        left.extend(
            delete_snapshot(ec2, id)
                .await
                .err()
                .map(|why| leftover(id, &why)),
        );
    }
    left.extend(latecomers(ec2, session, &found).await?);
    Ok(left)
}

/// A snapshot that an image of ours maps, but that another session made.
fn is_foreign(snapshot: &Snapshot, session: &SessionId) -> bool {
    tags::from_sdk(snapshot.tags.clone())
        .get(tags::SESSION)
        .is_some_and(|other| other != session.as_str())
}

fn is_proven(image: &Image) -> bool {
    tags::is_proven(&tags::from_sdk(image.tags.clone()))
}

/// Gone already is gone.
pub(super) async fn deregister(ec2: &Client, id: &str) -> Result<(), CallError> {
    let done = ec2.deregister_image().image_id(id).send().await;
    done.map(drop)
        .or_else(|error| unless_gone(CallError::of(DEREGISTER, &error)))
}

/// An image whose id `CreateImage` gave, but that no list shows: what EC2 does not find may still appear.
async fn deregister_unseen(ec2: &Client, id: &str) -> Result<(), CallError> {
    let Err(error) = ec2.deregister_image().image_id(id).send().await else {
        return Ok(());
    };
    match CallError::of(DEREGISTER, &error) {
        gone if gone.code == "InvalidAMIID.Unavailable" => Ok(()),
        error => Err(error),
    }
}

/// Gone already is gone; in use (by an image that is still registered), locked or protected is an error.
pub(super) async fn delete_snapshot(ec2: &Client, id: &str) -> Result<(), CallError> {
    let done = ec2.delete_snapshot().snapshot_id(id).send().await;
    done.map(drop)
        .or_else(|error| unless_gone(CallError::of("ec2:DeleteSnapshot", &error)))
}

fn unless_gone(error: CallError) -> Result<(), CallError> {
    if error.is_gone() { Ok(()) } else { Err(error) }
}

pub(super) fn leftover(id: &str, why: &CallError) -> Leftover {
    Leftover {
        id: id.to_owned(),
        reason: why.to_string(),
    }
}

/// Snapshots that a `CreateImage` under way started while the others were being removed.
async fn latecomers(
    ec2: &Client,
    session: &SessionId,
    found: &observe::Found,
) -> Result<Vec<Leftover>, CallError> {
    let known: BTreeSet<_> = found
        .snapshots
        .iter()
        .filter_map(|it| it.snapshot_id())
        .collect();
    let now = describe::snapshots(ec2, describe::session(session)).await?;
    let late = now
        .iter()
        .filter_map(|it| it.snapshot_id())
        .filter(|id| !known.contains(id));
    Ok(late
        .map(|id| Leftover {
            id: id.to_owned(),
            reason: "it appeared while the session was discarded".to_owned(),
        })
        .collect())
}
