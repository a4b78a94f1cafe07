//! The agent's end of the connection: comes back when it is lost, and with it the replies that were lost.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::Path,
    sync::{Mutex as StdMutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Mutex, mpsc, oneshot},
    time::sleep,
};

use super::{
    AgentSettings, Transport, VERSION,
    wire::{FromAgent, Message, Reply, ToAgent},
};

/// Between two attempts to connect.
const RECONNECT: Duration = Duration::from_millis(500);

pub(super) struct Service {
    write: Mutex<Option<OwnedWriteHalf>>,
    read: Mutex<Option<Lines<BufReader<OwnedReadHalf>>>>,
    settings: StdMutex<AgentSettings>,
    /// Replies that the service has not confirmed, by message. Dropped when the connection is lost.
    unconfirmed: StdMutex<HashMap<String, oneshot::Sender<()>>>,
    arrived: mpsc::UnboundedSender<Message>,
}

/// What the service says first.
pub(super) struct Welcome {
    pub(super) instance: String,
    pub(super) region: String,
}

impl Service {
    /// Messages go to `arrived`.
    pub(super) fn new(arrived: mpsc::UnboundedSender<Message>) -> Self {
        Self {
            write: Mutex::default(),
            read: Mutex::default(),
            settings: StdMutex::default(),
            unconfirmed: StdMutex::default(),
            arrived,
        }
    }

    pub(super) fn settings(&self) -> AgentSettings {
        let settings = self.settings.lock();
        settings.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connects, however long it takes.
    pub(super) async fn connect(
        &self,
        socket: &Path,
        platform: &BTreeMap<String, String>,
    ) -> Welcome {
        loop {
            match self.register(socket, platform).await {
                Ok(welcome) => return welcome,
                Err(error) => tracing::debug!(%error, "no service"),
            }
            sleep(RECONNECT).await;
        }
    }

    async fn register(
        &self,
        socket: &Path,
        platform: &BTreeMap<String, String>,
    ) -> io::Result<Welcome> {
        let (read, write) = UnixStream::connect(socket).await?.into_split();
        let mut lines = BufReader::new(read).lines();
        *self.write.lock().await = Some(write);
        self.say(&FromAgent::Hello {
            version: VERSION.to_owned(),
            platform: platform.clone(),
        })
        .await?;
        let line = lines.next_line().await?;
        let line = line.ok_or_else(|| io::Error::other("the service hung up"))?;
        let ToAgent::Welcome {
            instance,
            region,
            settings,
        } = serde_json::from_str(&line)?
        else {
            return Err(io::Error::other("no welcome"));
        };
        let polls = settings.transport == Transport::Mds;
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        *self.read.lock().await = Some(lines);
        if polls {
            self.say(&FromAgent::Poll).await?;
        }
        Ok(Welcome { instance, region })
    }

    /// Listens, and connects again whenever the connection is lost.
    pub(super) async fn stay_connected(
        self: &std::sync::Arc<Self>,
        socket: &Path,
        platform: &BTreeMap<String, String>,
    ) {
        loop {
            if let Some(mut lines) = self.read.lock().await.take() {
                while let Ok(Some(line)) = lines.next_line().await {
                    self.hear(&line);
                }
            }
            *self.write.lock().await = None;
            self.unconfirmed().clear();
            self.connect(socket, platform).await;
        }
    }

    fn hear(self: &std::sync::Arc<Self>, line: &str) {
        match serde_json::from_str(line) {
            Ok(ToAgent::Message(message)) => {
                // The receiver lives as long as the process.
                let _ = self.arrived.send(message);
                if self.settings().transport == Transport::Mds {
                    tokio::spawn(self.clone().poll_later());
                }
            }
            Ok(ToAgent::Received { message }) => {
                if let Some(confirmed) = self.unconfirmed().remove(&message) {
                    let _ = confirmed.send(());
                }
            }
            Ok(ToAgent::Welcome { .. }) => {}
            Err(error) => tracing::warn!(%error, line, "not understood"),
        }
    }

    /// See [`AgentSettings::poll_pause_ms`].
    async fn poll_later(self: std::sync::Arc<Self>) {
        let (least, most) = self.settings().poll_pause_ms;
        sleep(Duration::from_millis(fastrand::u64(least..=most))).await;
        // A connection that is gone polls again when it comes back.
        let _ = self.say(&FromAgent::Poll).await;
    }

    /// Delivers a reply, again and again until the service confirms it.
    pub(super) async fn reply(&self, reply: Reply) {
        loop {
            let (confirmed, confirmation) = oneshot::channel();
            self.unconfirmed().insert(reply.message.clone(), confirmed);
            let sent = self.say(&FromAgent::Reply(reply.clone())).await;
            if sent.is_ok() && confirmation.await.is_ok() {
                return;
            }
            let retry = self.settings().reply_retry_ms;
            tracing::warn!(command = reply.command, retry, "reply not delivered");
            sleep(Duration::from_millis(retry)).await;
        }
    }

    pub(super) async fn acknowledge(&self, message: &str) {
        let message = message.to_owned();
        // One that is lost comes again, with the message.
        let _ = self.say(&FromAgent::Acknowledge { message }).await;
    }

    async fn say(&self, what: &FromAgent) -> io::Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        let mut write = self.write.lock().await;
        let write = write.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        write.write_all(&line).await
    }

    fn unconfirmed(&self) -> std::sync::MutexGuard<'_, HashMap<String, oneshot::Sender<()>>> {
        self.unconfirmed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
