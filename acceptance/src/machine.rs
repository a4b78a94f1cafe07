//! Describes the machine that a benchmark runs on, so that its figures can be placed.

use std::{fs, path::Path, process::Command, thread, time::Duration};

use lab::{engines::Engine, host};

use crate::{Error, bench::Machine, binaries};

/// The machine, the programs under test and this repository's revision.
pub async fn describe(guest: &host::Machine, engine: &Engine) -> Result<Machine, Error> {
    let within = Duration::from_secs(10);
    let database = guest.exec(engine.version, b"", within).await?;
    let terraform = binaries::terraform()?;
    Ok(Machine {
        processor: field("/proc/cpuinfo", "model name").unwrap_or_default(),
        cores: thread::available_parallelism().map_or(1, usize::from),
        memory_gib: memory_gib(),
        kernel: read("/proc/sys/kernel/osrelease"),
        terraform: first_line(&terraform, &["version"]),
        database: database.stdout.trim().to_owned(),
        revision: revision(),
    })
}

fn revision() -> String {
    let git = |arguments: &[&str]| first_line(Path::new("git"), arguments);
    let revision = git(&["rev-parse", "--short", "HEAD"]);
    // What the benchmark writes itself does not make the tree dirty.
    let changed = git(&[
        "status",
        "--porcelain",
        "--",
        ":/",
        ":(top,exclude)acceptance/bench",
    ]);
    if revision.is_empty() || changed.is_empty() {
        revision
    } else {
        format!("{revision}-dirty")
    }
}

/// The first line of what a program prints; empty where it cannot be run.
fn first_line(program: &Path, arguments: &[&str]) -> String {
    let directory = env!("CARGO_MANIFEST_DIR");
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .env("CHECKPOINT_DISABLE", "1")
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn memory_gib() -> u64 {
    let total = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kib = total.split(' ').next().and_then(|kib| kib.parse().ok());
    kib.unwrap_or(0_u64).div_ceil(1024 * 1024)
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = read(file);
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn read(file: &str) -> String {
    fs::read_to_string(file)
        .unwrap_or_default()
        .trim()
        .to_owned()
}
