//! What was found, in words for a terminal.

use std::{fmt::Write as _, time::Duration};

use quiesce::holds::Fate;

use super::findings::{Findings, Hold, Pending, Remains, Server};
use crate::diagnose::sentence;

/// Everything, part by part; then what it means and what to do.
pub(super) fn told(findings: &Findings) -> String {
    let mut parts = vec![format!(
        "{} in {}: {}",
        findings.instance, findings.region, findings.state
    )];
    parts.push(server(&findings.server, &findings.state));
    parts.push(ec2(&findings.ec2));
    parts.push(section(
        "Not found out",
        findings.uncertain.iter().map(|it| sentence(it)),
    ));
    parts.push(section(
        "Done",
        findings.done.iter().map(ToString::to_string),
    ));
    parts.push(section(
        "What to do",
        advice(findings).into_iter().map(str::to_owned),
    ));
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

fn section(title: &str, lines: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for line in lines {
        // Writing to a String does not fail.
        let _ = write!(text, "\n  {line}");
    }
    if text.is_empty() {
        text
    } else {
        format!("{title}:{text}")
    }
}

fn server(server: &Server, state: &str) -> String {
    if !server.asked {
        let is_off = matches!(state, "stopped" | "terminated");
        return if is_off {
            "On the server: nothing is held, it does not run.".into()
        } else {
            String::new()
        };
    }
    if server.sessions.is_empty() && server.given_up.is_empty() {
        return "On the server: no session of ours, nothing held by one.".into();
    }
    let sessions = server.sessions.iter().flat_map(hold);
    let given_up = server.given_up.iter().map(|it| {
        format!(
            "session {} could not let go, and nobody tries any more: {}",
            it.session, it.detail
        )
    });
    let warnings = server.warnings.iter().map(ToString::to_string);
    section("On the server", sessions.chain(given_up).chain(warnings))
}

fn hold(hold: &Hold) -> Vec<String> {
    let method = hold
        .method
        .map_or_else(String::new, |it| format!(" by {it}"));
    let since = match hold.held_for_ms {
        Some(ms) => format!("began to hold writes{method} {} ago", spoken_ms(ms)),
        None => format!("makes ready to hold writes{method}, holds nothing yet"),
    };
    let end = match (hold.fate, hold.ends_in_ms) {
        (Fate::Dead, _) => "its switches are gone, nobody lets go".to_owned(),
        (Fate::Overdue, _) => "its time is over, and it has not ended".to_owned(),
        (Fate::Live, Some(ms)) => {
            format!(
                "ends in {} at the latest, {} of 2 switches live",
                spoken_ms(ms),
                hold.switches
            )
        }
        (Fate::Live, None) => "its script is at work".to_owned(),
    };
    let letting_go = if hold.letting_go {
        "; it is being let go"
    } else {
        ""
    };
    let mut lines = vec![format!(
        "session {} {since}; {end}{letting_go}",
        hold.session
    )];
    let mut registered: Vec<String> = hold.mounts.iter().map(|it| format!("mount {it}")).collect();
    if hold.paused_processes > 0 {
        registered.push(format!("{} paused processes", hold.paused_processes));
    }
    if hold.stops_services {
        registered.push("stopped services".into());
    }
    if hold.engine_locks {
        registered.push("what an engine holds itself (locks, an application)".into());
    }
    if !registered.is_empty() {
        lines.push(format!("  registered: {}", registered.join(", ")));
    }
    lines
}

fn ec2(remains: &Remains) -> String {
    if !remains.asked {
        return String::new();
    }
    let mut lines: Vec<String> = remains.pending.iter().flat_map(pending).collect();
    if lines.is_empty() {
        lines.push("nothing that is not proven".into());
    }
    if remains.proven_images > 0 {
        lines.push(format!(
            "proven images, which are never touched: {}",
            remains.proven_images
        ));
    }
    let orphans = &remains.snapshots_of_removed_proven_images;
    if !orphans.is_empty() {
        lines.push(format!(
            "snapshots of proven images that were removed, not touched: {}",
            orphans.join(", ")
        ));
    }
    section("In EC2", lines.into_iter())
}

fn pending(pending: &Pending) -> Vec<String> {
    let tense = if pending.expired {
        "expired"
    } else {
        "expires"
    };
    let title = format!(
        "session {} of image \"{}\": not proven, {tense} {}",
        pending.session, pending.image_name, pending.expires
    );
    let parts = pending.parts.iter().map(|part| {
        let age = part.age_seconds.and_then(|it| u64::try_from(it).ok());
        let age = age.map_or_else(String::new, |it| {
            format!(", {} old", spoken(Duration::from_secs(it)))
        });
        format!("  {} {}{age}", &*part.id, &*part.state)
    });
    std::iter::once(title).chain(parts).collect()
}

fn advice(findings: &Findings) -> Vec<&'static str> {
    let fates =
        |wanted: fn(Fate) -> bool| findings.server.sessions.iter().any(|it| wanted(it.fate));
    let any = |expired: bool| findings.ec2.pending.iter().any(|it| it.expired == expired);
    let all = [
        (
            fates(|fate| fate == Fate::Live),
            "A session on the server is live: its run may be at work. Its switch ends it in time by itself.",
        ),
        (
            fates(|fate| fate != Fate::Live),
            "A session on the server is dead or overdue: no image can come of it. --clean lets it go.",
        ),
        (
            !findings.server.given_up.is_empty(),
            "Something was given up: run the thaw command by hand, look at the application, then remove the session's file `left` below /run/consistent/sessions.",
        ),
        (
            any(true),
            "What has expired belongs to no run any more: --clean removes it, and so does the next apply.",
        ),
        (
            any(false),
            "What has not expired may belong to a run that is alive. If you know that it is not: --clean --session ID.",
        ),
        (
            findings.is_uncertain(),
            "Not everything could be asked: see above, and look again. Is the region right?",
        ),
    ];
    all.into_iter()
        .filter_map(|(applies, text)| applies.then_some(text))
        .collect()
}

fn spoken_ms(ms: u64) -> String {
    spoken(Duration::from_millis(ms))
}

/// In the largest unit that leaves a number above one.
fn spoken(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use quiesce::session::SessionId;

    use super::*;
    use crate::doctor::findings::GivenUp;

    fn quiet() -> Findings {
        Findings {
            instance: "i-1".into(),
            region: "eu-central-1".into(),
            state: "running".into(),
            server: Server {
                asked: true,
                ..Server::default()
            },
            ec2: Remains {
                asked: true,
                ..Remains::default()
            },
            uncertain: Vec::new(),
            done: Vec::new(),
        }
    }

    fn dead() -> Hold {
        Hold {
            session: SessionId::random(),
            fate: Fate::Dead,
            method: Some("pause"),
            held_for_ms: Some(200_000),
            ends_in_ms: Some(0),
            switches: 0,
            letting_go: false,
            mounts: Vec::new(),
            paused_processes: 3,
            stops_services: false,
            engine_locks: true,
        }
    }

    #[test]
    fn where_nothing_is_nothing_has_to_be_done() {
        let text = told(&quiet());
        assert!(text.contains("no session of ours"), "{text}");
        assert!(!text.contains("What to do"), "{text}");
    }

    #[test]
    fn what_nobody_was_asked_about_is_not_called_clean() {
        let mut findings = quiet();
        findings.server.asked = false;
        findings.ec2.asked = false;
        findings.uncertain = vec!["the agent is gone".into()];
        let text = told(&findings);
        assert!(text.contains("The agent is gone."), "{text}");
        assert!(!text.contains("nothing"), "{text}");
    }

    #[test]
    fn a_dead_hold_says_what_it_registered_and_what_to_do() {
        let mut findings = quiet();
        findings.server.sessions = vec![dead()];
        let text = told(&findings);
        for part in [
            "began to hold writes by pause 3 min ago; its switches are gone, nobody lets go",
            "3 paused processes, what an engine holds itself",
            "--clean lets it go",
        ] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
        assert!(!text.contains("is live"), "{text}");
    }

    #[test]
    fn nothing_of_a_guest_reaches_the_terminal_as_an_escape() {
        let mut findings = quiet();
        findings.server.given_up = vec![GivenUp {
            session: SessionId::random(),
            detail: "thaw\u{1b}[2J\u{202e}failed\nWhat to do:".into(),
        }];
        let text = told(&findings);
        let harmless = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
        assert!(text.chars().all(harmless), "{text:?}");
        assert_eq!(text.matches("\nWhat to do:").count(), 1, "{text}");
    }
}
