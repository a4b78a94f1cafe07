//! Runs a call on a task of its own, so that neither a panic nor a vanished client ends it in the wrong place.

use std::{future::Future, sync::Arc};

use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use super::{connection::Session, lifecycle::Lifecycle};
use crate::{Context, Diagnostic, Diagnostics, Result, private::Private, wire};

/// What happens to a call whose client goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenDropped {
    /// It only looks: nobody is left to tell.
    Abort,
    /// It changes something: it is told to stop and runs on until it returns. The process waits for it.
    Finish,
}

/// How a call ended, ready for the wire.
#[derive(Debug)]
pub(super) struct Outcome<T> {
    /// `None` after a failure.
    pub(super) value: Option<T>,
    pub(super) diagnostics: Vec<wire::Diagnostic>,
    /// Private state as the call left it.
    pub(super) private: Vec<u8>,
}

impl<T> Outcome<T> {
    /// A call that could not even begin.
    pub(super) fn failed(diagnostics: Diagnostics) -> Self {
        Self {
            value: None,
            diagnostics: diagnostics.into_failure().to_wire(),
            private: Vec::new(),
        }
    }
}

/// Everything that a call needs beside its arguments.
pub(super) struct Surroundings<'a, C> {
    pub(super) session: &'a Session<C>,
    pub(super) lifecycle: &'a Lifecycle,
    pub(super) private: &'a [u8],
    /// Known while configuring.
    pub(super) terraform_version: Option<String>,
}

impl<C: Send + Sync + 'static> Surroundings<'_, C> {
    /// Runs `work` with a context that is stopped by Stop, by the end of the connection, and by dropping this future.
    pub(super) async fn run<T, W, F>(self, when_dropped: WhenDropped, work: W) -> Outcome<T>
    where
        T: Send + 'static,
        W: FnOnce(Arc<Context<C>>) -> F,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let private = match Private::from_bytes(self.private) {
            Ok(private) => private,
            Err(diagnostics) => return Outcome::failed(diagnostics),
        };
        let stop = self.session.stop().child_token();
        let dropped = stop.clone().drop_guard();
        let tasks = self.lifecycle.tasks();
        let context = Context::new(self.session.client(), stop, tasks.clone())
            .with_private(private)
            .with_terraform_version(self.terraform_version);
        let context = Arc::new(context);
        let work = work(Arc::clone(&context));
        let ended = match when_dropped {
            WhenDropped::Abort => AbortOnDropHandle::new(tokio::spawn(work)).await,
            WhenDropped::Finish => tasks.spawn(work).await,
        };
        drop(dropped);
        outcome(&context, ended.unwrap_or_else(|error| Err(crashed(error))))
    }
}

fn outcome<C, T>(context: &Context<C>, result: Result<T>) -> Outcome<T> {
    let mut diagnostics = context.take_warnings();
    let value = match result {
        Ok(value) => Some(value),
        Err(errors) => {
            diagnostics.extend(errors.into_failure());
            None
        }
    };
    Outcome {
        value,
        diagnostics: diagnostics.to_wire(),
        private: context.private().to_bytes(),
    }
}

/// A panic as an error: the provider lives on, and so does what other calls hold.
fn crashed(error: JoinError) -> Diagnostics {
    let message = match error.try_into_panic() {
        Ok(panic) => panic_message(&*panic),
        Err(_) => "its task was cancelled".to_owned(),
    };
    Diagnostic::error(
        "The provider crashed",
        format!("This is a bug in the provider. The call ended with: {message}"),
    )
    .into()
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
        .to_owned()
}

/// Runs work that needs no context; aborted when this future is dropped.
pub(super) async fn run_plain<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T> {
    AbortOnDropHandle::new(tokio::spawn(work))
        .await
        .map_err(crashed)
}
