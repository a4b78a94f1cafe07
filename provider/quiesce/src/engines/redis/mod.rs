//! Redis 2.8 and later, and what Valkey has from it: complete by the append-only file, or by a snapshot made before the hold.

use super::{Engine, EngineOption, OptionKind, Recipe, Statement};

pub(super) const REDIS: Engine = Engine {
    name: "redis",
    title: "Redis",
    docs: "A Redis server with an append-only file or save points, primary or replica. Its clients' writes pause, what it \
           has acknowledged is on disk, then all is held; the image loads it as after a restart.",
    page: include_str!("page.md"),
    processes: &["redis-server"],
    statements: STATEMENTS,
    options: OPTIONS,
    recipe: Recipe::Bracket {
        functions: FUNCTIONS,
        checks: &[],
        stop: STOP,
        hold: HOLD,
        let_go: LET_GO,
    },
};

pub(super) const FUNCTIONS: &[&str] =
    &[ASKING, include_str!("guest.sh"), include_str!("holding.sh")];
pub(super) const HOLD: &[&str] = &[include_str!("pausing.sh")];
pub(super) const STOP: &[&str] = &[include_str!("stop.sh")];
pub(super) const LET_GO: &[&str] = &[ASKING];
const ASKING: &str = include_str!("asking.sh");

pub(super) const OPTIONS: &[EngineOption] = &[
    EngineOption {
        name: "port",
        kind: OptionKind::Port,
        docs: "The server's port, to choose among several servers of one instance.",
    },
    EngineOption {
        name: "socket",
        kind: OptionKind::Path,
        docs: "The server's Unix socket. Default: the one that it listens on, else its port.",
    },
    EngineOption {
        name: "user",
        kind: OptionKind::Text,
        docs: "The ACL user to ask as. Default: the server's `default` user.",
    },
    EngineOption {
        name: "password_file",
        kind: OptionKind::Path,
        docs: "A file on the server whose first line is the password. Default: `requirepass` of the configuration file, where \
               the server asks for a password.",
    },
    EngineOption {
        name: "config_file",
        kind: OptionKind::Path,
        docs: "The server's configuration file. Default: the one that it names, for a password the usual places.",
    },
    EngineOption {
        name: "service",
        kind: OptionKind::Text,
        docs: "The service that stops and starts the server (method `stop` only). Default: the systemd unit that the \
               server runs in.",
    },
];

pub(super) const STATEMENTS: &[Statement] = &[
    Statement {
        script: "probe, arm, hold",
        text: "INFO",
        purpose: "Version, role, whether it is loading, whether its files were written.",
    },
    Statement {
        script: "probe, arm, hold",
        text: "CONFIG GET \"$1\"",
        purpose: "`dir`, `dbfilename`, `save`, `appendfilename`, `appendfsync`, `appenddirname`, `aclfile`, one by one: where \
                  its files are. No setting that holds a password is asked for.",
    },
    Statement {
        script: "arm, hold",
        text: "BGSAVE",
        purpose: "Only without an append-only file. In `hold` only where a save takes no longer than a moment.",
    },
    Statement {
        script: "hold",
        text: "CLIENT PAUSE \"$((BEGAN + CDB_MAX_HOLD_MS - NOW))\" WRITE",
        purpose: "Primaries since 6.2: clients' writes wait, reads go on. It ends by itself when `max_hold_seconds` is over.",
    },
    Statement {
        script: "arm, hold",
        text: "INFO persistence",
        purpose: "Until the save is done, or nothing acknowledged is left in the server's own buffer (`aof_buffer_length:0`).",
    },
    Statement {
        script: "release",
        text: "CLIENT UNPAUSE",
        purpose: "Writes go on.",
    },
    Statement {
        script: "release",
        text: "PING",
        purpose: "Method `stop` only: whether the server has loaded its data again.",
    },
];
