//! The databases that the lab plays: how each is made, how it is put under load, and how what became of it is judged.
//! One folder each: scripts for the guest, and a constant that says what they are. Whoever plays iterates over
//! [`ENGINES`].

mod mariadb;
mod mysql;
mod postgresql;
mod redis;
mod valkey;

use std::fmt;

pub use mariadb::MARIADB;
pub use mysql::MYSQL;
pub use postgresql::{CONTAIN, POSTGRESQL};
pub use redis::REDIS;
pub use valkey::VALKEY;

use crate::host::{Layout, Release, RootFs, ServerSpec};

/// In the order of every table.
pub const ENGINES: &[&Engine] = &[&POSTGRESQL, &MYSQL, &MARIADB, &REDIS, &VALKEY];

/// Debian 12 with MariaDB and Redis: it takes a minute to make, so that they share it.
const MARIADB_AND_REDIS: RootFs = RootFs {
    release: Release::Bookworm,
    packages: &["mariadb-server", "redis-server"],
    finish: "rm -rf /var/lib/mysql/*; systemctl disable --quiet mariadb redis-server",
};

/// One database.
#[derive(Clone, Copy)]
pub struct Engine {
    /// As the provider's attribute is called.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// The layouts on which it is tried.
    pub layouts: &'static [Layout],
    pub server: ServerSpec,
    /// Its service.
    pub unit: &'static str,
    /// A command that prints which version it is.
    pub version: &'static [&'static str],
    pub clients: Clients,
    pub door: Door,
    pub judge: Judge,
}

/// What writes to it: programs of the guest.
#[derive(Clone, Copy)]
pub struct Clients {
    /// `load.sh CLIENTS [RATE]`: writes until it is ended, as fast as the server answers or so many transactions a second.
    pub load: &'static str,
    /// The load's operating system user.
    pub user: &'static str,
    /// A client that takes statements from its standard input. At the first that fails it ends, or prints something else
    /// than the answer.
    pub session: &'static [&'static str],
    /// Statements that make a place for the ledger's numbers, with none in it.
    pub open_ledger: &'static str,
    /// Statements that commit a number and then answer it, on a line of its own.
    pub commit: fn(u64) -> String,
}

/// How a client finds out whether it would be let in.
#[derive(Clone, Copy)]
pub struct Door {
    /// A unix socket in the guest.
    pub socket: &'static str,
    /// What the client says first.
    pub knock: &'static [u8],
    /// By what is answered; `None` where that is not all yet.
    pub lets_in: fn(&[u8]) -> Option<bool>,
}

/// What its owner would look at in an image of it.
#[derive(Clone, Copy)]
pub struct Judge {
    /// What the checks are called, for people.
    pub checks: &'static str,
    /// `judge.sh log`, once the server has given up: what it said. `judge.sh sums`: `name number` lines of what every
    /// transaction keeps equal. `judge.sh ledger`: `first-last` lines, the ledger's numbers. `judge.sh checks`, the last
    /// of them, may stop the server.
    pub script: &'static str,
    /// By its log, which also has what it said in earlier lives.
    pub why_it_stopped: fn(&str) -> Option<String>,
    /// What the checks complain about: a line for each thing.
    pub findings: fn(&str) -> Vec<String>,
}

impl Engine {
    pub fn named(name: &str) -> Option<&'static Self> {
        ENGINES.iter().find(|engine| engine.name == name).copied()
    }
}

impl PartialEq for Engine {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Engine {}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, process::Command};

    use super::*;

    #[test]
    fn every_engine_is_known_by_its_name() {
        for engine in ENGINES {
            assert_eq!(Engine::named(engine.name), Some(*engine));
        }
        assert_eq!(Engine::named("oracle"), None);
    }

    #[test]
    fn shellcheck_finds_nothing_in_what_runs_in_the_guest() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folders = ENGINES
            .iter()
            .map(|engine| root.join("src/engines").join(engine.name));
        let files = folders
            .chain([root.join("guest")])
            .flat_map(|folder| fs::read_dir(folder).unwrap())
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "sh"));
        let checked = Command::new("shellcheck").args(files).output();
        let output = checked.expect("shellcheck: run acceptance/install.sh test");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}
