//! Somebody outside of the code under test who writes without pause, and so feels how long writes really stalled.

use std::process::{Child, Stdio};

use serde_json::Value;

use crate::{cluster::Cluster, machine::Guest};

/// Where the guest's observer notes the uptime of each write that succeeded.
const NOTES: &str = "/run/observed";

/// Its presence ends the observation.
const STOP: &str = "/run/observed.enough";

/// A writer in a loop.
pub(crate) struct Observer<'a> {
    guest: &'a Guest,
    writer: Child,
}

impl<'a> Observer<'a> {
    /// One that commits rows.
    pub(crate) fn of_commits(guest: &'a Guest, cluster: &Cluster<'_>) -> Self {
        cluster.sql("CREATE TABLE IF NOT EXISTS observed (i int)");
        Self::of(guest, &cluster.psql("INSERT INTO observed VALUES (1)"))
    }

    /// One that writes to a file in `directory`, and waits until it is on disk.
    pub(crate) fn of_writes(guest: &'a Guest, directory: &str) -> Self {
        Self::of(
            guest,
            &format!("dd if=/dev/zero of={directory}/observed count=1 conv=fsync"),
        )
    }

    /// One that does this, by a command of the shell's.
    pub(crate) fn of(guest: &'a Guest, write: &str) -> Self {
        let script = format!(
            "rm -f {NOTES} {STOP}; until [ -e {STOP} ]; do
                 {write} && read -r up _ </proc/uptime && echo $up >>{NOTES} || sleep 0.01
             done"
        );
        let mut writer = guest.command("bash");
        writer.args(["-c", &script]);
        writer.stdout(Stdio::null()).stderr(Stdio::null());
        let writer = writer.spawn().expect("nsenter runs");
        guest.sh(&format!(
            "until [ -s {NOTES} ]; do sleep 0.01; done; sleep 0.2"
        ));
        Self { guest, writer }
    }

    /// The longest gap between two writes is `claimed` ms, within 5 % and what one write takes by itself.
    pub(crate) fn assert_stalled_for(mut self, claimed: &Value) {
        self.guest.sh(&format!("sleep 0.5; touch {STOP}"));
        self.writer.wait().expect("it stops");
        let notes = self.guest.sh(&format!("cat {NOTES}"));
        let times: Vec<f64> = notes.lines().filter_map(|line| line.parse().ok()).collect();
        let mut gaps: Vec<_> = times
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) * 1000.0)
            .collect();
        gaps.sort_by(f64::total_cmp);
        let (felt, usual) = (gaps[gaps.len() - 1], gaps[gaps.len() / 2]);
        let claimed = claimed.as_f64().expect("a duration");
        assert!(
            (felt - claimed).abs() <= claimed * 0.05 + 3.0 * usual,
            "stalled for {felt} ms, claimed {claimed} ms, one write takes {usual} ms"
        );
    }
}
