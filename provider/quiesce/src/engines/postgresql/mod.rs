//! PostgreSQL 9.2 and later, primary or standby: flushed by CHECKPOINT, recovered from its write-ahead log.

use super::{Engine, EngineOption, OptionKind, Recipe, Statement};

pub(super) const POSTGRESQL: Engine = Engine {
    name: "postgresql",
    title: "PostgreSQL",
    docs: "A PostgreSQL server, primary or standby. It is asked for a checkpoint, then its writes are held; the image \
           starts by ordinary crash recovery.",
    page: include_str!("page.md"),
    processes: &["postgres", "postmaster", "edb-postgres"],
    statements: &[
        Statement {
            script: "probe, arm, hold",
            text: "SELECT 'consistent ' || name || '=' || setting FROM pg_settings WHERE name IN ('server_version',
        'config_file', 'hba_file', 'ident_file', 'fsync', 'full_page_writes', 'synchronous_commit')
        UNION ALL SELECT 'consistent standby=' || pg_is_in_recovery()
        UNION ALL SELECT 'consistent checkpoints=' || (rolsuper$checkpointer) FROM pg_roles WHERE rolname = current_user",
            purpose: "Version, role, permission, and the settings that would void crash recovery. `$checkpointer` asks for membership in \
                      `pg_checkpoint` too, from version 15 on.",
        },
        Statement {
            script: "arm",
            text: "CHECKPOINT",
            purpose: "Recovery of the image then starts late in the log. Repeated where the first one took longer than a second.",
        },
        Statement {
            script: "hold",
            text: "SELECT 'consistent position=' || $PG_POSITION",
            purpose: "The recovery point. `$PG_POSITION` is `pg_current_wal_flush_lsn()`, on a standby `pg_last_wal_replay_lsn()`, or \
                      what old versions call them.",
        },
        Statement {
            script: "release",
            text: "SELECT 1",
            purpose: "Method `stop` only: whether the server accepts connections again.",
        },
    ],
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
        checks: &[],
        stop: &[include_str!("stop.sh")],
        hold: &[],
        let_go: &[],
    },
};
