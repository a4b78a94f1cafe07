//! What MySQL and MariaDB have of their own: a session that holds locks, and those who are in its way.

use acceptance::{Error, scene::Scene};
use lab::cloud::faults::{Effect, Fault};

use super::{SLOW, arguments, clean, meddled, refused};
use crate::{Scenario, scenarios};

pub(super) fn all() -> Vec<Scenario> {
    scenarios![
        a_long_query,
        a_lock_session_whose_client_is_killed,
        a_lock_session_whose_connection_is_killed,
        a_server_that_ends_idle_sessions_soon,
        torn_pages_possible,
        an_account_that_is_not_let_in,
    ]
}

/// Statements for the server, in a shell of the guest.
fn sql(scene: &Scene<'_>, statements: &str) -> String {
    let client = scene.stage.engine.clients.session[0];
    format!("{client} --batch --skip-column-names bank -e \"{statements}\"")
}

/// Whoever writes to a table without transactions is in the way of every lock. User and age are told, the text never.
async fn a_long_query(scene: &Scene<'_>) -> Result<(), Error> {
    let long = sql(scene, "INSERT INTO ticks SELECT 99, SLEEP(300), 'secret'");
    let begin = [
        "systemd-run",
        "--quiet",
        "--collect",
        "--unit=long-query",
        "sh",
        "-c",
    ];
    scene.in_guest(&[&begin[..], &[&long]].concat()).await?;
    scene.configure(&arguments(scene, "lock_wait_timeout = 3", "freeze"))?;
    let applied = scene.terraform.apply(&[]).await?;
    scene.in_guest(&["systemctl", "stop", "long-query"]).await?;
    scene
        .in_guest(&["sh", "-ec", &end_of(scene, "SLEEP")])
        .await?;
    if applied.said("secret") || applied.said("SLEEP") {
        return Err(Error::Unexpected(applied.to_string()));
    }
    applied.failed_saying_all(&["root@localhost", " s", "lock_wait_timeout"])?;
    scene.nothing_left().await
}

/// Ends every connection that is at a statement with this word: one whose client is gone goes on.
fn end_of(scene: &Scene<'_>, word: &str) -> String {
    let kill = format!(
        "SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist \
         WHERE info LIKE '%{word}%' AND id <> CONNECTION_ID()"
    );
    let client = scene.stage.engine.clients.session[0];
    format!("{} | {client} --force bank || true", sql(scene, &kill))
}

/// The client that keeps the lock session open, by what its session recorded of it.
async fn a_lock_session_whose_client_is_killed(scene: &Scene<'_>) -> Result<(), Error> {
    let lock = format!("lock.{}", scene.stage.engine.name);
    // Of the session that holds now: those that are over are still on record.
    let kill = format!("kill -KILL $(cut -d' ' -f1 /run/consistent/hold/{lock})");
    meddled(scene, "freeze", &kill)
        .await?
        .failed_saying("locks")?;
    scene.nothing_left().await
}

/// The server itself ends the connection: any but the load's own, which have a statement or a database.
async fn a_lock_session_whose_connection_is_killed(scene: &Scene<'_>) -> Result<(), Error> {
    let kill = "SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist \
                WHERE command = 'Sleep' AND db IS NULL AND user = 'root'";
    let client = scene.stage.engine.clients.session[0];
    let kill = format!("{} | {client} bank", sql(scene, kill));
    meddled(scene, "freeze", &kill)
        .await?
        .failed_saying("locks")?;
    scene.nothing_left().await
}

/// The lock session says for itself how long it may be idle.
async fn a_server_that_ends_idle_sessions_soon(scene: &Scene<'_>) -> Result<(), Error> {
    let set = |seconds| sql(scene, &format!("SET GLOBAL wait_timeout = {seconds}"));
    scene.in_guest(&["sh", "-ec", &set(1)]).await?;
    scene.fault(Fault::on(
        "ec2:CreateImage",
        Effect::DelayBefore { ms: SLOW },
    ));
    let clean = clean(scene, "", "freeze").await;
    scene.in_guest(&["sh", "-ec", &set(28_800)]).await?;
    clean
}

/// Without the doublewrite buffer, a page that is torn is lost.
async fn torn_pages_possible(scene: &Scene<'_>) -> Result<(), Error> {
    let unit = scene.stage.engine.unit;
    let set = "for dir in /etc/mysql/mysql.conf.d /etc/mysql/mariadb.conf.d; do \
               [ ! -d $dir ] || printf '[mysqld]\\ninnodb_doublewrite = OFF\\n' >$dir/zzz-torn.cnf; done; ";
    let restart = format!("{set} systemctl restart {unit}");
    scene.in_guest(&["sh", "-ec", &restart]).await?;
    scene.configure(&arguments(scene, "", "auto"))?;
    let applied = scene.terraform.apply(&[]).await?;
    // The restart is one.
    scene.held_times(1).await?;
    let reset = format!("rm -f /etc/mysql/m*.conf.d/zzz-torn.cnf; systemctl restart {unit}");
    scene.in_guest(&["sh", "-ec", &reset]).await?;
    applied.failed_saying_all(&["innodb_doublewrite"])
}

async fn an_account_that_is_not_let_in(scene: &Scene<'_>) -> Result<(), Error> {
    let write = "umask 077; printf '[client]\\nuser = stranger\\n' >/etc/stranger.cnf";
    scene.in_guest(&["sh", "-ec", write]).await?;
    let file = "defaults_file = \"/etc/stranger.cnf\"";
    refused(scene, file, &["stranger", "defaults_file"]).await
}
