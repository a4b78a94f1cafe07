//! What MySQL and MariaDB have in common: how a server is found, asked, stopped, and how the session that holds its locks is kept
//! open. Where they differ, the engines' own functions are called: `<engine>_take_locks`, `<engine>_is_old`...

use super::{EngineOption, OptionKind};

pub(super) const OPTIONS: &[EngineOption] = &[
    EngineOption {
        name: "defaults_file",
        kind: OptionKind::Path,
        docs: "A file on the server, readable by whom it is asked as (root, or `os_user`) and nobody else, whose `[client]` section holds the user and the password to connect with. \
               Default: none; `root` connects by the socket (`auth_socket`, `unix_socket`).",
    },
    EngineOption {
        name: "socket",
        kind: OptionKind::Path,
        docs: "The server's Unix socket, to choose among several servers of one instance. Default: detected.",
    },
    EngineOption {
        name: "os_user",
        kind: OptionKind::Text,
        docs: "The operating system user to connect as, to the account of the same name. Default: `root`.",
    },
    EngineOption {
        name: "lock_wait_timeout",
        kind: OptionKind::Seconds,
        docs: "How long to wait for a lock that a running statement or an open transaction keeps from being had, in seconds, 1 to 60; writes in \
               its way wait for as long. Default: 5.",
    },
    EngineOption {
        name: "service",
        kind: OptionKind::Text,
        docs: "The service that stops and starts the server (method `stop` only). Default: the systemd unit that the server runs in, \
               else `SHUTDOWN` and the server's own command line.",
    },
];

pub(super) const FIND: &str = include_str!("find.sh");
pub(super) const ASK: &str = include_str!("ask.sh");
pub(super) const CHECK: &str = include_str!("check.sh");
pub(super) const PATHS: &str = include_str!("paths.sh");
pub(super) const LOCK: &str = include_str!("lock.sh");
pub(super) const UNLOCK: &str = include_str!("unlock.sh");
pub(super) const FLUSH: &str = include_str!("flush.sh");
pub(super) const STOP: &str = include_str!("stop.sh");
