//! What was found of one instance: in EC2, at its agent, on the server. Serialized, it is what `--json` prints.

use std::time::Duration;

use consistent_aws::{
    CallError,
    ec2::{instances, remains},
    ssm::agent,
};
use quiesce::{
    holds::{self, Fate},
    report::{GuestSession, Look, Report},
    session::SessionId,
    text::Text,
};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::Ward;

#[derive(Debug, Serialize)]
pub(super) struct Findings {
    pub(super) instance: String,
    pub(super) region: String,
    /// EC2's word, or `unknown` where EC2 does not know the instance or did not say.
    pub(super) state: Text,
    pub(super) server: Server,
    pub(super) ec2: Remains,
    /// Why something could not be found out.
    pub(super) uncertain: Vec<Text>,
    /// What `--clean` did, and what it left alone.
    pub(super) done: Vec<Text>,
}

/// What the server itself knows.
#[derive(Debug, Default, Serialize)]
pub(super) struct Server {
    /// False where it could not be asked, or is not running.
    pub(super) asked: bool,
    #[serde(skip)]
    pub(super) boot: Option<quiesce::report::BootId>,
    pub(super) sessions: Vec<Hold>,
    pub(super) given_up: Vec<GivenUp>,
    pub(super) warnings: Vec<Text>,
}

/// A session on the server.
#[derive(Debug, Serialize)]
pub(super) struct Hold {
    pub(super) session: SessionId,
    /// `live`, `overdue`, `dead`
    pub(super) fate: Fate,
    pub(super) method: Option<&'static str>,
    /// How long writes may have been held; none where nothing was held yet.
    pub(super) held_for_ms: Option<u64>,
    /// When the switches let go or stand down at the latest; 0 where that time is over.
    pub(super) ends_in_ms: Option<u64>,
    pub(super) switches: u8,
    pub(super) letting_go: bool,
    pub(super) mounts: Vec<String>,
    pub(super) paused_processes: u32,
    pub(super) stops_services: bool,
    pub(super) engine_locks: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct GivenUp {
    pub(super) session: SessionId,
    pub(super) detail: Text,
}

/// What EC2 has.
#[derive(Debug, Default, Serialize)]
pub(super) struct Remains {
    /// False where EC2 did not say.
    pub(super) asked: bool,
    pub(super) pending: Vec<Pending>,
    pub(super) proven_images: usize,
    pub(super) snapshots_of_removed_proven_images: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Pending {
    pub(super) session: SessionId,
    pub(super) image_name: Text,
    pub(super) expires: String,
    pub(super) expired: bool,
    pub(super) parts: Vec<Part>,
}

#[derive(Debug, Serialize)]
pub(super) struct Part {
    pub(super) id: Text,
    pub(super) state: Text,
    pub(super) age_seconds: Option<i64>,
}

impl Findings {
    /// A hold, something that was given up, or something that is not proven.
    pub(super) fn is_something_there(&self) -> bool {
        let Server {
            sessions, given_up, ..
        } = &self.server;
        !(sessions.is_empty() && given_up.is_empty() && self.ec2.pending.is_empty())
    }

    pub(super) fn is_uncertain(&self) -> bool {
        !self.uncertain.is_empty()
    }

    pub(super) fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("texts and numbers")
    }
}

/// Asks everybody who can know. Touches nothing.
pub(super) async fn of(ward: &Ward) -> Findings {
    let mut uncertain = Vec::new();
    let state = state(ward).await.unwrap_or_else(|error| {
        uncertain.push(match error.code.as_str() {
            "InvalidInstanceID.NotFound" => {
                "EC2 knows no such instance here, or none any more".to_owned()
            }
            _ => error.to_string(),
        });
        "unknown".to_owned()
    });
    let server = match state.as_str() {
        "running" => server(ward).await,
        // What holds writes is in memory.
        "stopped" | "terminated" | "unknown" => Ok(Server::default()),
        other => Err(format!("the server could not be asked: it is {other}")),
    };
    let server = server.unwrap_or_else(|why| {
        uncertain.push(why);
        Server::default()
    });
    let now = OffsetDateTime::now_utc();
    let ec2 = match remains::of_instance(&ward.ec2, &ward.instance).await {
        Ok(found) => listed(found, now),
        Err(error) => {
            uncertain.push(error.to_string());
            Remains::default()
        }
    };
    Findings {
        instance: ward.instance.clone(),
        region: ward.region.clone(),
        state: state.into(),
        server,
        ec2,
        uncertain: uncertain.into_iter().map(Text::from).collect(),
        done: Vec::new(),
    }
}

async fn state(ward: &Ward) -> Result<String, CallError> {
    let facts = instances::describe(&ward.ec2, &ward.instance).await?;
    Ok(facts.instance.state)
}

async fn server(ward: &Ward) -> Result<Server, String> {
    let agent = agent::status(&ward.ssm, &ward.instance).await;
    let agent = agent.map_err(|error| error.to_string())?;
    if let Some(problem) = agent.problem(&ward.instance) {
        return Err(problem);
    }
    let report = holds::look(&ward.guest(), &ward.stop).await;
    report.map(seen).map_err(|cause| cause.to_string())
}

pub(super) fn seen(report: Report<Look>) -> Server {
    let uptime = report.uptime;
    let Look {
        sessions, given_up, ..
    } = report.body;
    Server {
        asked: true,
        boot: Some(report.boot_id),
        sessions: sessions.into_iter().map(|it| hold(it, uptime)).collect(),
        given_up: given_up
            .into_iter()
            .map(|it| GivenUp {
                session: it.id,
                detail: it.detail,
            })
            .collect(),
        warnings: report.warnings,
    }
}

fn hold(session: GuestSession, uptime: Duration) -> Hold {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Hold {
        fate: session.fate(uptime),
        method: session.method.map(quiesce::method::Method::as_str),
        held_for_ms: session.began.map(|began| ms(uptime.saturating_sub(began))),
        ends_in_ms: session.ends.map(|ends| ms(ends.saturating_sub(uptime))),
        switches: session.switches,
        letting_go: session.letting_go,
        mounts: session.frozen.iter().map(ToString::to_string).collect(),
        paused_processes: session.paused,
        stops_services: session.services,
        engine_locks: session.locks,
        session: session.id,
    }
}

pub(super) fn listed(found: remains::Remains, now: OffsetDateTime) -> Remains {
    let part = |part: remains::Part| Part {
        id: part.id.into(),
        state: part.state.into(),
        age_seconds: part.since.map(|since| (now - since).whole_seconds().max(0)),
    };
    let pending = found.pending.into_iter().map(|it| Pending {
        session: it.session,
        image_name: it.image_name,
        expires: it.expires.format(&Rfc3339).unwrap_or_default(),
        expired: it.expires < now,
        parts: it.parts.into_iter().map(part).collect(),
    });
    Remains {
        asked: true,
        pending: pending.collect(),
        proven_images: found.proven,
        snapshots_of_removed_proven_images: found.orphans,
    }
}
