//! PostgreSQL 9.2 and later, primary or standby: flushed by CHECKPOINT, recovered from its write-ahead log.

use super::{Engine, EngineOption, OptionKind, Recipe};

pub(super) const POSTGRESQL: Engine = Engine {
    name: "postgresql",
    docs: "A PostgreSQL server, primary or standby. It is asked for a checkpoint, then its writes are held; the image \
           starts by ordinary crash recovery.",
    options: &[
        EngineOption {
            name: "port",
            kind: OptionKind::Port,
            docs: "The server's port, to choose among several servers of one instance.",
        },
        EngineOption {
            name: "socket_directory",
            kind: OptionKind::Path,
            docs: "The directory of the server's Unix socket. Default: the first one that the server listens in.",
        },
        EngineOption {
            name: "os_user",
            kind: OptionKind::Text,
            docs: "The operating system user to connect as, by peer authentication. Default: the server's own user.",
        },
        EngineOption {
            name: "database",
            kind: OptionKind::Text,
            docs: "The database to connect to. Default: `postgres`.",
        },
        EngineOption {
            name: "data_directory",
            kind: OptionKind::Path,
            docs: "The server's data directory, to choose among several servers of one instance.",
        },
        EngineOption {
            name: "service",
            kind: OptionKind::Text,
            docs: "The service that stops and starts the server (method `stop` only). Default: the systemd unit that \
                   the server runs in, else `pg_ctl`.",
        },
    ],
    recipe: Recipe::Bracket {
        functions: &[include_str!("guest.sh")],
        let_go: &[],
    },
};
