//! The attributes of `data.consistent_db_readiness`, and how an answer fills them.

use std::collections::{BTreeMap, BTreeSet};

use quiesce::{Readiness, report, text::Text};
use tfplug::{Model, Value, validate};

use super::super::as_written;
use crate::image::{capture, engines::Engines, method, names};

/// Whether `consistent_db_image` could take an image of a server now, and what stands in its way.
///
/// The server is asked with the same read-only script with which every image begins, over Systems Manager: nothing on it is
/// touched, and no writes are held. A server that is not ready is no error: `ready` is then `false`, and `problems` says why,
/// so that a `check` block or a precondition can word it. It is an error if nothing can be found out: the instance does not
/// exist, or a call is not permitted.
///
/// A server that was started a moment ago is not ready until its agent is online. `consistent_db_image` waits for it; this
/// does not.
#[derive(Clone, Debug, Model)]
pub(crate) struct ReadinessQuery {
    /// The EC2 instance on which the database runs.
    #[tf(required, validate = names::instance)]
    pub(super) source_instance_id: Value<String>,
    #[tf(flatten)]
    pub(super) engines: Engines,
    /// How writes would be held, as `quiesce.method` of `consistent_db_image`: `auto` (default), `freeze`, `pause` or `stop`.
    /// Left out, it reads as the method that `auto` would take, `freeze` or `pause`; null where that cannot be told.
    #[tf(optional, computed, validate = validate::one_of(method::WORDS))]
    pub(super) method: Value<String>,
    /// How the volumes would be captured, as `capture` of `consistent_db_image`: `create_image` (default) or `create_snapshots`.
    #[tf(optional, validate = validate::one_of(capture::WORDS))]
    pub(super) capture: Value<String>,
    /// Whether an image could be taken now: there are no problems.
    #[tf(computed)]
    pub(super) ready: Value<bool>,
    /// Everything that stands in the way, as far as it can be seen at once.
    #[tf(computed)]
    pub(super) problems: Value<Vec<Problem>>,
    /// The database server's version; with several engines theirs, separated by spaces, in the order of their names. Null
    /// where none was found.
    #[tf(computed)]
    pub(super) engine_version: Value<String>,
    /// The database servers that were found.
    #[tf(computed)]
    pub(super) servers: Value<Vec<Server>>,
    /// Every path that a database server needs.
    #[tf(computed)]
    pub(super) paths: Value<Vec<NeededPath>>,
    /// The volumes on which these paths lie (`vol-...`); empty where there are problems with them.
    #[tf(computed)]
    pub(super) volumes: Value<BTreeSet<String>>,
    /// The hold that another run has on this server now; null where there is none.
    #[tf(computed)]
    pub(super) hold_in_progress: Value<HoldInProgress>,
}

/// Something that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq, Model)]
pub(crate) struct Problem {
    /// A word that stays the same from version to version, e.g. `fsync_off` or `agent_not_online`.
    #[tf(computed)]
    pub(super) code: String,
    /// What is wrong, in a sentence.
    #[tf(computed)]
    pub(super) message: String,
    /// What to do about it; null where the message says that as well.
    #[tf(computed)]
    pub(super) hint: Option<String>,
}

/// A database server.
#[derive(Clone, Debug, PartialEq, Eq, Model)]
pub(crate) struct Server {
    /// Its engine, e.g. `postgresql`.
    #[tf(computed)]
    pub(super) engine: String,
    /// Its version; `-` for `custom`.
    #[tf(computed)]
    pub(super) version: String,
    /// `primary` or `standby`; `application` for `custom`.
    #[tf(computed)]
    pub(super) role: String,
    /// Its data directory; for `custom` the first of its paths.
    #[tf(computed)]
    pub(super) data_directory: String,
    /// The service that runs it; null where none does.
    #[tf(computed)]
    pub(super) service: Option<String>,
}

/// A path that a database server needs.
#[derive(Clone, Debug, PartialEq, Eq, Model)]
pub(crate) struct NeededPath {
    /// The path.
    #[tf(computed)]
    pub(super) path: String,
    /// What for: `data`, `wal`, `tablespace`, `config`...
    #[tf(computed)]
    pub(super) purpose: String,
    /// Where the file system is mounted on which it lies; null where that is not known.
    #[tf(computed)]
    pub(super) mount_point: Option<String>,
    /// The volumes of the instance below that file system: one, or several where LVM or RAID joins them.
    #[tf(computed)]
    pub(super) volume_ids: BTreeSet<String>,
}

/// A hold that lasts.
#[derive(Clone, Debug, PartialEq, Eq, Model)]
pub(crate) struct HoldInProgress {
    /// The session that holds.
    #[tf(computed)]
    pub(super) session_id: String,
    /// How it holds writes.
    #[tf(computed)]
    pub(super) method: String,
    /// For how long it had when the server answered, in ms.
    #[tf(computed)]
    pub(super) held_ms: u64,
    /// When its switch lets go at the latest, in ms from the answer.
    #[tf(computed)]
    pub(super) ends_in_ms: u64,
}

impl ReadinessQuery {
    /// The answer where the server could not say anything of itself.
    pub(super) fn refused(self, problems: Vec<Problem>) -> Self {
        Self {
            method: as_written(self.method, Value::Null),
            ready: Value::Known(false),
            problems: Value::Known(problems),
            engine_version: Value::Null,
            servers: Value::Known(Vec::new()),
            paths: Value::Known(Vec::new()),
            volumes: Value::Known(BTreeSet::new()),
            hold_in_progress: Value::Null,
            ..self
        }
    }

    /// What the server said.
    pub(super) fn answered(self, told: &Readiness) -> Self {
        let volumes = told.data_volumes.iter().map(ToString::to_string);
        let method = told.method.map(|it| it.to_string());
        Self {
            method: as_written(self.method, method.into()),
            ready: Value::Known(told.ready()),
            problems: Value::Known(told.problems.iter().map(Problem::from).collect()),
            engine_version: engine_version(&told.servers).into(),
            servers: Value::Known(told.servers.iter().map(Server::from).collect()),
            paths: Value::Known(paths(told)),
            volumes: Value::Known(volumes.collect()),
            hold_in_progress: told
                .hold_in_progress
                .as_ref()
                .map(HoldInProgress::from)
                .into(),
            ..self
        }
    }
}

/// One word for each engine, as the image's attribute of that name has it.
fn engine_version(servers: &[report::Server]) -> Option<String> {
    let versions: BTreeMap<&str, &str> = servers
        .iter()
        .map(|it| (&*it.engine, &*it.version))
        .collect();
    let words: Vec<&str> = versions.into_values().collect();
    Some(words.join(" ")).filter(|it| !it.is_empty())
}

fn paths(told: &Readiness) -> Vec<NeededPath> {
    let needed = told.servers.iter().flat_map(|server| &server.paths);
    needed
        .map(|needed| {
            let mount = told
                .mounts
                .iter()
                .find(|mount| mount.paths.contains(&needed.path));
            let volumes = mount.map(|it| told.volumes_below(it)).unwrap_or_default();
            NeededPath {
                path: needed.path.to_string(),
                purpose: needed.purpose.to_string(),
                mount_point: mount.map(|it| it.mount_point.to_string()),
                volume_ids: volumes.iter().map(ToString::to_string).collect(),
            }
        })
        .collect()
}

impl From<&report::Server> for Server {
    fn from(server: &report::Server) -> Self {
        Self {
            engine: server.engine.to_string(),
            version: server.version.to_string(),
            role: server.role.to_string(),
            data_directory: server.data_directory.to_string(),
            service: server.service.as_ref().map(Text::to_string),
        }
    }
}

impl From<&report::HoldInProgress> for HoldInProgress {
    fn from(hold: &report::HoldInProgress) -> Self {
        let millis = |it: std::time::Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
        Self {
            session_id: hold.session.to_string(),
            method: hold.method.to_string(),
            held_ms: millis(hold.held_for),
            ends_in_ms: millis(hold.fires_in),
        }
    }
}
