//! Renders the guest scripts: values first, each quoted, then the static text of `guest/` and of the engines.
//!
//! The inputs and the answers are described in docs/design/guest-protocol.md.

mod pruning;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use self::pruning::Pruning;
use crate::{
    engines::{self, EngineOption, OptionKind, Options, Recipe},
    method::Method,
    ports::Script,
    session::SessionId,
    shell::assignment,
};

/// How long arming may flush (checkpoint, sync). A checkpoint writes all of `shared_buffers`: minutes where that is
/// large and the volume slow. Nothing is held meanwhile.
pub const FLUSH_LIMIT: Duration = Duration::from_mins(5);

/// The probe answers in 0.3 s; a guest that takes this long is in trouble that the user should hear about.
const PROBE_LIMIT: Duration = Duration::from_mins(1);

/// A release thaws in milliseconds, but may have to wait for a stopped service to start and accept connections.
const RELEASE_LIMIT: Duration = Duration::from_mins(3);

/// What arm and hold may take beyond flush and hold: detection, starting the switches, letting go after a failure.
const MARGIN: Duration = Duration::from_secs(30);

const PRELUDE: &str = include_str!("../guest/prelude.sh");
const PROCESSES: &str = include_str!("../guest/processes.sh");
const MOUNTINFO: &str = include_str!("../guest/mountinfo.sh");
const MOUNTS: &str = include_str!("../guest/mounts.sh");
const DEVICES: &str = include_str!("../guest/devices.sh");
const STATE: &str = include_str!("../guest/state.sh");
const WITNESS: &str = include_str!("../guest/witness.sh");
const METHODS: &str = include_str!("../guest/methods.sh");
const LET_GO: &str = include_str!("../guest/let_go.sh");
const ENGINES: &str = include_str!("../guest/engines.sh");
const SWITCH: &str = include_str!("../guest/switch.sh");
const VIEWS: &str = include_str!("../guest/views.sh");
const SERVERS: &str = include_str!("../guest/servers.sh");
const DESCRIBE: &str = include_str!("../guest/describe.sh");
const STRANGERS: &str = include_str!("../guest/strangers.sh");
const PROBE: &str = include_str!("../guest/probe.sh");
const LOOK: &str = include_str!("../guest/look.sh");
const SYNC: &str = include_str!("../guest/sync.sh");
const STEP: &str = include_str!("../guest/step.sh");
const ARM: &str = include_str!("../guest/arm.sh");
const HOLD: &str = include_str!("../guest/hold.sh");
const RELEASE: &str = include_str!("../guest/release.sh");

/// What a guest is armed for, and then asked to do.
#[derive(Clone, Debug)]
pub struct Hold<'a> {
    pub session: &'a SessionId,
    pub engines: &'a [Options],
    /// The boot that the probe saw.
    pub boot_id: &'a str,
    /// Guest uptime after which the script refuses to begin.
    pub start_before: Duration,
    pub method: Method,
    /// The dead-man's switch fires this long after the first hold began.
    pub max_hold: Duration,
    /// The data mounts as the probe spelled them, in the order in which to hold them.
    pub mounts: &'a [String],
}

/// The read-only look at the guest.
pub fn probe(session: &SessionId, engines: &[Options]) -> Script {
    let values = [
        common(session),
        engine_values(engines),
        assignment("CDB_SERVER_NAMES", &server_names()),
    ]
    .concat();
    let text = once("probe", engines, None, || {
        let functions = engine_functions(engines);
        let text = [
            PRELUDE, PROCESSES, MOUNTINFO, MOUNTS, DEVICES, STATE, ENGINES, VIEWS, SERVERS,
            DESCRIBE, STRANGERS, &functions, PROBE,
        ];
        assembled(&text, &[])
    });
    script("probe", &values, &text, PROBE_LIMIT)
}

/// Takes the lock, starts the switches, flushes: makes ready for `hold`, and holds nothing. The guest then waits for the
/// hold's script for as long as `armed_limit`, and stands down where none comes.
pub fn arm(hold: &Hold<'_>, armed_limit: Duration) -> Script {
    let values = [
        hold_values(hold),
        assignment("CDB_FLUSH_LIMIT_MS", &milliseconds(FLUSH_LIMIT)),
        assignment("CDB_ARMED_LIMIT_MS", &milliseconds(armed_limit)),
        document_texts(hold),
    ]
    .concat();
    let text = once("arm", hold.engines, Some(hold.method), || arm_text(hold));
    script("arm", &values, &text, FLUSH_LIMIT + MARGIN)
}

fn arm_text(hold: &Hold<'_>) -> String {
    // The switch outlives this script, which therefore carries its text as a value, and runs it too: most of it is
    // needed here as well.
    let guard = [
        PRELUDE, PROCESSES, MOUNTINFO, STATE, LET_GO, ENGINES, SWITCH,
    ];
    let functions = further_functions(hold, false);
    let text = [MOUNTS, DEVICES, VIEWS, SERVERS, SYNC, &functions, STEP, ARM];
    let (let_go, recorded) = (engine_let_go(hold.engines), what_may_be_recorded());
    let all = [&guard[..], &text].concat();
    let pruning = Pruning::of(&all, &[&let_go, &recorded, "switch"]);
    let guard = assignment("GUARD_TEXT", &bare(&pruning.prune(&guard)));
    let let_go = let_go_of_engines(hold.engines, &all, "switch");
    guard + "eval \"$GUARD_TEXT\"\n" + &let_go + &bare(&pruning.prune(&text))
}

/// Holds writes on a guest that is armed.
pub fn hold(hold: &Hold<'_>) -> Script {
    let text = once("hold", hold.engines, Some(hold.method), || hold_text(hold));
    // It begins within the time that a hold may last, and takes at most half of that.
    let limit = 2 * hold.max_hold + MARGIN;
    script("hold", &hold_values(hold), &text, limit)
}

fn hold_text(hold: &Hold<'_>) -> String {
    let functions = further_functions(hold, true);
    let text = [
        PRELUDE, PROCESSES, MOUNTINFO, STATE, LET_GO, ENGINES, MOUNTS, DEVICES, VIEWS, SERVERS,
        SYNC, WITNESS, METHODS, &functions, STEP, HOLD,
    ];
    let holding = format!("hold_by_{}", hold.method);
    let (let_go, recorded) = (engine_let_go(hold.engines), what_may_be_recorded());
    let mut callers = vec![&*holding, &let_go];
    if hold.method == Method::Stop {
        callers.push(&recorded);
    }
    let_go_of_engines(hold.engines, &text, &holding) + &assembled(&text, &callers)
}

/// The text of the document that an engine runs, brought to the guest once: whatever runs it later finds it there.
fn document_texts(hold: &Hold<'_>) -> String {
    let mark = format!("@consistent-{}@", hold.session);
    let texts = hold.engines.iter().filter_map(|options| {
        let packed = options.document()?.packed(hold.session, &mark);
        let name = format!("CDB_{}_TEXT", options.name()).to_uppercase();
        Some(assignment(&name, &packed))
    });
    texts.collect()
}

fn hold_values(hold: &Hold<'_>) -> String {
    [
        common(hold.session),
        engine_values(hold.engines),
        assignment("CDB_BOOT_ID", hold.boot_id),
        assignment("CDB_START_BEFORE_MS", &milliseconds(hold.start_before)),
        assignment("CDB_METHOD", hold.method.as_str()),
        assignment("CDB_MAX_HOLD_MS", &milliseconds(hold.max_hold)),
        assignment("CDB_MOUNTS", &hold.mounts.join("\n")),
    ]
    .concat()
}

/// Proves the hold unbroken, lets writes go on, stands the switch down.
pub fn release(session: &SessionId, engines: &[Options], boot_id: &str) -> Script {
    let values = [
        common(session),
        engine_values(engines),
        assignment("CDB_BOOT_ID", boot_id),
    ]
    .concat();
    let text = once("release", engines, None, || {
        let let_go = engine_let_go(engines);
        let text = [
            PRELUDE, PROCESSES, MOUNTINFO, STATE, WITNESS, LET_GO, ENGINES, &let_go, RELEASE,
        ];
        assembled(&text, &[&what_may_be_recorded()])
    });
    script("release", &values, &text, RELEASE_LIMIT)
}

/// What a script consists of beyond its values. It depends on the engines and the method alone, and is made once: the tests render scripts by the
/// thousand.
fn once(
    purpose: &str,
    engines: &[Options],
    method: Option<Method>,
    render: impl FnOnce() -> String,
) -> Arc<str> {
    static MADE: Mutex<BTreeMap<String, Arc<str>>> = Mutex::new(BTreeMap::new());
    let names: Vec<_> = engines.iter().map(Options::name).collect();
    let key = format!("{purpose} {method:?} {}", names.join(" "));
    // Nothing is left half done by whoever panics with the lock.
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let text = made.entry(key).or_insert_with(|| render().into());
    Arc::clone(text)
}

/// The read-only look at the sessions that the guest knows of, whatever their engines are.
pub fn look(session: &SessionId) -> Script {
    let text = once("look", &[], None, || {
        assembled(&[PRELUDE, PROCESSES, STATE, LOOK], &[])
    });
    script("look", &common(session), &text, PROBE_LIMIT)
}

fn script(purpose: &'static str, values: &str, text: &str, kill_after: Duration) -> Script {
    Script {
        purpose,
        text: format!("#!/bin/sh\n{values}{text}"),
        kill_after,
    }
}

/// What these files come to, with the functions that they or `callers` call.
fn assembled(files: &[&str], callers: &[&str]) -> String {
    bare(&Pruning::of(files, callers).prune(files))
}

/// The text without indentation, empty lines and lines that are only comment: SSM limits a command's size and logs
/// it all.
fn bare(text: &str) -> String {
    text.lines()
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
        let on_the_guest = |option: &EngineOption| option.kind != OptionKind::DocumentParameters;
        let told = options.iter().filter(move |(it, _)| on_the_guest(it));
        told.map(|(option, value)| {
            let name = format!("CDB_{}_{}", options.name(), option.name).to_uppercase();
            assignment(&name, value.unwrap_or_default())
        })
    });
    let documents = engines.iter().map(document_values);
    assignment("CDB_ENGINES", &names.join(" ")) + &told.chain(documents).collect::<String>()
}

/// How the document that an engine runs is run.
fn document_values(options: &Options) -> String {
    let Some(document) = options.document() else {
        return String::new();
    };
    let named = |what: &str| format!("CDB_{}_{what}", options.name()).to_uppercase();
    [
        assignment(&named("INTERPRETER"), document.interpreter()),
        assignment(&named("RUN"), &document.command_line()),
    ]
    .concat()
}

/// Every server's process that is known by name, with the engine to ask for it by: "name engine" a line.
fn server_names() -> String {
    let ours = engines::ENGINES.iter().flat_map(|engine| {
        let named = |process: &&str| format!("{process} {}", engine.name);
        engine.processes.iter().map(named)
    });
    let others = engines::OTHER_SERVERS.iter();
    let lines: Vec<String> = ours
        .chain(others.map(|process| format!("{process} custom")))
        .collect();
    lines.join("\n")
}

/// The engines' own functions, with all that they check.
fn engine_functions(engines: &[Options]) -> String {
    let functions = once_each(engines, |recipe| match recipe {
        Recipe::Bracket { functions, .. } => functions,
    });
    functions.concat() + &checks(engines).concat()
}

/// Those that holding or arming by this method needs, without those which the script has already in order to let go.
/// Arming holds nothing, but makes sure that a server can be stopped.
fn further_functions(hold: &Hold<'_>, holds: bool) -> String {
    let known = let_go_texts(hold.engines);
    let mut all = once_each(hold.engines, |recipe| match recipe {
        Recipe::Bracket { functions, .. } => functions,
    });
    if !holds {
        all.extend(checks(hold.engines));
    }
    all.extend(match (hold.method, holds) {
        (Method::Stop, _) => once_each(hold.engines, |recipe| match recipe {
            Recipe::Bracket { stop, .. } => stop,
        }),
        (_, true) => once_each(hold.engines, |recipe| match recipe {
            Recipe::Bracket { hold, .. } => hold,
        }),
        (_, false) => Vec::new(),
    });
    all.retain(|text| !known.contains(text));
    all.concat()
}

fn checks(engines: &[Options]) -> Vec<&'static str> {
    once_each(engines, |recipe| match recipe {
        Recipe::Bracket { checks, .. } => checks,
    })
}

/// What lets go what the engines hold is recorded as text for whoever will do it, and may be run in the script too: as much of it as the
/// script of these files, called by `caller`, records or calls.
fn let_go_of_engines(engines: &[Options], files: &[&str], caller: &str) -> String {
    let let_go = engine_let_go(engines);
    let all = [files, &[&let_go]].concat();
    let functions = bare(&Pruning::of(&all, &[caller]).prune(&[&let_go]));
    assignment("ENGINES_LET_GO", &functions) + "eval \"$ENGINES_LET_GO\"\n"
}

fn engine_let_go(engines: &[Options]) -> String {
    let_go_texts(engines).concat()
}

fn let_go_texts(engines: &[Options]) -> Vec<&'static str> {
    once_each(engines, |recipe| match recipe {
        Recipe::Bracket { let_go, .. } => let_go,
    })
}

/// What a session of any engine may have recorded in order to let go what it holds and to start its servers: whoever comes upon one that died has to do that.
fn what_may_be_recorded() -> String {
    let recorded = engines::ENGINES
        .iter()
        .flat_map(|engine| match engine.recipe {
            Recipe::Bracket { stop, let_go, .. } => [stop, let_go],
        });
    recorded.flatten().copied().chain(["bring_up"]).collect()
}

/// The texts that the engines bring, those that several bring once.
fn once_each(engines: &[Options], of: fn(&Recipe) -> &'static [&'static str]) -> Vec<&'static str> {
    let all = engines.iter().flat_map(|it| of(&it.engine().recipe));
    let mut texts: Vec<&str> = Vec::new();
    for text in all {
        if !texts.contains(text) {
            texts.push(text);
        }
    }
    texts
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

    /// The scripts that arm for a hold of these mounts, and hold them.
    fn both_of(mounts: &[String]) -> [Script; 2] {
        let order = Hold {
            session: &session(),
            engines: &[postgresql()],
            boot_id: "a-boot",
            start_before: Duration::from_millis(1234),
            method: Method::Pause,
            max_hold: Duration::from_mins(1),
            mounts,
        };
        [arm(&order, Duration::from_secs(45)), hold(&order)]
    }

    fn assert_line(script: &Script, line: &str) {
        assert!(script.text.lines().any(|l| l == line), "no line {line}");
    }

    /// A session that died is let go by the next one's scripts, of whatever engines, and by a release that knows of none.
    #[test]
    fn whoever_lets_go_has_what_the_record_of_any_engine_calls() {
        let house = [PRELUDE, PROCESSES, MOUNTINFO, STATE, LET_GO, ENGINES];
        let mut scripts = vec![release(&session(), &[], "a-boot")];
        scripts.extend(engines::ENGINES.iter().map(|engine| {
            let order = Hold {
                session: &session(),
                engines: &[Options::new(engine)],
                boot_id: "a-boot",
                start_before: Duration::from_secs(1),
                method: Method::Freeze,
                max_hold: Duration::from_mins(1),
                mounts: &[],
            };
            arm(&order, Duration::from_secs(45))
        }));
        for engine in engines::ENGINES {
            let Recipe::Bracket { let_go, .. } = engine.recipe;
            let recorded = let_go.concat();
            let needed =
                Pruning::of(&[&house[..], &[&recorded]].concat(), &[&recorded]).prune(&house);
            let functions = needed.lines().filter(|line| line.contains("() {"));
            for function in functions {
                for script in &scripts {
                    let is_there = script.text.contains(&format!("\n{function}\n"));
                    assert!(
                        is_there,
                        "{}: {} lacks {function}",
                        engine.name, script.purpose
                    );
                }
            }
        }
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
    fn arm_and_hold_say_when_how_and_what() {
        for script in both_of(&["/data".into(), "/it's\\040here".into()]) {
            for line in [
                "CDB_SESSION='0123456789abcdef0123456789abcdef'",
                "CDB_BOOT_ID='a-boot'",
                "CDB_START_BEFORE_MS='1234'",
                "CDB_METHOD='pause'",
                "CDB_MAX_HOLD_MS='60000'",
            ] {
                assert_line(&script, line);
            }
            let mounts = "CDB_MOUNTS='/data\n/it'\\''s\\040here'\n";
            assert!(script.text.contains(mounts));
        }
    }

    #[test]
    fn only_arming_flushes_and_then_waits() {
        let [arm, hold] = both_of(&[]);
        for line in ["CDB_FLUSH_LIMIT_MS='300000'", "CDB_ARMED_LIMIT_MS='45000'"] {
            assert_line(&arm, line);
            assert!(!hold.text.contains(line));
        }
    }

    #[test]
    fn the_agent_kills_no_script_that_may_still_succeed() {
        let [arm, hold] = both_of(&[]);
        assert!(arm.kill_after > FLUSH_LIMIT);
        assert!(hold.kill_after > Duration::from_secs(90));
    }

    #[test]
    fn comments_stay_here() {
        let release = release(&session(), &[postgresql()], "a-boot");
        let [arm, hold] = both_of(&[]);
        for script in [probe(&session(), &[postgresql()]), arm, hold, release] {
            let (first, rest) = script.text.split_once('\n').expect("lines");
            assert_eq!(first, "#!/bin/sh");
            assert!(!rest.lines().any(|line| line.starts_with('#')));
        }
    }
}
