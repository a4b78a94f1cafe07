//! What engines have in common that know of an application only what the user says: paths, a service, and commands that run around
//! our hold.

use super::{EngineOption, OptionKind};

/// Running commands, and what tells whether a service is up: whoever lets go needs it too.
pub(super) const COMMANDS: &str = concat!(include_str!("commands.sh"), include_str!("active.sh"));
/// What finds the application.
pub(super) const FIND: &str = concat!(include_str!("paths.sh"), include_str!("find.sh"));
/// What stops and starts it.
pub(super) const STOP: &str = include_str!("stop.sh");

pub(super) const PATHS_OPTION: EngineOption = EngineOption {
    name: "paths",
    kind: OptionKind::Paths,
    docs: "The directories and files that belong together. All of them are held at once and have to lie on EBS volumes.",
};

pub(super) const SERVICE_OPTION: EngineOption = EngineOption {
    name: "service",
    kind: OptionKind::Text,
    docs: "The service whose processes write to the paths: paused by method `pause`, stopped and started by method `stop`.",
};
