//! Why a scenario, the demo or the benchmark cannot go on.

use std::{fmt, path::PathBuf, time::Duration};

#[derive(thiserror::Error)]
pub enum Error {
    /// Something that has to be there before anything starts; one line that says what to do.
    #[error("{0}")]
    Missing(String),
    #[error(transparent)]
    Lab(#[from] lab::cloud::LabError),
    #[error(transparent)]
    Host(#[from] lab::host::HostError),
    #[error("{what}: {cause}")]
    Io {
        what: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("{what} was not over after {} s{so_far}", after.as_secs())]
    TimedOut {
        what: String,
        after: Duration,
        /// What it had printed until then.
        so_far: String,
    },
    #[error("{0} holds something else than expected: {1}")]
    Unreadable(PathBuf, String),
    /// What was seen is not what should be.
    #[error("{0}")]
    Unexpected(String),
}

/// `fn main() -> Result` and tests print errors by `Debug`; people read them.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// Something that always takes less was not over in time.
    pub fn timed_out(what: impl Into<String>, after: Duration) -> Self {
        Self::TimedOut {
            what: what.into(),
            after,
            so_far: String::new(),
        }
    }

    /// For `map_err`: says what was being done when the system refused.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |cause| Self::Io { what, cause }
    }
}
