//! The clients of a production database: pgbench at full speed, and a writer whose every commit is noted outside.

use std::{
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lab::host::Machine;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout},
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::{Error, clock, ledger::Ledger};

/// Where pgbench's tables and the writer's are.
pub const DATABASE: &str = "pgbench";

/// The transient unit in which pgbench runs: a cgroup of its own, so that no method of holding writes pauses it.
const UNIT: &str = "pgbench-load";

/// A command in the guest that should be quick.
const QUICKLY: Duration = Duration::from_secs(20);

/// The writer's pause between two commits: dense enough to see a stall begin, idle enough to leave the disk to
/// pgbench.
const PACE: Duration = Duration::from_millis(5);

/// After a lost connection: dense enough to see a server come back.
const RECONNECT: Duration = Duration::from_millis(20);

/// How hard pgbench writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intensity {
    /// As fast as the server answers.
    Full,
    /// 200 transactions a second: a busy server, which leaves the machine room for whatever is tried on it.
    Steady,
}

impl Intensity {
    /// Both cores busy, and room for whatever is measured.
    const CLIENTS: &'static str = "--client=4";

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Full => &[Self::CLIENTS],
            Self::Steady => &[Self::CLIENTS, "--rate=200"],
        }
    }
}

/// Both clients, at work.
pub struct Load {
    machine: Machine,
    intensity: Intensity,
    ledger: Arc<Mutex<Ledger>>,
    writer: JoinHandle<()>,
}

impl Load {
    /// Starts pgbench and the writer. The writer's table begins empty.
    pub async fn start(machine: &Machine, intensity: Intensity) -> Result<Self, Error> {
        sql(
            machine,
            "DROP TABLE IF EXISTS ledger; CREATE TABLE ledger (sequence bigint PRIMARY KEY)",
        )
        .await?;
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let writer = tokio::spawn(write_for_ever(machine.clone(), ledger.clone()));
        let load = Self {
            machine: machine.clone(),
            intensity,
            ledger,
            writer,
        };
        load.start_pgbench().await?;
        load.writes_after(clock::now(), QUICKLY).await?;
        Ok(load)
    }

    /// Starts pgbench, again after a reboot; the writer reconnects by itself. It is restarted when it loses its
    /// connections, as a service would be.
    pub async fn start_pgbench(&self) -> Result<(), Error> {
        let unit = format!("--unit={UNIT}");
        let mut start = vec![
            "systemd-run",
            "--quiet",
            "--collect",
            &unit,
            "--uid=postgres",
            "--property=Restart=always",
            "--property=RestartSec=100ms",
            "--property=StartLimitIntervalSec=0",
            "pgbench",
            "--no-vacuum",
            "--time=86400",
        ];
        start.extend(self.intensity.arguments());
        start.push(DATABASE);
        run(&self.machine, &start).await
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
        run(&self.machine, &["systemctl", "stop", UNIT]).await
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

async fn sql(machine: &Machine, statements: &str) -> Result<(), Error> {
    let psql = [
        "runuser", "-u", "postgres", "--", "psql", "-XqAt", "-d", DATABASE, "-c", statements,
    ];
    run(machine, &psql).await
}

async fn run(machine: &Machine, argv: &[&str]) -> Result<(), Error> {
    let output = machine.exec(argv, b"", QUICKLY).await?;
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
async fn write_for_ever(machine: Machine, ledger: Arc<Mutex<Ledger>>) {
    loop {
        if let Ok(mut session) = Session::open(&machine) {
            session.write(&ledger).await;
        }
        sleep(RECONNECT).await;
    }
}

/// A psql in the guest, fed from outside.
struct Session {
    input: ChildStdin,
    answers: BufReader<ChildStdout>,
    _psql: Child,
}

impl Session {
    fn open(machine: &Machine) -> Result<Self, Error> {
        let psql = [
            "runuser",
            "-u",
            "postgres",
            "--",
            "psql",
            "-XqAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            DATABASE,
        ];
        let mut psql = machine
            .command(psql)?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::io("psql in the guest"))?;
        let pipes = psql.stdin.take().zip(psql.stdout.take());
        let (input, answers) =
            pipes.ok_or_else(|| Error::Unexpected("psql in the guest has no pipes".into()))?;
        Ok(Self {
            input,
            answers: BufReader::new(answers),
            _psql: psql,
        })
    }

    /// Commits until the connection ends. The server reports `RETURNING` rows as complete after the commit only, and
    /// psql prints a result when it is complete.
    async fn write(&mut self, ledger: &Mutex<Ledger>) {
        let mut answer = String::new();
        loop {
            let sequence = lock(ledger).send(clock::now());
            let insert = format!("INSERT INTO ledger VALUES ({sequence}) RETURNING sequence;\n");
            if self.input.write_all(insert.as_bytes()).await.is_err() {
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
