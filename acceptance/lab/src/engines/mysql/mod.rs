//! MySQL 9 of Debian's next release, and in it a bank: transfers between two tables, logged in a third. MariaDB has the
//! same one.

use super::{Clients, Door, Engine, Judge};
use crate::host::{Layout, Places, Release, RootFs, ServerSpec};

/// PostgreSQL has a layout more: a tablespace of its own.
pub(super) const LAYOUTS: &[Layout] = &[
    Layout::TwoExt4,
    Layout::TwoXfs,
    Layout::SharedVar,
    Layout::AllOnRoot,
];

pub(super) const PLACES: Places = Places {
    data: "/var/lib/mysql",
    log: "/srv/log",
    tablespace: None,
};

pub(super) const OPEN_LEDGER: &str =
    "DROP TABLE IF EXISTS ledger; CREATE TABLE ledger (sequence BIGINT PRIMARY KEY) ENGINE=InnoDB;";

pub(super) const DOOR: Door = Door {
    socket: "/run/mysqld/mysqld.sock",
    // The server speaks first.
    knock: b"",
    lets_in,
};

/// A large server in small: its redo log comes round every few seconds, and its tables are several times its buffers.
/// A table that was not closed is not mended before somebody can see it.
pub const MYSQL: Engine = Engine {
    name: "mysql",
    title: "MySQL 9",
    layouts: LAYOUTS,
    server: ServerSpec {
        name: "mysql",
        root: RootFs {
            release: Release::Sid,
            packages: &["mysql-server"],
            finish: "rm -rf /var/lib/mysql/*; systemctl disable --quiet mysql",
        },
        places: PLACES,
        set_up: concat!(include_str!("setup.sh"), include_str!("server.sh")),
        size: 10,
        settings: "innodb_redo_log_capacity = 8M\n\
                   innodb_buffer_pool_size = 16M\n\
                   myisam_recover_options = OFF",
    },
    unit: "mysql",
    version: &["mysqld", "--version"],
    clients: Clients {
        load: concat!("client=mysql\n", include_str!("load.sh")),
        user: "root",
        session: &[
            "mysql",
            "--batch",
            "--skip-column-names",
            "--unbuffered",
            "bank",
        ],
        open_ledger: OPEN_LEDGER,
        commit,
    },
    door: DOOR,
    judge: Judge {
        checks: "CHECK TABLE, innochecksum",
        script: concat!("client=mysql unit=mysql\n", include_str!("judge.sh")),
        why_it_stopped,
        findings,
    },
};

/// The client ends at the first statement that fails: what is answered was committed.
pub(super) fn commit(sequence: u64) -> String {
    format!("INSERT INTO ledger VALUES ({sequence}); SELECT {sequence};\n")
}

/// A packet is three bytes of length, a number, and its payload: a greeting begins with the protocol's version, which is
/// 10, and an error with 255.
fn lets_in(answer: &[u8]) -> Option<bool> {
    answer.get(4).map(|kind| *kind == 10)
}

/// The first error of the last life that had one: a service that is started again and again may be in its next one.
pub(super) fn why_it_stopped(log: &str) -> Option<String> {
    let mut first_of_a_life = None;
    for line in log.lines() {
        if line.contains(" as process ") {
            first_of_a_life = first_of_a_life.map(|(line, _)| (line, true));
        } else if line.contains("[ERROR]") {
            match first_of_a_life {
                Some((_, false)) => {}
                _ => first_of_a_life = Some((line, false)),
            }
        }
    }
    let (line, _) = first_of_a_life?;
    Some(message(line).to_owned())
}

/// Without time, thread, severity and number.
fn message(line: &str) -> &str {
    let after = |text| line.split_once(text).map(|(_, message)| message);
    let message = after("InnoDB: ").or_else(|| after("[InnoDB] "));
    message
        .or_else(|| after("[Server] "))
        .or_else(|| after("[ERROR] "))
        .unwrap_or(line)
}

/// `CHECK TABLE` has four columns, and `status OK` for a table that is; everything else is said only of what is wrong.
pub(super) fn findings(output: &str) -> Vec<String> {
    let finding = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        match columns[..] {
            [_, "check", "status", "OK"] | [_, "check", "note", _] => None,
            [table, "check", kind, message] => Some(format!("{table}: {kind}: {message}")),
            _ => Some(line.to_owned()),
        }
    };
    output.lines().filter_map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_first_error_of_the_last_life_that_had_one() {
        let log = "\
2026-11-30T01:00:00.0Z 0 [System] [MY-010116] [Server] /usr/sbin/mysqld (mysqld 9.7.4-2) starting as process 10
2026-11-30T01:00:01.0Z 1 [ERROR] [MY-013183] [InnoDB] of an earlier life
2026-11-30T01:00:02.0Z 0 [System] [MY-010116] [Server] /usr/sbin/mysqld (mysqld 9.7.4-2) starting as process 20
2026-11-30T01:00:02.5Z 1 [Note] [MY-012356] [InnoDB] recovering
2026-11-30T01:00:03.0Z 1 [ERROR] [MY-012526] [InnoDB] Missing redo log
2026-11-30T01:00:03.1Z 1 [ERROR] [MY-010334] [Server] Failed to initialize DD Storage Engine
2026-11-30T01:00:04.0Z 0 [System] [MY-010116] [Server] /usr/sbin/mysqld (mysqld 9.7.4-2) starting as process 30";
        assert_eq!(why_it_stopped(log).as_deref(), Some("Missing redo log"));
        let of_mariadb = "2026-11-30  1:00:00 0 [ERROR] InnoDB: Missing FILE_CHECKPOINT at 7";
        assert_eq!(
            why_it_stopped(of_mariadb).as_deref(),
            Some("Missing FILE_CHECKPOINT at 7")
        );
        assert_eq!(why_it_stopped("starting as process 1\n"), None);
    }

    #[test]
    fn who_is_greeted_is_let_in() {
        assert_eq!(lets_in(b"\x49\0\0\0"), None, "cut short");
        assert_eq!(lets_in(b"\x49\0\0\0\x0a9.7.4"), Some(true));
        assert_eq!(lets_in(b"\x20\0\0\0\xff\x10\x04Too many"), Some(false));
    }

    #[test]
    fn everything_but_a_status_of_ok_is_a_finding() {
        let output = "bank.checking\tcheck\tstatus\tOK\n\
                      bank.ticks\tcheck\twarning\t1 client is using or hasn't closed the table properly\n\
                      bank.ticks\tcheck\tstatus\tOK\n\
                      ticks of client 3: 99 lines up to 100, counted 98\n";
        assert_eq!(
            findings(output),
            [
                "bank.ticks: warning: 1 client is using or hasn't closed the table properly",
                "ticks of client 3: 99 lines up to 100, counted 98"
            ]
        );
    }
}
