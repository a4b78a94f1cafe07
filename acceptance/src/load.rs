//! The clients of a production database: a load at full speed, and a writer whose every commit is noted outside.

use std::{
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lab::{engines::Engine, host::Machine};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout},
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::{Error, clock, ledger::Ledger};

/// The transient unit in which the load runs: a cgroup of its own, so that no method of holding writes pauses it.
const UNIT: &str = "load";

/// Where its script is in the guest, until a reboot.
const SCRIPT: &str = "/run/load.sh";

/// A command in the guest that should be quick.
const QUICKLY: Duration = Duration::from_secs(20);

/// The writer's pause between two commits: dense enough to see a stall begin, idle enough to leave the disk to
/// the load.
const PACE: Duration = Duration::from_millis(5);

/// After a lost connection: dense enough to see a server come back.
const RECONNECT: Duration = Duration::from_millis(20);

/// How hard the load writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intensity {
    /// As fast as the server answers.
    Full,
    /// 200 transactions a second: a busy server, which leaves the machine room for whatever is tried on it.
    Steady,
}

impl Intensity {
    /// Both cores busy, and room for whatever is measured.
    const CLIENTS: &'static str = "4";

    /// As the load's script takes them.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Full => &[Self::CLIENTS],
            Self::Steady => &[Self::CLIENTS, "200"],
        }
    }
}

/// Both clients, at work.
pub struct Load {
    machine: Machine,
    engine: &'static Engine,
    intensity: Intensity,
    ledger: Arc<Mutex<Ledger>>,
    writer: JoinHandle<()>,
}

impl Load {
    /// Starts the load and the writer. The ledger begins empty.
    pub async fn start(
        machine: &Machine,
        engine: &'static Engine,
        intensity: Intensity,
    ) -> Result<Self, Error> {
        let clients = engine.clients;
        run(machine, clients.session, clients.open_ledger.as_bytes()).await?;
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let writer = write_for_ever(machine.clone(), engine, ledger.clone());
        let load = Self {
            machine: machine.clone(),
            engine,
            intensity,
            ledger,
            writer: tokio::spawn(writer),
        };
        load.start_load().await?;
        load.writes_after(clock::now(), QUICKLY).await?;
        Ok(load)
    }

    /// Starts the load, again after a reboot; the writer reconnects by itself. It is restarted when it loses its
    /// connections, as a service would be.
    pub async fn start_load(&self) -> Result<(), Error> {
        let script = self.engine.clients.load.as_bytes();
        let write = format!("cat >{SCRIPT}");
        run(&self.machine, &["sh", "-c", &write], script).await?;
        let unit = format!("--unit={UNIT}");
        let user = format!("--uid={}", self.engine.clients.user);
        let mut start = vec![
            "systemd-run",
            "--quiet",
            "--collect",
            &unit,
            &user,
            "--property=Restart=always",
            "--property=RestartSec=100ms",
            "--property=StartLimitIntervalSec=0",
            "sh",
            SCRIPT,
        ];
        start.extend(self.intensity.arguments());
        run(&self.machine, &start, b"").await
    }

    /// What clients were told until now.
    pub fn ledger(&self) -> Ledger {
        lock(&self.ledger).clone()
    }

    /// Waits until a commit is acknowledged after `instant`, and says when.
    pub async fn writes_after(
        &self,
        instant: Duration,
        within: Duration,
    ) -> Result<Duration, Error> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(at) = lock(&self.ledger).first_acknowledged_after(instant) {
                return Ok(at);
            }
            if Instant::now() > deadline {
                return Err(Error::timed_out("a commit", within));
            }
            sleep(PACE).await;
        }
    }

    /// Stops both.
    pub async fn stop(self) -> Result<(), Error> {
        self.writer.abort();
        run(&self.machine, &["systemctl", "stop", UNIT], b"").await
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

async fn run(machine: &Machine, argv: &[&str], stdin: &[u8]) -> Result<(), Error> {
    let output = machine.exec(argv, stdin, QUICKLY).await?;
    if output.success() {
        return Ok(());
    }
    Err(Error::Unexpected(format!(
        "{argv:?} in {}: {}",
        machine.name(),
        output.stderr.trim()
    )))
}

/// One connection after the other: a server that is stopped, restarted or rebooted cuts them.
async fn write_for_ever(machine: Machine, engine: &'static Engine, ledger: Arc<Mutex<Ledger>>) {
    loop {
        if let Ok(mut session) = Session::open(&machine, engine) {
            session.write(engine.clients.commit, &ledger).await;
        }
        sleep(RECONNECT).await;
    }
}

/// A client in the guest, fed from outside.
struct Session {
    input: ChildStdin,
    answers: BufReader<ChildStdout>,
    _client: Child,
}

impl Session {
    fn open(machine: &Machine, engine: &Engine) -> Result<Self, Error> {
        let mut client = machine
            .command(engine.clients.session)?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::io("a client in the guest"))?;
        let pipes = client.stdin.take().zip(client.stdout.take());
        let (input, answers) =
            pipes.ok_or_else(|| Error::Unexpected("a client in the guest has no pipes".into()))?;
        Ok(Self {
            input,
            answers: BufReader::new(answers),
            _client: client,
        })
    }

    /// Commits until the connection ends.
    async fn write(&mut self, commit: fn(u64) -> String, ledger: &Mutex<Ledger>) {
        let mut answer = String::new();
        loop {
            let sequence = lock(ledger).send(clock::now());
            if self
                .input
                .write_all(commit(sequence).as_bytes())
                .await
                .is_err()
            {
                return;
            }
            answer.clear();
            match self.answers.read_line(&mut answer).await {
                Ok(1..) if answer.trim().parse() == Ok(sequence) => {
                    lock(ledger).acknowledge(sequence, clock::now());
                }
                _ => return,
            }
            sleep(PACE).await;
        }
    }
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
