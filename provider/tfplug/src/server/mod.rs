//! From the process's start to its end: handshake, connections, calls, exit.

mod calls;
mod connection;
mod debug;
mod handshake;
mod host;
mod lifecycle;
mod listen;
mod log;
mod rpc;
mod signals;
mod tls;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use tonic::transport::Server;

use self::{
    handshake::{Invitation, Refusal, Security},
    lifecycle::{Lifecycle, Patience},
    listen::Listener,
    rpc::Service,
};
use crate::{
    Provider,
    wire::{
        go_plugin::{
            grpc_broker_server::GrpcBrokerServer, grpc_controller_server::GrpcControllerServer,
            grpc_stdio_server::GrpcStdioServer,
        },
        health::health_server::HealthServer,
        provider_server::ProviderServer,
    },
};

/// Terraform's own limit for messages, both ways (`grpcMaxMessageSize` in terraform-plugin-go).
const MAX_MESSAGE_BYTES: usize = 256 << 20;
/// How long the last answers may take to leave once everything is done: go-plugin kills 2 s after Shutdown.
const DRAIN: Duration = Duration::from_secs(1);

/// Serves `provider` to the Terraform that started this process, until that has no more use for it.
///
/// Call it first in `main`. It owns stdout (the handshake), stderr (logs for Terraform, from `tracing`) and the
/// signals: SIGINT is ignored, since Terraform sends Stop itself; SIGTERM, SIGHUP and SIGQUIT stop all calls, and the
/// process exits once they ended. With the argument `--debug` it serves without having been started by Terraform,
/// and prints what to set in the environment for Terraform to attach to it. Returns the process's exit code.
pub async fn serve<P: Provider>(provider: P) -> ExitCode {
    match run(provider).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A reader that is gone is no reason to fail differently.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Why nothing could be served.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the provider's own schema is wrong:\n{0}")]
    Schema(String),
    #[error("cannot listen for Terraform: {0}")]
    Listen(#[source] io::Error),
    #[error("cannot make the server's certificate: {0}")]
    Certificate(#[from] tls::TlsError),
    #[error("cannot speak to Terraform over stdout: {0}")]
    Stdout(#[source] io::Error),
    #[error("cannot handle signals: {0}")]
    Signals(#[source] io::Error),
    #[error("serving failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}

async fn run<P: Provider>(provider: P) -> Result<(), ServeError> {
    let debug = std::env::args()
        .skip(1)
        .any(|argument| argument == "--debug");
    let signals = signals::Signals::install(debug).map_err(ServeError::Signals)?;
    let invitation = if debug {
        Invitation::for_debugging()
    } else {
        Invitation::read(|name| std::env::var(name).ok())?
    };
    log::install(P::TALKATIVE);
    let lifecycle = Lifecycle::default();
    let service = Service::new(provider, lifecycle.clone());
    service
        .check()
        .map_err(|problems| ServeError::Schema(problems.join("\n")))?;

    let listener = Listener::bind(&invitation).map_err(ServeError::Listen)?;
    let (acceptor, certificate) = match &invitation.security {
        Security::Pinned(client) => {
            let (acceptor, certificate) = tls::acceptor(client)?;
            (Some(acceptor), Some(certificate))
        }
        Security::Plain => (None, None),
    };
    let line = if debug {
        debug::instructions(P::ADDRESS, listener.address())
    } else {
        handshake::line(listener.address(), certificate.as_ref())
    };
    announce(&line).map_err(ServeError::Stdout)?;

    let patience = if debug {
        Patience::Endless
    } else {
        Patience::UntilAbandoned
    };
    let over = {
        let lifecycle = lifecycle.clone();
        async move { lifecycle.over(patience, signals).await }
    };
    let incoming = connection::incoming::<P::Client>(listener, acceptor, lifecycle.clone());
    let serving = router(service, &lifecycle).serve_with_incoming_shutdown(incoming, over);
    tokio::select! {
        served = serving => Ok(served?),
        () = drained(&lifecycle) => Ok(()),
    }
}

fn router<P: Provider>(
    service: Service<P>,
    lifecycle: &Lifecycle,
) -> tonic::transport::server::Router {
    let provider = ProviderServer::from_arc(Arc::new(service))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    Server::builder()
        .add_service(provider)
        .add_service(GrpcControllerServer::new(host::Controller::new(lifecycle)))
        .add_service(GrpcStdioServer::new(host::Stdio::new(lifecycle)))
        .add_service(GrpcBrokerServer::new(host::Broker::new(lifecycle)))
        .add_service(HealthServer::new(host::Health::new(lifecycle)))
}

/// The one thing that goes to stdout.
fn announce(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// A client that keeps its connection open must not keep a finished process.
async fn drained(lifecycle: &Lifecycle) {
    lifecycle.exiting().cancelled().await;
    tokio::time::sleep(DRAIN).await;
}
