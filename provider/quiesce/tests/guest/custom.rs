//! The user's own commands around the hold: what they may do, and how each of their failures ends.

use std::time::Duration;

use quiesce::method::Method;
use serde_json::Value;

use crate::{
    kill::{lines_to_kill_at, run_and_kill_at},
    machine::Guest,
    session::{Session, codes, engine, links, message},
};

/// Two volumes that belong together, of an application that keeps a lock file while it is frozen.
struct Application {
    guest: Guest,
    one: String,
    two: String,
}

/// What the commands note of themselves, in order.
const STORY: &str = "/run/story";

impl Application {
    fn new() -> Self {
        let guest = Guest::new();
        let one = guest.volume("one", "ext4", 64, "0aaa");
        let two = guest.volume("two", "xfs", 320, "0bbb");
        guest.sh(&format!("mkdir {one}/app {two}/app; touch {STORY}"));
        Self { guest, one, two }
    }

    fn session(&self, method: Method) -> Session<'_> {
        let paths = format!("{}/app\n{}/app", self.one, self.two);
        Session::over(
            &self.guest,
            vec![engine("custom")],
            method,
            &[&self.one, &self.two],
        )
        .with("paths", &paths)
        .with("command_timeout", "2")
        .lasting(Duration::from_secs(20))
    }

    /// The same with commands that tell the story, each with more behind it.
    fn telling(&self, freeze: &str, thaw: &str, check: &str) -> Session<'_> {
        let tell = |name: &str, more: &str| format!("echo {name} >>{STORY}\n{more}");
        self.session(Method::Freeze)
            .with("freeze", &tell("freeze", freeze))
            .with("thaw", &tell("thaw", thaw))
            .with("check", &tell("check", check))
    }

    fn story(&self) -> String {
        self.guest.sh(&format!("tr '\\n' ' ' <{STORY}"))
    }

    fn assert_let_go(&self) {
        assert!(self.guest.writes_go_on());
        self.guest.sh("sleep 0.5");
        assert_eq!(self.guest.switches(), 0);
        self.guest.sh("[ ! -e /run/consistent/hold ]");
    }
}

#[test]
fn paths_alone_are_one_cut() {
    let application = Application::new();
    let session = application.session(Method::Freeze);
    let probed = session.probe();
    assert_eq!(probed["outcome"], "ready", "{probed:#}");
    assert_eq!(probed["servers"][0]["role"], "application");
    assert_eq!(probed["servers"][0]["pid"], Value::Null);
    let held = session.held();
    assert_eq!(held["recovery_points"]["custom"], "-");
    assert!(!application.guest.writes_go_on());
    let released = session.release();
    assert_eq!(released["outcome"], "held", "{released:#}");
    application.assert_let_go();
}

#[test]
fn commands_run_around_the_hold_and_the_check_is_asked_twice() {
    let application = Application::new();
    let session = application.telling(
        "touch /run/locked; (sleep 100; echo late) & :",
        "rm /run/locked",
        "[ -e /run/locked ]",
    );
    let held = session.held();
    assert_eq!(application.story(), "freeze check ");
    for step in ["custom_freeze", "custom_check"] {
        assert!(held["durations_ms"][step].is_u64(), "{held:#}");
    }
    application.guest.sh("sleep 1");
    let released = session.release();
    assert_eq!(released["outcome"], "held", "{released:#}");
    assert_eq!(application.story(), "freeze check check thaw ");
    let hold_ms = released["hold_ms"].as_u64().expect("a duration");
    assert!((1000..6000).contains(&hold_ms), "{hold_ms}");
    application.assert_let_go();
}

#[test]
fn a_hold_that_the_application_lost_shows() {
    let application = Application::new();
    let session = application.telling(
        "touch /run/locked",
        "rm -f /run/locked",
        "[ -e /run/locked ]",
    );
    session.held();
    application.guest.sh("rm /run/locked");
    let released = session.release();
    assert_eq!(links(&released), ["check"], "{released:#}");
    assert_eq!(released["released"], true);
    assert_eq!(application.story(), "freeze check check thaw ");
    application.assert_let_go();
}

#[test]
fn a_freeze_that_fails_ends_with_a_thaw() {
    let application = Application::new();
    let session = application.telling("echo no such lock >&2; exit 7", "", "");
    let report = session.fails_to_hold();
    assert_eq!(codes(&report), ["freeze_command_failed"]);
    assert_eq!(
        message(&report),
        "The freeze command of custom ended with code 7; it said: no such lock."
    );
    assert!(
        !report.to_string().contains("exit 7"),
        "its text is nobody's business"
    );
    assert_eq!(application.story(), "freeze thaw ");
    application.assert_let_go();
}

#[test]
fn a_check_that_denies_the_freeze_ends_with_a_thaw() {
    let application = Application::new();
    let report = application.telling("", "", "exit 1").fails_to_hold();
    assert_eq!(codes(&report), ["check_command_failed"]);
    assert_eq!(application.story(), "freeze check thaw ");
    application.assert_let_go();
}

#[test]
fn a_freeze_that_hangs_is_killed_with_all_that_it_started() {
    let application = Application::new();
    let report = application
        .telling("sleep 4711 & sleep 4711", "", "")
        .fails_to_hold();
    assert_eq!(
        message(&report),
        "The freeze command of custom did not end within 2 s."
    );
    assert_eq!(application.story(), "freeze thaw ");
    application
        .guest
        .sh("! grep -qa '^sleep.[4]711' /proc/[0-9]*/cmdline");
    application.assert_let_go();
}

/// It writes to what it has frozen, and no signal ends it before that is thawed.
#[test]
fn a_freeze_that_hangs_in_its_own_freeze_is_thawed_and_thawed_again_once_it_has_ended() {
    let application = Application::new();
    let freeze = format!("fsfreeze -f {0}; echo x >{0}/app/late", application.one);
    let thaw = format!("fsfreeze -u {}; :", application.one);
    application.telling(&freeze, &thaw, "").fails_to_hold();
    assert_eq!(application.story(), "freeze thaw thaw ");
    application.guest.sh(&format!(
        "! grep -qa 'app/[l]ate' /proc/[0-9]*/cmdline; timeout 5 sync -f {}",
        application.one
    ));
    application.assert_let_go();
}

#[test]
fn ten_megabytes_are_no_answer() {
    let application = Application::new();
    let print = "head -c 10000000 /dev/zero | tr '\\0' x";
    let report = application.telling(print, "", "").fails_to_hold();
    assert!(
        message(&report).contains("printed more than 64 KiB; it said: xxx"),
        "{report:#}"
    );
    assert_eq!(application.story(), "freeze thaw ");
    let kept = application.guest.sh("du -sk /run/consistent | cut -f 1");
    assert!(kept.trim().parse::<u32>().expect("KiB") < 400, "{kept}");
    application.assert_let_go();

    let session = application.telling("", print, "");
    session.held();
    let released = session.release();
    assert_eq!(links(&released), ["thaw"], "{released:#}");
    application.assert_let_go();
}

#[test]
fn a_thaw_that_fails_is_tried_three_times_and_told() {
    let application = Application::new();
    let session = application.telling("", "echo stuck; exit 3", "");
    session.held();
    let released = session.release();
    assert_eq!(released["outcome"], "lapsed");
    assert_eq!(links(&released), ["thaw"], "{released:#}");
    assert_eq!(
        released["broken"][0]["detail"],
        "The thaw command failed 3 times: it ended with code 3; it said: stuck."
    );
    assert_eq!(application.story(), "freeze check check thaw thaw thaw ");
    assert!(application.guest.writes_go_on());
    application.assert_let_go();
}

#[test]
fn a_thaw_that_fails_once_is_forgiven_and_one_that_hangs_is_killed() {
    let application = Application::new();
    let session = application.telling("", "mkdir /run/tried", "");
    application
        .guest
        .sh("mkdir /run/tried; (sleep 3; rmdir /run/tried) >/dev/null 2>&1 &");
    let session = session.with("command_timeout", "5");
    session.armed();
    application.guest.sh("sleep 0.1");
    assert_eq!(session.hold()["outcome"], "held");
    application
        .guest
        .sh("until [ ! -e /run/tried ]; do sleep 0.05; done");
    assert_eq!(session.release()["outcome"], "held");

    let hanging = application.telling("", "sleep 4712", "");
    hanging.held();
    let released = hanging.release();
    assert_eq!(links(&released), ["thaw"], "{released:#}");
    application
        .guest
        .sh("! grep -qa '^sleep.[4]712' /proc/[0-9]*/cmdline");
    application.assert_let_go();
}

#[test]
fn the_switch_thaws_when_nobody_else_does() {
    let application = Application::new();
    let session = application
        .telling("touch /run/locked", "rm -f /run/locked", "")
        .lasting(Duration::from_secs(4));
    session.held();
    application.guest.sh("sleep 5");
    assert_eq!(application.story(), "freeze check thaw ");
    application.assert_let_go();
    let released = session.release();
    assert!(links(&released).contains(&"switch"), "{released:#}");
    assert_eq!(application.story(), "freeze check thaw ", "not once more");
}

#[test]
fn a_script_killed_in_the_middle_of_a_freeze_is_thawed_by_the_switch() {
    let application = Application::new();
    let session = application
        .telling("touch /run/locked; sleep 4713", "rm -f /run/locked", "")
        .with("command_timeout", "30")
        .lasting(Duration::from_mins(1));
    session.armed();
    let hold = application.guest.start(&session.hold_text());
    application
        .guest
        .sh("until [ -e /run/locked ]; do sleep 0.02; done");
    application.guest.sh(&format!(
        "read -r pid _ <{}; kill -KILL $pid; sleep 2",
        session.state("hold.pid")
    ));
    drop(hold);
    // Both switches may see it at once, and then each thaws.
    let story = application.story();
    assert!(
        ["freeze thaw ", "freeze thaw thaw "].contains(&story.as_str()),
        "{story}"
    );
    application
        .guest
        .sh("[ ! -e /run/locked ] && ! grep -qa '^sleep.[4]713' /proc/[0-9]*/cmdline");
    application.assert_let_go();
}

/// The script that is killed.
#[derive(Clone, Copy)]
enum Phase {
    Hold,
    Release,
}

impl Phase {
    /// That script, with everything before it done.
    fn script_of(self, session: &Session<'_>) -> String {
        match self {
            Self::Hold => {
                session.armed();
                session.hold_text()
            }
            Self::Release => {
                session.held();
                session.release_text()
            }
        }
    }
}

/// SSM's cancel and time-out, at whatever moment: the application is thawed, by the switch or by the release that the protocol sends in any case.
fn killed_at_any_step(phase: Phase) {
    let application = Application::new();
    let guest = &application.guest;
    let session = || {
        let session = application.telling(
            "touch /run/locked",
            "rm -f /run/locked",
            "[ -e /run/locked ]",
        );
        session.lasting(Duration::from_secs(30))
    };
    let first = session();
    let lines = lines_to_kill_at(guest, &phase.script_of(&first));
    first.release();
    assert!(lines.len() >= 8);
    for line in lines {
        let session = session();
        run_and_kill_at(guest, &phase.script_of(&session), line);
        let released = session.release();
        assert_eq!(released["released"], true, "line {line}: {released:#}");
        let thawed = "for _ in {1..80}; do [ -e /run/locked ] || exit 0; sleep 0.1; done; exit 1";
        let thawed = guest.try_sh(thawed).status.success();
        assert!(thawed, "killed at line {line}: still frozen");
        application.assert_let_go();
    }
}

#[test]
fn a_hold_killed_at_any_step_ends_with_a_thaw() {
    killed_at_any_step(Phase::Hold);
}

#[test]
fn a_release_killed_at_any_step_ends_with_a_thaw() {
    killed_at_any_step(Phase::Release);
}

/// A session of another engine's has none of this one's functions: the record carries them.
#[test]
fn another_session_thaws_what_a_dead_one_left() {
    let application = Application::new();
    let session = application.telling("touch /run/locked", "rm -f /run/locked", "");
    session.held();
    application.guest.sh(&format!(
        "kill -KILL $(cut -d ' ' -f 1 {}); sleep 0.3",
        session.state("switch.*")
    ));
    let next = Session::new(&application.guest, Method::Freeze, &[]);
    let report = next.arm();
    assert_eq!(codes(&report), ["no_server"], "{report:#}");
    assert_eq!(application.story(), "freeze check thaw ");
    application.guest.sh("[ ! -e /run/locked ]");
    assert!(application.guest.writes_go_on());
}

/// The first warning of an arm.
fn warning(report: &Value) -> &str {
    report["warnings"][0].as_str().expect("a warning")
}

#[test]
fn a_thaw_that_finds_no_room_in_run_is_not_given_up() {
    let application = Application::new();
    let guest = &application.guest;
    let lock = format!("{}/locked", application.one);
    let session = application
        .session(Method::Freeze)
        .with("freeze", &format!("touch {lock}"))
        .with("thaw", &format!("rm -f {lock}"))
        .lasting(Duration::from_secs(3));
    session.held();
    guest.sh("mount -o remount,size=1m /run; cat /dev/zero >/run/full 2>/dev/null || :; sleep 8");
    guest.sh(&format!("[ -e {lock} ]"));
    guest.sh("rm /run/full");
    guest.sh(&format!(
        "for _ in {{1..80}}; do [ -e {lock} ] || exit 0; sleep 0.1; done; exit 1"
    ));
    guest.sh(&format!("[ ! -e {} ]", session.state("left")));
    application.assert_let_go();
}

/// Nobody was there to be told: the next session tells.
#[test]
fn a_thaw_that_the_switch_gave_up_is_told_by_the_next_session() {
    let application = Application::new();
    let session = application
        .telling("", "echo stuck; exit 3", "")
        .lasting(Duration::from_secs(2));
    session.held();
    application.guest.sh(&format!(
        "until [ -e {} ]; do sleep 0.1; done",
        session.state("over")
    ));
    let left = session.state("left");
    let told = format!(
        "Session {} left something held: The thaw command failed 3 times: it ended with code 3; it said: stuck. \
         Unless it has been thawed by hand since, the application may still be frozen. Once it is not, remove {left}.",
        session.id
    );
    for _ in 0..2 {
        let next = application.session(Method::Freeze);
        assert_eq!(warning(&next.armed()), told);
        next.release();
    }
    application.guest.sh(&format!("rm {left}"));
    let armed = application.session(Method::Freeze).armed();
    assert_eq!(armed["warnings"], serde_json::json!([]));
}

#[test]
fn what_a_dead_session_left_held_is_not_said_to_be_let_go() {
    let application = Application::new();
    let session = application.telling("", "exit 3", "");
    session.held();
    application.guest.sh(&format!(
        "kill -KILL $(cut -d ' ' -f 1 {}); sleep 0.3",
        session.state("switch.*")
    ));
    let armed = application.session(Method::Freeze).armed();
    assert_eq!(armed["warnings"].as_array().map(Vec::len), Some(1));
    let told = warning(&armed);
    assert!(
        told.contains("failed 3 times") && told.contains("may still be frozen"),
        "{told}"
    );
}

#[test]
fn what_cannot_be_held_is_refused() {
    let application = Application::new();
    let missing = application
        .session(Method::Freeze)
        .with("paths", "/nowhere");
    assert_eq!(codes(&missing.probe()), ["path_unreadable"]);
    let pause = application.session(Method::Pause).arm();
    assert_eq!(codes(&pause), ["nothing_to_pause"], "{pause:#}");
    let stop = application.session(Method::Stop).arm();
    assert_eq!(codes(&stop), ["cannot_stop"], "{stop:#}");
}

/// A directory on volume `one` alone, which has links to what lies elsewhere.
fn linked(application: &Application) -> Session<'_> {
    application
        .session(Method::Freeze)
        .with("paths", &format!("{}/app", application.one))
}

fn purposes_and_paths(probed: &Value) -> Vec<(&str, &str)> {
    let paths = probed["servers"][0]["paths"].as_array().expect("paths");
    paths
        .iter()
        .filter_map(|path| Some((path["purpose"].as_str()?, path["path"].as_str()?)))
        .collect()
}

#[test]
fn what_links_lead_to_is_held_too() {
    let application = Application::new();
    let (guest, one, two) = (&application.guest, &application.one, &application.two);
    let three = guest.volume("three", "ext4", 64, "0ccc");
    guest.sh(&format!(
        "mkdir -p {one}/app/deep {two}/journal {three}/more
         ln -s {two}/journal '{one}/app/deep/my journal'
         ln -s {three}/more {two}/journal/more
         ln -s ../../../one/app {three}/more/around
         touch {two}/app/file; ln -s {two}/app/file {one}/app/file
         ln -s deep {one}/app/shallow; ln -s /nowhere {one}/app/nowhere"
    ));
    let probed = linked(&application).probe();
    assert_eq!(probed["outcome"], "ready", "{probed:#}");
    assert_eq!(probed["warnings"], serde_json::json!([]));
    let mut found = purposes_and_paths(&probed);
    found.sort_unstable();
    let [app, file, journal, more] = [
        format!("{one}/app"),
        format!("{two}/app"),
        format!("{two}/journal"),
        format!("{three}/more"),
    ];
    assert_eq!(
        found,
        [
            ("data", app.as_str()),
            ("link", &more),
            ("link", &file),
            ("link", &journal)
        ]
    );
    // A configured path that is itself a link is looked into as well; and a hold of less than all is refused.
    guest.sh(&format!("ln -s {one}/app {two}/application"));
    let session = linked(&application).with("paths", &format!("{two}/application"));
    assert_eq!(purposes_and_paths(&session.probe()).len(), 4);
    let armed = session.arm();
    assert_eq!(codes(&armed), ["mounts_changed"], "{armed:#}");
}

#[test]
fn links_to_memory_are_told_and_links_to_the_systems_own_are_not_held() {
    let application = Application::new();
    let (guest, one) = (&application.guest, &application.one);
    let system = guest.volume("system", "ext4", 64, "0ccc");
    guest.sh(&format!(
        "mount --bind {system} /etc/skel; touch /etc/skel/certificate; ln -s /etc/skel/certificate {one}/app
         ln -s /dev/null {one}/app/log; mkdir /run/app; ln -s /run/app {one}/app/run"
    ));
    let probed = linked(&application).probe();
    assert_eq!(probed["outcome"], "ready", "{probed:#}");
    let warnings = probed["warnings"].to_string();
    assert!(warnings.contains("custom, 2 lead to memory"), "{warnings}");
    let found = purposes_and_paths(&probed);
    assert!(found.contains(&("config", "/etc/skel")), "{found:?}");
    let device = guest.sh("ls /dev/loop* | head -n 1");
    guest.sh(&format!("ln -s {} {one}/app/raw", device.trim()));
    let raw = linked(&application).probe();
    assert_eq!(codes(&raw), ["not_on_a_volume"], "{raw:#}");
}

#[test]
fn links_that_cannot_all_be_followed_are_refused() {
    let application = Application::new();
    let (guest, one) = (&application.guest, &application.one);
    let refused = |links: &str, undo: &str| {
        guest.sh(&links.replace("APP", &format!("{one}/app")));
        let probed = linked(&application).probe();
        assert_eq!(codes(&probed), ["links_unclear"], "{probed:#}");
        guest.sh(&format!("rm -rf {one}/app/*; {undo}"));
        assert_eq!(linked(&application).probe()["outcome"], "ready");
    };
    refused("for n in {0..1000}; do ln -s n APP/$n; done", "");
    refused("ln -s /nowhere $'APP/two\nlines'", "");
    refused(
        "printf '#!/bin/sh\nsleep 20\n' >/run/find; chmod 755 /run/find; mount --bind /run/find /usr/bin/find",
        "umount /usr/bin/find",
    );
    guest.sh(&format!(
        "for n in {{1..1000}}; do ln -s n {one}/app/$n; done"
    ));
    assert_eq!(linked(&application).probe()["outcome"], "ready");
}

/// A systemd that knows one service, of one process with a child.
#[test]
fn a_services_processes_are_paused_with_their_paths() {
    let application = Application::new();
    application.guest.sh(&format!(
        "mkdir -p /run/systemd/system
         bash -c 'while :; do date >{}/app/now; sleep 0.01; done' </dev/null >/dev/null 2>&1 & echo $! >/run/main
         cat >/run/systemctl <<'SYSTEMCTL'\n#!/bin/bash\n[ $1 = show ] && echo MainPID=$(cat /run/main)\nSYSTEMCTL
         chmod 755 /run/systemctl; mount --bind /run/systemctl /usr/bin/systemctl",
        application.one
    ));
    let session = application.session(Method::Pause).with("service", "store");
    let probed = session.probe();
    assert!(probed["servers"][0]["pid"].is_u64(), "{probed:#}");
    session.held();
    let now = format!(
        "cat {}/app/now; stat -c %y {}/app/now",
        application.one, application.one
    );
    let before = application.guest.sh(&now);
    application.guest.sh("sleep 0.5");
    assert_eq!(application.guest.sh(&now), before);
    assert_eq!(session.release()["outcome"], "held");
    application.guest.sh("sleep 0.3");
    assert_ne!(application.guest.sh(&now), before);
}

/// A systemd whose one service is as /run/unit says; `start` and `stop` write that.
const SYSTEMD_OF_ONE: &str = r#"mkdir -p /run/systemd/system
    cat >/run/systemctl <<'SYSTEMCTL'
#!/bin/bash
. /run/unit
unit() { printf 'ActiveState=%s MainPID=%s ControlGroup=%s\n' "$@" >/run/unit; }
case $1 in
    show) for word in "$@"; do case $word in MainPID | ActiveState | ControlGroup) echo "$word=${!word}" ;; esac; done ;;
    is-active) [ "$ActiveState" = active ] ;;
    stop) kill "$MainPID"; unit inactive 0 "$ControlGroup" ;;
    start) sleep 1000 </dev/null >/dev/null 2>&1 & unit active $! "$ControlGroup" ;;
esac
SYSTEMCTL
    chmod 755 /run/systemctl; mount --bind /run/systemctl /usr/bin/systemctl
    sleep 1000 </dev/null >/dev/null 2>&1 & echo "ActiveState=active MainPID=$! ControlGroup=" >/run/unit"#;

fn stopping(application: &Application) -> Session<'_> {
    let session = application.session(Method::Stop).with("service", "store");
    session.held();
    session
}

#[test]
fn a_stopped_service_that_stays_down_is_held() {
    let application = Application::new();
    application.guest.sh(SYSTEMD_OF_ONE);
    let released = stopping(&application).release();
    assert_eq!(released["outcome"], "held", "{released:#}");
    application.guest.sh("systemctl is-active store");
    application.assert_let_go();
}

/// `systemctl is-active` denies that it runs while it starts; what a unit left running in its cgroup writes, too.
#[test]
fn a_service_that_is_not_quite_down_was_not_stopped() {
    for unit in [
        "ActiveState=activating MainPID=1 ControlGroup=",
        "ActiveState=activating MainPID=0 ControlGroup=",
        "ActiveState=inactive MainPID=1 ControlGroup=",
        "ActiveState=inactive MainPID=0 ControlGroup=/store",
    ] {
        let application = Application::new();
        let guest = &application.guest;
        guest.sh(SYSTEMD_OF_ONE);
        let session = stopping(&application);
        guest.sh(&format!(
            "mount -t tmpfs none /sys/fs/cgroup; mkdir -p /sys/fs/cgroup/store/inner
             : >/sys/fs/cgroup/store/cgroup.procs; echo 1 >/sys/fs/cgroup/store/inner/cgroup.procs; echo {unit} >/run/unit"
        ));
        let released = session.release();
        assert_eq!(links(&released), ["stopped"], "{unit}: {released:#}");
        application.assert_let_go();
    }
}
