//! Several engines in one hold.

use std::time::Duration;

use quiesce::method::Method;

use crate::{
    cluster::{Cluster, Layout},
    machine::Guest,
    session::{Session, codes, engine, links},
    store::{Counting, Store},
};

const AOF: &str = "--appendonly yes";

#[test]
fn one_hold_covers_all_that_was_asked_for() {
    for method in [Method::Freeze, Method::Pause] {
        let guest = Guest::new();
        let [tables, keys] = [("tables", "0aaa"), ("keys", "0bbb")]
            .map(|(name, serial)| guest.volume(name, "ext4", 200, serial));
        let cluster = Cluster::start(&guest, &Layout::on(&tables));
        let [redis, valkey] = [("redis", 7001), ("valkey", 7002)]
            .map(|(name, port)| Store::start(&guest, name, &format!("{keys}/{name}"), port, AOF));
        let engines = ["postgresql", "redis", "valkey"].map(engine).to_vec();
        let session = Session::over(&guest, engines, method, &[&tables, &keys])
            .lasting(Duration::from_secs(20));
        let probed = session.probe();
        assert_eq!(probed["outcome"], "ready", "{probed:#}");
        assert_eq!(probed["warnings"], serde_json::json!([]));
        let directories: Vec<_> = probed["servers"]
            .as_array()
            .expect("servers")
            .iter()
            .map(|server| (&server["engine"], &server["paths"][0]["path"]))
            .collect();
        assert_eq!(
            directories,
            [
                (&"postgresql".into(), &cluster.data.clone().into()),
                (&"redis".into(), &redis.directory.clone().into()),
                (&"valkey".into(), &valkey.directory.clone().into()),
            ]
        );
        let counting = Counting::on(&guest, &redis);
        let held = session.held();
        let points = held["recovery_points"].as_object().expect("points");
        assert_eq!(
            points.keys().collect::<Vec<_>>(),
            ["postgresql", "redis", "valkey"]
        );
        let before = counting.acknowledged();
        guest.sh("sleep 0.5");
        assert_eq!(counting.acknowledged(), before, "{method}");
        let released = session.release();
        assert_eq!(released["outcome"], "held", "{released:#}");
        cluster.sql("CREATE TABLE after (i int)");
        assert_eq!(valkey.ask("SET after 1"), "OK");
        guest.sh("sleep 0.5");
        assert_eq!(guest.switches(), 0);
    }
}

#[test]
fn a_link_that_breaks_for_one_breaks_for_all() {
    let guest = Guest::new();
    let data = guest.volume("data", "ext4", 300, "0aaa");
    let _cluster = Cluster::start(&guest, &Layout::on(&data));
    let store = Store::start(&guest, "redis", &format!("{data}/store"), 7001, AOF);
    let engines = ["postgresql", "redis"].map(engine).to_vec();
    let session = Session::over(&guest, engines, Method::Pause, &[&data]);
    session.held();
    guest.sh(&format!("kill -CONT {}", store.pid_by_name()));
    let released = session.release();
    assert!(links(&released).contains(&"paused"), "{released:#}");
}

#[test]
fn what_is_wrong_with_each_is_told_at_once() {
    let guest = Guest::new();
    let data = guest.volume("data", "ext4", 300, "0aaa");
    let layout = Layout {
        settings: "fsync = off",
        ..Layout::on(&data)
    };
    let _cluster = Cluster::start(&guest, &layout);
    let engines = ["postgresql", "redis", "custom"].map(engine).to_vec();
    let session =
        Session::over(&guest, engines, Method::Freeze, &[&data]).with("paths", "/nowhere");
    assert_eq!(
        codes(&session.probe()),
        ["fsync_off", "no_server", "path_unreadable"]
    );
}
