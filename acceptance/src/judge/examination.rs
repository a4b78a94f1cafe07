//! Examines the database of a booted image, with the server's own tools run in the guest.

use std::time::Duration;

use lab::{
    engines::Engine,
    host::{Machine, Output},
};

use super::{Examination, Findings, Judgement, Sums, findings::why_it_failed};
use crate::{
    Error, clock,
    ledger::{Found, Ledger},
    timeline::Span,
};

/// Longer than [`READY`] tries.
const START_WITHIN: Duration = Duration::from_mins(3);
const CHECK_WITHIN: Duration = Duration::from_mins(2);

/// Ends with 0 when the server's service is up, with 1 when it gave up (or is started for the third time), with 2 when
/// neither came to be. It comes by standard input: Debian takes a stale postmaster.pid for a running server's where the
/// process of that number has the server's user in its command line, and an image of a live server has such a file.
const READY: &[u8] = b"
tries=600
until systemctl is-active --quiet \"$1\"; do
  systemctl is-failed --quiet \"$1\" && exit 1
  [ \"$(systemctl show --property=NRestarts --value \"$1\")\" -lt 3 ] || exit 1
  tries=$((tries - 1))
  [ \"$tries\" -gt 0 ] || exit 2
  sleep 0.1
done";

/// Waits for the database to start by itself and checks all of it, against what clients were told of a capture
/// that lay inside `cut`. `launched` is when the instance was asked for.
pub async fn examine(
    machine: &Machine,
    engine: &Engine,
    launched: Duration,
    ledger: &Ledger,
    cut: Span,
) -> Result<Judgement, Error> {
    let ready = ["sh", "-s", "--", engine.unit];
    let ready = machine.exec(&ready, READY, START_WITHIN).await?;
    let bench = Bench { machine, engine };
    match ready.status.code() {
        Some(0) => {}
        Some(1 | 2) => return Ok(Judgement::DoesNotStart(bench.reason().await?)),
        _ => return Err(Error::Unexpected(complaint(&ready))),
    }
    let ready_after = clock::now().saturating_sub(launched);
    let sums = bench.ask("sums", Sums::parse).await?;
    let found = bench.ask("ledger", Found::parse).await?;
    let findings = |output: &str| Some(Findings::new((engine.judge.findings)(output)));
    Ok(Judgement::Started(Examination {
        ready_after,
        sums,
        commits: found.map(|found| ledger.compare(&found, cut)),
        // The last one: it may stop the server.
        findings: bench.ask("checks", findings).await?,
    }))
}

/// The result of a check, or why it could not be made: a corrupt database refuses queries too.
type Checked<T> = Result<Result<T, String>, Error>;

/// An instance, and whoever knows its database.
struct Bench<'a> {
    machine: &'a Machine,
    engine: &'a Engine,
}

impl Bench<'_> {
    /// Why the server gave up, in its own words or in those of its service.
    async fn reason(&self) -> Result<String, Error> {
        let log = self.run("log").await?;
        let status = ["systemctl", "status", "--no-pager", "--full", "--lines=50"];
        let status = [&status[..], &[self.engine.unit]].concat();
        let service = self.machine.exec(&status, b"", CHECK_WITHIN).await?.stdout;
        let reason = (self.engine.judge.why_it_stopped)(&log.stdout);
        let reason = reason.or_else(|| why_it_failed(&service));
        Ok(reason.unwrap_or_else(|| format!("its service says: {service}")))
    }

    async fn ask<T>(&self, question: &str, parse: impl Fn(&str) -> Option<T>) -> Checked<T> {
        let output = self.run(question).await?;
        let parsed = parse(&output.stdout).filter(|_| output.success());
        Ok(parsed.ok_or_else(|| complaint(&output)))
    }

    async fn run(&self, question: &str) -> Result<Output, Error> {
        let script = self.engine.judge.script.as_bytes();
        let judge = ["sh", "-s", "--", question];
        let output = self.machine.exec(&judge, script, CHECK_WITHIN).await?;
        // A shell's own codes for a program that it cannot run: nothing was checked.
        if matches!(output.status.code(), Some(126 | 127)) {
            return Err(Error::Unexpected(complaint(&output)));
        }
        Ok(output)
    }
}

/// The first thing that a tool complained about.
fn complaint(output: &Output) -> String {
    let lines = output.stderr.lines().chain(output.stdout.lines());
    let mut said = lines.map(str::trim).filter(|line| !line.is_empty());
    said.next().unwrap_or("no reason given").to_owned()
}
