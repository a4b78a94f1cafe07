//! Renders RESULTS.md from the recorded rounds; it says nothing that is not in them.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    Hold, Line, Machine, Round, Row,
    row::{rows, title},
};
use crate::{judge::Flaw, statistics::Sample};

const HEAD: &str = "\
# Results

Written by `make bench` from the rounds in [data/rounds.jsonl](data/rounds.jsonl), whose revisions stand below.

Each round takes one image of a database server under full load in the lab, boots it, and lets the database
recover by itself. *Clean* means: it starts, its own checks find nothing, the sums that every transaction keeps agree,
every commit that was acknowledged before writes were held is there, and none that
was sent after they were let go. *plain* is `CreateImage` with `NoReboot`, as `aws_ami_from_instance` with
`snapshot_without_reboot` does it. The snapshots of one image start up to 1.5 s apart, but those of *freeze-snapshots*, which
captures with `CreateSnapshots`, at one instant. Each server is a
large busy one in small: it checkpoints every few seconds, and its database is several times its buffers.

PostgreSQL is under pgbench and is checked by `pg_amcheck --heapallindexed --parent-check` (pgbench scale
4, `max_wal_size = 20MB`, `shared_buffers = 16MB`). MySQL and MariaDB keep a bank: transfers between two InnoDB tables, logged in
a third, and a count of ticks beside it in MyISAM and Aria tables, outside of transactions; `CHECK TABLE ... EXTENDED` on
all tables, InnoDB's own error log and `innochecksum` on all files are their checks (8 MiB of redo log, buffers of 16 MiB, tables
of twice 100,000 customers). Redis and Valkey count, in counters and lists that belong together, with an append-only file
that is synced every second; `check-aof` and `check-rdb` are their checks.

*Hold* is how long writes were held: as the lab's witness saw it in the kernel, and as `evidence.hold_ms` claims it. Under
`stop` clients are disconnected: there it is the time in which the server took no connections, as seen at its socket. *Worst
round* is the largest deviation of the claim from what was seen in a single round. *Stall* is the longest that a writing client waited for
one commit meanwhile. The image of the round before boots and is checked on the same cores while writes are held.
";

const COLUMNS: &str = "\
| database | layout | method | clean | hold ms: median | p95 | max | claimed: median | p95 | max | worst round | stall ms: median | max | snapshots apart, ms: median | max |
|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
";

/// The whole document.
pub fn render(lines: &[Line]) -> String {
    let rounds: Vec<&Round> = lines
        .iter()
        .filter_map(|line| match line {
            Line::Round(round) => Some(round),
            Line::Machine(_) => None,
        })
        .collect();
    let mut out = format!("{HEAD}\n{COLUMNS}");
    for row in rows("") {
        table_line(&mut out, row, &of_row(&rounds, row));
    }
    flaws(&mut out, &rounds);
    machines(&mut out, lines);
    out
}

fn of_row<'a>(rounds: &[&'a Round], row: Row) -> Vec<&'a Round> {
    let of_row = rounds.iter().filter(|round| round.row == row);
    of_row.copied().collect()
}

fn table_line(out: &mut String, row: Row, rounds: &[&Round]) {
    if rounds.is_empty() {
        return;
    }
    let clean = rounds.iter().filter(|r| r.flaws.is_empty()).count();
    let holds: Vec<Hold> = rounds.iter().filter_map(|round| round.hold).collect();
    let seen = Sample::new(holds.iter().map(|hold| hold.seen_ms));
    let claimed = Sample::new(holds.iter().map(|hold| hold.claimed_ms));
    let deviation = Sample::new(holds.iter().map(|hold| hold.deviation_percent()));
    let stall = Sample::new(rounds.iter().map(|round| round.stall_ms));
    let spread = Sample::new(rounds.iter().map(|round| round.spread_ms));
    let mut cells = vec![
        row.engine.title.to_owned(),
        title(row.layout).to_owned(),
        row.method.to_string(),
        format!("{clean} of {}", rounds.len()),
    ];
    for hold in [&seen, &claimed] {
        let hold = hold.as_ref();
        cells.extend([
            whole(hold.map(Sample::median)),
            whole(hold.map(|sample| sample.percentile(95))),
            whole(hold.map(Sample::max)),
        ]);
    }
    cells.extend([
        deviation.map_or_else(|| "-".into(), |sample| format!("{:.1} %", sample.max())),
        whole(stall.as_ref().map(Sample::median)),
        whole(stall.as_ref().map(Sample::max)),
        whole(spread.as_ref().map(Sample::median)),
        whole(spread.as_ref().map(Sample::max)),
    ]);
    push(out, format_args!("| {} |\n", cells.join(" | ")));
}

fn whole(milliseconds: Option<f64>) -> String {
    milliseconds.map_or_else(|| "-".into(), |value| format!("{value:.0}"))
}

/// How images failed, counted by kind, with the first of each kind in full.
fn flaws(out: &mut String, rounds: &[&Round]) {
    out.push_str("\n## How images failed\n\n");
    let mut kinds: BTreeMap<(String, String), (usize, &Flaw)> = BTreeMap::new();
    for round in rounds {
        for flaw in &round.flaws {
            let key = (round.row.to_string(), flaw.kind());
            kinds.entry(key).or_insert((0, flaw)).0 += 1;
        }
    }
    if kinds.is_empty() {
        out.push_str("None did.\n");
        return;
    }
    out.push_str("| row | how | rounds | the first of them |\n|---|---|---:|---|\n");
    for ((row, kind), (count, first)) in kinds {
        let first = first.to_string().replace('|', "\\|").replace('\n', " ");
        push(
            out,
            format_args!("| {row} | {kind} | {count} | {first} |\n"),
        );
    }
}

fn machines(out: &mut String, lines: &[Line]) {
    out.push_str("\n## Where\n\n");
    let mut seen: Vec<&Machine> = Vec::new();
    for line in lines {
        if let Line::Machine(machine) = line
            && !seen.contains(&machine)
        {
            seen.push(machine);
        }
    }
    for machine in seen {
        push(
            out,
            format_args!(
                "- {}, {} cores, {} GiB; Linux {}; {}; {}; revision {}\n",
                machine.processor,
                machine.cores,
                machine.memory_gib,
                machine.kernel,
                machine.terraform,
                machine.database,
                machine.revision,
            ),
        );
    }
}

fn push(out: &mut String, piece: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = out.write_fmt(piece);
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Method,
            record::tests::{machine, round},
        },
        *,
    };

    fn proven(seen_ms: f64, claimed_ms: f64) -> Line {
        let hold = Hold {
            seen_ms,
            claimed_ms,
        };
        Line::Round(round(Method::Freeze, vec![], Some(hold)))
    }

    #[test]
    fn counts_clean_images_and_summarises_holds() {
        let lines = [
            Line::Machine(machine()),
            proven(900.0, 890.0),
            proven(1000.0, 980.0),
            proven(1100.0, 1100.0),
        ];
        let text = render(&lines);
        assert!(
            text.contains(
                "| PostgreSQL 15 | data and logs on two volumes, ext4 | freeze | 3 of 3 | 1000 | 1100 | 1100 | 980 | 1100 | 1100 | 2.0 % | 950 | 950 | 800 | 800 |"
            ),
            "{text}"
        );
        assert!(text.contains("None did."));
        assert!(text.contains("revision abc1234"));
    }

    #[test]
    fn failures_are_counted_by_kind_as_they_fell() {
        let down = || Flaw::DoesNotStart("could not locate a valid checkpoint record".into());
        let lines = [
            Line::Round(round(Method::Plain, vec![down()], None)),
            Line::Round(round(Method::Plain, vec![], None)),
            Line::Round(round(Method::Plain, vec![down()], None)),
            Line::Round(round(Method::Plain, vec![Flaw::LostCommits(12)], None)),
        ];
        let text = render(&lines);
        assert!(
            text.contains("| plain | 1 of 4 | - | - | - | - | - | - | - | 950 |"),
            "{text}"
        );
        assert!(text.contains(
            "| two-ext4/plain | does not start: could not locate a valid checkpoint record | 2 |"
        ));
        assert!(text.contains("| acknowledged commits lost | 1 | 12 acknowledged commits lost |"));
    }

    #[test]
    fn a_machine_is_named_once() {
        let lines = [Line::Machine(machine()), Line::Machine(machine())];
        assert_eq!(render(&lines).matches("some CPU").count(), 1);
    }
}
