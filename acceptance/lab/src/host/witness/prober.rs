//! A second witness that knows nothing of traces: writes to a file system, again and again, and sees when it stalls.
//!
//! It is a process of its own in the instance, since whoever writes to a frozen file system hangs until it is thawed.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::FileExt,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

use crate::host::{
    clock::Monotonic,
    error::{Context, Result},
    machine::Machine,
};

/// One write: it was made some time within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    pub began: Monotonic,
    pub ended: Monotonic,
}

/// Probes until it is dropped.
#[derive(Debug)]
pub struct Prober {
    _process: Child,
    beats: Arc<Mutex<Vec<Beat>>>,
}

impl Prober {
    /// Writes one byte to `file` in the instance about every millisecond.
    pub fn start(machine: &Machine, file: &Path) -> Result<Self> {
        let file = file.to_string_lossy();
        let mut command = machine.command(["/run/lab/lab", "probe", &file])?;
        command.stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().context(|| "starting a prober".to_owned())?;
        let beats = Arc::<Mutex<Vec<Beat>>>::default();
        if let Some(output) = process.stdout.take() {
            let beats = Arc::clone(&beats);
            tokio::spawn(async move {
                let mut lines = BufReader::new(output).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let beat = parse(&line);
                    let mut beats = beats.lock().unwrap_or_else(PoisonError::into_inner);
                    beats.extend(beat);
                }
            });
        }
        Ok(Self {
            _process: process,
            beats,
        })
    }

    pub fn beats(&self) -> Vec<Beat> {
        let beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        beats.clone()
    }
}

/// Writes that took longer than `limit`.
pub fn stalls(beats: &[Beat], limit: Duration) -> Vec<Beat> {
    let slow = |beat: &&Beat| beat.ended - beat.began > limit;
    beats.iter().filter(slow).copied().collect()
}

/// The prober's own side: writes to `file` and reports each write on stdout, until stdout is closed.
pub fn beat_forever(file: &Path) -> io::Result<()> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(file)?;
    let mut report = io::stdout().lock();
    for byte in (0..=u8::MAX).cycle() {
        let began = Monotonic::now();
        file.write_all_at(&[byte], 0)?;
        let ended = Monotonic::now();
        writeln!(report, "{} {}", began.as_micros(), ended.as_micros())?;
        #[expect(
            clippy::disallowed_methods,
            reason = "a process of its own, without a runtime"
        )]
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn parse(line: &str) -> Option<Beat> {
    let (began, ended) = line.split_once(' ')?;
    Some(Beat {
        began: Monotonic::from_micros(began.parse().ok()?),
        ended: Monotonic::from_micros(ended.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_hung_is_a_stall() {
        let beats: Vec<_> = ["100 120", "1200 501200", "502000 502010"]
            .into_iter()
            .filter_map(parse)
            .collect();
        assert_eq!(stalls(&beats, Duration::from_millis(100)), [beats[1]]);
    }
}
