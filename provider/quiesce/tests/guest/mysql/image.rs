//! What an image holds that was taken under writes: it starts by itself, every table is sound, and what was acknowledged before the hold is there.

use std::{
    process::{Child, Stdio},
    time::Duration,
};

use quiesce::method::Method;

use super::{
    scene::Scene,
    server::{KINDS, Kind, Server},
};
use crate::machine::Guest;

/// Where the guest's writer notes what was acknowledged, one number a line.
const NOTES: &str = "/run/acknowledged";

/// Writes one order and counts it, without a pause, as one client of many would.
fn writer(guest: &Guest, server: &Server<'_>) -> Child {
    let engine = match server.kind {
        Kind::MySql => "MyISAM",
        Kind::MariaDb => "Aria TRANSACTIONAL = 0",
    };
    server.sql(&format!(
        "CREATE TABLE shop.many (id INT AUTO_INCREMENT PRIMARY KEY, n INT, note CHAR(100), KEY (n)) ENGINE = {engine}"
    ));
    let write = server.client(
        "INSERT INTO shop.orders (note) VALUES (REPEAT('x', 150)); INSERT INTO shop.many (n, note) VALUES (LAST_INSERT_ID(), REPEAT('y', 90)); \
         UPDATE shop.counter SET n = n + 1; SELECT MAX(id) FROM shop.orders",
    );
    let script = format!(
        "rm -f {NOTES}; until [ -e {NOTES}.enough ]; do {write} >>{NOTES} || sleep 0.01; done"
    );
    let mut command = guest.command("bash");
    command.args(["-c", &script]).stderr(Stdio::null());
    let child = command.spawn().expect("nsenter runs");
    guest.sh(&format!(
        "until [ -s {NOTES} ]; do sleep 0.02; done; sleep 1"
    ));
    child
}

#[test]
fn an_image_taken_under_writes_is_sound_and_complete() {
    for kind in KINDS {
        for method in [Method::Freeze, Method::Pause] {
            let scene = Scene::new(kind);
            let server = scene.server();
            let mut writing = writer(&scene.guest, &server);
            let session = scene.session(method).lasting(Duration::from_mins(1));
            session.held();
            let acknowledged = scene.guest.sh(&format!("tail -1 {NOTES}"));
            let copies = scene.capture();
            let released = session.release();
            assert_eq!(released["outcome"], "held", "{released:#}");
            scene.guest.sh(&format!("sleep 0.5; touch {NOTES}.enough"));
            writing.wait().expect("it stops");
            server.down();
            scene.restore(&copies);
            server.up();
            let checked = server.sql("CHECK TABLE shop.orders, shop.counter, shop.many EXTENDED");
            let sound = |line: &str| line.ends_with("\tcheck\tstatus\tOK");
            assert!(checked.lines().all(sound), "{kind:?} {method}\n{checked}");
            assert_eq!(checked.lines().count(), 3);
            let acknowledged: u32 = acknowledged.trim().parse().expect("a number");
            for table in ["orders", "many"] {
                let there = server.sql(&format!("SELECT COUNT(*) FROM shop.{table}"));
                let there: u32 = there.parse().expect("a number");
                // What was written but not yet noted may be there too: one at most.
                assert!(
                    (acknowledged..=acknowledged + 1).contains(&there),
                    "{kind:?} {method} {table}: {there} of {acknowledged}"
                );
            }
        }
    }
}
