//! From the process's start to its end: handshake, connections, calls, exit.

use std::process::ExitCode;

use crate::Provider;

/// Serves `provider` to the Terraform that started this process, until that has no more use for it.
///
/// Call it first in `main`. It owns stdout (the handshake), stderr (logs for Terraform, from `tracing`), SIGINT and
/// SIGTERM. With the argument `--debug` it serves without Terraform starting it, and prints what to set in the
/// environment for Terraform to attach to it. Returns the process's exit code.
pub async fn serve<P: Provider>(provider: P) -> ExitCode {
    let _ = provider;
    ExitCode::FAILURE
}
