//! SIGKILL at every step: SSM's cancel and time-out kill the script's whole process group, and no trap runs. Whatever was held must be let
//! go by the switch, soon where the script died early, by its deadline at the latest.

use std::{collections::BTreeSet, process::Output, time::Duration};

use quiesce::method::Method;

use crate::{
    cluster::{Cluster, Layout},
    machine::Guest,
    session::Session,
};

/// How many steps of one script a sweep kills at, spread evenly over all that it runs. `GUEST_KILLS=9999` kills at every single one.
pub(crate) fn kills() -> usize {
    let asked = std::env::var("GUEST_KILLS").ok();
    asked.map_or(10, |kills| kills.parse().expect("GUEST_KILLS is a number"))
}

/// Runs a script under bash as the leader of its process group.
fn run(guest: &Guest, script: &str) -> Output {
    let file = guest.script_file(script);
    let child = guest.start_group(&["/bin/bash", "--posix", &file]);
    child.wait_with_output().expect("it ends")
}

/// The lines of all that `script` runs at which a sweep kills, in order of line number.
pub(crate) fn lines_to_kill_at(guest: &Guest, script: &str) -> Vec<u32> {
    let lines = lines(guest, script);
    spread(&lines).collect()
}

/// Runs `script` until it is killed at this line, if it comes there.
pub(crate) fn run_and_kill_at(guest: &Guest, script: &str, line: u32) -> Output {
    run(guest, &dying_at(script, line))
}

/// Every line that `script` runs, in order of line number.
fn lines(guest: &Guest, script: &str) -> Vec<u32> {
    guest.sh("rm -f /run/lines");
    run(guest, &tracing(script));
    let lines = guest.sh("cat /run/lines");
    let lines: BTreeSet<_> = lines
        .lines()
        .map(|l| l.parse().expect("a number"))
        .collect();
    lines.into_iter().collect()
}

/// Bash runs this before every command, in functions and subshells too: notes the line, and dies at the one asked for.
pub(crate) fn dying_at(script: &str, line: u32) -> String {
    format!("set -o functrace\ntrap '[ $LINENO != {line} ] || kill -KILL 0' DEBUG\n{script}")
}

/// Prints the number of every line that is run to /run/lines.
pub(crate) fn tracing(script: &str) -> String {
    format!("set -o functrace\ntrap 'echo $LINENO >>/run/lines' DEBUG\n{script}")
}

struct Victim {
    guest: Guest,
    data: String,
}

impl Victim {
    fn new() -> Self {
        let guest = Guest::new();
        let data = guest.volume("data", "ext4", 200, "0aaa");
        Self { guest, data }
    }

    fn cluster(&self) -> Cluster<'_> {
        Cluster::start(&self.guest, &Layout::on(&self.data))
    }

    fn session(&self, method: Method) -> Session<'_> {
        Session::new(&self.guest, method, &[&self.data]).lasting(Duration::from_secs(30))
    }

    fn run(&self, script: &str) -> Output {
        run(&self.guest, script)
    }

    fn lines(&self, script: &str) -> Vec<u32> {
        lines(&self.guest, script)
    }

    fn has_state(&self, session: &Session<'_>, file: &str) -> bool {
        let test = format!("[ -e {} ]", session.state(file));
        self.guest.try_sh(&test).status.success()
    }

    /// Nothing is held, and nobody is left who would let go, in a moment; a stopped server has to start first.
    fn assert_recovers(&self, cluster: &Cluster<'_>, method: Method, line: u32) {
        let tries = if method == Method::Stop { 100 } else { 20 };
        let settled = format!(
            "for _ in {{1..{tries}}}; do grep -qsa '[s]witch\\.sh' /proc/[0-9]*/cmdline || exit 0; sleep 0.1; done; \
             head /run/consistent/sessions/*/* >&2; exit 1"
        );
        let output = self.guest.try_sh(&settled);
        assert!(output.status.success(), "killed at line {line}: {output:?}");
        assert!(
            self.guest.writes_go_on(),
            "killed at line {line}: a volume is frozen"
        );
        assert_eq!(cluster.sql("SELECT 1"), "1", "killed at line {line}");
    }
}

pub(crate) fn spread(lines: &[u32]) -> impl Iterator<Item = u32> + '_ {
    let step = lines.len().div_ceil(kills()).max(1);
    lines.iter().copied().step_by(step)
}

/// Killed while it arms: nothing is held, and in a moment nobody stands guard; the next session finds the guest free.
fn arm_killed_at_every_step(method: Method) {
    let victim = Victim::new();
    let cluster = victim.cluster();
    let session = victim.session(method);
    let lines = victim.lines(&session.arm_text());
    session.release();
    assert!(lines.len() > 200, "only {} lines traced", lines.len());
    let (mut killed, mut complete) = (0, 0);
    for line in spread(&lines) {
        let session = victim.session(method);
        let output = victim.run(&dying_at(&session.arm_text(), line));
        killed += usize::from(!output.status.success());
        // Once it has its answer the guest is armed, printed or not: that ends by a release, or in time by itself.
        if victim.has_state(&session, "arm.answer") {
            complete += 1;
            session.release();
        }
        victim.assert_recovers(&cluster, method, line);
        let next = victim.session(method);
        next.armed();
        next.release();
        let report = session.release();
        assert_eq!(report["released"], true, "line {line}: {report:#}");
        victim.assert_recovers(&cluster, method, line);
    }
    eprintln!(
        "{method}: arm killed at {killed} of its {} lines, at {complete} of them when it was complete",
        lines.len()
    );
}

fn hold_killed_at_every_step(method: Method) {
    let victim = Victim::new();
    let cluster = victim.cluster();
    let session = victim.session(method);
    session.armed();
    let lines = victim.lines(&session.hold_text());
    session.release();
    assert!(lines.len() > 200, "only {} lines traced", lines.len());
    let (mut killed, mut complete) = (0, 0);
    for line in spread(&lines) {
        let session = victim.session(method);
        session.armed();
        let output = victim.run(&dying_at(&session.hold_text(), line));
        killed += usize::from(!output.status.success());
        // Until it has made itself known the guest is armed as before; once it has its answer the hold is complete, printed
        // or not. Both end by a release, or in time by themselves.
        let known = victim.has_state(&session, "hold.pid");
        if !known || victim.has_state(&session, "hold.answer") {
            complete += usize::from(known);
        } else {
            victim.assert_recovers(&cluster, method, line);
        }
        // The protocol sends a release whatever happened.
        let report = session.release();
        assert_eq!(report["released"], true, "line {line}: {report:#}");
        victim.assert_recovers(&cluster, method, line);
    }
    eprintln!(
        "{method}: hold killed at {killed} of its {} lines, at {complete} of them when it was complete",
        lines.len()
    );
}

fn release_killed_at_every_step(method: Method) {
    let victim = Victim::new();
    let cluster = victim.cluster();
    let session = victim.session(method);
    session.held();
    let lines = victim.lines(&session.release_text());
    assert!(lines.len() > 50, "only {} lines traced", lines.len());
    let mut killed = 0;
    for line in spread(&lines) {
        let session = victim.session(method);
        session.held();
        let output = victim.run(&dying_at(&session.release_text(), line));
        killed += usize::from(!output.status.success());
        let again = session.release();
        assert_eq!(again["released"], true, "line {line}: {again:#}");
        victim.assert_recovers(&cluster, method, line);
    }
    eprintln!(
        "{method}: release killed at {killed} of its {} lines",
        lines.len()
    );
}

#[test]
fn an_arm_killed_at_any_step_leaves_the_guest_free() {
    arm_killed_at_every_step(Method::Freeze);
}

#[test]
fn an_arm_for_a_stop_killed_at_any_step_leaves_the_guest_free() {
    arm_killed_at_every_step(Method::Stop);
}

#[test]
fn a_freeze_killed_at_any_step_is_let_go() {
    hold_killed_at_every_step(Method::Freeze);
}

#[test]
fn a_pause_killed_at_any_step_is_let_go() {
    hold_killed_at_every_step(Method::Pause);
}

#[test]
fn a_stop_killed_at_any_step_is_let_go() {
    hold_killed_at_every_step(Method::Stop);
}

#[test]
fn a_release_of_a_freeze_killed_at_any_step_is_finished() {
    release_killed_at_every_step(Method::Freeze);
}

#[test]
fn a_release_of_a_pause_killed_at_any_step_is_finished() {
    release_killed_at_every_step(Method::Pause);
}
