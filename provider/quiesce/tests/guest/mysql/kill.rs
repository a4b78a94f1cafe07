//! SIGKILL at every step of a hold: whatever the session had locked by then goes on, and nobody stays connected.

use std::time::Duration;

use quiesce::method::Method;

use super::{
    scene::Scene,
    server::{KINDS, Kind},
};
use crate::kill::{dying_at, spread, tracing};

fn run(scene: &Scene, script: &str) -> bool {
    let file = scene.guest.script_file(script);
    let child = scene.guest.start_group(&["/bin/bash", "--posix", &file]);
    child.wait_with_output().expect("it ends").status.success()
}

fn hold_killed_at_every_step(kind: Kind) {
    let scene = Scene::new(kind);
    let server = scene.server();
    let session = || {
        scene
            .session(Method::Freeze)
            .lasting(Duration::from_mins(1))
    };
    let traced = session();
    traced.armed();
    run(&scene, &tracing(&traced.hold_text()));
    traced.release();
    let lines = scene.guest.sh("sort -nu /run/lines");
    let lines: Vec<u32> = lines
        .lines()
        .map(|it| it.parse().expect("a line"))
        .collect();
    assert!(lines.len() > 300, "only {} lines traced", lines.len());
    let mut killed = 0;
    for line in spread(&lines) {
        let session = session();
        session.armed();
        killed += usize::from(!run(&scene, &dying_at(&session.hold_text(), line)));
        let report = session.release();
        assert_eq!(report["released"], true, "line {line}: {report:#}");
        eprintln!("{kind:?}: killed at line {line}");
        scene.assert_let_go(&server);
    }
    assert!(killed > 0);
}

#[test]
fn a_hold_with_locks_killed_at_any_step_is_let_go() {
    for kind in KINDS {
        hold_killed_at_every_step(kind);
    }
}
