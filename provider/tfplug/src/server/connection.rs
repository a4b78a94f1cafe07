//! Connections: accepted, authenticated, and each with a session of its own.

use std::{
    io,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use super::{
    lifecycle::{Lifecycle, Presence},
    listen::{Listener, Stream},
};

/// A client that does not finish its handshake in this time is none.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Between two tries after accepting failed, e.g. for want of file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What belongs to one client: a Terraform run configures and stops its own calls, not those of another run that is
/// attached to the same process.
#[derive(Debug)]
pub(super) struct Session<C> {
    stop: CancellationToken,
    client: RwLock<Option<Arc<C>>>,
}

impl<C> Session<C> {
    /// Cancelled by Stop and by the end of the connection.
    pub(super) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    pub(super) fn client(&self) -> Option<Arc<C>> {
        self.client
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn configure(&self, client: Option<Arc<C>>) {
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = client;
    }
}

/// One connection, authenticated.
pub(super) struct Connection<C> {
    stream: Box<dyn Stream>,
    session: Arc<Session<C>>,
    _presence: Presence,
}

/// Accepts connections until nobody takes them any more.
pub(super) fn incoming<C: Send + Sync + 'static>(
    listener: Listener,
    acceptor: Option<TlsAcceptor>,
    lifecycle: Lifecycle,
) -> ReceiverStream<io::Result<Connection<C>>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        while !sender.is_closed() {
            let stream = tokio::select! {
                stream = listener.accept() => stream,
                () = sender.closed() => return,
            };
            match stream {
                // On a task of its own: a client that hangs in its handshake holds up no other.
                Ok(stream) => {
                    tokio::spawn(admit(
                        stream,
                        acceptor.clone(),
                        lifecycle.clone(),
                        sender.clone(),
                    ));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    });
    ReceiverStream::new(receiver)
}

async fn admit<C>(
    stream: Box<dyn Stream>,
    acceptor: Option<TlsAcceptor>,
    lifecycle: Lifecycle,
    sender: mpsc::Sender<io::Result<Connection<C>>>,
) {
    let stream = match acceptor {
        None => stream,
        Some(acceptor) => match timeout(HANDSHAKE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Box::new(stream),
            Ok(Err(error)) => {
                return tracing::warn!(%error, "refused a client that is not this Terraform");
            }
            Err(_) => {
                return tracing::warn!("refused a client that did not finish its TLS handshake");
            }
        },
    };
    let (presence, stop) = lifecycle.connect();
    let session = Session {
        stop,
        client: RwLock::new(None),
    };
    let connection = Connection {
        stream,
        session: Arc::new(session),
        _presence: presence,
    };
    // Nobody takes it: the process is about to exit.
    let _ = sender.send(Ok(connection)).await;
}

impl<C: Send + Sync + 'static> Connected for Connection<C> {
    type ConnectInfo = Arc<Session<C>>;

    fn connect_info(&self) -> Self::ConnectInfo {
        Arc::clone(&self.session)
    }
}

impl<C> AsyncRead for Connection<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<C> AsyncWrite for Connection<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
