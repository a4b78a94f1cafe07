//! What cannot be proven is refused before anything is touched, and the user is told what to do.

use acceptance::{
    Error, binaries,
    configuration::Configuration,
    moment::Moment,
    scene::{NAME, Scene},
    terraform::Terraform,
};
use lab::{
    cloud::faults::{Effect, Fault},
    host::Layout,
};

use crate::{Scenario, scenarios};

pub(crate) fn all() -> Vec<Scenario> {
    let mut all = scenarios![
        fsync_off,
        full_page_writes_off,
        no_server,
        several_servers,
        a_path_on_no_volume,
        a_hold_in_progress,
        an_instance_that_does_not_exist,
        an_agent_that_is_not_online,
        a_name_that_is_taken,
    ];
    all.extend(on(
        Layout::AllOnRoot,
        scenarios![freeze_of_the_root, auto_pauses],
    ));
    all.extend(on(
        Layout::SharedVar,
        scenarios![freeze_of_a_shared_var, auto_pauses],
    ));
    all
}

fn on(layout: Layout, scenarios: Vec<Scenario>) -> Vec<Scenario> {
    let named = scenarios.into_iter().map(|scenario| Scenario {
        name: format!("{}_on_{}", scenario.name, layout.name().replace('-', "_")),
        layout,
        ..scenario
    });
    named.collect()
}

const ARGUMENTS: &str = "  postgresql = {}";
const FREEZE: &str = "  postgresql = {}\n  quiesce    = { method = \"freeze\" }";
const UNIT: &str = "postgresql@15-main";

/// An apply that fails with these words, without a hold and without anything made.
async fn refused(scene: &Scene<'_>, arguments: &str, words: &[&str]) -> Result<(), Error> {
    scene.configure(arguments)?;
    let outcome = scene.terraform.apply(&[]).await?;
    outcome.failed_saying_all(words)?;
    scene.never_held().await
}

async fn sql(scene: &Scene<'_>, statement: &str) -> Result<(), Error> {
    let psql = [
        "runuser", "-u", "postgres", "--", "psql", "-XqAt", "-c", statement,
    ];
    scene.in_guest(&psql).await
}

/// Refused while a setting of the server is off; in order again afterwards.
async fn refused_with(scene: &Scene<'_>, setting: &str) -> Result<(), Error> {
    sql(scene, &format!("ALTER SYSTEM SET {setting} = off")).await?;
    sql(scene, "SELECT pg_reload_conf()").await?;
    let refused = refused(scene, ARGUMENTS, &[setting]).await;
    sql(scene, &format!("ALTER SYSTEM RESET {setting}")).await?;
    sql(scene, "SELECT pg_reload_conf()").await?;
    refused
}

async fn fsync_off(scene: &Scene<'_>) -> Result<(), Error> {
    refused_with(scene, "fsync").await
}

async fn full_page_writes_off(scene: &Scene<'_>) -> Result<(), Error> {
    refused_with(scene, "full_page_writes").await
}

async fn no_server(scene: &Scene<'_>) -> Result<(), Error> {
    scene.in_guest(&["systemctl", "stop", UNIT]).await?;
    let refused = refused_while_down(scene).await;
    scene.in_guest(&["systemctl", "start", UNIT]).await?;
    refused
}

/// The stopped server is no hold of ours.
async fn refused_while_down(scene: &Scene<'_>) -> Result<(), Error> {
    scene.configure(ARGUMENTS)?;
    let outcome = scene.terraform.apply(&[]).await?;
    outcome.failed_saying_all(&["No PostgreSQL server runs on this guest"])
}

/// Refused with both named; choosing one helps.
async fn several_servers(scene: &Scene<'_>) -> Result<(), Error> {
    let create = [
        "pg_createcluster",
        "--start",
        "15",
        "other",
        "--port",
        "5433",
    ];
    scene.in_guest(&create).await?;
    let played = several_servers_found(scene).await;
    scene
        .in_guest(&["pg_dropcluster", "--stop", "15", "other"])
        .await?;
    played
}

async fn several_servers_found(scene: &Scene<'_>) -> Result<(), Error> {
    refused(scene, ARGUMENTS, &["5432", "5433"]).await?;
    scene.configure("  postgresql = { port = 5432 }")?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    scene.terraform.destroy().await?.succeeded().map(drop)
}

/// A tablespace in memory: no snapshot would have it.
async fn a_path_on_no_volume(scene: &Scene<'_>) -> Result<(), Error> {
    let mount =
        "mkdir -p /srv/ram && mount -t tmpfs ram /srv/ram && install -d -o postgres /srv/ram/t";
    scene.in_guest(&["sh", "-c", mount]).await?;
    sql(scene, "CREATE TABLESPACE ram LOCATION '/srv/ram/t'").await?;
    let refused = refused(scene, ARGUMENTS, &["/srv/ram"]).await;
    sql(scene, "DROP TABLESPACE ram").await?;
    scene.in_guest(&["umount", "/srv/ram"]).await?;
    refused
}

/// The second one is told whose hold it is; the first one is not disturbed.
async fn a_hold_in_progress(scene: &Scene<'_>) -> Result<(), Error> {
    scene.fault(Fault::on("ec2:CreateImage", Effect::DelayBefore { ms: 6_000 }).once());
    scene.configure(ARGUMENTS)?;
    let first = scene.terraform.start_apply(&[])?;
    scene.until(Moment::Held).await?;
    let second = Terraform::new(&binaries::provider_directory()?)?;
    let configuration = Configuration::new(&scene.stage.access());
    let other = configuration.image("other", "other", &scene.stage.instance, ARGUMENTS);
    second.configure(other.text())?;
    second.apply(&[]).await?.failed_saying_all(&["hold"])?;
    scene.finish(first).await?.succeeded()?;
    scene.held_times(1).await?;
    scene.image_is_clean().await
}

/// Read-only checks run when the plan is made.
async fn refused_by_the_plan(scene: &Scene<'_>, words: &[&str]) -> Result<(), Error> {
    let plan = scene.terraform.plan(&[]).await?.is_refused()?;
    plan.failed_saying_all(words)?;
    scene.never_held().await
}

async fn an_instance_that_does_not_exist(scene: &Scene<'_>) -> Result<(), Error> {
    let missing = "i-0123456789abcdef0";
    let configuration = Configuration::new(&scene.stage.access());
    let configuration = configuration.image("orders", NAME, missing, ARGUMENTS);
    scene.terraform.configure(configuration.text())?;
    refused_by_the_plan(scene, &[missing]).await
}

async fn an_agent_that_is_not_online(scene: &Scene<'_>) -> Result<(), Error> {
    scene
        .in_guest(&["systemctl", "stop", "amazon-ssm-agent"])
        .await?;
    let refused = refused_without_an_agent(scene).await;
    scene
        .in_guest(&["systemctl", "start", "amazon-ssm-agent"])
        .await?;
    refused
}

async fn refused_without_an_agent(scene: &Scene<'_>) -> Result<(), Error> {
    scene.agent_is_lost().await?;
    scene.configure(ARGUMENTS)?;
    refused_by_the_plan(scene, &["SSM", "agent"]).await
}

async fn a_name_that_is_taken(scene: &Scene<'_>) -> Result<(), Error> {
    let account = &scene.stage.account;
    let image = account.plain_image(&scene.stage.instance, NAME).await?;
    scene.configure(ARGUMENTS)?;
    let refused = refused_by_the_plan(scene, &[NAME]).await;
    account.discard(&image).await?;
    refused
}

async fn freeze_of_the_root(scene: &Scene<'_>) -> Result<(), Error> {
    refused(scene, FREEZE, &["root", "pause"]).await
}

async fn freeze_of_a_shared_var(scene: &Scene<'_>) -> Result<(), Error> {
    refused(scene, FREEZE, &["/var", "pause"]).await
}

/// Where freezing is unsafe, `auto` is `pause`, and as good.
async fn auto_pauses(scene: &Scene<'_>) -> Result<(), Error> {
    scene.configure(ARGUMENTS)?;
    scene.terraform.apply(&[]).await?.succeeded()?;
    let method = &scene.image().await?["evidence"]["method"];
    if method != "pause" {
        return Err(Error::Unexpected(format!("method {method}")));
    }
    scene.image_is_clean().await
}
