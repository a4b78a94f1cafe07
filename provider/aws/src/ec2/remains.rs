//! What EC2 has of one instance's sessions, for a person who asks what was left behind.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::{
    Client,
    types::{Image, Snapshot},
};
use quiesce::{session::SessionId, text::Text};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{describe, instant, tags};
use crate::CallError;

/// What bears an instance's name in our tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// Sessions that are not proven: a live run's, or what a dead one left.
    pub pending: Vec<Pending>,
    /// Proven images.
    pub proven: usize,
    /// Snapshots of proven images that are there no more. They are data: nothing here removes them.
    pub orphans: Vec<String>,
}

/// A session that is not proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    pub session: SessionId,
    /// The name that its image has, or was to have.
    pub image_name: Text,
    /// From then on no live run can own it.
    pub expires: OffsetDateTime,
    pub parts: Vec<Part>,
}

/// An image or a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// `ami-...` or `snap-...`
    pub id: String,
    /// EC2's word: `pending`, `available`, `completed`...
    pub state: String,
    pub since: Option<OffsetDateTime>,
}

/// Something with tags of ours.
struct Tagged {
    part: Part,
    is_image: bool,
    tags: BTreeMap<String, String>,
}

/// All that was taken of `instance_id`. Touches nothing.
pub async fn of_instance(ec2: &Client, instance_id: &str) -> Result<Remains, CallError> {
    let ours = || vec![describe::tag(tags::SOURCE_INSTANCE, instance_id)];
    let (images, snapshots) = tokio::try_join!(
        describe::images(ec2, ours()),
        describe::snapshots(ec2, ours()),
    )?;
    Ok(sorted(all(images, snapshots)))
}

/// Whether everything that bears this session was taken of `instance_id`: else somebody has copied our tags.
pub async fn are_all_of(
    ec2: &Client,
    session: &SessionId,
    instance_id: &str,
) -> Result<bool, CallError> {
    let (images, snapshots) = tokio::try_join!(
        describe::images(ec2, describe::session(session)),
        describe::snapshots(ec2, describe::session(session)),
    )?;
    let is_of =
        |it: &Tagged| it.tags.get(tags::SOURCE_INSTANCE).map(String::as_str) == Some(instance_id);
    Ok(all(images, snapshots).iter().all(is_of))
}

fn all(images: Vec<Image>, snapshots: Vec<Snapshot>) -> Vec<Tagged> {
    let images = images.into_iter().filter_map(image);
    images
        .chain(snapshots.into_iter().filter_map(snapshot))
        .collect()
}

fn image(image: Image) -> Option<Tagged> {
    let made = image.creation_date.as_deref();
    Some(Tagged {
        part: Part {
            id: image.image_id?,
            state: image
                .state
                .map_or_else(String::new, |it| it.as_str().to_owned()),
            since: made.and_then(|date| OffsetDateTime::parse(date, &Rfc3339).ok()),
        },
        is_image: true,
        tags: tags::from_sdk(image.tags),
    })
}

fn snapshot(snapshot: Snapshot) -> Option<Tagged> {
    Some(Tagged {
        part: Part {
            id: snapshot.snapshot_id?,
            state: snapshot
                .state
                .map_or_else(String::new, |it| it.as_str().to_owned()),
            since: snapshot.start_time.as_ref().and_then(instant),
        },
        is_image: false,
        tags: tags::from_sdk(snapshot.tags),
    })
}

fn sorted(all: Vec<Tagged>) -> Remains {
    let session_of = |it: &Tagged| it.tags.get(tags::SESSION)?.parse::<SessionId>().ok();
    let of_images = |wanted: fn(&Tagged) -> bool| -> BTreeSet<SessionId> {
        let images = all.iter().filter(|it| it.is_image && wanted(it));
        images.filter_map(session_of).collect()
    };
    let proven = of_images(|it| tags::is_proven(&it.tags));
    let imaged = of_images(|_| true);
    let mut remains = Remains {
        proven: proven.len(),
        ..Remains::default()
    };
    let mut pending: BTreeMap<SessionId, Pending> = BTreeMap::new();
    for it in &all {
        if let Some((session, expires)) =
            tags::pending_session(&it.tags).filter(|it| !proven.contains(&it.0))
        {
            let name = it.tags.get(tags::IMAGE_NAME).map_or("", String::as_str);
            let entry = pending.entry(session.clone()).or_insert_with(|| Pending {
                session,
                image_name: Text::new(name),
                expires,
                parts: Vec::new(),
            });
            // The latest word counts: what one part says is over may go on by another's.
            entry.expires = entry.expires.max(expires);
        }
    }
    for it in all {
        let Some(session) = session_of(&it) else {
            continue;
        };
        if let Some(entry) = pending.get_mut(&session) {
            entry.parts.push(it.part);
        } else if !it.is_image && tags::is_proven(&it.tags) && !imaged.contains(&session) {
            remains.orphans.push(it.part.id);
        }
    }
    remains.pending = pending.into_values().collect();
    remains
}
