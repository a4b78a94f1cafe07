//! Hold and release: the lock session around the hold, and every way in which it can fail.

use std::{process::Child, time::Duration};

use quiesce::method::Method;

use super::{
    scene::Scene,
    server::{KINDS, Kind, Server},
};
use crate::{
    machine::{Flavour, Guest},
    observer::Observer,
    scene::METHODS,
    session::{Session, checked_report, codes, links},
};

#[test]
fn every_method_holds_until_released() {
    for kind in KINDS {
        let scene = Scene::new(kind);
        let server = scene.server();
        for method in METHODS {
            let session = scene.session(method).lasting(Duration::from_secs(30));
            // The write that is held for longest: MySQL's own locks, which go last, are on tables that are not transactional.
            let write = match kind {
                Kind::MySql => "UPDATE shop.counter SET n = n + 1",
                Kind::MariaDb => "INSERT INTO shop.orders VALUES ()",
            };
            let observer = Observer::of(&scene.guest, &server.client(write));
            let held = session.held();
            let position = held["recovery_points"][kind.engine()].as_str();
            assert!(
                position.is_some_and(|it| it.starts_with("bin.0")),
                "{held:#}"
            );
            scene.guest.sh("sleep 2");
            let released = session.release();
            assert_eq!(
                released["outcome"], "held",
                "{kind:?} {method} {released:#}"
            );
            observer.assert_stalled_for(&released["hold_ms"]);
            scene.assert_let_go(&server);
        }
    }
}

#[test]
fn every_kind_is_held_under_bash_and_under_busybox_alone() {
    for (flavour, kind) in [Flavour::Bash, Flavour::Busybox].into_iter().zip(KINDS) {
        let scene = Scene::on(Guest::of(flavour), kind);
        let server = scene.server();
        for method in METHODS {
            let session = scene.session(method).lasting(Duration::from_secs(30));
            session.held();
            let released = session.release();
            assert_eq!(released["outcome"], "held", "{flavour:?} {released:#}");
            scene.assert_let_go(&server);
        }
    }
}

// ---- a lock session that ends --------------------------------------------------------------------------------------------

/// Holds, lets `meddle` happen to the lock session, releases: the hold has lapsed for that reason alone, and everything goes on.
fn lapses(kind: Kind, method: Method, meddle: impl Fn(&Scene, &Server<'_>, &Session<'_>)) {
    let scene = Scene::new(kind);
    let server = scene.server();
    let session = scene.session(method).lasting(Duration::from_secs(30));
    session.held();
    meddle(&scene, &server, &session);
    let report = session.release();
    assert_eq!(report["outcome"], "lapsed", "{report:#}");
    assert_eq!(links(&report), ["lock"], "{kind:?} {method} {report:#}");
    assert_eq!(report["released"], true, "{report:#}");
    scene.assert_let_go(&server);
}

#[test]
fn a_lock_session_killed_on_the_server_shows() {
    for kind in KINDS {
        lapses(kind, Method::Freeze, |scene, server, session| {
            let said = session.state(&format!("lock.{}.out", kind.engine()));
            let connection = scene
                .guest
                .sh(&format!("sed -n 's/consistent connection=//p' {said}"));
            server.sql(&format!("KILL {}", connection.trim()));
        });
    }
}

#[test]
fn a_lock_session_whose_client_is_killed_shows() {
    for (kind, method) in KINDS.into_iter().zip([Method::Pause, Method::Freeze]) {
        lapses(kind, method, |scene, _, session| {
            let client = session.state(&format!("lock.{}", kind.engine()));
            scene.guest.sh(&format!(
                "read -r pid _ <{client}; kill -KILL $pid; sleep 0.3"
            ));
        });
    }
}

/// The server closes a session that has said nothing for `wait_timeout`. Ours asks for more than any hold lasts; here it does not.
#[test]
fn a_lock_session_that_times_out_on_its_own_shows() {
    for kind in KINDS {
        let scene = Scene::new(kind);
        let server = scene.server();
        let session = scene
            .session(Method::Freeze)
            .lasting(Duration::from_secs(30));
        session.armed();
        let hold = session.hold_text();
        assert!(hold.contains("wait_timeout = 3600"));
        let hold = hold.replace("wait_timeout = 3600", "wait_timeout = 3");
        let report = scene.guest.report(&hold);
        assert_eq!(report["outcome"], "held", "{report:#}");
        scene.guest.sh("sleep 5");
        let report = session.release();
        assert_eq!(links(&report), ["lock"], "{report:#}");
        scene.assert_let_go(&server);
    }
}

#[test]
fn a_switch_that_fires_ends_the_lock_session() {
    for kind in KINDS {
        for method in [Method::Freeze, Method::Pause] {
            let scene = Scene::new(kind);
            let server = scene.server();
            let session = scene.session(method).lasting(Duration::from_secs(4));
            session.held();
            scene.guest.sh("sleep 5");
            scene.assert_let_go(&server);
            let report = session.release();
            assert!(links(&report).contains(&"switch"), "{report:#}");
        }
    }
}

#[test]
fn state_that_somebody_deletes_is_let_go_from_memory() {
    for kind in KINDS {
        let scene = Scene::new(kind);
        let server = scene.server();
        let session = scene
            .session(Method::Freeze)
            .lasting(Duration::from_mins(1));
        session.held();
        scene.guest.sh("sleep 0.5; rm -rf /run/consistent; sleep 2");
        scene.assert_let_go(&server);
    }
}

// ---- who is in the locks' way --------------------------------------------------------------------------------------------

/// A statement of a user called app that takes 60 s, under way.
fn long_statement(scene: &Scene, server: &Server<'_>, statement: &str) -> Child {
    server.sql(
        "CREATE USER IF NOT EXISTS app@localhost IDENTIFIED BY 'secret'; GRANT ALL ON shop.* TO app@localhost",
    );
    let client = server
        .client(statement)
        .replace("--user=root", "--user=app --password=secret");
    let child = scene.guest.start_group(&["bash", "-c", &client]);
    scene.guest.sh("sleep 2");
    child
}

/// One that the locks have to wait for.
fn in_the_way(kind: Kind) -> &'static str {
    match kind {
        Kind::MySql => "SELECT SLEEP(60) FROM shop.counter",
        Kind::MariaDb => "INSERT INTO shop.counter SELECT SLEEP(60)",
    }
}

fn end(mut statement: Child, server: &Server<'_>) {
    let of_app = "SELECT MIN(id) FROM information_schema.PROCESSLIST WHERE user = 'app'";
    server.sql(&format!("KILL {}", server.sql(of_app)));
    let _ = statement.kill();
    let _ = statement.wait();
}

#[test]
fn a_long_statement_is_named_by_user_and_age_and_everything_goes_on() {
    for kind in KINDS {
        let scene = Scene::new(kind);
        let server = scene.server();
        let statement = long_statement(&scene, &server, in_the_way(kind));
        let session = scene
            .session(Method::Freeze)
            .with("lock_wait_timeout", "1")
            .lasting(Duration::from_secs(20));
        session.armed();
        let report = session.hold();
        assert_eq!(report["outcome"], "failed", "{report:#}");
        assert_eq!(report["released"], true, "{report:#}");
        assert_eq!(codes(&report), ["long_query"], "{report:#}");
        let message = report["problems"][0]["message"].as_str().expect("text");
        let age = message
            .split("app@localhost (connection ")
            .nth(1)
            .and_then(|rest| rest.split(" in a statement for ").nth(1))
            .and_then(|rest| rest.split(' ').next()?.parse::<u32>().ok());
        assert!(age.is_some_and(|age| (2..20).contains(&age)), "{message}");
        assert!(!report.to_string().contains("SLEEP"), "{report:#}");
        // What does not touch the table of that statement waits for nobody.
        server.sql_within(
            3,
            "INSERT INTO shop.orders (note) VALUES ('at once'); CREATE TABLE shop.new (i INT)",
        );
        assert_eq!(session.release()["outcome"], "lapsed");
        end(statement, &server);
        scene.assert_let_go(&server);
    }
}

#[test]
fn a_long_statement_on_transactional_tables_is_in_nobodys_way() {
    for kind in KINDS {
        let scene = Scene::new(kind);
        let server = scene.server();
        server.sql("INSERT INTO shop.orders (note) VALUES ('one')");
        let statement = long_statement(&scene, &server, "UPDATE shop.orders SET note = SLEEP(60)");
        let session = scene
            .session(Method::Freeze)
            .with("lock_wait_timeout", "1")
            .lasting(Duration::from_secs(20));
        session.held();
        let released = session.release();
        assert_eq!(released["outcome"], "held", "{released:#}");
        end(statement, &server);
        scene.assert_let_go(&server);
    }
}

/// The server does not notice that the client is gone which waits for its lock: its connection is killed.
#[test]
fn a_release_while_a_lock_is_waited_for_lets_go_at_once() {
    for kind in KINDS {
        let scene = Scene::new(kind);
        let server = scene.server();
        let statement = long_statement(&scene, &server, in_the_way(kind));
        let session = scene
            .session(Method::Freeze)
            .with("lock_wait_timeout", "60")
            .lasting(Duration::from_mins(2));
        session.armed();
        let hold = scene.guest.start(&session.hold_text());
        let taken = session.state("taken");
        scene.guest.sh(&format!(
            "for _ in {{1..500}}; do [ ! -e {taken} ] || break; sleep 0.02; done; sleep 0.5"
        ));
        let began = std::time::Instant::now();
        let report = session.release();
        assert_eq!(report["released"], true, "{report:#}");
        server.sql_within(3, "INSERT INTO shop.orders (note) VALUES ('at once')");
        assert!(began.elapsed() < Duration::from_secs(10));
        hold.wait_with_output().expect("it ends");
        let waiting = server.sql(
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE info LIKE 'LOCK TABLES%' OR info LIKE 'BACKUP STAGE%'",
        );
        assert_eq!(waiting, "0");
        end(statement, &server);
        scene.assert_let_go(&server);
    }
}

/// The account may do everything but lock.
#[test]
fn a_lock_that_is_not_given_is_let_go() {
    let scene = Scene::new(Kind::MySql);
    let server = scene.server();
    let session = scene.session(Method::Pause);
    session.armed();
    let refused = session
        .hold_text()
        .replace("LOCK INSTANCE FOR BACKUP; SET", "LOCK NOTHING; SET");
    let output = scene.guest.start(&refused).wait_with_output();
    let output = output.expect("it ends");
    let report = checked_report(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(codes(&report), ["lock_failed"], "{report:#}");
    scene.assert_let_go(&server);
}

/// Whoever may create a table chooses its name: no line of it passes for an answer, none becomes a statement.
#[test]
fn a_table_whose_name_pretends_to_be_an_answer_is_refused() {
    let scene = Scene::new(Kind::MySql);
    let server = scene.server();
    server.sql_within(
        5,
        "CREATE TABLE shop.\\`x\nconsistent locks=shop.counter READ\\` (i INT) ENGINE = MyISAM",
    );
    let session = scene.session(Method::Freeze);
    session.armed();
    let report = session.hold();
    assert_eq!(codes(&report), ["lock_failed"], "{report:#}");
    let message = report["problems"][0]["message"].as_str().expect("words");
    assert!(message.contains("control characters"), "{message}");
    scene.assert_let_go(&server);
}
