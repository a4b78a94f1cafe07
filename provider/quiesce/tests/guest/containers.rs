//! Servers in containers: found, asked and held by what the guest sees of them, whatever they call their paths.

use std::time::Duration;

use quiesce::method::Method;
use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, Layout, programs},
    container::{Container, DATA, Shape, USERS, cluster_files},
    hold::Cgroup,
    machine::{Flavour, Guest},
    mysql::server::{self, Kind, Server},
    observer::Observer,
    session::{Session, codes, engine, links},
};

fn mount_points(report: &Value) -> Vec<&str> {
    let mounts = report["mounts"].as_array().expect("mounts");
    let points = mounts.iter().map(|mount| mount["mount_point"].as_str());
    points.map(|point| point.expect("text")).collect()
}

fn probe(guest: &Guest) -> Value {
    Session::new(guest, Method::Freeze, &[]).probe()
}

/// A guest whose one server lives in a container, its data and its log on two volumes.
struct Scene {
    guest: Guest,
    data: String,
    wal: String,
    files: String,
}

impl Scene {
    fn new() -> Self {
        Self::on(Guest::new())
    }

    fn on(guest: Guest) -> Self {
        let data = guest.volume("data", "ext4", 160, "0aaa");
        let wal = guest.volume("wal", "xfs", 320, "0bbb");
        let files = cluster_files(&guest, &data, Some(&wal));
        Self {
            guest,
            data,
            wal,
            files,
        }
    }

    fn container(&self, shape: &Shape<'_>) -> Container<'_> {
        let binds = [(self.files.as_str(), DATA), (self.wal.as_str(), "/wal")];
        let shape = Shape {
            binds: &binds,
            ..*shape
        };
        Container::of_cluster(&self.guest, "box", &shape)
    }

    fn session(&self, method: Method) -> Session<'_> {
        Session::new(&self.guest, method, &[&self.data, &self.wal])
    }

    fn assert_let_go(&self, container: &Container<'_>) {
        assert!(self.guest.writes_go_on());
        container.sql("CREATE TABLE IF NOT EXISTS t (i int); INSERT INTO t VALUES (1)");
        self.guest.sh("sleep 0.5");
        assert_eq!(self.guest.switches(), 0);
    }
}

#[test]
fn its_paths_are_found_on_the_volumes_of_the_guest() {
    let scene = Scene::new();
    let container = scene.container(&Shape::default());
    let report = probe(&scene.guest);
    assert_eq!(report["outcome"], "ready", "{report:#}");
    assert_eq!(mount_points(&report), [&scene.data, &scene.wal]);
    let server = &report["servers"][0];
    assert_eq!(server["data_directory"], DATA);
    assert_eq!(server["pid"], container.pid);
    assert_eq!(
        server["paths"],
        json!([
            { "purpose": "data", "path": scene.files },
            { "purpose": "wal", "path": format!("{}/wal6001", scene.wal) },
        ])
    );
    let volumes: Vec<_> = report["mounts"]
        .as_array()
        .expect("mounts")
        .iter()
        .map(|mount| &mount["leaves"][0]["volume_id"])
        .collect();
    assert_eq!(volumes, ["vol-0aaa", "vol-0bbb"]);
}

/// The whole of a hold, under every shell.
#[test]
fn it_is_frozen_and_paused_and_let_go() {
    for flavour in [Flavour::Debian, Flavour::Bash, Flavour::Busybox] {
        let scene = Scene::on(Guest::of(flavour));
        let container = scene.container(&Shape::default());
        container.sql("CREATE TABLE observed (i int)");
        for method in [Method::Freeze, Method::Pause] {
            let session = scene.session(method).lasting(Duration::from_secs(20));
            let observer = Observer::of(
                &scene.guest,
                &container.psql("INSERT INTO observed VALUES (1)"),
            );
            let held = session.held();
            let position = held["recovery_points"]["postgresql"].as_str();
            assert!(position.is_some_and(|lsn| lsn.contains('/')), "{held:#}");
            scene.guest.sh("sleep 2");
            let released = session.release();
            assert_eq!(released["outcome"], "held", "{flavour:?} {released:#}");
            observer.assert_stalled_for(&released["hold_ms"]);
            scene.assert_let_go(&container);
        }
    }
}

/// Some other process of the container, as an init or a shell in it, is no reason not to pause all of it at once.
#[test]
fn it_is_paused_by_its_own_cgroup() {
    let scene = Scene::new();
    let group = Cgroup::new(&scene.guest, "container");
    let command = format!("sleep 1000 & exec {}", Shape::default().command);
    let command = format!("/usr/bin/bash -c '{command}'").replace('\'', "\"");
    let container = scene.container(&Shape {
        cgroup: Some(&group.directory),
        command: &command,
        ..Shape::default()
    });
    let session = scene.session(Method::Pause);
    session.held();
    let paused = scene.guest.sh(&format!("cat {}", session.state("cgroups")));
    assert_eq!(paused.trim(), group.directory);
    assert_eq!(session.release()["outcome"], "held");
    scene.assert_let_go(&container);
    container.kill();
}

/// A cgroup that holds somebody else too is left alone.
#[test]
fn it_is_paused_by_signals_where_its_cgroup_is_not_its_own() {
    let scene = Scene::new();
    let group = Cgroup::new(&scene.guest, "shared");
    let container = scene.container(&Shape {
        cgroup: Some(&group.directory),
        ..Shape::default()
    });
    scene.guest.sh(&format!(
        "setsid sleep 100 </dev/null >/dev/null 2>&1 & echo $! >{}/cgroup.procs",
        group.directory
    ));
    let session = scene.session(Method::Pause);
    session.held();
    scene
        .guest
        .sh(&format!("[ ! -s {} ]", session.state("cgroups")));
    assert_eq!(session.release()["outcome"], "held");
    scene.assert_let_go(&container);
    container.kill();
}

/// What a container keeps in its writable layer lies in a directory of the guest's.
#[test]
fn data_in_the_writable_layer_is_found_beneath_it() {
    let scene = Scene::new();
    let layers = scene.guest.volume("layers", "ext4", 200, "0ccc");
    let into = "mkdir -p $ROOT/var/lib/postgresql/data; chmod 755 $ROOT/var/lib/postgresql";
    let copied = format!(
        "{into}; cp -a {}/. $ROOT{DATA}; chmod 700 $ROOT{DATA}; chown postgres: $ROOT{DATA}",
        scene.files
    );
    let container = Container::of_cluster(
        &scene.guest,
        "box",
        &Shape {
            layers: Some(&layers),
            binds: &[(&scene.wal, "/wal")],
            mounts: &copied,
            ..Shape::default()
        },
    );
    let report = probe(&scene.guest);
    assert_eq!(report["outcome"], "ready", "{report:#}");
    assert_eq!(
        mount_points(&report)[..2],
        [&layers, &scene.wal],
        "{report:#}"
    );
    // What lies beneath in the image's own layer is needed as well.
    let paths = &report["servers"][0]["paths"];
    assert_eq!(
        *paths,
        json!([
            { "purpose": "config", "path": format!("{layers}/lower{DATA}") },
            { "purpose": "data", "path": format!("{layers}/upper{DATA}") },
            { "purpose": "wal", "path": format!("{}/wal6001", scene.wal) },
        ])
    );
    let session = Session::new(&scene.guest, Method::Freeze, &[&layers, &scene.wal]);
    session.held();
    scene.guest.sh("sleep 1");
    let released = session.release();
    assert_eq!(released["outcome"], "held", "{released:#}");
    scene.assert_let_go(&container);
}

#[test]
fn what_no_image_could_hold_or_nobody_could_let_go_is_refused() {
    let scene = Scene::new();
    let alone = scene.guest.volume("alone", "ext4", 160, "0ccc");
    let device = scene.guest.sh(&format!("findmnt -no SOURCE {alone}"));
    let device = device.trim();
    let copied = |place: &str| format!("{place}; cp -a {}/wal6001 $ROOT/wal/", scene.wal);
    for (mounts, code, words) in [
        (
            copied("mount -t tmpfs wal $ROOT/wal"),
            "not_on_a_volume",
            "tmpfs",
        ),
        (
            format!(
                "umount {alone}; {}",
                copied(&format!("mount {device} $ROOT/wal"))
            ),
            "mount_unclear",
            "only that process sees",
        ),
    ] {
        if code == "mount_unclear" {
            scene.guest.sh(&format!("umount {alone}"));
        }
        let container = Container::of_cluster(
            &scene.guest,
            code,
            &Shape {
                binds: &[(&scene.files, DATA)],
                mounts: &mounts.replace(&format!("umount {alone}; "), ""),
                ..Shape::default()
            },
        );
        let report = probe(&scene.guest);
        assert_eq!(codes(&report), [code], "{report:#}");
        assert!(
            report["problems"][0]["message"]
                .as_str()
                .expect("text")
                .contains(words),
            "{report:#}"
        );
        container.kill();
        scene.guest.sh("sleep 0.3");
    }
    scene.guest.sh(&format!("mount {device} {alone}"));
}

#[test]
fn a_stop_is_refused() {
    let scene = Scene::new();
    let container = scene.container(&Shape::default());
    let report = scene.session(Method::Stop).arm();
    assert_eq!(report["outcome"], "refused", "{report:#}");
    assert_eq!(codes(&report), ["cannot_stop"]);
    scene.assert_let_go(&container);
}

/// Without a client of its own it is asked by the guest's; where there is none either, that is said.
#[test]
fn one_without_a_client_is_asked_by_the_guests() {
    let scene = Scene::new();
    let bin = programs(18);
    let root = bin.parent().expect("a prefix");
    let files = Cluster::create(
        &scene.guest,
        &Layout {
            version: 18,
            settings: "port = 5432",
            ..Layout::on(&scene.wal)
        },
    );
    let container = Container::of_cluster(
        &scene.guest,
        "box",
        &Shape {
            binds: &[
                (&files.data, DATA),
                (&root.to_string_lossy(), "/srv/postgres"),
            ],
            mounts: "mount -t tmpfs none $ROOT/usr/lib/postgresql; mount --bind /dev/null $ROOT/usr/bin/psql",
            command: &format!(
                "/usr/sbin/chroot --userspec=postgres:postgres / /srv/postgres/bin/postgres -D {DATA}"
            ),
            ..Shape::default()
        },
    );
    let report = probe(&scene.guest);
    assert_eq!(report["outcome"], "ready", "{report:#}");
    assert!(
        report["servers"][0]["version"]
            .as_str()
            .expect("a version")
            .starts_with("18.")
    );
    scene
        .guest
        .sh("mount -t tmpfs none /usr/lib/postgresql && mount --bind /dev/null /usr/bin/psql");
    let report = probe(&scene.guest);
    assert_eq!(codes(&report), ["no_psql"], "{report:#}");
    container.kill();
}

#[test]
fn one_with_users_of_its_own_is_asked_as_the_user_that_the_guest_sees() {
    let scene = Scene::new();
    scene.guest.sh(&format!(
        "chown -R $(({USERS} + $(id -u postgres))) {} {}/wal6001",
        scene.files, scene.wal
    ));
    let container = scene.container(&Shape {
        users: true,
        ..Shape::default()
    });
    let session = scene.session(Method::Pause);
    let probed = session.probe();
    assert_eq!(probed["outcome"], "ready", "{probed:#}");
    session.held();
    assert_eq!(session.release()["outcome"], "held");
    scene.assert_let_go(&container);
}

/// Nothing that lives in the container, and nobody who runs it, is needed to let go.
#[test]
fn it_is_let_go_by_the_switch_when_its_first_process_was_killed() {
    for method in [Method::Freeze, Method::Pause] {
        let scene = Scene::new();
        let container = scene.container(&Shape::default());
        let session = scene.session(method).lasting(Duration::from_secs(3));
        session.held();
        container.kill();
        scene.guest.sh("sleep 4");
        assert!(scene.guest.writes_go_on());
        assert_eq!(scene.guest.switches(), 0);
        let report = session.release();
        assert_eq!(report["outcome"], "lapsed", "{report:#}");
        assert_eq!(report["released"], true, "{report:#}");
        let again = scene.container(&Shape::default());
        scene.assert_let_go(&again);
    }
}

#[test]
fn one_that_is_started_again_during_the_hold_breaks_it() {
    for (method, link) in [(Method::Freeze, "container"), (Method::Pause, "paused")] {
        let scene = Scene::new();
        let container = scene.container(&Shape::default());
        let session = scene.session(method);
        session.held();
        container.kill();
        // It cannot write before it is let go.
        let shape = Shape {
            binds: &[(&scene.files, DATA), (&scene.wal, "/wal")],
            ..Shape::default()
        };
        let again = Container::start(&scene.guest, "again", &shape);
        scene.guest.sh("sleep 0.5");
        let report = session.release();
        assert_eq!(report["outcome"], "lapsed", "{report:#}");
        assert!(links(&report).contains(&link), "{report:#}");
        scene.assert_let_go(&again);
    }
}

/// One server on the guest, one in a container, at the same port and in directories of the same name.
#[test]
fn the_server_is_chosen_by_where_its_data_lies() {
    let scene = Scene::new();
    let container = scene.container(&Shape::default());
    let own = Cluster::start(
        &scene.guest,
        &Layout {
            port: 5432,
            ..Layout::on(&scene.wal)
        },
    );
    assert_eq!(codes(&probe(&scene.guest)), ["several_servers"]);
    for (directory, pid) in [
        (DATA, container.pid),
        (&scene.files, container.pid),
        (&own.data, own.pid()),
    ] {
        let session =
            Session::new(&scene.guest, Method::Freeze, &[]).with("data_directory", directory);
        let report = session.probe();
        assert_eq!(report["outcome"], "ready", "{report:#}");
        assert_eq!(report["servers"][0]["pid"], pid);
    }
}

#[test]
fn redis_in_a_container_is_asked_inside_and_pauses_its_clients() {
    let guest = Guest::new();
    let data = guest.volume("data", "ext4", 160, "0aaa");
    guest.sh(&format!("install -d -o nobody -g nogroup {data}/store"));
    let container = Container::start(
        &guest,
        "box",
        &Shape {
            binds: &[(&format!("{data}/store"), "/srv/store")],
            mounts: "ln -sfn /usr/bin/redis-check-rdb $ROOT/srv/redis-server",
            command: "/usr/sbin/chroot --userspec=nobody:nogroup / /srv/redis-server --dir /srv/store --appendonly yes --bind 127.0.0.1",
            ..Shape::default()
        },
    );
    guest.sh("sleep 1");
    for method in [Method::Freeze, Method::Pause] {
        let session = Session::over(&guest, vec![engine("redis")], method, &[&data]);
        let probed = session.probe();
        assert_eq!(probed["outcome"], "ready", "{probed:#}");
        assert_eq!(
            probed["servers"][0]["paths"][0]["path"],
            format!("{data}/store")
        );
        let held = session.held();
        let position = held["recovery_points"]["redis"]
            .as_str()
            .expect("a position");
        assert!(position.starts_with("appendonly.aof"), "{position}");
        let released = session.release();
        assert_eq!(released["outcome"], "held", "{released:#}");
    }
    container.kill();
}

/// Root, whom the server knows by the socket, asks from outside; whoever the server's own user is, from inside. Both hold its locks.
#[test]
fn mariadb_in_a_container_is_asked_from_outside_and_inside() {
    let guest = Guest::new();
    let data = guest.volume("data", "ext4", 320, "0aaa");
    let server = Server::create(&guest, &server::Layout::on(Kind::MariaDb, &data));
    let container = Container::start(
        &guest,
        "box",
        &Shape {
            binds: &[(&data, &data)],
            mounts: "chmod 1777 $ROOT/run; mkdir -m 777 $ROOT/run/mariadb-one.tmp",
            command: &server.command,
            ..Shape::default()
        },
    );
    // Its makers' tool has let in the user that it runs as, too.
    guest.sh(&format!(
        "for _ in {{1..100}}; do mariadb --no-defaults --socket=/proc/{}/root{} --execute='DO 1' && exit 0; sleep 0.1; done; exit 1",
        container.pid, server.socket
    ));
    for (user, method) in [(None, Method::Freeze), (Some("nobody"), Method::Pause)] {
        let mut session = Session::over(&guest, vec![Kind::MariaDb.options()], method, &[&data])
            .lasting(Duration::from_secs(20));
        if let Some(user) = user {
            session = session.with("os_user", user);
        }
        let probed = session.probe();
        assert_eq!(probed["outcome"], "ready", "{probed:#}");
        session.held();
        let client = guest.sh(&format!(
            "readlink /proc/$(cut -d ' ' -f 1 {})/ns/mnt /proc/{}/ns/mnt | uniq | wc -l",
            session.state("lock.mariadb"),
            container.pid
        ));
        assert_eq!(client.trim() == "1", user.is_some(), "{client}");
        let released = session.release();
        assert_eq!(released["outcome"], "held", "{released:#}");
    }
    container.kill();
}

/// A server with mounts of its own, as a unit of systemd's has with `BindPaths=`: the guest has another directory at the very place where its log is.
#[test]
fn a_path_that_the_guest_has_too_is_not_taken_for_the_servers() {
    let guest = Guest::new();
    let [data, wal, other] = [("data", "0aaa"), ("wal", "0bbb"), ("other", "0ccc")]
        .map(|(name, serial)| guest.volume(name, "ext4", 160, serial));
    let layout = Layout {
        wal: Some(&wal),
        ..Layout::on(&data)
    };
    let cluster = Cluster::create(&guest, &layout);
    guest.sh(&format!(
        "mkdir {other}/wal6001 && ln -sfn {other}/wal6001 {}/pg_wal &&
         unshare --mount bash -c 'mount --bind {wal} {other} && {}'",
        cluster.data,
        cluster.ctl_command("start")
    ));
    let report = probe(&guest);
    assert_eq!(report["outcome"], "ready", "{report:#}");
    assert_eq!(mount_points(&report), [data, wal], "{report:#}");
}
