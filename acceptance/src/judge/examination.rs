//! Examines the database of a booted image, with the server's own tools run in the guest.

use std::time::Duration;

use lab::host::{Machine, Output};

use super::{
    Balance, Examination, Findings, Judgement,
    findings::{BALANCE_QUERY, why_it_failed, why_it_stopped},
};
use crate::{
    Error, clock,
    ledger::{FOUND_QUERY, Found, Ledger},
    load::DATABASE,
    timeline::Span,
};

/// Debian's name of the cluster.
const UNIT: &str = "postgresql@15-main";
const LOG: &str = "/var/log/postgresql/postgresql-15-main.log";

/// Debian keeps it off the PATH.
const AMCHECK: &str = "/usr/lib/postgresql/15/bin/pg_amcheck";

/// Longer than [`READY`] tries.
const START_WITHIN: Duration = Duration::from_mins(3);
const CHECK_WITHIN: Duration = Duration::from_mins(2);

/// Ends with 0 when the server's service is up, with 1 when it gave up, with 2 when neither came to be. It comes by
/// standard input: Debian takes a stale postmaster.pid for a running server's where the process of that number has the
/// server's user in its command line, and an image of a live server has such a file.
const READY: &[u8] = b"
tries=600
until systemctl is-active --quiet \"$1\"; do
  systemctl is-failed --quiet \"$1\" && exit 1
  tries=$((tries - 1))
  [ \"$tries\" -gt 0 ] || exit 2
  sleep 0.1
done";

/// Waits for the database to start by itself and checks all of it, against what clients were told of a capture
/// that lay inside `cut`. `launched` is when the instance was asked for.
pub async fn examine(
    machine: &Machine,
    launched: Duration,
    ledger: &Ledger,
    cut: Span,
) -> Result<Judgement, Error> {
    let ready = ["sh", "-s", "--", UNIT];
    let ready = machine.exec(&ready, READY, START_WITHIN).await?;
    match ready.status.code() {
        Some(0) => {}
        Some(1 | 2) => return Ok(Judgement::DoesNotStart(reason(machine).await?)),
        _ => return Err(Error::Unexpected(complaint(&ready))),
    }
    let ready_after = clock::now().saturating_sub(launched);
    Ok(Judgement::Started(Examination {
        ready_after,
        balance: balance(machine).await?,
        commits: found(machine)
            .await?
            .map(|found| ledger.compare(&found, cut)),
        findings: findings(machine).await?,
    }))
}

/// Why the server gave up, in its own words or in those of its service.
async fn reason(machine: &Machine) -> Result<String, Error> {
    let log = machine.exec(&["cat", LOG], b"", CHECK_WITHIN).await?;
    let status = ["systemctl", "status", "--no-pager", "--full", "--lines=50"];
    let status = [&status[..], &[UNIT]].concat();
    let service = machine.exec(&status, b"", CHECK_WITHIN).await?;
    let reason = why_it_stopped(&log.stdout).or_else(|| why_it_failed(&service.stdout));
    Ok(reason.unwrap_or_else(|| format!("its service says: {}", service.stdout)))
}

/// The result of a check, or why it could not be made: a corrupt database refuses queries too.
type Checked<T> = Result<Result<T, String>, Error>;

async fn findings(machine: &Machine) -> Checked<Findings> {
    let amcheck = [
        AMCHECK,
        "--all",
        "--install-missing",
        "--heapallindexed",
        "--parent-check",
    ];
    let output = as_postgres(machine, &amcheck).await?;
    // pg_amcheck ends with 0 for nothing found, 2 for corruption, 1 for a check that could not be made.
    Ok(match output.status.code() {
        Some(0 | 2) => Ok(Findings::parse(&output.stdout)),
        _ => Err(complaint(&output)),
    })
}

async fn balance(machine: &Machine) -> Checked<Balance> {
    query(machine, BALANCE_QUERY, Balance::parse).await
}

async fn found(machine: &Machine) -> Checked<Found> {
    query(machine, FOUND_QUERY, Found::parse).await
}

async fn query<T>(machine: &Machine, sql: &str, parse: fn(&str) -> Option<T>) -> Checked<T> {
    let psql = ["psql", "-XqAt", "-d", DATABASE, "-c", sql];
    let output = as_postgres(machine, &psql).await?;
    let parsed = parse(&output.stdout).filter(|_| output.success());
    Ok(parsed.ok_or_else(|| complaint(&output)))
}

async fn as_postgres(machine: &Machine, argv: &[&str]) -> Result<Output, Error> {
    let argv = [&["runuser", "-u", "postgres", "--"], argv].concat();
    let output = machine.exec(&argv, b"", CHECK_WITHIN).await?;
    // runuser's own codes for a program that it cannot run: nothing was checked.
    if matches!(output.status.code(), Some(126 | 127)) {
        return Err(Error::Unexpected(complaint(&output)));
    }
    Ok(output)
}

/// The first thing that a tool complained about.
fn complaint(output: &Output) -> String {
    let lines = output.stderr.lines().chain(output.stdout.lines());
    let mut said = lines.map(str::trim).filter(|line| !line.is_empty());
    said.next().unwrap_or("no reason given").to_owned()
}
