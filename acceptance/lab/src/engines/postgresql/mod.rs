//! PostgreSQL 15 of Debian 12 under pgbench.

use super::{Clients, Door, Engine, Judge};
use crate::host::{Layout, Places, Release, RootFs, ServerSpec};

/// A large server in small: its WAL fills `max_wal_size` every few seconds, so that it checkpoints all the time, and its
/// database is several times its buffers, so that pages go to disk all the time.
pub const POSTGRESQL: Engine = Engine {
    name: "postgresql",
    title: "PostgreSQL 15",
    layouts: &Layout::ALL,
    server: ServerSpec {
        name: "postgresql",
        root: RootFs {
            release: Release::Bookworm,
            packages: &["postgresql-15"],
            finish: "pg_dropcluster 15 main",
        },
        places: Places {
            data: "/var/lib/postgresql",
            log: "/srv/wal",
            tablespace: Some("/srv/index"),
        },
        set_up: include_str!("server.sh"),
        size: 4,
        settings: "checkpoint_timeout = 30s\nmax_wal_size = 20MB\nshared_buffers = 16MB",
    },
    unit: "postgresql@15-main",
    version: &["psql", "--version"],
    clients: Clients {
        load: include_str!("load.sh"),
        user: "postgres",
        // Not by runuser, which asks systemd for the user's groups: one that does so while the guest goes down blocks every
        // signal but SIGKILL, for which a shutdown waits for 90 s.
        session: &[
            "setpriv",
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
            "--",
            "psql",
            "-XqAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            "pgbench",
        ],
        open_ledger: "DROP TABLE IF EXISTS ledger; CREATE TABLE ledger (sequence bigint PRIMARY KEY);",
        commit,
    },
    door: Door {
        socket: "/run/postgresql/.s.PGSQL.5432",
        knock: STARTUP,
        lets_in,
    },
    judge: Judge {
        checks: "pg_amcheck",
        script: include_str!("judge.sh"),
        why_it_stopped,
        findings,
    },
};

/// Moves a guest's server into a container (`in`), or back onto the guest (`out`). It writes to the same volumes, is reached by the same socket, and comes up
/// where it is when the guest boots.
pub const CONTAIN: &str = concat!(
    "cat >/usr/local/lib/container.sh <<'CONTAINER'\n",
    include_str!("../../../guest/container.sh"),
    "CONTAINER\n",
    include_str!("contain.sh")
);

/// The server reports `RETURNING` rows as complete after the commit only, and psql prints a result when it is complete.
fn commit(sequence: u64) -> String {
    format!("INSERT INTO ledger VALUES ({sequence}) RETURNING sequence;\n")
}

/// A connection's first message: its length, protocol 3.0, a user who is not there, the database.
const STARTUP: &[u8] = b"\0\0\0\x29\0\x03\0\0user\0doorbell\0database\0postgres\0\0";

/// What a server says while it starts, recovers or shuts down (PostgreSQL's errcodes, `cannot_connect_now`).
const NOT_NOW: &[u8] = b"C57P03\0";

/// Whoever is asked for credentials, or refused for want of them, would have been let in with them. A message is its
/// kind, its length (its own four bytes included), and so many bytes.
fn lets_in(answer: &[u8]) -> Option<bool> {
    let (kind, length) = (answer.first()?, answer.get(1..5)?);
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let body = answer.get(5..1 + usize::try_from(length).ok()?)?;
    let not_now = body.windows(NOT_NOW.len()).any(|part| part == NOT_NOW);
    Some(*kind == b'R' || (*kind == b'E' && !not_now))
}

fn why_it_stopped(log: &str) -> Option<String> {
    let since_start = &log[log.rfind("starting PostgreSQL")?..];
    ["PANIC:", "FATAL:"].into_iter().find_map(|severity| {
        let line = since_start.lines().find(|line| line.contains(severity))?;
        let (_, message) = line.split_once(severity)?;
        Some(message.trim().to_owned())
    })
}

/// Each finding is a line that names the relation, and indented lines that say what is wrong with it.
fn findings(output: &str) -> Vec<String> {
    let mut lines = output.lines().peekable();
    let mut findings = Vec::new();
    while let Some(line) = lines.next() {
        if names_a_relation(line) {
            let detail = lines.peek().map_or("", |next| next.trim());
            findings.push(format!("{line} {detail}").trim().to_owned());
        }
    }
    findings
}

fn names_a_relation(line: &str) -> bool {
    line.starts_with("heap table \"") || line.starts_with("btree index \"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_that_of_the_last_start() {
        let log = "\
2026-11-22 16:00:00 UTC [1] FATAL:  terminating connection
2026-11-22 16:01:00 UTC [9] LOG:  starting PostgreSQL 15.18 (Debian 15.18-0+deb12u1)
2026-11-22 16:01:01 UTC [10] LOG:  invalid primary checkpoint record
2026-11-22 16:01:01 UTC [10] FATAL:  the database system is starting up
2026-11-22 16:01:01 UTC [10] PANIC:  could not locate a valid checkpoint record
2026-11-22 16:01:02 UTC [9] LOG:  startup process (PID 10) was terminated by signal 6: Aborted";
        assert_eq!(
            why_it_stopped(log).as_deref(),
            Some("could not locate a valid checkpoint record")
        );
        assert_eq!(why_it_stopped("starting PostgreSQL\n"), None);
        assert_eq!(why_it_stopped("FATAL:  of an earlier life\n"), None);
    }

    #[test]
    fn the_first_message_tells_its_length() {
        let length = u32::try_from(STARTUP.len()).unwrap();
        assert_eq!(STARTUP[..4], length.to_be_bytes());
    }

    #[test]
    fn who_is_asked_for_credentials_is_let_in() {
        assert_eq!(lets_in(b"R\0\0\0\x08\0\0\0\x05"), Some(true));
        assert_eq!(lets_in(b"E\0\0\0\x12SFATAL\0C28000"), None, "cut short");
        assert_eq!(lets_in(b"E\0\0\0\x13SFATAL\0C28000\0\0"), Some(true));
        assert_eq!(lets_in(b"E\0\0\0\x13SFATAL\0C57P03\0\0"), Some(false));
    }

    #[test]
    fn a_finding_is_a_relation_and_what_is_wrong_with_it() {
        let output = "\
heap table \"bench.public.pgbench_accounts\", block 3, offset 7:
    xmin 900 equals or exceeds next valid transaction ID 0:880
btree index \"bench.public.pgbench_accounts_pkey\":
    ERROR:  heap tuple (3,7) lacks matching index tuple
    HINT:  Retrying verification using the function may help
";
        let expected = [
            "heap table \"bench.public.pgbench_accounts\", block 3, offset 7: \
             xmin 900 equals or exceeds next valid transaction ID 0:880",
            "btree index \"bench.public.pgbench_accounts_pkey\": \
             ERROR:  heap tuple (3,7) lacks matching index tuple",
        ];
        assert_eq!(findings(output), expected);
        assert_eq!(findings(""), Vec::<String>::new());
    }
}
