//! The document worker: a process of its own that runs one script and leaves its outcome in a file.

use std::{io, path::PathBuf};

use super::{
    script,
    store::{Stage, Store},
    wire::Order,
};

/// Runs the document of `message`, whose state file lies under `store`.
pub async fn run(store: PathBuf, message: &str) -> io::Result<()> {
    // Out of the agent's session: what kills the agent leaves the worker alone.
    rustix::process::setsid()?;
    let store = Store::at(store);
    let task = store.load(Stage::Current, message).await?;
    let Order::Run(document) = &task.message.order else {
        return Err(io::Error::other("not a document"));
    };
    let outcome = script::run(&store, &task, document).await;
    store.put_outcome(message, &outcome).await
}
