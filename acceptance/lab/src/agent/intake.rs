//! Messages in, replies out: what the agent does with a command from its arrival to its end.

use std::{collections::BTreeMap, io, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use time::OffsetDateTime;
use tokio::{
    fs::OpenOptions,
    io::AsyncWriteExt,
    process::Command,
    sync::{Semaphore, mpsc},
    time::{Instant, sleep},
};

use super::{
    AgentConfig,
    process::Process,
    service::{Service, Welcome},
    store::{Stage, Store, Task},
    wire::{Message, Order, Outcome, Reply, Status},
};

/// The agent's `CommandWorkersLimit`.
const WORKERS: usize = 5;
/// The agent's `CommandRetryLimit`: how often a document is submitted again after restarts.
const RETRIES: u32 = 15;
/// How often the agent looks for a worker's outcome.
const LOOK: Duration = Duration::from_millis(5);

pub(super) struct Intake {
    program: PathBuf,
    log: PathBuf,
    store: Store,
    service: Arc<Service>,
    welcome: Welcome,
    platform: BTreeMap<String, String>,
    workers: Semaphore,
}

impl Intake {
    pub(super) async fn new(
        config: &AgentConfig,
        service: Arc<Service>,
        welcome: Welcome,
        platform: BTreeMap<String, String>,
    ) -> io::Result<Arc<Self>> {
        let store = Store::of(&config.state_dir, &welcome.instance);
        store.prepare().await?;
        tokio::fs::create_dir_all(&config.log_dir).await?;
        Ok(Arc::new(Self {
            program: config.program.clone(),
            log: config.log_dir.join("amazon-ssm-agent.log"),
            store,
            service,
            welcome,
            platform,
            workers: Semaphore::new(WORKERS),
        }))
    }

    /// Takes up what the last agent left, then takes messages, one after the other: where the file system under
    /// the state files is frozen, the next message is neither acknowledged nor begun (FACTS.md part C, 6).
    pub(super) async fn run(
        self: Arc<Self>,
        mut messages: mpsc::UnboundedReceiver<Message>,
    ) -> io::Result<()> {
        self.adopt().await?;
        while let Some(message) = messages.recv().await {
            if let Err(error) = self.take(message).await {
                tracing::error!(%error, "a message was not taken");
            }
        }
        Ok(())
    }

    /// Documents that were in progress when the last agent died: one whose worker lives, or has left its outcome,
    /// is followed to its end; any other is submitted again.
    async fn adopt(self: &Arc<Self>) -> io::Result<()> {
        for task in self.store.tasks(Stage::Pending).await? {
            tokio::spawn(self.clone().process(task));
        }
        for task in self.store.tasks(Stage::Current).await? {
            let alive = task.worker.as_ref().is_some_and(Process::is_alive);
            let ended = self.store.outcome(&task.message.id).await.is_some();
            let intake = self.clone();
            if alive || ended {
                tokio::spawn(async move { intake.follow(task).await });
            } else if task.attempts > RETRIES {
                let outcome = failed("the document was submitted too often");
                tokio::spawn(async move { intake.conclude(&task.message, outcome).await });
            } else {
                tokio::spawn(async move { intake.execute(task).await });
            }
        }
        Ok(())
    }

    async fn take(self: &Arc<Self>, message: Message) -> io::Result<()> {
        self.note(&message).await?;
        match &message.order {
            Order::Cancel => self.cancel(&message.command).await?,
            Order::Run(_) if self.store.knows(&message.id).await => {}
            Order::Run(_) => {
                let task = Task {
                    message: message.clone(),
                    instance: self.welcome.instance.clone(),
                    region: self.welcome.region.clone(),
                    platform: self.platform.clone(),
                    attempts: 0,
                    worker: None,
                };
                self.store.save(Stage::Pending, &task).await?;
                tokio::spawn(self.clone().process(task));
            }
        }
        self.service.acknowledge(&message.id).await;
        Ok(())
    }

    /// The log has the whole message, script included, and anybody may read it (FACTS.md part C, 8).
    async fn note(&self, message: &Message) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut log = options
            .create(true)
            .append(true)
            .mode(0o644)
            .open(&self.log)
            .await?;
        let line = format!(
            "{} INFO [ssm-agent-worker] [MessageService] Processing message {}\n",
            OffsetDateTime::now_utc(),
            serde_json::to_string(message)?
        );
        log.write_all(line.as_bytes()).await?;
        log.flush().await
    }

    async fn cancel(&self, command: &str) -> io::Result<()> {
        for stage in [Stage::Pending, Stage::Current] {
            for task in self.store.tasks(stage).await? {
                if task.message.command == command {
                    self.store.ask_to_cancel(&task.message.id).await?;
                }
            }
        }
        Ok(())
    }

    /// A new document: waits for its turn, then runs.
    async fn process(self: Arc<Self>, task: Task) {
        let Ok(_turn) = self.workers.acquire().await else {
            return;
        };
        sleep(Duration::from_millis(self.service.settings().start_ms)).await;
        let id = &task.message.id;
        if self.store.is_cancelled(id).await {
            let advanced = self.store.advance(id, Stage::Pending, Stage::Current).await;
            self.report(advanced);
            self.conclude(&task.message, cancelled()).await;
            return;
        }
        let advanced = self.store.advance(id, Stage::Pending, Stage::Current).await;
        self.report(advanced);
        self.execute(task).await;
    }

    /// Gives a document to a worker and follows it.
    async fn execute(&self, mut task: Task) {
        task.attempts += 1;
        match self.employ(&mut task).await {
            Ok(()) => self.follow(task).await,
            Err(error) => {
                let outcome = failed(&error.to_string());
                self.conclude(&task.message, outcome).await;
            }
        }
    }

    async fn employ(&self, task: &mut Task) -> io::Result<()> {
        self.store.save(Stage::Current, task).await?;
        let mut worker = Command::new(&self.program)
            .arg("agent-worker")
            .arg(self.store.path())
            .arg(&task.message.id)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let pid = worker.id().ok_or_else(|| io::Error::other("no pid"))?;
        task.worker = Process::of(pid).ok();
        tokio::spawn(async move { worker.wait().await });
        self.store.save(Stage::Current, task).await
    }

    /// Waits for a worker's outcome. A worker that died without one is noticed late (FACTS.md part C, 5).
    async fn follow(&self, task: Task) {
        let mut lost: Option<Instant> = None;
        let outcome = loop {
            if let Some(outcome) = self.store.outcome(&task.message.id).await {
                break outcome;
            }
            if !task.worker.as_ref().is_some_and(Process::is_alive) {
                let limit = Duration::from_millis(self.service.settings().worker_lost_ms);
                if lost.get_or_insert_with(Instant::now).elapsed() >= limit {
                    break failed("document process failed unexpectedly");
                }
            }
            sleep(LOOK).await;
        };
        sleep(Duration::from_millis(self.service.settings().reply_ms)).await;
        self.conclude(&task.message, outcome).await;
    }

    async fn conclude(&self, message: &Message, outcome: Outcome) {
        self.service
            .reply(Reply {
                message: message.id.clone(),
                command: message.command.clone(),
                outcome,
            })
            .await;
        let advanced = self
            .store
            .advance(&message.id, Stage::Current, Stage::Completed);
        self.report(advanced.await);
    }

    fn report(&self, outcome: io::Result<()>) {
        if let Err(error) = outcome {
            tracing::error!(%error, store = %self.store.path().display(), "a state file was not moved");
        }
    }
}

fn failed(why: &str) -> Outcome {
    ended(Status::Failed, 1, why)
}

fn cancelled() -> Outcome {
    ended(Status::Cancelled, 1, "")
}

/// The end of a document that no script ended.
fn ended(status: Status, exit_code: i32, stderr: &str) -> Outcome {
    #[expect(clippy::cast_precision_loss, reason = "exact until the year 287396")]
    let now = OffsetDateTime::now_utc().unix_timestamp() as f64;
    Outcome {
        status,
        exit_code,
        stdout: String::new(),
        stderr: stderr.to_owned(),
        started: now,
        ended: now,
    }
}
