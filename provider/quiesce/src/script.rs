//! Renders the three guest scripts: values first, each quoted, then the static text of `guest/` and of the engines.
//!
//! The inputs and the answers are described in docs/design/guest-protocol.md.

use std::time::Duration;

use crate::{
    engines::{Options, Recipe},
    method::Method,
    ports::Script,
    session::SessionId,
    shell::assignment,
};

/// How long a hold may flush (checkpoint, sync) before its first hold begins. A checkpoint writes all of
/// `shared_buffers`: minutes where that is large and the volume slow. Nothing is held meanwhile.
pub const FLUSH_LIMIT: Duration = Duration::from_mins(5);

/// The probe answers in 0.3 s; a guest that takes this long is in trouble that the user should hear about.
const PROBE_LIMIT: Duration = Duration::from_mins(1);

/// A release thaws in milliseconds, but may have to wait for a stopped service to start and accept connections.
const RELEASE_LIMIT: Duration = Duration::from_mins(3);

/// What a hold may take beyond its flush and its hold: detection, arming, letting go after a failure.
const HOLD_MARGIN: Duration = Duration::from_secs(30);

const PRELUDE: &str = include_str!("../guest/prelude.sh");
const PROCESSES: &str = include_str!("../guest/processes.sh");
const MOUNTINFO: &str = include_str!("../guest/mountinfo.sh");
const MOUNTS: &str = include_str!("../guest/mounts.sh");
const DEVICES: &str = include_str!("../guest/devices.sh");
const STATE: &str = include_str!("../guest/state.sh");
const WITNESS: &str = include_str!("../guest/witness.sh");
const METHODS: &str = include_str!("../guest/methods.sh");
const LET_GO: &str = include_str!("../guest/let_go.sh");
const SWITCH: &str = include_str!("../guest/switch.sh");
const SERVERS: &str = include_str!("../guest/servers.sh");
const PROBE: &str = include_str!("../guest/probe.sh");
const HOLD: &str = include_str!("../guest/hold.sh");
const RELEASE: &str = include_str!("../guest/release.sh");

/// What a hold is asked to do.
#[derive(Clone, Debug)]
pub struct Hold<'a> {
    pub session: &'a SessionId,
    pub engines: &'a [Options],
    /// The boot that the probe saw.
    pub boot_id: &'a str,
    /// Guest uptime after which the hold refuses to begin.
    pub start_before: Duration,
    pub method: Method,
    /// The dead-man's switch fires this long after the first hold began.
    pub max_hold: Duration,
    /// The data mounts as the probe spelled them, in the order in which to hold them.
    pub mounts: &'a [String],
}

/// The read-only look at the guest.
pub fn probe(session: &SessionId, engines: &[Options]) -> Script {
    let values = [common(session), engine_values(engines)].concat();
    let functions = engine_functions(engines);
    let text = [
        PRELUDE, PROCESSES, MOUNTINFO, MOUNTS, DEVICES, STATE, SERVERS, &functions, PROBE,
    ];
    script("probe", &values, &bare(&text), PROBE_LIMIT)
}

/// Arms the switch, flushes, holds writes.
pub fn hold(hold: &Hold<'_>) -> Script {
    let values = [
        common(hold.session),
        engine_values(hold.engines),
        assignment("CDB_BOOT_ID", hold.boot_id),
        assignment("CDB_START_BEFORE_MS", &milliseconds(hold.start_before)),
        assignment("CDB_METHOD", hold.method.as_str()),
        assignment("CDB_MAX_HOLD_MS", &milliseconds(hold.max_hold)),
        assignment("CDB_FLUSH_LIMIT_MS", &milliseconds(FLUSH_LIMIT)),
        assignment("CDB_MOUNTS", &hold.mounts.join("\n")),
    ]
    .concat();
    // The switch outlives this script, which therefore carries its text as a value, and runs it too: most of it is
    // needed here as well.
    let guard = [PRELUDE, PROCESSES, MOUNTINFO, STATE, LET_GO, SWITCH];
    let guard = assignment("GUARD_TEXT", &bare(&guard)) + "eval \"$GUARD_TEXT\"\n";
    let functions = engine_functions(hold.engines);
    let text = [MOUNTS, DEVICES, SERVERS, WITNESS, METHODS, &functions, HOLD];
    let limit = FLUSH_LIMIT + hold.max_hold + HOLD_MARGIN;
    script("hold", &values, &(guard + &bare(&text)), limit)
}

/// Proves the hold unbroken, lets writes go on, stands the switch down.
pub fn release(session: &SessionId, engines: &[Options], boot_id: &str) -> Script {
    let values = [
        common(session),
        engine_values(engines),
        assignment("CDB_BOOT_ID", boot_id),
    ]
    .concat();
    let text = [
        PRELUDE, PROCESSES, MOUNTINFO, STATE, WITNESS, LET_GO, RELEASE,
    ];
    script("release", &values, &bare(&text), RELEASE_LIMIT)
}

fn script(purpose: &'static str, values: &str, text: &str, kill_after: Duration) -> Script {
    Script {
        purpose,
        text: format!("#!/bin/sh\n{values}{text}"),
        kill_after,
    }
}

/// The text without indentation, empty lines and lines that are only comment: SSM limits a command's size and logs
/// it all.
fn bare(parts: &[&str]) -> String {
    let lines = parts.iter().flat_map(|part| part.lines());
    lines
        .map(str::trim_start)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .flat_map(|line| [line, "\n"])
        .collect()
}

fn common(session: &SessionId) -> String {
    assignment("CDB_SESSION", session.as_str())
}

fn engine_values(engines: &[Options]) -> String {
    let names: Vec<_> = engines.iter().map(Options::name).collect();
    let told = engines.iter().flat_map(|options| {
        options.iter().map(|(option, value)| {
            let name = format!("CDB_{}_{}", options.name(), option.name).to_uppercase();
            assignment(&name, value.unwrap_or_default())
        })
    });
    assignment("CDB_ENGINES", &names.join(" ")) + &told.collect::<String>()
}

fn engine_functions(engines: &[Options]) -> String {
    let functions = engines.iter().map(|options| match options.engine().recipe {
        Recipe::Bracket { functions } => functions,
    });
    functions.collect()
}

fn milliseconds(duration: Duration) -> String {
    duration.as_millis().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::Engine;

    fn session() -> SessionId {
        "0123456789abcdef0123456789abcdef"
            .parse()
            .expect("a session id")
    }

    fn postgresql() -> Options {
        Options::new(Engine::named("postgresql").expect("an engine of ours"))
    }

    fn hold_of(mounts: &[String]) -> Script {
        hold(&Hold {
            session: &session(),
            engines: &[postgresql()],
            boot_id: "a-boot",
            start_before: Duration::from_millis(1234),
            method: Method::Pause,
            max_hold: Duration::from_mins(1),
            mounts,
        })
    }

    fn assert_line(script: &Script, line: &str) {
        assert!(script.text.lines().any(|l| l == line), "no line {line}");
    }

    #[test]
    fn every_option_is_assigned_told_or_not() {
        let options = postgresql().with("port", "5433").expect("a port");
        let script = probe(&session(), &[options]);
        assert_line(&script, "CDB_ENGINES='postgresql'");
        assert_line(&script, "CDB_POSTGRESQL_PORT='5433'");
        for option in [
            "SOCKET_DIRECTORY",
            "OS_USER",
            "DATABASE",
            "DATA_DIRECTORY",
            "SERVICE",
        ] {
            assert_line(&script, &format!("CDB_POSTGRESQL_{option}=''"));
        }
    }

    #[test]
    fn a_hold_says_when_how_and_what() {
        let script = hold_of(&["/data".into(), "/it's\\040here".into()]);
        for line in [
            "CDB_SESSION='0123456789abcdef0123456789abcdef'",
            "CDB_BOOT_ID='a-boot'",
            "CDB_START_BEFORE_MS='1234'",
            "CDB_METHOD='pause'",
            "CDB_MAX_HOLD_MS='60000'",
            "CDB_FLUSH_LIMIT_MS='300000'",
        ] {
            assert_line(&script, line);
        }
        assert!(
            script
                .text
                .contains("CDB_MOUNTS='/data\n/it'\\''s\\040here'\n")
        );
    }

    #[test]
    fn the_agent_kills_no_script_that_may_still_succeed() {
        let longest = FLUSH_LIMIT + Duration::from_mins(1);
        assert!(hold_of(&[]).kill_after > longest);
    }

    #[test]
    fn comments_stay_here() {
        let release = release(&session(), &[postgresql()], "a-boot");
        for script in [probe(&session(), &[postgresql()]), hold_of(&[]), release] {
            let (first, rest) = script.text.split_once('\n').expect("lines");
            assert_eq!(first, "#!/bin/sh");
            assert!(!rest.lines().any(|line| line.starts_with('#')));
        }
    }
}
