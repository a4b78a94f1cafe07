//! Reads what the database server's own tools say of a booted image.

use serde::{Deserialize, Serialize};

/// What a server that gave up said last, by its log, which also has what it said before the image was taken.
pub(super) fn why_it_stopped(log: &str) -> Option<String> {
    let since_start = &log[log.rfind("starting PostgreSQL")?..];
    ["PANIC:", "FATAL:"].into_iter().find_map(|severity| {
        let line = since_start.lines().find(|line| line.contains(severity))?;
        let (_, message) = line.split_once(severity)?;
        Some(message.trim().to_owned())
    })
}

/// What the service that should have started it complained about.
pub(super) fn why_it_failed(service: &str) -> Option<String> {
    let mut lines = service.lines().map(str::trim);
    let complaint = lines.find_map(|line| line.find("Error: ").map(|start| &line[start..]));
    complaint.map(str::to_owned)
}

/// What `pg_amcheck` found in all tables and indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    pub count: usize,
    pub first: Option<String>,
}

impl Findings {
    /// Each finding is a line that names the relation, and indented lines that say what is wrong with it.
    pub(super) fn parse(output: &str) -> Self {
        let mut lines = output.lines().peekable();
        let mut findings = Self::default();
        while let Some(line) = lines.next() {
            if !names_a_relation(line) {
                continue;
            }
            findings.count += 1;
            let detail = lines.peek().map_or("", |next| next.trim());
            findings
                .first
                .get_or_insert_with(|| format!("{line} {detail}").trim().to_owned());
        }
        findings
    }
}

fn names_a_relation(line: &str) -> bool {
    line.starts_with("heap table \"") || line.starts_with("btree index \"")
}

/// The four sums that every pgbench transaction keeps equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    pub accounts: i64,
    pub branches: i64,
    pub tellers: i64,
    pub history: i64,
}

/// Answers the one line that [`Balance::parse`] reads.
pub(super) const BALANCE_QUERY: &str = "SELECT \
(SELECT coalesce(sum(abalance), 0) FROM pgbench_accounts), \
(SELECT coalesce(sum(bbalance), 0) FROM pgbench_branches), \
(SELECT coalesce(sum(tbalance), 0) FROM pgbench_tellers), \
(SELECT coalesce(sum(delta), 0) FROM pgbench_history)";

impl Balance {
    /// Reads psql's unaligned output.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let sums: Vec<i64> = line
            .trim()
            .split('|')
            .map(|sum| sum.parse().ok())
            .collect::<Option<_>>()?;
        let [accounts, branches, tellers, history] = sums[..] else {
            return None;
        };
        Some(Self {
            accounts,
            branches,
            tellers,
            history,
        })
    }

    pub fn holds(&self) -> bool {
        [self.branches, self.tellers, self.history] == [self.accounts; 3]
    }
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
    fn a_server_that_never_came_to_log_is_explained_by_its_service() {
        let service = "\
Nov 22 16:00:01 host systemd[1]: Starting postgresql@15-main.service - PostgreSQL Cluster 15-main...
Nov 22 16:00:02 host postgresql@15-main[99]: Error: /var/lib/postgresql/15/main is not accessible or does not exist
postgresql@15-main.service: Failed with result 'protocol'.";
        assert_eq!(
            why_it_failed(service).as_deref(),
            Some("Error: /var/lib/postgresql/15/main is not accessible or does not exist")
        );
        assert_eq!(why_it_failed("Starting...\n"), None);
    }

    #[test]
    fn findings_are_counted_and_the_first_is_kept() {
        let output = "\
heap table \"bench.public.pgbench_accounts\", block 3, offset 7:
    xmin 900 equals or exceeds next valid transaction ID 0:880
btree index \"bench.public.pgbench_accounts_pkey\":
    ERROR:  heap tuple (3,7) lacks matching index tuple
    HINT:  Retrying verification using the function may help
";
        let findings = Findings::parse(output);
        assert_eq!(findings.count, 2);
        assert_eq!(
            findings.first.as_deref(),
            Some(
                "heap table \"bench.public.pgbench_accounts\", block 3, offset 7: \
                 xmin 900 equals or exceeds next valid transaction ID 0:880"
            )
        );
        assert_eq!(Findings::parse(""), Findings::default());
    }

    #[test]
    fn sums_agree_or_not() {
        assert!(Balance::parse("-5|-5|-5|-5\n").expect("four sums").holds());
        assert!(!Balance::parse("7|7|7|6").expect("four sums").holds());
        assert_eq!(Balance::parse("7|7|7"), None);
        assert_eq!(Balance::parse("ERROR"), None);
    }
}
