//! Valkey 8.1 of Debian 13: Redis under other names.

use super::{
    Clients, Door, Engine, Judge,
    redis::{KNOCK, LAYOUTS, OPEN_LEDGER, commit, findings, lets_in, why_it_stopped},
};
use crate::host::{Places, Release, RootFs, ServerSpec};

pub const VALKEY: Engine = Engine {
    name: "valkey",
    title: "Valkey 8.1",
    layouts: LAYOUTS,
    server: ServerSpec {
        name: "valkey",
        root: RootFs {
            release: Release::Trixie,
            packages: &["valkey-server", "valkey-tools"],
            finish: "systemctl disable --quiet valkey-server",
        },
        places: Places {
            data: "/var/lib/valkey",
            log: "/var/log/valkey",
            tablespace: None,
        },
        set_up: concat!("name=valkey\n", include_str!("../redis/server.sh")),
        size: 10,
        settings: "appendonly yes\nappendfsync everysec\nunixsocket /run/valkey/valkey.sock",
    },
    unit: "valkey-server",
    version: &["valkey-server", "--version"],
    clients: Clients {
        load: concat!("name=valkey\n", include_str!("../redis/load.sh")),
        user: "valkey",
        session: &["sh", "-c", "exec valkey-cli 2>&1"],
        open_ledger: OPEN_LEDGER,
        commit,
    },
    door: Door {
        socket: "/run/valkey/valkey.sock",
        knock: KNOCK,
        lets_in,
    },
    judge: Judge {
        checks: "valkey-check-aof, valkey-check-rdb",
        script: concat!("name=valkey\n", include_str!("../redis/judge.sh")),
        why_it_stopped,
        findings,
    },
};
