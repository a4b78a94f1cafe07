//! The three ways in which a guest's writes are held, and the choice between them (DESIGN.md section 2).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::report::{Mount, Probe, Problem, Server};

/// How writes are held. All three give one cut across all volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// `fsfreeze` on every data mount.
    Freeze,
    /// The server's processes paused, then every data mount synced.
    Pause,
    /// The service stopped cleanly; the image then starts without recovery.
    Stop,
}

/// What the user asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// `freeze` where it can, else `pause`; never `stop`.
    #[default]
    Auto,
    Exactly(Method),
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

impl Choice {
    /// The method for what the probe saw, or why the one asked for is unsafe there.
    pub(crate) fn settle(self, probe: &Probe) -> Result<Method, Vec<Problem>> {
        let unsafe_here: Vec<Problem> = probe
            .mounts
            .iter()
            .filter(|mount| mount.data)
            .filter_map(unsafe_freeze)
            .collect();
        let nothing_to_pause: Vec<Problem> = probe.servers.iter().filter_map(unpausable).collect();
        match self {
            Self::Auto if unsafe_here.is_empty() => Ok(Method::Freeze),
            Self::Auto if !nothing_to_pause.is_empty() => {
                Err([unsafe_here, nothing_to_pause].concat())
            }
            Self::Auto => Ok(Method::Pause),
            Self::Exactly(Method::Freeze) if !unsafe_here.is_empty() => Err(unsafe_here),
            Self::Exactly(Method::Pause) if !nothing_to_pause.is_empty() => Err(nothing_to_pause),
            Self::Exactly(method) => Ok(method),
        }
    }
}

/// Why the processes of `server` cannot be paused: nobody knows which they are.
fn unpausable(server: &Server) -> Option<Problem> {
    server.pid.is_none().then(|| {
        Problem::new(
            "nothing_to_pause",
            &format!(
                "no processes of {} are known that could be paused",
                server.engine
            ),
            &format!(
                "set {}.service to the systemd service that writes to its paths",
                server.engine
            ),
        )
    })
}

/// Why freezing `mount` would stall the guest, the agent, and the thaw with them.
fn unsafe_freeze(mount: &Mount) -> Option<Problem> {
    let why = match &mount.needed_by_guest {
        Some(need) => format!("the guest itself needs it in order to thaw ({need})"),
        None if mount.freezable => return None,
        None => format!("{} cannot be frozen", mount.fstype),
    };
    Some(Problem::new(
        "unsafe_freeze",
        &format!("{} holds data, but {why}", mount.mount_point),
        "set quiesce.method to \"auto\" or \"pause\": they hold the server's processes instead of the file system",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::scene;

    fn probe(needed: Option<&str>, freezable: bool) -> Probe {
        let mut probe = scene::probe();
        probe.mounts[0].needed_by_guest = needed.map(Into::into);
        probe.mounts[0].freezable = freezable;
        probe
    }

    #[test]
    fn auto_freezes_where_it_can_and_pauses_where_it_cannot() {
        assert_eq!(Choice::Auto.settle(&probe(None, true)), Ok(Method::Freeze));
        assert_eq!(
            Choice::Auto.settle(&probe(Some("root"), true)),
            Ok(Method::Pause)
        );
        assert_eq!(Choice::Auto.settle(&probe(None, false)), Ok(Method::Pause));
    }

    #[test]
    fn freeze_is_refused_where_it_would_stall_the_thaw() {
        for unsafe_probe in [
            probe(Some("the agent's /var/lib/amazon"), true),
            probe(None, false),
        ] {
            let problems = Choice::Exactly(Method::Freeze)
                .settle(&unsafe_probe)
                .unwrap_err();
            assert_eq!(&*problems[0].code, "unsafe_freeze");
        }
        assert_eq!(
            Choice::Exactly(Method::Freeze).settle(&probe(None, true)),
            Ok(Method::Freeze)
        );
    }

    #[test]
    fn nobody_is_paused_whose_processes_are_not_known() {
        let unknown = |mut probe: Probe| {
            probe.servers[0].pid = None;
            probe
        };
        let safe = unknown(probe(None, true));
        assert_eq!(Choice::Auto.settle(&safe), Ok(Method::Freeze));
        let problems = Choice::Exactly(Method::Pause).settle(&safe).unwrap_err();
        assert_eq!(&*problems[0].code, "nothing_to_pause");
        let root = unknown(probe(Some("root"), true));
        assert_eq!(Choice::Auto.settle(&root).unwrap_err().len(), 2);
    }

    #[test]
    fn pause_and_stop_are_taken_where_asked_for() {
        for method in [Method::Pause, Method::Stop] {
            assert_eq!(
                Choice::Exactly(method).settle(&probe(Some("root"), false)),
                Ok(method)
            );
        }
    }
}
