//! Real servers of Redis and Valkey inside a guest, clients who count, and what an image of them holds.

use std::{path::Path, process::Child, sync::Mutex};

use crate::machine::{Guest, run};

/// Where the programs of an engine are: Debian's own Redis; Valkey is fetched.
fn programs(engine: &str) -> String {
    static FETCHING: Mutex<()> = Mutex::new(());
    if engine == "redis" {
        return "/usr/bin".to_owned();
    }
    let _one_at_a_time = FETCHING.lock();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let bin = repository.join(".cache/valkey/usr/bin");
    if !bin.join("valkey-server").exists() {
        let fetch = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guest/fetch-valkey.sh");
        run("sh", &[fetch]);
    }
    let bin = bin.canonicalize().expect("fetched");
    bin.to_string_lossy().into_owned()
}

/// The server's program. Debian's is one with the checker for snapshots, which a package without a service brings: its name tells it what to be.
fn server(engine: &str) -> String {
    if engine != "redis" {
        return format!("{}/{engine}-server", programs(engine));
    }
    let link = concat!(env!("CARGO_TARGET_TMPDIR"), "/redis-server");
    run("ln", &["-sfn", "/usr/bin/redis-check-rdb", link]);
    link.to_owned()
}

/// A running server.
pub(crate) struct Store<'a> {
    guest: &'a Guest,
    engine: &'static str,
    pub(crate) directory: String,
    pub(crate) port: u16,
}

impl<'a> Store<'a> {
    /// A server in `directory`, with further words of its command line.
    pub(crate) fn start(
        guest: &'a Guest,
        engine: &'static str,
        directory: &str,
        port: u16,
        settings: &str,
    ) -> Self {
        let store = Self {
            guest,
            engine,
            directory: directory.to_owned(),
            port,
        };
        guest.sh(&format!("install -d -o nobody -g nogroup {directory}"));
        guest.sh(&store.command(settings));
        store.await_loaded();
        store
    }

    /// The shell command that starts it.
    pub(crate) fn command(&self, settings: &str) -> String {
        let Self {
            engine,
            directory,
            port,
            ..
        } = self;
        format!(
            "cd / && /usr/sbin/chroot --userspec=nobody:nogroup / {server} --port {port} --bind 127.0.0.1 --dir {directory} \
             --daemonize yes --logfile {directory}/log --unixsocket {socket} {settings} >/dev/null",
            server = server(engine),
            socket = self.socket(),
        )
    }

    pub(crate) fn socket(&self) -> String {
        format!("/run/postgresql/{}.sock", self.port)
    }

    fn await_loaded(&self) {
        self.guest.sh(&format!(
            "for _ in {{1..250}}; do {} 2>&1 | grep -q 'PONG\\|NOAUTH' && exit 0; sleep 0.02; done; cat {}/log; exit 1",
            self.client("PING"),
            self.directory
        ));
    }

    /// The shell command that asks.
    pub(crate) fn client(&self, words: &str) -> String {
        format!(
            "{}/{}-cli -s {} {words}",
            programs(self.engine),
            self.engine,
            self.socket()
        )
    }

    pub(crate) fn ask(&self, words: &str) -> String {
        self.guest.sh(&self.client(words)).trim().to_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        let info = self.ask("INFO server");
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("process_id:"));
        line.expect("a pid").trim().parse().expect("a number")
    }

    /// The same of a server that does not answer now.
    pub(crate) fn pid_by_name(&self) -> u32 {
        let pid = self.guest.sh(&format!(
            "for pid in /proc/[0-9]*; do [ \"$(cat $pid/comm)\" != {}-server ] || echo ${{pid#/proc/}}; done",
            self.engine
        ));
        pid.trim().parse().expect("one server")
    }

    /// What another server loads from a captured copy of this one's directory: its counter, judged by the server's own checkers.
    pub(crate) fn counter_in(&self, captured: &str, settings: &str) -> u64 {
        let bin = programs(self.engine);
        let engine = self.engine;
        self.guest.sh(&format!(
            "cd {captured} && for file in appendonlydir/*.manifest; do [ ! -e $file ] || {bin}/{engine}-check-aof $file; done &&
             for file in *.rdb; do [ ! -e $file ] || {bin}/{engine}-check-rdb $file; done"
        ));
        let restored = Self::start(self.guest, engine, captured, self.port + 1000, settings);
        let counted = restored.ask("GET counter").parse().unwrap_or(0);
        let _ = self.guest.try_sh(&restored.client("SHUTDOWN NOSAVE"));
        counted
    }
}

/// A client who counts, and notes every number that the server acknowledged.
pub(crate) struct Counting<'a> {
    guest: &'a Guest,
    client: Child,
}

const NOTES: &str = "/run/acknowledged";

impl<'a> Counting<'a> {
    pub(crate) fn on(guest: &'a Guest, store: &Store<'_>) -> Self {
        let counting = format!(
            "rm -f {NOTES}; yes INCR counter | {} >{NOTES} 2>/dev/null",
            store.client("")
        );
        let client = guest.start_group(&["bash", "-c", &counting]);
        guest.sh(&format!(
            "until [ -s {NOTES} ]; do sleep 0.01; done; sleep 0.3"
        ));
        Self { guest, client }
    }

    /// The last number so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        let last = self
            .guest
            .sh(&format!("grep '^[0-9][0-9]*$' {NOTES} | tail -n 1"));
        last.trim().parse().expect("a number")
    }
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        let group = format!("-{}", self.client.id());
        let _ = std::process::Command::new("kill")
            .args(["-KILL", "--", &group])
            .status();
        let _ = self.client.wait();
    }
}
