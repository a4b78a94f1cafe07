//! The lab's own door: faults and settings at run time, over a unix socket of its own that no AWS client sees.
//!
//! One JSON request a line, one JSON answer a line: `{"ok": ...}` or `{"error": "..."}`.

use std::{io, path::Path, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::Notify,
};

use super::{Cloud, faults::Fault, lock, settings::Settings};

/// The socket's name in the lab's directory.
const SOCKET: &str = "control.sock";

/// What can be asked.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    /// Puts a fault in force; answers its number.
    Fault { fault: Fault },
    /// Lifts one fault.
    Lift { id: u64 },
    /// Lifts all faults.
    Clear,
    /// What is set.
    Settings,
    /// Replaces the settings; what is not given gets its default.
    Configure { settings: Settings },
    /// Takes the lab down.
    Down,
}

/// Serves until the task is aborted. `down` is notified when somebody asks for the end.
pub(crate) async fn serve(cloud: Arc<Cloud>, listener: UnixListener, down: Arc<Notify>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let (cloud, down) = (cloud.clone(), down.clone());
        tokio::spawn(async move {
            if let Err(error) = converse(&cloud, stream, &down).await {
                tracing::debug!(%error, "a control connection broke");
            }
        });
    }
}

pub(crate) fn listen(dir: &Path) -> io::Result<UnixListener> {
    let socket = dir.join(SOCKET);
    match std::fs::remove_file(&socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(socket)
}

async fn converse(cloud: &Cloud, stream: UnixStream, down: &Notify) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match serde_json::from_str(&line) {
            Ok(request) => json!({"ok": act(cloud, request, down)}),
            Err(error) => json!({"error": error.to_string()}),
        };
        write.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    Ok(())
}

fn act(cloud: &Cloud, request: Request, down: &Notify) -> Value {
    match request {
        Request::Fault { fault } => json!(cloud.faults.add(fault)),
        Request::Lift { id } => json!(cloud.faults.lift(id)),
        Request::Clear => {
            cloud.faults.clear();
            Value::Null
        }
        Request::Settings => json!(cloud.settings()),
        Request::Configure { settings } => {
            *lock(&cloud.settings) = settings;
            Value::Null
        }
        Request::Down => {
            down.notify_one();
            Value::Null
        }
    }
}

/// Talks to a running lab.
pub struct ControlClient(BufReader<UnixStream>);

impl ControlClient {
    /// Connects to the lab in `dir`; an error where none runs.
    pub async fn connect(dir: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(dir.join(SOCKET)).await?;
        Ok(Self(BufReader::new(stream)))
    }

    pub async fn fault(&mut self, fault: Fault) -> io::Result<Value> {
        self.ask(&Request::Fault { fault }).await
    }

    pub async fn clear(&mut self) -> io::Result<Value> {
        self.ask(&Request::Clear).await
    }

    pub async fn settings(&mut self) -> io::Result<Value> {
        self.ask(&Request::Settings).await
    }

    pub async fn configure(&mut self, settings: Settings) -> io::Result<Value> {
        self.ask(&Request::Configure { settings }).await
    }

    /// Asks the lab to go down.
    pub async fn down(&mut self) -> io::Result<()> {
        self.ask(&Request::Down).await.map(drop)
    }

    async fn ask(&mut self, request: &Request) -> io::Result<Value> {
        let line = format!("{}\n", serde_json::to_string(request)?);
        self.0.write_all(line.as_bytes()).await?;
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        let mut answer: Value = serde_json::from_str(&line)?;
        match answer.get("error") {
            Some(error) => Err(io::Error::other(error.to_string())),
            None => Ok(answer["ok"].take()),
        }
    }
}
