//! The three ways in which a guest's writes are held (DESIGN.md section 2).

use std::fmt;

/// How writes are held. All three give one cut across all volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `fsfreeze` on every data mount.
    Freeze,
    /// The server's processes paused, then every data mount synced.
    Pause,
    /// The service stopped cleanly; the image then starts without recovery.
    Stop,
}

impl Method {
    /// The method's name in configurations, scripts and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Freeze => "freeze",
            Self::Pause => "pause",
            Self::Stop => "stop",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
