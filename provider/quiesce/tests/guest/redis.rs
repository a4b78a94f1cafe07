//! Redis and Valkey: what is found and refused, and that an image holds whatever was acknowledged.

use std::time::Duration;

use quiesce::method::Method;
use serde_json::Value;

use crate::{
    machine::Guest,
    session::{Session, codes, engine},
    store::{Counting, Store},
};

const ENGINES: [&str; 2] = ["redis", "valkey"];
const AOF: &str = "--appendonly yes --appendfsync everysec";
const RDB: &str = "--appendonly no --save 3600 1";

fn volume(guest: &Guest) -> String {
    guest.volume("data", "ext4", 160, "0aaa")
}

fn session<'a>(guest: &'a Guest, engine_name: &str, method: Method, mount: &str) -> Session<'a> {
    Session::over(guest, vec![engine(engine_name)], method, &[mount])
}

fn refusal(report: &Value, code: &str) -> String {
    assert_eq!(codes(report), [code], "{report:#}");
    let message = report["problems"][0]["message"].as_str();
    message.expect("a message").to_owned()
}

#[test]
fn a_server_is_found_with_all_that_it_needs() {
    for name in ENGINES {
        let guest = Guest::new();
        let data = volume(&guest);
        let directory = format!("{data}/store");
        let store = Store::start(&guest, name, &directory, 7001, AOF);
        let report = session(&guest, name, Method::Freeze, &data).probe();
        assert_eq!(report["outcome"], "ready", "{report:#}");
        let server = &report["servers"][0];
        assert_eq!(server["engine"], name);
        assert_eq!(server["role"], "primary");
        assert_eq!(server["pid"], store.pid());
        assert_eq!(server["port"], 7001);
        assert_eq!(server["socket_directory"], store.socket());
        let version = server["version"].as_str().expect("a version");
        assert!(
            version.starts_with(if name == "redis" { "7." } else { "8." }),
            "{version}"
        );
        let paths = server["paths"].as_array().expect("paths");
        let purposes: Vec<_> = paths.iter().map(|path| &path["purpose"]).collect();
        assert_eq!(purposes, ["data", "aof"], "{report:#}");
    }
}

/// Counts under way, an image is captured while all is held, and another server loads it.
fn captured_while_counting(name: &'static str, settings: &str, method: Method) {
    let what = format!("{name} {settings} {method}");
    let guest = Guest::new();
    let data = volume(&guest);
    let store = Store::start(&guest, name, &format!("{data}/store"), 7001, settings);
    let counting = Counting::on(&guest, &store);
    let session = session(&guest, name, method, &data).lasting(Duration::from_secs(20));
    let held = session.held();
    let acknowledged = counting.acknowledged();
    guest.sh("sleep 1");
    assert_eq!(
        counting.acknowledged(),
        acknowledged,
        "{what}: somebody still writes"
    );
    let captured = guest.captured("data");
    let released = session.release();
    assert_eq!(released["outcome"], "held", "{what}: {released:#}");
    assert_eq!(held["warnings"], serde_json::json!([]), "{what}");
    guest.sh("sleep 0.5");
    assert!(
        counting.acknowledged() > acknowledged,
        "{what}: writes do not go on"
    );
    drop(counting);
    let point = held["recovery_points"][name].as_str().expect("a point");
    let file = if settings == AOF {
        "appendonly.aof.1.incr.aof:"
    } else {
        "dump.rdb@"
    };
    assert!(point.starts_with(file), "{what}: {point}");
    let counted = store.counter_in(&format!("{captured}/store"), settings);
    // The counter of whoever's acknowledgement was still under way may be one ahead.
    assert!(
        (acknowledged..=acknowledged + 1).contains(&counted),
        "{what}: {acknowledged} acknowledged, {counted} in the image"
    );
    guest.sh("sleep 0.5");
    assert_eq!(guest.switches(), 0);
}

#[test]
fn an_image_holds_all_that_was_acknowledged_by_append_only_file() {
    for name in ENGINES {
        for method in [Method::Freeze, Method::Pause] {
            captured_while_counting(name, AOF, method);
        }
    }
}

#[test]
fn an_image_holds_all_that_was_acknowledged_by_snapshot() {
    for name in ENGINES {
        for method in [Method::Freeze, Method::Pause] {
            captured_while_counting(name, RDB, method);
        }
    }
}

#[test]
fn a_server_that_keeps_nothing_is_refused() {
    let guest = Guest::new();
    let data = volume(&guest);
    let settings = "--appendonly no --save ''";
    let store = Store::start(&guest, "redis", &format!("{data}/store"), 7001, settings);
    let session = session(&guest, "redis", Method::Freeze, &data);
    let message = refusal(&session.probe(), "no_persistence");
    assert!(message.contains(&store.directory), "{message}");
    store.ask("CONFIG SET save '3600 1'");
    assert_eq!(session.probe()["outcome"], "ready");
}

#[test]
fn an_append_only_file_that_is_not_whole_yet_is_refused() {
    let guest = Guest::new();
    let data = volume(&guest);
    let store = Store::start(&guest, "redis", &format!("{data}/store"), 7001, RDB);
    store.ask("DEBUG SET-ACTIVE-EXPIRE 1");
    // Large enough, and written slowly enough, for the first rewrite to be seen at work.
    store.ask("EVAL \"for i = 1, 2000 do redis.call('SET', i, i) end\" 0");
    store.ask("CONFIG SET rdb-key-save-delay 2000");
    store.ask("CONFIG SET appendonly yes");
    let session = session(&guest, "redis", Method::Freeze, &data);
    refusal(&session.probe(), "aof_incomplete");
    store.ask("CONFIG SET rdb-key-save-delay 0");
    guest.sh(&format!(
        "until {} | grep -q aof_rewrite_in_progress:0; do sleep 0.1; done",
        store.client("INFO persistence")
    ));
    assert_eq!(session.probe()["outcome"], "ready");
}

#[test]
fn a_password_is_read_on_the_guest_and_shown_to_nobody() {
    let rights = "+info +ping '+config|get' +bgsave '+client|pause' '+client|unpause'";
    for (name, user, locked) in [
        (
            "redis",
            None,
            "CONFIG SET requirepass 'open sesame'".to_owned(),
        ),
        (
            "valkey",
            Some("keeper"),
            format!("ACL SETUSER keeper on '>open sesame' {rights} '~*'"),
        ),
    ] {
        let guest = Guest::new();
        let data = volume(&guest);
        let store = Store::start(&guest, name, &format!("{data}/store"), 7001, AOF);
        store.ask(&locked);
        let asking = || {
            let session = session(&guest, name, Method::Freeze, &data);
            match user {
                Some(user) => session
                    .with("user", user)
                    .with("password_file", "/run/password"),
                None => session,
            }
        };
        let refused = asking().probe();
        refusal(&refused, "no_permission");
        let configuration = format!("{data}/store.conf");
        guest.sh(&format!(
            "umask 077; echo 'open sesame' >/run/password; echo 'requirepass \"open sesame\"' >{configuration}"
        ));
        let admitted = match user {
            Some(_) => asking(),
            None => asking().with("config_file", &configuration),
        };
        // Whoever lists processes while the client is asked sees no password.
        guest.sh("(until [ -e /run/enough ]; do grep -a '[s]esame' /proc/[0-9]*/cmdline; done >/run/seen 2>&1) </dev/null >/dev/null 2>&1 &");
        let held = admitted.held();
        let released = admitted.release();
        guest.sh("touch /run/enough; ! grep -a 'open' /run/seen");
        assert_eq!(released["outcome"], "held", "{released:#}");
        for report in [held, released, refused] {
            assert!(!report.to_string().contains("sesame"), "{report:#}");
        }
        guest.sh("! grep -r sesame /run/consistent");
    }
}

#[test]
fn of_several_servers_one_must_be_chosen() {
    let guest = Guest::new();
    let data = volume(&guest);
    let [one, two] = [7001, 7002]
        .map(|port| Store::start(&guest, "redis", &format!("{data}/store{port}"), port, AOF));
    let asking = || session(&guest, "redis", Method::Freeze, &data);
    let message = refusal(&asking().probe(), "several_servers");
    assert!(
        message.contains(&one.directory) && message.contains(&two.directory),
        "{message}"
    );
    for (option, value) in [("port", "7002"), ("socket", two.socket().as_str())] {
        let report = asking().with(option, value).probe();
        assert_eq!(report["servers"][0]["pid"], two.pid(), "{report:#}");
        let warning = report["warnings"][0].as_str().expect("a warning");
        assert!(
            warning.contains(&format!("redis-server (process {}", one.pid())),
            "{warning}"
        );
    }
    refusal(&asking().with("port", "7003").probe(), "no_server");
}

#[test]
fn the_switch_lets_clients_write_too() {
    let guest = Guest::new();
    let data = volume(&guest);
    let store = Store::start(&guest, "redis", &format!("{data}/store"), 7001, AOF);
    let counting = Counting::on(&guest, &store);
    for method in [Method::Freeze, Method::Pause] {
        let session = session(&guest, "redis", method, &data).lasting(Duration::from_mins(1));
        session.held();
        let before = counting.acknowledged();
        guest.sh(&format!(
            "read -r pid _ <{}; kill -KILL $pid; sleep 1.5",
            session.state("switch.first")
        ));
        assert!(counting.acknowledged() > before, "{method}");
        assert_eq!(session.release()["outcome"], "lapsed");
    }
}

/// Makes `store` the service of that name.
fn serve(guest: &Guest, store: &Store<'_>) {
    guest.sh(&format!(
        "cat >/run/service <<'SERVICE'\n#!/bin/bash\n[ $1 = store ] || exit 1
         case $2 in stop) {stop}; while [ -S {socket} ]; do sleep 0.02; done ;; start) {start} ;; esac\nSERVICE
         chmod 755 /run/service && mount --bind /run/service /usr/sbin/service",
        stop = store.client("SHUTDOWN"),
        socket = store.socket(),
        start = store.command(AOF),
    ));
}

#[test]
fn a_server_is_stopped_and_started_by_its_service() {
    let guest = Guest::new();
    let data = volume(&guest);
    let store = Store::start(&guest, "redis", &format!("{data}/store"), 7001, AOF);
    store.ask("SET counter 7");
    serve(&guest, &store);
    let session = session(&guest, "redis", Method::Stop, &data)
        .with("service", "store")
        .lasting(Duration::from_secs(20));
    session.held();
    let captured = guest.captured("data");
    let released = session.release();
    assert_eq!(released["outcome"], "held", "{released:#}");
    assert_eq!(store.ask("GET counter"), "7");
    assert_eq!(store.counter_in(&format!("{captured}/store"), AOF), 7);
}

/// It is down again at the release, but has appended in between.
#[test]
fn a_server_that_was_started_and_stopped_in_between_shows() {
    let guest = Guest::new();
    let data = volume(&guest);
    let store = Store::start(&guest, "redis", &format!("{data}/store"), 7001, AOF);
    serve(&guest, &store);
    let session = session(&guest, "redis", Method::Stop, &data)
        .with("service", "store")
        .lasting(Duration::from_secs(20));
    session.held();
    guest.sh(&format!(
        "service store start >/dev/null 2>&1 </dev/null; until {}; do sleep 0.05; done 2>/dev/null",
        store.client("SET counter 8")
    ));
    guest.sh("service store stop >/dev/null");
    let released = session.release();
    assert_eq!(released["outcome"], "lapsed", "{released:#}");
    assert_eq!(released["broken"][0]["link"], "stopped", "{released:#}");
    assert_eq!(store.ask("GET counter"), "8");
}
