//! What the read-only look at a guest's sessions reports: for a person who asks what holds there, or was left.

use std::{collections::BTreeSet, time::Duration};

use serde::Deserialize;

use super::{
    Body, MountPoint,
    value::{optional_millis, session},
};
use crate::{method::Method, session::SessionId, text::Text};

/// Every session of the guest that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Look {
    #[serde(rename = "outcome")]
    _outcome: Seen,
    #[serde(default)]
    pub sessions: Vec<GuestSession>,
    #[serde(default)]
    pub given_up: Vec<GivenUp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Seen {
    Seen,
}

/// A session that arms, is armed, holds, or was killed while it did.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, as the guest reports them"
)]
pub struct GuestSession {
    #[serde(rename = "session", deserialize_with = "session")]
    pub id: SessionId,
    #[serde(default)]
    pub method: Option<Method>,
    /// A switch lives, or a script is at work: somebody on the guest will let go.
    pub in_progress: bool,
    /// How many of the two switches live.
    pub switches: u8,
    /// Somebody has begun to let go.
    pub letting_go: bool,
    /// Guest uptime since which writes may be held; none where nothing was held yet.
    #[serde(
        rename = "began_uptime_ms",
        default,
        deserialize_with = "optional_millis"
    )]
    pub began: Option<Duration>,
    /// Guest uptime at which the switches let go, or stand down because no hold has come.
    #[serde(
        rename = "ends_uptime_ms",
        default,
        deserialize_with = "optional_millis"
    )]
    pub ends: Option<Duration>,
    /// The mounts that it has begun to freeze. Whether they still are nobody can know who does not thaw them.
    #[serde(default)]
    pub frozen: Vec<MountPoint>,
    /// How many of the processes that it paused are paused now.
    pub paused: u32,
    /// It stops services, and knows how to start them again.
    pub services: bool,
    /// An engine holds something itself: a lock, an application.
    pub locks: bool,
}

/// What an engine could not let go, and nobody tries any more.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GivenUp {
    #[serde(rename = "session", deserialize_with = "session")]
    pub id: SessionId,
    pub detail: Text,
}

impl Body for Look {
    const PHASE: &'static str = "look";

    fn contradiction(&self) -> Option<&'static str> {
        let ids: BTreeSet<_> = self.sessions.iter().map(|session| &session.id).collect();
        if ids.len() < self.sessions.len() {
            Some("the same session twice")
        } else if self.sessions.iter().any(|session| session.switches > 2) {
            Some("more than two switches")
        } else if self.sessions.iter().any(GuestSession::is_guarded_by_nobody) {
            Some("a switch lives, and nobody is there")
        } else {
            None
        }
    }
}

impl GuestSession {
    fn is_guarded_by_nobody(&self) -> bool {
        self.switches > 0 && !self.in_progress
    }
}
