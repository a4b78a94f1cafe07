//! The probe: what it finds of these servers, and what it refuses before anything is touched.

use quiesce::method::Method;
use serde_json::Value;

use super::server::{KINDS, Kind, Layout, Server};
use crate::{
    machine::Guest,
    session::{Session, codes},
};

fn session(guest: &Guest, kind: Kind) -> Session<'_> {
    Session::over(guest, vec![kind.options()], Method::Freeze, &[])
}

fn probe(guest: &Guest, kind: Kind) -> Value {
    session(guest, kind).probe()
}

/// What the refusal of `code` says; the probe must refuse for that reason alone.
fn refusal(report: &Value, code: &str) -> String {
    assert_eq!(report["outcome"], "refused", "{report:#}");
    assert_eq!(codes(report), [code], "{report:#}");
    let problem = &report["problems"][0];
    problem["message"].as_str().expect("text").to_owned()
}

#[test]
fn everything_that_a_server_needs_is_found_on_its_volumes() {
    for kind in KINDS {
        let guest = Guest::new();
        let [data, logs, far] = [
            ("data", 320, "0aaa"),
            ("logs", 160, "0bbb"),
            ("far", 64, "0ccc"),
        ]
        .map(|(name, mib, serial)| guest.volume(name, "ext4", mib, serial));
        let settings = match kind {
            Kind::MySql => format!("--innodb-directories={far}"),
            Kind::MariaDb => String::new(),
        };
        let layout = Layout {
            logs: Some(&logs),
            settings: &settings,
            ..Layout::on(kind, &data)
        };
        let server = Server::start(&guest, &layout);
        guest.sh(&format!("install -d -o nobody {far}/tables"));
        server.sql(&format!(
            "CREATE DATABASE shop; CREATE TABLE shop.away (i INT) DATA DIRECTORY = '{far}/tables'"
        ));
        let report = probe(&guest, kind);
        assert_eq!(report["outcome"], "ready", "{report:#}");
        let found = &report["servers"][0];
        assert_eq!(found["engine"], kind.engine());
        assert_eq!(found["role"], "primary");
        assert_eq!(found["pid"], server.pid());
        assert_eq!(found["data_directory"], server.data.as_str());
        assert_eq!(found["socket_directory"], "/run");
        let version = found["version"].as_str().expect("a version");
        assert!(server.sql("SELECT VERSION()").starts_with(version));
        let paths: Vec<_> = found["paths"].as_array().expect("paths").iter().collect();
        let has = |purpose: &str, path: String| {
            let entry = serde_json::json!({ "path": path, "purpose": purpose });
            assert!(paths.contains(&&entry), "{entry} in {report:#}");
        };
        has("data", server.data.clone());
        has("wal", format!("{logs}/innodb"));
        has("log", format!("{logs}/binary"));
        has("tablespace", format!("{far}/tables/shop"));
        let mounts = report["mounts"].as_array().expect("mounts").iter();
        let mounts: Vec<_> = mounts.map(|mount| &mount["mount_point"]).collect();
        assert_eq!(mounts, [&data, &logs, &far]);
        assert_eq!(
            report["warnings"],
            serde_json::json!(
                [
                    "sync_binlog is 0: after a crash the binary log of this server may lack transactions that its tables hold."
                ][..usize::from(kind == Kind::MariaDb)]
            )
        );
    }
}

#[test]
fn settings_that_void_crash_recovery_are_refused() {
    for kind in KINDS {
        for (setting, code) in [
            ("--innodb-doublewrite=OFF", "doublewrite_off"),
            ("--innodb-flush-method=nosync", "flush_method_unsafe"),
        ] {
            let guest = Guest::new();
            let data = guest.volume("data", "ext4", 320, "0aaa");
            let layout = Layout {
                settings: setting,
                ..Layout::on(kind, &data)
            };
            let server = Server::start(&guest, &layout);
            let message = refusal(&probe(&guest, kind), code);
            assert!(message.contains(&server.data), "{message}");
        }
    }
}

#[test]
fn a_redo_log_that_is_switched_off_is_refused() {
    let guest = Guest::new();
    let data = guest.volume("data", "ext4", 320, "0aaa");
    let server = Server::start(&guest, &Layout::on(Kind::MySql, &data));
    server.sql("ALTER INSTANCE DISABLE INNODB REDO_LOG");
    refusal(&probe(&guest, Kind::MySql), "redo_log_off");
    server.sql("ALTER INSTANCE ENABLE INNODB REDO_LOG");
    assert_eq!(probe(&guest, Kind::MySql)["outcome"], "ready");
}

#[test]
fn of_several_servers_one_must_be_chosen_and_a_cousin_is_none() {
    let guest = Guest::new();
    let data = guest.volume("data", "ext4", 700, "0aaa");
    let one = Server::start(&guest, &Layout::on(Kind::MariaDb, &data));
    let message = refusal(&probe(&guest, Kind::MySql), "no_server");
    assert!(message.contains(&one.pid().to_string()), "{message}");
    let layout = Layout {
        name: "two",
        ..Layout::on(Kind::MariaDb, &data)
    };
    let two = Server::start(&guest, &layout);
    let message = refusal(&probe(&guest, Kind::MariaDb), "several_servers");
    assert!(
        message.contains(&one.socket) && message.contains(&two.data),
        "{message}"
    );
    let chosen = session(&guest, Kind::MariaDb).with("socket", &two.socket);
    let report = chosen.probe();
    assert_eq!(report["outcome"], "ready", "{report:#}");
    assert_eq!(report["servers"][0]["pid"], two.pid());
    let absent = session(&guest, Kind::MariaDb).with("socket", "/run/three.sock");
    refusal(&absent.probe(), "no_server");
}

#[test]
fn whoever_the_server_does_not_admit_or_trust_is_refused() {
    for kind in KINDS {
        let guest = Guest::new();
        let data = guest.volume("data", "ext4", 320, "0aaa");
        let server = Server::start(&guest, &Layout::on(kind, &data));
        let daemon = session(&guest, kind).with("os_user", "daemon");
        refusal(&daemon.probe(), "no_permission");
        let stranger = session(&guest, kind).with("os_user", "nosuchuser");
        refusal(&stranger.probe(), "no_such_user");
        guest.sh(
            "umask 077; printf '[client]\\nuser = backup\\npassword = secret\\n' >/run/backup.cnf",
        );
        let told = session(&guest, kind).with("defaults_file", "/run/backup.cnf");
        server.sql("CREATE USER backup@localhost IDENTIFIED BY 'secret'; GRANT SELECT, PROCESS ON *.* TO backup@localhost");
        let message = refusal(&told.probe(), "no_permission");
        assert!(
            message.contains("backup@localhost") && message.contains("RELOAD"),
            "{message}"
        );
        let more = match kind {
            Kind::MySql => "BACKUP_ADMIN, RELOAD, LOCK TABLES",
            Kind::MariaDb => "RELOAD",
        };
        server.sql(&format!("GRANT {more} ON *.* TO backup@localhost"));
        let report = told.probe();
        assert_eq!(report["outcome"], "ready", "{report:#}");
        assert!(!report.to_string().contains("secret"));
        let absent = session(&guest, kind).with("defaults_file", "/run/absent.cnf");
        refusal(&absent.probe(), "no_defaults_file");
    }
}

#[test]
fn a_server_that_sees_memory_where_the_guest_has_a_volume_is_refused() {
    let guest = Guest::new();
    let data = guest.volume("data", "ext4", 320, "0aaa");
    let server = Server::create(&guest, &Layout::on(Kind::MariaDb, &data));
    guest.sh(&format!(
        "unshare --mount --pid --fork --mount-proc bash -c 'mkdir /run/inside && mount -t tmpfs inside /run/inside && cp -a {data} /run/inside/data && \
         mount --bind /run/inside/data {data} && exec {command}' >/dev/null 2>&1 &
         for _ in {{1..100}}; do [ ! -S {socket} ] || exit 0; sleep 0.1; done; exit 1",
        data = server.data,
        command = server.command,
        socket = server.socket
    ));
    let message = refusal(&probe(&guest, Kind::MariaDb), "not_on_a_volume");
    assert!(message.contains("tmpfs"), "{message}");
}
