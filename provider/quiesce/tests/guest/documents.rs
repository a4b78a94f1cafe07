//! Documents of Systems Manager around the hold, on the guest: what runs when, what a freeze of their own comes to, and what each code means.

use std::{convert::Infallible, time::Duration};

use quiesce::{
    document::resolve,
    engines::Options,
    method::Method,
    ports::{DocumentFacts, Documents, Format},
};

use crate::{
    kill::{lines_to_kill_at, run_and_kill_at},
    machine::Guest,
    session::{Session, codes, engine, links, message},
};

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// What the document notes of itself, in order.
const STORY: &str = "/run/story";

/// One document of these lines.
struct Shelf(Vec<String>);

impl Documents for Shelf {
    type Error = Infallible;

    async fn describe(&self, _: &str, _: &str) -> Result<DocumentFacts, Infallible> {
        Ok(DocumentFacts {
            version: 4,
            hash: HASH.to_owned(),
            hash_type: "Sha256".to_owned(),
            status: "Active".to_owned(),
            platforms: vec!["Linux".to_owned()],
            format: Format::Json,
        })
    }

    async fn content(&self, _: &str, _: &str, _: Format) -> Result<String, Infallible> {
        let document = serde_json::json!({
            "schemaVersion": "2.2",
            "parameters": {
                "executionId": { "type": "String", "default": "None" },
                "command": { "type": "String", "allowedValues": ["pre-script", "post-script", "dry-run"] },
            },
            "mainSteps": [{
                "action": "aws:runShellScript", "name": "run", "inputs": { "runCommand": self.0 },
            }],
        });
        Ok(document.to_string())
    }
}

/// Two volumes of an application that a document freezes.
struct Application {
    guest: Guest,
    one: String,
    two: String,
}

impl Application {
    fn new() -> Self {
        let guest = Guest::new();
        let one = guest.volume("one", "ext4", 64, "0aaa");
        let two = guest.volume("two", "xfs", 320, "0bbb");
        guest.sh(&format!("mkdir {one}/app {two}/app; touch {STORY}"));
        Self { guest, one, two }
    }

    /// A session whose document does this in its pre-script, its post-script and its dry run.
    fn session(&self, first: &str, [pre, post, dry]: [&str; 3]) -> Session<'_> {
        let script = format!(
            "{first}\necho {{{{ command }}}} >>{STORY}\ncase {{{{command}}}} in\npre-script)\n{pre}\n;;\npost-script)\n{post}\n;;\n\
             dry-run)\n{dry}\n;;\nesac"
        );
        let lines = script.lines().map(str::to_owned).collect();
        let paths = format!("{}/app\n{}/app", self.one, self.two);
        let told = [
            ("name", "freeze"),
            ("hash", HASH),
            ("paths", &paths),
            ("command_timeout", "2"),
        ];
        let options = told
            .into_iter()
            .fold(engine("ssm_document"), |options, (name, value)| {
                options.with(name, value).expect("a valid option")
            });
        Session::over(
            &self.guest,
            vec![read(&Shelf(lines), options)],
            Method::Freeze,
            &[&self.one, &self.two],
        )
        .lasting(Duration::from_secs(20))
    }

    fn story(&self) -> String {
        self.guest.sh(&format!("tr '\\n' ' ' <{STORY}"))
    }

    fn assert_let_go(&self) {
        assert!(self.guest.writes_go_on());
        for mount in [&self.one, &self.two] {
            let thawed = self.guest.try_sh(&format!("timeout 5 fsfreeze -u {mount}"));
            assert!(!thawed.status.success(), "{mount} was frozen");
        }
        self.guest.sh("sleep 0.5");
        assert_eq!(self.guest.switches(), 0);
        self.guest.sh("[ ! -e /run/consistent/hold ]");
    }
}

fn read(shelf: &Shelf, options: Options) -> Options {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let read = runtime
        .expect("a runtime")
        .block_on(resolve(shelf, options));
    read.expect("a document that can be run")
}

#[test]
fn a_document_runs_around_the_hold_by_its_own_interpreter() {
    let application = Application::new();
    let mark = "/run/consistent.is.bash";
    // Only bash knows this comparison; what a command prints is its own.
    let pre = format!("[[ a == a* ]] && touch {mark}; echo {{{{ executionId }}}}");
    let session = application.session("#!/bin/bash -e", [&pre, &format!("rm {mark}"), ":"]);
    let probed = session.probe();
    assert_eq!(probed["servers"][0]["version"], "4", "{probed:#}");
    let held = session.held();
    assert!(
        held["durations_ms"]["ssm_document_freeze"].is_u64(),
        "{held:#}"
    );
    application.guest.sh(&format!("[ -e {mark} ]"));
    assert!(!application.guest.writes_go_on());
    let released = session.release();
    assert_eq!(released["outcome"], "held", "{released:#}");
    assert_eq!(application.story(), "dry-run pre-script post-script ");
    application.assert_let_go();
}

#[test]
fn what_the_document_freezes_is_its_own_to_thaw() {
    let application = Application::new();
    let (pre, post) = (
        format!("fsfreeze -f {}", application.one),
        format!("fsfreeze -u {} || exit 205", application.one),
    );
    let session = application.session("", [&pre, &post, ":"]);
    session.held();
    let released = session.release();
    assert_eq!(released["outcome"], "held", "{released:#}");
    assert_eq!(released["released"], true);
    application.assert_let_go();
}

#[test]
fn what_a_pre_script_froze_before_it_failed_is_thawed_whatever_the_post_script_does() {
    let application = Application::new();
    // A write to what is frozen hangs until that is thawed, whatever kills it.
    let write = format!("echo x >{}/app/late", application.one);
    for end in ["exit 201", "sleep 4711", &write] {
        let pre = format!("fsfreeze -f {}; {end}", application.one);
        application.session("", [&pre, ":", ":"]).fails_to_hold();
        application.assert_let_go();
    }
}

#[test]
fn a_document_whose_freeze_lapsed_proves_nothing() {
    let application = Application::new();
    let (pre, post) = (
        format!("fsfreeze -f {}", application.one),
        format!("fsfreeze -u {} || exit 203", application.one),
    );
    let session = application.session("", [&pre, &post, ":"]);
    session.held();
    application
        .guest
        .sh(&format!("fsfreeze -u {}", application.one));
    let released = session.release();
    assert_eq!(released["released"], true, "{released:#}");
    // The thaw itself may write to the device.
    let broken: Vec<_> = links(&released)
        .into_iter()
        .filter(|it| *it != "writes")
        .collect();
    assert_eq!(broken, ["frozen", "document"], "{released:#}");
    assert!(released.to_string().contains("code 203"), "{released:#}");
    application.assert_let_go();
}

#[test]
fn a_post_script_that_leaves_a_file_system_frozen_is_helped() {
    let application = Application::new();
    let session = application.session("", [&format!("fsfreeze -f {}", application.two), ":", ":"]);
    session.held();
    let released = session.release();
    assert_eq!(links(&released), ["document"], "{released:#}");
    assert_eq!(released["released"], true);
    application.assert_let_go();
}

#[test]
fn a_post_script_that_fails_is_tried_three_times_and_told() {
    let application = Application::new();
    let freeze = format!(
        "fsfreeze -f {}; fsfreeze -f {}",
        application.one, application.two
    );
    let session = application.session("", [&freeze, "echo no >&2; exit 202", ":"]);
    session.held();
    let released = session.release();
    assert_eq!(links(&released), ["thaw"], "{released:#}");
    let told = released["broken"][0]["detail"].as_str().expect("a detail");
    assert!(
        told.contains("post-script failed 3 times") && told.contains("code 202"),
        "{told}"
    );
    assert_eq!(
        application.story(),
        "dry-run pre-script post-script post-script post-script "
    );
    application.assert_let_go();
}

#[test]
fn a_pre_script_that_fails_half_way_is_undone() {
    let application = Application::new();
    let freeze = format!("fsfreeze -f {}; exit 201", application.two);
    let session = application.session("", [&freeze, "exit 205", ":"]);
    let report = session.fails_to_hold();
    assert_eq!(codes(&report), ["freeze_document_failed"]);
    assert!(
        message(&report).contains("ended with code 201"),
        "{report:#}"
    );
    assert!(
        message(&report).contains("was not frozen as it should be"),
        "{report:#}"
    );
    application.assert_let_go();
}

#[test]
fn every_shell_brings_the_same_scripts() {
    const PRELUDE: &str = include_str!("../../guest/prelude.sh");
    const ARM: &str = include_str!("../../src/engines/ssm_document/arm.sh");
    let application = Application::new();
    // More than a pipe takes at once, with what shells and sed might take for their own.
    let lines: Vec<String> = (0..9_000)
        .map(|n| format!("# {n} & \\1 $x `y` '\n"))
        .collect();
    let long = lines.concat();
    let session = application.session(&format!("#!/bin/sh\n{long}"), [":", "echo 'it'\\''s'", ":"]);
    let arm = session.arm_text();
    let packed = arm
        .lines()
        .find(|it| it.starts_with("CDB_SSM_DOCUMENT_TEXT='"));
    let packed = packed.expect("the document");
    for shell in ["dash", "bash --posix", "busybox sh"] {
        let own = application
            .guest
            .sh("mktemp -d /run/own.XXXXXX")
            .trim()
            .to_owned();
        let id = &session.id;
        let body =
            format!("{PRELUDE}\n{ARM}\nOWN={own}\nCDB_SESSION={id}\n{packed}\ndocument_bring");
        application.guest.sh(&format!(
            "cat >{own}/try <<'TRY'\n{body}\nTRY\n{shell} {own}/try"
        ));
        let brought = application.guest.sh(&format!(
            "cat {own}/document/post-script; ls {own}/document"
        ));
        let expected = format!("#!/bin/sh\n{long}");
        assert!(
            brought.starts_with(&expected),
            "{shell}: {} bytes",
            brought.len()
        );
        assert!(
            brought.contains("echo post-script >>/run/story\ncase post-script in"),
            "{shell}"
        );
        assert!(
            brought.ends_with("dry-run\npost-script\npre-script\n"),
            "{shell}"
        );
    }
}

#[test]
fn a_dry_run_that_is_not_ready_freezes_nothing() {
    let application = Application::new();
    let session = application.session("", [":", ":", "exit 206"]);
    let report = session.arm();
    assert_eq!(report["outcome"], "failed", "{report:#}");
    assert_eq!(codes(&report), ["dry_run_document_failed"]);
    assert!(message(&report).contains("is not ready"), "{report:#}");
    assert_eq!(application.story(), "dry-run ");
    application.assert_let_go();
}

#[test]
fn an_interpreter_that_is_missing_is_a_problem_before_anything_runs() {
    let application = Application::new();
    let session = application.session("#!/usr/bin/no-such-shell", [":", ":", ":"]);
    let report = session.probe();
    assert_eq!(codes(&report), ["no_interpreter"], "{report:#}");
    assert_eq!(application.story(), "");
}

#[test]
fn the_switch_runs_the_post_script_when_nobody_else_does() {
    let application = Application::new();
    let freeze = format!("fsfreeze -f {}", application.one);
    let thaw = format!("fsfreeze -u {} || exit 205", application.one);
    let session = application
        .session("", [&freeze, &thaw, ":"])
        .lasting(Duration::from_secs(4));
    session.held();
    application.guest.sh("sleep 5.5");
    assert_eq!(application.story(), "dry-run pre-script post-script ");
    application.assert_let_go();
}

/// Kills one script of a session whose document freezes a volume by itself at every step, and lets a release come then.
fn killed_at_any_step(script_of: impl Fn(&Session<'_>) -> String) {
    let application = Application::new();
    let guest = &application.guest;
    let freeze = format!("fsfreeze -f {}", application.one);
    let thaw = format!("fsfreeze -u {} || exit 205", application.one);
    let session = || {
        let session = application.session("", [&freeze, &thaw, ":"]);
        session.lasting(Duration::from_secs(30))
    };
    let first = session();
    let lines = lines_to_kill_at(guest, &script_of(&first));
    first.release();
    assert!(lines.len() >= 8);
    for line in lines {
        let session = session();
        run_and_kill_at(guest, &script_of(&session), line);
        let released = session.release();
        assert_eq!(released["released"], true, "line {line}: {released:#}");
        application.assert_let_go();
    }
}

#[test]
fn a_hold_killed_at_any_step_ends_with_all_thawed() {
    killed_at_any_step(|session| {
        session.armed();
        session.hold_text()
    });
}

#[test]
fn a_release_killed_at_any_step_ends_with_all_thawed() {
    killed_at_any_step(|session| {
        session.held();
        session.release_text()
    });
}
