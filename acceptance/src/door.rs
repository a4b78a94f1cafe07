//! How long a PostgreSQL server took no connections: asked at its socket, from outside the code under test, as a client
//! would.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lab::host::Machine;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::Error;

/// The server's socket in the guest.
const SOCKET: &str = "run/postgresql/.s.PGSQL.5432";

/// Between two knocks: each costs the server a process.
const PACE: Duration = Duration::from_millis(25);

/// Who is not answered by then is not let in.
const PATIENCE: Duration = Duration::from_millis(500);

/// A connection's first message: its length, protocol 3.0, a user who is not there, the database.
const STARTUP: &[u8] = b"\0\0\0\x29\0\x03\0\0user\0doorbell\0database\0postgres\0\0";

/// What a server says while it starts, recovers or shuts down (PostgreSQL's errcodes, `cannot_connect_now`).
const NOT_NOW: &[u8] = b"C57P03\0";

/// Knocks until it is dropped.
pub(crate) struct Door {
    longest: Arc<Mutex<Duration>>,
    knocking: JoinHandle<()>,
}

impl Door {
    /// Begins to knock.
    pub(crate) fn watch(machine: &Machine) -> Result<Self, Error> {
        let init = machine.init_pid();
        let init = init.ok_or_else(|| Error::Unexpected(format!("{} is off", machine.name())))?;
        let socket = PathBuf::from(format!("/proc/{init}/root")).join(SOCKET);
        let longest = Arc::default();
        let knocking = tokio::spawn(knock(socket, Arc::clone(&longest)));
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

async fn knock(socket: PathBuf, longest: Arc<Mutex<Duration>>) {
    let mut closed_since = None;
    loop {
        let knocked = Instant::now();
        let open = timeout(PATIENCE, is_open(&socket)).await;
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

/// Whoever is asked for credentials, or refused for want of them, would have been let in with them.
async fn is_open(socket: &Path) -> io::Result<bool> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(STARTUP).await?;
    let kind = stream.read_u8().await?;
    let length = stream.read_u32().await?;
    let mut body = Vec::new();
    stream
        .take(length.saturating_sub(4).into())
        .read_to_end(&mut body)
        .await?;
    let not_now = body.windows(NOT_NOW.len()).any(|part| part == NOT_NOW);
    Ok(kind == b'R' || (kind == b'E' && !not_now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixListener;

    #[test]
    fn the_first_message_tells_its_length() {
        assert_eq!(
            STARTUP[..4],
            u32::try_from(STARTUP.len()).unwrap_or(0).to_be_bytes()
        );
    }

    #[tokio::test]
    async fn a_server_that_starts_is_closed_and_one_that_asks_who_is_there_is_open() {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("socket");
        assert!(is_open(&socket).await.is_err(), "nobody is there");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let serve = async {
            for code in ["57P03", "28000"] {
                let (mut stream, _) = listener.accept().await.expect("a client");
                let mut startup = [0; STARTUP.len()];
                stream.read_exact(&mut startup).await.expect("a message");
                let body = format!("SFATAL\0C{code}\0Mno\0\0");
                let length = u32::try_from(body.len() + 4).expect("short");
                stream.write_all(b"E").await.expect("sent");
                stream.write_u32(length).await.expect("sent");
                stream.write_all(body.as_bytes()).await.expect("sent");
            }
        };
        let ask = async { (is_open(&socket).await.ok(), is_open(&socket).await.ok()) };
        let ((), answers) = tokio::join!(serve, ask);
        assert_eq!(answers, (Some(false), Some(true)));
    }
}
