//! How long a server took no connections: asked at its socket, from outside the code under test, as a client would.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lab::{
    engines::{self, Engine},
    host::Machine,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::Error;

/// Between two knocks: each costs the server a process.
const PACE: Duration = Duration::from_millis(25);

/// Who is not answered by then is not let in.
const PATIENCE: Duration = Duration::from_millis(500);

/// Knocks until it is dropped.
pub(crate) struct Door {
    longest: Arc<Mutex<Duration>>,
    knocking: JoinHandle<()>,
}

impl Door {
    /// Begins to knock.
    pub(crate) fn watch(machine: &Machine, engine: &Engine) -> Result<Self, Error> {
        let init = machine.init_pid();
        let init = init.ok_or_else(|| Error::Unexpected(format!("{} is off", machine.name())))?;
        let socket = PathBuf::from(format!("/proc/{init}/root{}", engine.door.socket));
        let longest = Arc::default();
        let knocking = tokio::spawn(knock(socket, engine.door, Arc::clone(&longest)));
        Ok(Self { longest, knocking })
    }

    /// The longest time for which it was closed and is open again.
    pub(crate) fn longest_closed(&self) -> Duration {
        *self.longest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.knocking.abort();
    }
}

async fn knock(socket: PathBuf, door: engines::Door, longest: Arc<Mutex<Duration>>) {
    let mut closed_since = None;
    loop {
        let knocked = Instant::now();
        let open = timeout(PATIENCE, is_open(&socket, &door)).await;
        if matches!(open, Ok(Ok(true))) {
            let closed = closed_since
                .take()
                .map_or(Duration::ZERO, |since| Instant::now().duration_since(since));
            let mut longest = longest.lock().unwrap_or_else(PoisonError::into_inner);
            *longest = closed.max(*longest);
        } else {
            closed_since.get_or_insert(knocked);
        }
        sleep(PACE).await;
    }
}

async fn is_open(socket: &Path, door: &engines::Door) -> io::Result<bool> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(door.knock).await?;
    let mut answer = Vec::new();
    while stream.read_buf(&mut answer).await? > 0 {
        if let Some(open) = (door.lets_in)(&answer) {
            return Ok(open);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use lab::engines::POSTGRESQL;
    use tokio::net::UnixListener;

    use super::*;

    #[tokio::test]
    async fn a_server_that_starts_is_closed_and_one_that_asks_who_is_there_is_open() {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("socket");
        let door = POSTGRESQL.door;
        assert!(is_open(&socket, &door).await.is_err(), "nobody is there");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let serve = async {
            for code in ["57P03", "28000"] {
                let (mut stream, _) = listener.accept().await.expect("a client");
                let mut startup = vec![0; door.knock.len()];
                stream.read_exact(&mut startup).await.expect("a message");
                let body = format!("SFATAL\0C{code}\0Mno\0\0");
                let length = u32::try_from(body.len() + 4).expect("short");
                stream.write_all(b"E").await.expect("sent");
                stream.write_u32(length).await.expect("sent");
                stream.write_all(body.as_bytes()).await.expect("sent");
            }
        };
        let ask = async {
            let first = is_open(&socket, &door).await.ok();
            (first, is_open(&socket, &door).await.ok())
        };
        let ((), answers) = tokio::join!(serve, ask);
        assert_eq!(answers, (Some(false), Some(true)));
    }
}
