//! What go-plugin wants of every plugin beside its own service: shutdown, output, broker, health.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio_stream::Stream;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::{Request, Response, Status, Streaming};

use super::lifecycle::Lifecycle;
use crate::wire::{
    go_plugin::{
        ConnInfo, Empty, StdioData, grpc_broker_server::GrpcBroker,
        grpc_controller_server::GrpcController, grpc_stdio_server::GrpcStdio,
    },
    health::{
        HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
        health_server,
    },
};

/// The name under which go-plugin asks for a plugin's health.
const HEALTH_SERVICE: &str = "plugin";

/// Ends the process.
pub(super) struct Controller(Lifecycle);

/// Output of the plugin, mirrored to the host: there is none, since stderr goes to Terraform directly.
pub(super) struct Stdio(Lifecycle);

/// Further connections between host and plugin: Terraform's providers use none.
pub(super) struct Broker(Lifecycle);

pub(super) struct Health(Lifecycle);

macro_rules! constructors {
    ($($service:ident),*) => {$(
        impl $service {
            pub(super) fn new(lifecycle: &Lifecycle) -> Self {
                Self(lifecycle.clone())
            }
        }
    )*};
}
constructors!(Controller, Stdio, Broker, Health);

#[tonic::async_trait]
impl GrpcController for Controller {
    /// Answers when nothing is left to do: go-plugin waits for the answer without a limit, and kills 2 s after it.
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.0.wind_down().await;
        Ok(Response::new(Empty {}))
    }
}

#[tonic::async_trait]
impl GrpcStdio for Stdio {
    type StreamStdioStream = OpenUntilExit<StdioData>;

    /// Stays open: a gRPC client with a call under way does not close an idle connection (30 minutes in grpc-go).
    async fn stream_stdio(
        &self,
        _: Request<()>,
    ) -> Result<Response<Self::StreamStdioStream>, Status> {
        Ok(Response::new(OpenUntilExit::new(&self.0)))
    }
}

#[tonic::async_trait]
impl GrpcBroker for Broker {
    type StartStreamStream = OpenUntilExit<ConnInfo>;

    async fn start_stream(
        &self,
        _: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<Self::StartStreamStream>, Status> {
        Ok(Response::new(OpenUntilExit::new(&self.0)))
    }
}

#[tonic::async_trait]
impl health_server::Health for Health {
    type WatchStream = OpenUntilExit<HealthCheckResponse>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match health(&request) {
            ServingStatus::ServiceUnknown => Err(Status::not_found("no such service")),
            status => Ok(Response::new(HealthCheckResponse {
                status: status.into(),
            })),
        }
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let now = HealthCheckResponse {
            status: health(&request).into(),
        };
        Ok(Response::new(
            OpenUntilExit::new(&self.0).starting_with(now),
        ))
    }
}

fn health(request: &Request<HealthCheckRequest>) -> ServingStatus {
    match request.get_ref().service.as_str() {
        "" | HEALTH_SERVICE => ServingStatus::Serving,
        _ => ServingStatus::ServiceUnknown,
    }
}

/// A stream that says at most one thing and then ends only with the process.
pub(super) struct OpenUntilExit<T> {
    first: Option<T>,
    exit: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<T> OpenUntilExit<T> {
    fn new(lifecycle: &Lifecycle) -> Self {
        Self {
            first: None,
            exit: Box::pin(lifecycle.exiting().clone().cancelled_owned()),
        }
    }

    fn starting_with(mut self, first: T) -> Self {
        self.first = Some(first);
        self
    }
}

impl<T: Unpin> Stream for OpenUntilExit<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => self.exit.as_mut().poll(cx).map(|()| None),
        }
    }
}
