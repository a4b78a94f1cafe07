//! `data.consistent_db_readiness`: whether an image of a server could be taken now. It looks, and touches nothing.

mod model;
mod obstacles;

use consistent_aws::{
    ec2::{
        Ec2Imager,
        instances::{self, Facts},
    },
    ssm::{SsmGuest, agent},
};
use quiesce::{Readiness, error::Cause, ports::GuestError, report};
use tfplug::{Context, DataSource, Diagnostic, Diagnostics, Result, async_trait};
use tracing::info;

use self::model::{Problem, ReadinessQuery};
use crate::{
    client::Client,
    diagnose,
    image::{capture, documents, method, needed, preflight},
};

pub(crate) struct ReadinessSource;

#[async_trait]
impl DataSource for ReadinessSource {
    type Client = Client;
    type Model = ReadinessQuery;

    const NAME: &'static str = "consistent_db_readiness";

    async fn validate(&self, _cx: &Context<Client>, config: ReadinessQuery) -> Result<()> {
        let engines = &config.engines;
        let problems = engines.none_chosen().into_iter();
        let problems: Diagnostics = problems.chain(engines.incomplete()).collect();
        problems.or_ok(())
    }

    async fn read(&self, cx: &Context<Client>, config: ReadinessQuery) -> Result<ReadinessQuery> {
        let client = cx.client()?;
        let id = needed(&config.source_instance_id, "source_instance_id")?.clone();
        let obstacles = look(&client, &id).await?;
        if !obstacles.is_empty() {
            info!(
                instance = id,
                problems = obstacles.len(),
                "the server cannot be asked"
            );
            return Ok(config.refused(obstacles));
        }
        match Box::pin(ask(cx, &client, &id, &config)).await? {
            Ok(readiness) => {
                info!(
                    instance = id,
                    ready = readiness.ready(),
                    "the server was asked whether it is ready"
                );
                for warning in &readiness.warnings {
                    let detail = diagnose::sentence(warning);
                    cx.warn(Diagnostic::warning("The server has a remark", detail));
                }
                Ok(config.answered(&readiness))
            }
            Err(cause) => silence(&cause).map(|problem| config.refused(vec![problem])),
        }
    }
}

/// What is known to stand in the way before anything is sent to the server.
async fn look(client: &Client, id: &str) -> Result<Vec<Problem>> {
    let ec2 = client.clients.ec2().await.map_err(diagnose::config)?;
    let ssm = client.clients.ssm().await.map_err(diagnose::config)?;
    let (facts, agent) = tokio::join!(instances::describe(ec2, id), agent::status(ssm, id));
    let facts: Facts = facts.map_err(|it| preflight::no_instance(it).at("source_instance_id"))?;
    Ok(obstacles::of(&facts, agent).map_err(diagnose::call)?)
}

/// Sends the read-only probe. The outer error is one of the configuration.
async fn ask(
    cx: &Context<Client>,
    client: &Client,
    id: &str,
    config: &ReadinessQuery,
) -> Result<Result<Readiness, Cause>> {
    let engines = config.engines.chosen()?;
    let engines = documents::resolved(&client.clients, engines).await?;
    let choice = method::choice(config.method.known().map_or("auto", String::as_str));
    let ec2 = client.clients.ec2().await.map_err(diagnose::config)?;
    let ssm = client.clients.ssm().await.map_err(diagnose::config)?;
    let guest = SsmGuest::new(ssm.clone(), id);
    let imager = Ec2Imager::new(ec2, id);
    let call = capture::call(
        config
            .capture
            .known()
            .map_or("create_image", String::as_str),
    );
    Ok(quiesce::inspect(&guest, &imager, &engines, choice, call, cx.stop()).await)
}

/// A server that does not answer, or not as it should, is not ready; whoever was not allowed to ask knows nothing of it.
fn silence(cause: &Cause) -> Result<Problem> {
    let (code, hint) = match cause {
        Cause::Guest(GuestError::NoAnswer { .. }) | Cause::TimedOut { .. } => (
            "no_answer",
            "Systems Manager's \"Online\" may be five minutes old: see whether amazon-ssm-agent runs and answers.",
        ),
        Cause::Report(_) => (
            "unusable_answer",
            "Look at the command's output in the history of Systems Manager's Run Command.",
        ),
        other => {
            let detail = format!(
                "{} Nothing was touched.",
                diagnose::sentence(&other.to_string())
            );
            return Err(Diagnostic::error("The server could not be asked", detail).into());
        }
    };
    Ok(Problem::new(code, &cause.to_string(), hint))
}

impl From<&report::Problem> for Problem {
    fn from(problem: &report::Problem) -> Self {
        Self::new(&problem.code, &problem.message, &problem.hint)
    }
}

impl Problem {
    /// Sentences are made of message and hint; an empty hint is none.
    fn new(code: &str, message: &str, hint: &str) -> Self {
        Self {
            code: code.to_owned(),
            message: diagnose::sentence(message),
            hint: Some(diagnose::sentence(hint)).filter(|it| !it.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests;
