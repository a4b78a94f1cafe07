//! Redis 7.0 of Debian 12 with an append-only file, and counters in it. Valkey is the same under other names.

use super::{Clients, Door, Engine, Judge, MARIADB_AND_REDIS};
use crate::host::{Layout, Places, ServerSpec};

pub(super) const LAYOUTS: &[Layout] = &[
    Layout::TwoExt4,
    Layout::TwoXfs,
    Layout::SharedVar,
    Layout::AllOnRoot,
];

pub(super) const KNOCK: &[u8] = b"PING\r\n";

pub(super) const OPEN_LEDGER: &str = "DEL ledger\n";

pub const REDIS: Engine = Engine {
    name: "redis",
    title: "Redis 7.0",
    layouts: LAYOUTS,
    server: ServerSpec {
        name: "redis",
        root: MARIADB_AND_REDIS,
        places: Places {
            data: "/var/lib/redis",
            // What it says. Its files cannot be apart: it renames from its directory into the append-only one.
            log: "/var/log/redis",
            tablespace: None,
        },
        set_up: concat!("name=redis\n", include_str!("server.sh")),
        size: 10,
        settings: "appendonly yes\nappendfsync everysec\nunixsocket /run/redis/redis.sock",
    },
    unit: "redis-server",
    version: &["redis-server", "--version"],
    clients: Clients {
        load: concat!("name=redis\n", include_str!("load.sh")),
        user: "redis",
        // It goes on after an error, which it prints on stderr: there the writer sees it.
        session: &["sh", "-c", "exec redis-cli 2>&1"],
        open_ledger: OPEN_LEDGER,
        commit,
    },
    door: Door {
        socket: "/run/redis/redis.sock",
        knock: KNOCK,
        lets_in,
    },
    judge: Judge {
        checks: "redis-check-aof, redis-check-rdb",
        script: concat!("name=redis\n", include_str!("judge.sh")),
        why_it_stopped,
        findings,
    },
};

/// One command: the number is answered when it is appended, and written to the append-only file before that.
pub(super) fn commit(sequence: u64) -> String {
    format!("EVAL \"redis.call('RPUSH', 'ledger', ARGV[1]) return ARGV[1]\" 0 {sequence}\n")
}

/// While it is still loading, it says so.
pub(super) fn lets_in(answer: &[u8]) -> Option<bool> {
    answer.ends_with(b"\r\n").then(|| answer == b"+PONG\r\n")
}

/// The last warning: it gives up over the first file that it cannot read.
pub(super) fn why_it_stopped(log: &str) -> Option<String> {
    let warning = log.lines().rfind(|line| line.contains(" # "))?;
    let (_, message) = warning.split_once(" # ")?;
    Some(message.trim().to_owned())
}

/// Every line is one.
pub(super) fn findings(output: &str) -> Vec<String> {
    output.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_answered_is_let_in() {
        assert_eq!(lets_in(b"+PO"), None, "cut short");
        assert_eq!(lets_in(b"+PONG\r\n"), Some(true));
        let loading = b"-LOADING Redis is loading the dataset in memory\r\n";
        assert_eq!(lets_in(loading), Some(false));
    }

    #[test]
    fn the_reason_is_the_last_warning() {
        let log = "\
9:C 30 Nov 2026 01:00:00.000 # WARNING Memory overcommit must be enabled!
9:M 30 Nov 2026 01:00:00.100 * Reading RDB base file on AOF loading...
9:M 30 Nov 2026 01:00:00.200 # Bad file format reading the append only file appendonly.aof.2.incr.aof";
        assert_eq!(
            why_it_stopped(log).as_deref(),
            Some("Bad file format reading the append only file appendonly.aof.2.incr.aof")
        );
        assert_eq!(why_it_stopped("9:M * Ready\n"), None);
    }
}
