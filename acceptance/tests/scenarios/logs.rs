//! What the provider's log tells, and what it keeps to itself.

use std::{collections::BTreeSet, time::Duration};

use acceptance::{Error, clock, configuration::Configuration, scene::Scene};
use lab::cloud::{iam::User, journal::Event};

use crate::{Scenario, scenarios};

pub(crate) fn all() -> Vec<Scenario> {
    scenarios![
        the_log_tells_the_story_of_an_apply,
        every_call_is_logged_with_its_request_id,
        no_log_holds_a_secret,
    ]
}

const ARGUMENTS: &str = "  postgresql = {}";
const APPLY: [&str; 3] = ["apply", "-auto-approve", "-input=false"];

/// How terraform names us in its log.
const OURS: &str = "provider.terraform-provider-consistent: ";

/// What our log says, a line each.
fn ours(log: &str) -> Vec<&str> {
    let lines = log.lines();
    lines
        .filter_map(|line| line.split_once(OURS).map(|(_, told)| told))
        .collect()
}

/// The steps in the order in which they are over, each with how long it took.
const STORY: [&str; 9] = [
    "probed:",
    "the guest is armed, its databases are flushed:",
    "writes are held:",
    "every snapshot is initiated:",
    "released:",
    "the hold was unbroken:",
    "the image is available:",
    "sealed as proven:",
    "the image is made:",
];

async fn the_log_tells_the_story_of_an_apply(scene: &Scene<'_>) -> Result<(), Error> {
    scene.configure(ARGUMENTS)?;
    let (outcome, log) = scene.terraform.logged("INFO", &APPLY).await?;
    outcome.succeeded()?;
    let told = ours(&log);
    let unlike = |what: &str| Err(Error::Unexpected(format!("{what}:\n{}", told.join("\n"))));
    if told.len() > 14 {
        return unlike("more than a dozen lines");
    }
    let mut rest = told.iter();
    for step in STORY {
        let Some(line) = rest.find(|line| line.starts_with(step)) else {
            return unlike(&format!("no {step:?} where it belongs"));
        };
        if !line.contains("ms=") {
            return unlike(&format!("{step:?} does not say how long it took"));
        }
    }
    Ok(())
}

/// The lab's journal knows every call that was answered.
async fn every_call_is_logged_with_its_request_id(scene: &Scene<'_>) -> Result<(), Error> {
    let start = clock::now();
    scene.configure(ARGUMENTS)?;
    let (outcome, log) = scene.terraform.logged("DEBUG", &APPLY).await?;
    outcome.succeeded()?;
    let calls: Vec<&str> = ours(&log)
        .into_iter()
        .filter(|line| line.starts_with("called AWS:"))
        .collect();
    let answered = answered(scene, start)?;
    let missing: Vec<_> = answered
        .iter()
        .filter(|(action, request_id)| {
            let is_it = |line: &&&str| line.contains(request_id) && line.contains(action);
            !calls.iter().any(|line| is_it(&line))
        })
        .collect();
    if answered.len() > 20 && missing.is_empty() {
        return Ok(());
    }
    let calls = calls.join("\n");
    Err(Error::Unexpected(format!(
        "of {} calls, {missing:?} are missing in:\n{calls}",
        answered.len()
    )))
}

/// Action and request id of the calls that terraform's user has made since `start`. A slow one of an earlier scenario may be
/// answered, and noted, only now.
fn answered(scene: &Scene<'_>, start: Duration) -> Result<BTreeSet<(String, String)>, Error> {
    let entries = scene.journal()?.into_iter();
    let calls = entries.filter_map(|entry| match entry.event {
        Event::Call {
            action,
            principal,
            request_id,
            began,
            ..
        } if principal.ends_with(User::ImageMaker.name()) && clock::since_boot(began) >= start => {
            Some((action, request_id))
        }
        _ => None,
    });
    Ok(calls.collect())
}

/// In tags and triggers, which are nobody else's business either.
const CANARIES: &str = r#"
  tags          = { Password = "canary-in-a-tag" }
  snapshot_tags = { Password = "canary-in-a-snapshot-tag" }
  triggers      = { token = "canary-in-a-trigger" }
"#;

async fn no_log_holds_a_secret(scene: &Scene<'_>) -> Result<(), Error> {
    let access = scene.stage.access();
    let defaults = "  default_tags {\n    tags = { Key = \"canary-in-a-default-tag\" }\n  }\n";
    let arguments = format!("{ARGUMENTS}{CANARIES}");
    let instance = &scene.stage.instance;
    let configuration = Configuration::with_provider(&access, defaults);
    let image = configuration.image("orders", "orders", instance, &arguments);
    scene.terraform.configure(image.text())?;
    let (outcome, log) = scene.terraform.logged("TRACE", &APPLY).await?;
    outcome.succeeded()?;
    let words = ["canary", access.secret_key.as_str()];
    let told = ours(&log);
    let leak = told
        .iter()
        .find(|line| words.iter().any(|word| line.contains(word)));
    match leak {
        Some(line) => Err(Error::Unexpected(format!("the log tells: {line}"))),
        None if told.len() > 50 => Ok(()),
        None => Err(Error::Unexpected(format!("no log to speak of: {told:?}"))),
    }
}
