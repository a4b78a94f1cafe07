//! How a run fails: what happened, what state the database and the image are in, and what to do.

use std::{fmt, time::Duration};

use time::{OffsetDateTime, macros::format_description};

use crate::{
    evidence::Timeline,
    ports::{GuestError, ImageId, ImagerError, Leftover, Retry, SnapshotId, VolumeId},
    report::{Problem, ReportError},
    session::SessionId,
    text::Text,
};

/// A run that made no image, or could not undo one.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.told())]
#[non_exhaustive]
pub struct Failure {
    /// Where it broke.
    pub step: Step,
    #[source]
    pub cause: Cause,
    /// The links of the proof that did not hold; empty where the run ended before it held anything.
    pub broken: Vec<Link>,
    pub database: Database,
    pub image: ImageFate,
    /// How often writes were held or about to be, 1 or more.
    pub attempts: u32,
    /// The last attempt's.
    pub session: SessionId,
    pub timeline: Timeline,
}

/// The steps of a run, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    Probe,
    Sweep,
    Arm,
    Hold,
    Capture,
    Release,
    Settle,
    Seal,
}

/// What broke.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Nothing was held.
    #[error("{}", listed(.problems))]
    Refused { problems: Vec<Problem> },
    #[error("the guest could not hold writes: {}", listed(.problems))]
    HoldFailed { problems: Vec<Problem> },
    #[error(transparent)]
    Guest(#[from] GuestError),
    #[error("the guest's answer cannot be used: {0}")]
    Report(#[from] ReportError),
    #[error(transparent)]
    Imager(#[from] ImagerError),
    /// The guest's final word on the hold.
    #[error("the hold did not last until the release")]
    Lapsed,
    #[error("the guest could not let everything go")]
    StillHeld,
    /// The hold's budget ran out, with a margin left to release in time.
    #[error("{waited_for} took longer than the hold may last")]
    HoldBudget { waited_for: &'static str },
    #[error("{waited_for} took longer than {} s", .limit.as_secs())]
    TimedOut {
        waited_for: &'static str,
        limit: Duration,
    },
    #[error("EC2 gave up on image {id} ({state}){}", reason_shown(.reason))]
    ImageFailed {
        id: ImageId,
        state: String,
        reason: String,
    },
    #[error("EC2 gave up on snapshot {id} of {volume} ({state})")]
    SnapshotFailed {
        id: SnapshotId,
        volume: VolumeId,
        state: String,
    },
    /// Of snapshots, the service derives the billing from what it recorded with them, if it can.
    #[error("image {id} is billed as {billed:?}, but the instance as {source_billed:?}")]
    Misbilled {
        id: ImageId,
        billed: String,
        source_billed: String,
    },
    /// Not one image with exactly one snapshot of each volume that was attached when the hold was armed.
    #[error("what was captured is not what was asked for: {0}")]
    Mismatch(String),
    #[error("stopped on request")]
    Stopped,
    #[error("a defect in this provider: {0}")]
    Defect(Text),
}

/// A link of the proof that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// The guest's "held" came before the capture began.
    Held,
    /// Every volume's snapshot was seen initiated before the release was sent; these were not.
    Captured { missing: Vec<VolumeId> },
    /// The hold was unbroken until the release; the guest says which link broke.
    Unbroken { link: Text, detail: Text },
    /// The guest answered the release.
    Released,
}

/// What the run did to the database, and how it left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// Writes were never held.
    NeverHeld,
    /// The guest says that everything is let go.
    Released,
    /// The guest says that everything is let go but what the engine's own thaw command was to: it failed.
    ThawFailed,
    /// No word from the guest; its own switch lets go at this time at the latest.
    LetsGoBy(OffsetDateTime),
}

/// How the run left the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageFate {
    /// None was begun.
    None,
    /// Deregistered, with its snapshots deleted.
    Discarded,
    /// Could not be discarded in the time there is. The next run of the same name or instance tries again.
    Left {
        /// What is known to be left.
        known: Vec<Leftover>,
        /// Why no more is known.
        error: Option<ImagerError>,
    },
}

impl Failure {
    /// What a person does now, in a sentence or two.
    pub fn advice(&self) -> String {
        let mut advice = vec![self.cause.advice()];
        match self.database {
            Database::LetsGoBy(_) => {
                advice.push("Check that the database accepts writes.".to_owned());
            }
            Database::ThawFailed => {
                advice.push("Run the thaw command on the server by hand now.".to_owned());
            }
            Database::NeverHeld | Database::Released => {}
        }
        if matches!(self.image, ImageFate::Left { .. }) {
            advice.push(format!(
                "What is left carries the tag consistent:session = {}; the next apply of the same image name removes it.",
                self.session
            ));
        }
        advice.retain(|sentence| !sentence.is_empty());
        advice.join(" ")
    }

    /// Cause, database, image: what a DBA needs to know at three in the morning.
    fn told(&self) -> String {
        let broken: Vec<String> = self.broken.iter().map(Link::to_string).collect();
        let links = if broken.is_empty() {
            String::new()
        } else {
            format!(" ({})", broken.join("; "))
        };
        let attempts = if self.attempts > 1 {
            format!(", attempt {}", self.attempts)
        } else {
            String::new()
        };
        format!(
            "{}{attempts}: {}{links}. {} {}",
            self.step, self.cause, self.database, self.image
        )
    }
}

impl Cause {
    /// How long to wait before holding again can help; none where it cannot.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Guest(GuestError::NotSent {
                retry: Retry::After(wait),
                ..
            })
            | Self::Imager(ImagerError {
                retry: Retry::After(wait),
                ..
            }) => Some(*wait),
            _ => None,
        }
    }

    /// The guest was certainly not reached: its state is what it was before.
    pub(crate) fn not_sent(&self) -> bool {
        matches!(self, Self::Guest(GuestError::NotSent { .. }))
    }

    fn advice(&self) -> String {
        let advice = match self {
            Self::Refused { problems } | Self::HoldFailed { problems } => return hints(problems),
            Self::Guest(GuestError::NotSent { .. }) | Self::Imager(_) | Self::Stopped => "",
            Self::Guest(_) => "Check the instance's SSM agent, then apply again.",
            Self::StillHeld => {
                "Look at the database server now: `fsfreeze --unfreeze`, `kill -CONT` or `systemctl start` undo a hold by hand."
            }
            Self::Report(_) => "Look the command up in SSM's history: what it printed says more.",
            Self::Lapsed => {
                "If the switch fired, raise quiesce.max_hold_seconds; if somebody else let go, find out who."
            }
            Self::HoldBudget { .. } => {
                "Apply again when the service is faster, or raise quiesce.max_hold_seconds."
            }
            Self::TimedOut { .. } => "Raise timeouts.create, or apply again later.",
            Self::ImageFailed { .. } | Self::SnapshotFailed { .. } => {
                "Check the volumes' KMS keys and the account's quotas, then apply again."
            }
            Self::Misbilled { .. } => {
                "Set capture to \"create_image\": it keeps what the instance is billed as."
            }
            Self::Mismatch(_) => "Apply again while nobody attaches or detaches volumes.",
            Self::Defect(_) => "Please report it, with the log.",
        };
        advice.to_owned()
    }
}

fn hints(problems: &[Problem]) -> String {
    let hints: Vec<&str> = problems.iter().map(|problem| &*problem.hint).collect();
    hints.join(" ")
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Probe => "probe",
            Self::Sweep => "sweep",
            Self::Arm => "arm",
            Self::Hold => "hold",
            Self::Capture => "capture",
            Self::Release => "release",
            Self::Settle => "settle",
            Self::Seal => "seal",
        })
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held => f.write_str("the guest never answered that writes are held"),
            Self::Captured { missing } => {
                let missing: Vec<&str> = missing.iter().map(|volume| volume.0.as_str()).collect();
                write!(
                    f,
                    "not seen captured while writes were held: {}",
                    missing.join(", ")
                )
            }
            Self::Unbroken { link, detail } if detail.is_empty() => {
                write!(f, "broken on the guest: {link}")
            }
            Self::Unbroken { link, detail } => write!(f, "broken on the guest: {link}, {detail}"),
            Self::Released => f.write_str("the guest never answered that the hold was unbroken"),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverHeld => f.write_str("The database's writes were never held."),
            Self::Released => {
                f.write_str("The database's writes are let go: the guest confirmed it.")
            }
            Self::ThawFailed => f.write_str(
                "File systems and processes are let go, but the thaw command failed: the application may still hold its writes.",
            ),
            Self::LetsGoBy(instant) => write!(
                f,
                "The guest did not confirm that it let the database's writes go; its own switch lets go by {} at the latest.",
                clock_time(*instant)
            ),
        }
    }
}

impl fmt::Display for ImageFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("No image was begun."),
            Self::Discarded => {
                f.write_str("The image and its snapshots are removed: nothing unproven is left.")
            }
            Self::Left { known, error } if known.is_empty() => {
                f.write_str("Whether anything of the unproven image is left is not known")?;
                error
                    .as_ref()
                    .map_or(Ok(()), |error| write!(f, " ({error})"))?;
                f.write_str(".")
            }
            Self::Left { known, .. } => {
                let known = known
                    .iter()
                    .map(|left| format!("{} ({})", left.id, left.reason));
                let known: Vec<String> = known.collect();
                write!(
                    f,
                    "The unproven image could not be removed. Left behind: {}.",
                    known.join(", ")
                )
            }
        }
    }
}

fn clock_time(instant: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    instant
        .to_offset(time::UtcOffset::UTC)
        .format(&format)
        .unwrap_or_else(|_| instant.to_string())
}

fn listed(problems: &[Problem]) -> String {
    let messages: Vec<&str> = problems.iter().map(|problem| &*problem.message).collect();
    if messages.is_empty() {
        "no reason given".to_owned()
    } else {
        messages.join("; ")
    }
}

fn reason_shown(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    }
}

#[cfg(test)]
mod tests;
