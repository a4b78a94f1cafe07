//! The probe: what it finds, and everything that it refuses before anything is touched.

use quiesce::method::Method;
use serde_json::Value;

use crate::{
    cluster::{Cluster, Layout},
    machine::Guest,
    session::{Session, codes},
};

fn probe(guest: &Guest) -> Value {
    Session::new(guest, Method::Freeze, &[]).probe()
}

/// What the refusal of `code` says; the probe must refuse for that reason alone.
fn refusal(report: &Value, code: &str) -> String {
    assert_eq!(report["outcome"], "refused", "{report:#}");
    assert_eq!(codes(report), [code], "{report:#}");
    let problem = &report["problems"][0];
    let text = |key: &str| problem[key].as_str().expect("text").to_owned();
    assert!(!text("hint").is_empty());
    text("message")
}

fn paths(report: &Value) -> Vec<(&str, &str)> {
    let paths = report["servers"][0]["paths"].as_array().expect("paths");
    let text = |path: &'_ Value, key: &str| path[key].as_str().expect("text").to_owned();
    paths
        .iter()
        .map(|path| {
            assert!(text(path, "path").starts_with('/'));
            (
                path["purpose"].as_str().expect("a purpose"),
                path["path"].as_str().expect("a path"),
            )
        })
        .collect()
}

#[test]
fn data_wal_and_tablespace_are_found_on_their_volumes() {
    for version in [10, 15, 18] {
        let guest = Guest::new();
        let data = guest.volume("data", "ext4", 160, "0aaa");
        let wal = guest.volume("wal", "ext4", 160, "0bbb");
        let space = guest.volume("my space", "ext4", 64, "0ccc");
        let layout = Layout {
            version,
            wal: Some(&wal),
            ..Layout::on(&data)
        };
        let cluster = Cluster::start(&guest, &layout);
        guest.sh(&format!("install -d -o postgres '{space}/ts'"));
        cluster.sql(&format!("CREATE TABLESPACE ts LOCATION '{space}/ts'"));
        let report = probe(&guest);
        assert_eq!(report["outcome"], "ready", "{report:#}");
        let server = &report["servers"][0];
        assert_eq!(server["role"], "primary");
        assert_eq!(server["port"], 6001);
        assert_eq!(server["os_user"], "postgres");
        assert_eq!(server["pid"], cluster.pid());
        let found = server["version"].as_str().expect("a version");
        assert!(found.starts_with(&format!("{version}.")), "{report:#}");
        let mounts = report["mounts"].as_array().expect("mounts");
        let volumes: Vec<_> = mounts
            .iter()
            .map(|mount| (&mount["mount_point"], &mount["leaves"][0]["volume_id"]))
            .collect();
        let spelled = space.replace(' ', "\\040");
        assert_eq!(
            volumes,
            [
                (&data.into(), &"vol-0aaa".into()),
                (&wal.into(), &"vol-0bbb".into()),
                (&spelled.into(), &"vol-0ccc".into()),
            ]
        );
    }
}

#[test]
fn the_probe_leaves_no_trace() {
    let guest = Guest::new();
    let data = guest.volume("data", "ext4", 160, "0aaa");
    let _cluster = Cluster::start(&guest, &Layout::on(&data));
    let before = guest.sh("find /run | sort");
    probe(&guest);
    assert_eq!(guest.sh("find /run | sort"), before);
}

#[test]
fn mounts_and_links_inside_the_data_directory_count() {
    let guest = Guest::new();
    let data = guest.volume("data", "ext4", 160, "0aaa");
    let elsewhere = guest.volume("elsewhere", "ext4", 64, "0bbb");
    let inside = guest.volume("inside", "ext4", 64, "0ccc");
    let cluster = Cluster::create(&guest, &Layout::on(&data));
    guest.sh(&format!(
        "mv {pg}/base/1 {elsewhere}/one && ln -s {elsewhere}/one {pg}/base/1 &&
         umount {inside} && mount /dev/disk/by-id/*vol0ccc {pg}/pg_replslot && chown postgres {pg}/pg_replslot &&
         rmdir {pg}/pg_replslot/lost+found",
        pg = cluster.data
    ));
    cluster.ctl("start");
    let report = probe(&guest);
    assert_eq!(report["outcome"], "ready", "{report:#}");
    let replslot = format!("{}/pg_replslot", cluster.data);
    let one = format!("{elsewhere}/one");
    let wal = format!("{}/pg_wal", cluster.data);
    assert_eq!(
        paths(&report),
        [
            ("data", cluster.data.as_str()),
            ("mount", &replslot),
            ("wal", &wal),
            ("link", &one),
        ]
    );
    cluster.ctl("stop");
    guest.sh(&format!(
        "umount {replslot} && mount /dev/disk/by-id/*vol0ccc {inside}"
    ));
}

#[test]
fn configuration_elsewhere_belongs_to_the_image_but_not_to_the_hold() {
    let guest = Guest::new();
    let data = guest.volume("data", "ext4", 160, "0aaa");
    let etc = guest.volume("etc", "ext4", 64, "0bbb");
    guest.sh(&format!("touch {etc}/hba.conf && echo local all all peer >{etc}/hba.conf && chmod 644 {etc}/hba.conf"));
    let settings = format!("hba_file = '{etc}/hba.conf'");
    let layout = Layout {
        settings: &settings,
        ..Layout::on(&data)
    };
    let _cluster = Cluster::start(&guest, &layout);
    let report = probe(&guest);
    assert_eq!(report["outcome"], "ready", "{report:#}");
    let data_mounts: Vec<_> = report["mounts"]
        .as_array()
        .expect("mounts")
        .iter()
        .map(|mount| (&mount["mount_point"], &mount["data"]))
        .collect();
    assert_eq!(
        data_mounts,
        [(&data.into(), &true.into()), (&etc.into(), &false.into())]
    );
}

#[test]
fn of_several_servers_one_must_be_chosen() {
    let guest = Guest::new();
    let data = guest.volume("data", "ext4", 300, "0aaa");
    let one = Cluster::start(&guest, &Layout::on(&data));
    let layout = Layout {
        port: 6002,
        ..Layout::on(&data)
    };
    let two = Cluster::start(&guest, &layout);
    let message = refusal(&probe(&guest), "several_servers");
    assert!(
        message.contains(&one.data) && message.contains("6002"),
        "{message}"
    );
    for (option, value) in [("port", "6002"), ("data_directory", &two.data)] {
        let session = Session::new(&guest, Method::Freeze, &[]).with(option, value);
        let report = session.probe();
        assert_eq!(report["outcome"], "ready", "{report:#}");
        assert_eq!(report["servers"][0]["pid"], two.pid());
        let stranger = format!("postgres (process {}, in {})", one.pid(), one.data);
        let warnings = report["warnings"].as_array().expect("warnings");
        assert_eq!(warnings.len(), 1, "{report:#}");
        assert!(
            warnings[0]
                .as_str()
                .is_some_and(|it| it.starts_with(&stranger))
        );
    }
    let absent = Session::new(&guest, Method::Freeze, &[]).with("port", "6003");
    refusal(&absent.probe(), "no_server");
}

#[test]
fn a_server_on_other_volumes_is_no_stranger() {
    let guest = Guest::new();
    let [here, there] = [("here", "0aaa"), ("there", "0bbb")]
        .map(|(name, serial)| guest.volume(name, "ext4", 160, serial));
    let one = Cluster::start(&guest, &Layout::on(&here));
    let elsewhere = Layout {
        port: 6002,
        ..Layout::on(&there)
    };
    let _two = Cluster::start(&guest, &elsewhere);
    let session = Session::new(&guest, Method::Freeze, &[]).with("port", &one.port.to_string());
    let report = session.probe();
    assert_eq!(report["outcome"], "ready", "{report:#}");
    assert_eq!(report["warnings"], serde_json::json!([]));
}

#[test]
fn a_guest_without_a_server_is_refused() {
    let guest = Guest::new();
    refusal(&probe(&guest), "no_server");
}

#[test]
fn settings_that_void_crash_recovery_are_refused() {
    let guest = Guest::new();
    let data = guest.volume("data", "ext4", 160, "0aaa");
    let cluster = Cluster::start(&guest, &Layout::on(&data));
    for (setting, code) in [
        ("fsync", "fsync_off"),
        ("full_page_writes", "full_page_writes_off"),
    ] {
        cluster.sql(&format!("ALTER SYSTEM SET {setting} = off"));
        cluster.ctl("reload");
        guest.sh("sleep 0.3");
        let message = refusal(&probe(&guest), code);
        assert!(message.contains(&cluster.data), "{message}");
        cluster.sql(&format!("ALTER SYSTEM RESET {setting}"));
        cluster.ctl("reload");
        guest.sh("sleep 0.3");
    }
    assert_eq!(probe(&guest)["outcome"], "ready");
}

#[test]
fn full_pages_are_not_needed_where_nothing_is_overwritten() {
    let guest = Guest::new();
    let data = guest.volume("data", "btrfs", 300, "0aaa");
    let layout = Layout {
        settings: "full_page_writes = off",
        ..Layout::on(&data)
    };
    let _cluster = Cluster::start(&guest, &layout);
    let report = probe(&guest);
    assert_eq!(report["outcome"], "ready", "{report:#}");
    assert_eq!(report["mounts"][0]["leaves"][0]["volume_id"], "vol-0aaa");
}

#[test]
fn paths_that_no_volume_holds_are_refused() {
    let guest = Guest::new();
    let data = guest.volume("data", "ext4", 160, "0aaa");
    guest.sh("mkdir /run/memory && mount -t tmpfs memory /run/memory && chmod 777 /run/memory");
    let layout = Layout {
        wal: Some("/run/memory"),
        ..Layout::on(&data)
    };
    let _cluster = Cluster::start(&guest, &layout);
    let message = refusal(&probe(&guest), "not_on_a_volume");
    assert!(
        message.contains("/run/memory/wal6001 (wal) lies on tmpfs"),
        "{message}"
    );
}

#[test]
fn a_server_that_does_not_admit_us_is_refused() {
    let guest = Guest::new();
    let data = guest.volume("data", "ext4", 160, "0aaa");
    let _cluster = Cluster::start(&guest, &Layout::on(&data));
    let session = Session::new(&guest, Method::Freeze, &[]).with("os_user", "nobody");
    let message = refusal(&session.probe(), "no_permission");
    assert!(message.contains("as user nobody"), "{message}");
    let stranger = Session::new(&guest, Method::Freeze, &[]).with("os_user", "nosuchuser");
    refusal(&stranger.probe(), "no_such_user");
}

#[test]
fn a_role_that_may_not_checkpoint_is_refused() {
    let guest = Guest::new();
    let data = guest.volume("data", "ext4", 160, "0aaa");
    let cluster = Cluster::start(&guest, &Layout::on(&data));
    cluster.sql("CREATE ROLE nobody LOGIN");
    let session = Session::new(&guest, Method::Freeze, &[]).with("os_user", "nobody");
    refusal(&session.probe(), "no_permission");
    cluster.sql("GRANT pg_checkpoint, pg_read_all_settings TO nobody");
    assert_eq!(session.probe()["outcome"], "ready");
}

#[test]
fn a_server_that_hangs_is_refused() {
    let guest = Guest::new();
    let data = guest.volume("data", "ext4", 160, "0aaa");
    let cluster = Cluster::start(&guest, &Layout::on(&data));
    guest.sh(&format!("kill -STOP {}", cluster.pid()));
    refusal(&probe(&guest), "not_accepting");
    guest.sh(&format!("kill -CONT {}", cluster.pid()));
}

#[test]
fn a_server_that_counts_its_processes_by_itself_is_found() {
    let guest = Guest::new();
    let data = guest.volume("data", "ext4", 160, "0aaa");
    let cluster = Cluster::create(&guest, &Layout::on(&data));
    let start = cluster.ctl_command("start");
    guest.sh(&format!(
        "unshare --mount --pid --fork --mount-proc bash -c \"{start}; exec sleep 100\" >/dev/null 2>&1 &
         sleep 2"
    ));
    let report = probe(&guest);
    assert_eq!(report["outcome"], "ready", "{report:#}");
    assert_ne!(report["servers"][0]["pid"], cluster.pid());
    assert_eq!(paths(&report)[0], ("data", cluster.data.as_str()));
}

#[test]
fn what_the_guest_itself_needs_is_told() {
    let guest = Guest::new();
    let data = guest.volume("var", "ext4", 160, "0aaa");
    let _cluster = Cluster::start(&guest, &Layout::on(&data));
    let why = |report: &Value| report["mounts"][0]["needed_by_guest"].clone();
    assert_eq!(why(&probe(&guest)), Value::Null);
    // The agent's directory may lie on the volume by a bind mount, under another mount point.
    guest.sh(&format!(
        "mkdir {data}/amazon && mount -t tmpfs lib /var/lib && mkdir /var/lib/amazon && mount --bind {data}/amazon /var/lib/amazon"
    ));
    assert_eq!(
        why(&probe(&guest)),
        "the SSM agent writes its state to it (/var/lib/amazon)"
    );
    guest.sh("umount /var/lib/amazon");
}

#[test]
fn a_standby_is_told_from_a_primary() {
    for version in [10, 15, 18] {
        let guest = Guest::new();
        let data = guest.volume("data", "ext4", 400, "0aaa");
        let layout = Layout {
            version,
            settings: "wal_level = replica\nmax_wal_senders = 4\nhot_standby = on",
            ..Layout::on(&data)
        };
        let primary = Cluster::start(&guest, &layout);
        let standby = primary.standby(6002);
        let session = Session::new(&guest, Method::Freeze, &[]).with("port", "6002");
        let report = session.probe();
        assert_eq!(report["outcome"], "ready", "{report:#}");
        assert_eq!(report["servers"][0]["role"], "standby");
        assert_eq!(report["servers"][0]["data_directory"], standby.data);
    }
}
