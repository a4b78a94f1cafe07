//! What can go wrong between the lab and the machine it runs on, in one line each.

use std::{io, path::PathBuf, time::Duration};

/// Why the host could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Namespaces, loop devices and mounts need root.
    #[error("the lab needs root: run it with sudo")]
    NotRoot,
    /// A program that `acceptance/install.sh` installs is not there.
    #[error("{0} is not installed: run acceptance/install.sh")]
    Missing(String),
    /// Nothing to build a root file system from.
    #[error("apt knows no mirror of Debian {0}: run acceptance/install.sh on a Debian 12")]
    NoMirror(&'static str),
    /// The kernel lacks something that the lab stands on.
    #[error("this kernel cannot run the lab: {0}")]
    Kernel(String),
    /// Another live lab holds the directory.
    #[error("another lab is running in {}", .0.display())]
    InUse(PathBuf),
    /// A volume that is attached was to be deleted or attached again.
    #[error("{} is attached", .0.display())]
    Attached(PathBuf),
    /// A machine of this name runs already, or none that runs was meant.
    #[error("instance {name} {problem}")]
    Machine { name: String, problem: String },
    /// A program of the host failed.
    #[error("{command} failed ({status}): {stderr}")]
    Command {
        command: String,
        status: String,
        stderr: String,
    },
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    /// Something that always takes less did not end in time.
    #[error("{what} took longer than {} ms", limit.as_millis())]
    TimedOut { what: String, limit: Duration },
}

pub(super) type Result<T, E = HostError> = std::result::Result<T, E>;

/// Says what was being done when an I/O error came.
pub(super) trait Context<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| HostError::Io {
            what: what(),
            source: error.into(),
        })
    }
}
