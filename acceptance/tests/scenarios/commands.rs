//! Several engines in one image, and commands of the user's own around the hold: what they prove, and how each of their failures ends.

use acceptance::{
    Error,
    scene::{Scene, WAL_MOUNT},
};
use serde_json::Value;

use crate::{Scenario, scenarios};

pub(crate) fn all() -> Vec<Scenario> {
    scenarios![
        several_engines_make_one_image,
        a_freeze_command_that_fails,
        a_freeze_command_that_hangs,
        a_freeze_command_that_prints_10_mb,
        a_check_command_that_denies_the_hold,
        a_thaw_command_that_fails,
        a_second_server_is_a_warning_that_names_it,
    ]
}

/// What the application keeps on the log's volume while it is frozen.
const LOCK: &str = "/run/application.locked";
/// A word of the commands that nothing may repeat.
const CANARY: &str = "canary-4711";

/// PostgreSQL, and an application beside it with these commands.
fn arguments(freeze: &str, check: &str, thaw: &str) -> String {
    format!(
        "  postgresql = {{}}
  custom = {{
    paths           = [\"{WAL_MOUNT}\"]
    freeze          = <<-SHELL
      : {CANARY}
      {freeze}
    SHELL
    check           = \"{check}\"
    thaw            = \"rm -f {LOCK}; {thaw}\"
    command_timeout = 2
  }}"
    )
}

fn expect(what: &str, found: bool, shown: &Value) -> Result<(), Error> {
    if found {
        return Ok(());
    }
    Err(Error::Unexpected(format!("{what}: {shown}")))
}

async fn several_engines_make_one_image(scene: &Scene<'_>) -> Result<(), Error> {
    let (lock, is_locked) = (format!("touch {LOCK}"), format!("test -e {LOCK}"));
    scene.configure(&arguments(&lock, &is_locked, "true"))?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    let image = scene.image().await?;
    let text = |attribute: &str| image[attribute].as_str().unwrap_or_default().to_owned();
    // In the order of their names: custom, postgresql.
    expect(
        "two versions",
        text("engine_version").starts_with("- 15."),
        &image,
    )?;
    let point = text("recovery_point");
    expect(
        "two positions",
        point.starts_with("- ") && point.contains('/'),
        &image,
    )?;
    let paths = image["evidence"]["data_paths"].as_array().cloned();
    let paths = paths.unwrap_or_default();
    expect(
        "both paths",
        paths.contains(&WAL_MOUNT.into()) && paths.len() >= 2,
        &image,
    )?;
    scene.in_guest(&["test", "!", "-e", LOCK]).await?;
    scene.terraform.is_content().await?;
    let shown = scene.stage.account.image(&text("id")).await?;
    let shown = format!("{shown:?}");
    expect(
        "a tag shows a command",
        shown.contains("custom postgresql") && !shown.contains(CANARY),
        &shown.clone().into(),
    )?;
    scene.image_is_clean().await
}

/// An apply that fails with these words, nothing left of it, and no word of a command in what it says.
async fn fails(scene: &Scene<'_>, arguments: &str, words: &[&str]) -> Result<(), Error> {
    scene.configure(arguments)?;
    let outcome = scene.terraform.apply(&[]).await?;
    let outcome = words
        .iter()
        .try_fold(outcome, |outcome, words| outcome.failed_saying(words))?;
    // Terraform's own plan shows what is configured; what this provider says stands below "Error:".
    let said = outcome.output.rsplit_once("Error:");
    let said = said.map_or("", |(_, said)| said);
    expect(
        "a command is repeated",
        !said.contains(CANARY),
        &said.into(),
    )?;
    scene.holds_end_within(60).await?;
    scene.nothing_left().await
}

async fn a_freeze_command_that_fails(scene: &Scene<'_>) -> Result<(), Error> {
    let freeze = format!("touch {LOCK}; echo no such lock >&2; exit 7");
    let words = ["ended with code 7", "no such lock"];
    fails(scene, &arguments(&freeze, "true", "true"), &words).await?;
    scene.in_guest(&["test", "!", "-e", LOCK]).await
}

async fn a_freeze_command_that_hangs(scene: &Scene<'_>) -> Result<(), Error> {
    let freeze = format!("touch {LOCK}; sleep 600");
    fails(
        scene,
        &arguments(&freeze, "true", "true"),
        &["did not end within 2 s"],
    )
    .await?;
    scene.in_guest(&["test", "!", "-e", LOCK]).await
}

async fn a_freeze_command_that_prints_10_mb(scene: &Scene<'_>) -> Result<(), Error> {
    let freeze = "head -c 10000000 /dev/zero | tr '\\0' x";
    fails(
        scene,
        &arguments(freeze, "true", "true"),
        &["printed more than 64 KiB"],
    )
    .await
}

async fn a_check_command_that_denies_the_hold(scene: &Scene<'_>) -> Result<(), Error> {
    fails(
        scene,
        &arguments("true", "exit 1", "true"),
        &["check command"],
    )
    .await
}

async fn a_thaw_command_that_fails(scene: &Scene<'_>) -> Result<(), Error> {
    let words = [
        "The thaw command failed 3 times",
        "ended with code 3",
        "Run the thaw command on the server by hand now",
    ];
    fails(scene, &arguments("true", "true", "exit 3"), &words).await
}

/// The second cluster of the server, of which nothing is said.
async fn a_second_server_is_a_warning_that_names_it(scene: &Scene<'_>) -> Result<(), Error> {
    let second = "install -d -o postgres /var/lib/postgresql/second &&
        cd / && runuser -u postgres -- /usr/lib/postgresql/15/bin/initdb --nosync -D /var/lib/postgresql/second/data >/dev/null &&
        runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_ctl -D /var/lib/postgresql/second/data -w \
            -o '-p 6543 -c listen_addresses=' -l /dev/null start >/dev/null";
    scene.in_guest(&["sh", "-c", second]).await?;
    scene.configure("  postgresql = { port = 5432 }")?;
    let outcome = scene.terraform.apply(&[]).await;
    let down = "cd / && runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_ctl -D /var/lib/postgresql/second/data -m fast -w stop >/dev/null &&
        rm -rf /var/lib/postgresql/second";
    scene.in_guest(&["sh", "-c", down]).await?;
    let outcome = outcome?.succeeded()?;
    let named = ["/var/lib/postgresql/second/data", "nothing is said of it"];
    let shown = outcome.to_string();
    expect(
        "the second server is not named",
        named.iter().all(|words| outcome.said(words)),
        &shown.into(),
    )
}
