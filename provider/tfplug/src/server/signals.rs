//! Signals: Ctrl-C is Terraform's business, everything else that means "end" releases first.

use std::io;

/// The signals that end the process in an orderly way.
#[derive(Debug)]
pub(super) struct Signals {
    #[cfg(unix)]
    ending: Vec<tokio::signal::unix::Signal>,
    #[cfg(not(unix))]
    interrupt_ends: bool,
}

#[cfg(unix)]
impl Signals {
    /// A terminal's Ctrl-C reaches the whole process group; Terraform then sends Stop, and Shutdown in the end. So
    /// SIGINT is ignored, unless `interrupt_ends` says that there is no Terraform. SIGTERM, SIGHUP (the terminal was
    /// closed) and SIGQUIT would kill at once: whatever is held has to be released first.
    pub(super) fn install(interrupt_ends: bool) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        // A handler replaces the default for good, even after it is dropped.
        let interrupt = signal(SignalKind::interrupt())?;
        let mut ending = vec![
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::quit())?,
        ];
        if interrupt_ends {
            ending.push(interrupt);
        }
        Ok(Self { ending })
    }

    /// Resolves at the first of them.
    pub(super) async fn terminated(&mut self) {
        std::future::poll_fn(|cx| {
            let any = self
                .ending
                .iter_mut()
                .any(|signal| signal.poll_recv(cx).is_ready());
            if any {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}

#[cfg(not(unix))]
impl Signals {
    /// Windows knows Ctrl-C alone.
    #[allow(clippy::unnecessary_wraps, reason = "as on unix")]
    pub(super) fn install(interrupt_ends: bool) -> io::Result<Self> {
        Ok(Self { interrupt_ends })
    }

    pub(super) async fn terminated(&mut self) {
        while tokio::signal::ctrl_c().await.is_ok() {
            if self.interrupt_ends {
                return;
            }
        }
        std::future::pending().await
    }
}
