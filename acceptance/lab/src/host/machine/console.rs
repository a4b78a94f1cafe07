//! The serial console of an instance: a terminal whose output is kept in a file.

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    thread,
};

use rustix::{
    fs::{Mode, OFlags},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

use crate::host::error::{Context, Result};

/// Held open while the instance lives, so that the terminal stays when nobody in the instance has it open.
#[derive(Debug)]
pub(super) struct Console {
    /// `/dev/pts/7`
    pub(super) terminal: PathBuf,
    _slave: OwnedFd,
}

impl Console {
    /// Makes a terminal and appends to `log` what is written to it, until this and every other user closed it.
    pub(super) fn open(log: &Path) -> Result<Self> {
        let (master, terminal, slave) =
            open_terminal().context(|| "opening a console".to_owned())?;
        let log = OpenOptions::new().create(true).append(true).open(log);
        let mut log = log.context(|| "opening the console's log".to_owned())?;
        let copy = move || {
            // Ends with EIO when the last user closes the terminal.
            let _ = io::copy(&mut File::from(master), &mut log);
        };
        let thread = thread::Builder::new().name("console".to_owned());
        thread
            .spawn(copy)
            .context(|| "starting the console's thread".to_owned())?;
        Ok(Self {
            terminal,
            _slave: slave,
        })
    }
}

fn open_terminal() -> rustix::io::Result<(OwnedFd, PathBuf, OwnedFd)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(&name, flags, Mode::empty())?;
    let terminal = PathBuf::from(name.to_string_lossy().into_owned());
    Ok((master, terminal, slave))
}
