//! What a plan can know about a create, by reading alone: that the server is there, reachable, and the name free.

use consistent_aws::{
    CallError,
    config::Clients,
    ec2::{
        images::{self, Image},
        instances::{self, Facts},
        tags,
    },
    ssm::agent::{self, Agent},
};
use tfplug::{Diagnostic, Diagnostics};

use super::model::ImageModel;
use crate::diagnose;

/// Everything that stands in the way of creating `planned`, as far as it is known yet.
pub(super) async fn problems(clients: &Clients, planned: &ImageModel) -> Diagnostics {
    let (server, name) = tokio::join!(
        async {
            match planned.source_instance_id.known() {
                Some(id) => server_problems(clients, id).await,
                None => Ok(Vec::new()),
            }
        },
        async {
            match planned.name.known() {
                Some(name) => name_problem(clients, name).await,
                None => Ok(None),
            }
        },
    );
    match (server, name) {
        (Ok(server), Ok(name)) => server.into_iter().chain(name).collect(),
        // What keeps us from asking is the same for both questions, more often than not.
        (Err(one), Err(other)) if one == other => one.into(),
        (server, name) => {
            let server = server.unwrap_or_else(|error| vec![error]);
            let name = name.unwrap_or_else(Some);
            server.into_iter().chain(name).collect()
        }
    }
}

async fn server_problems(clients: &Clients, id: &str) -> Result<Vec<Diagnostic>, Diagnostic> {
    let ec2 = clients
        .ec2()
        .await
        .map_err(|error| diagnose::config(&error))?;
    let ssm = clients
        .ssm()
        .await
        .map_err(|error| diagnose::config(&error))?;
    let (instance, agent) = tokio::join!(instances::describe(ec2, id), agent::status(ssm, id));
    let problems = match instance {
        Err(error) => vec![no_instance(&error)],
        // Of an instance that does not run, the agent is silent as well.
        Ok(facts) if facts.instance.state != "running" => vec![not_running(&facts)],
        Ok(facts) => unfit(&facts).into_iter().chain(silent(id, agent)).collect(),
    };
    Ok(problems
        .into_iter()
        .map(|problem| problem.at("source_instance_id"))
        .collect())
}

async fn name_problem(clients: &Clients, name: &str) -> Result<Option<Diagnostic>, Diagnostic> {
    let ec2 = clients
        .ec2()
        .await
        .map_err(|error| diagnose::config(&error))?;
    let holder = images::named(ec2, name)
        .await
        .map_err(|error| diagnose::call(&error))?;
    // One of ours may be what this plan replaces, or what a dead run left: that is seen when it is applied.
    Ok(holder
        .filter(|image| !is_ours(image))
        .map(|image| taken(&image)))
}

/// True for an image that this provider made, proven or not.
pub(super) fn is_ours(image: &Image) -> bool {
    image.tags.contains_key(tags::SESSION)
}

/// The name belongs to another image.
pub(super) fn taken(image: &Image) -> Diagnostic {
    let detail = format!(
        "Image {} of this account and region bears the name {:?}. Choose another name, or remove that image first.",
        image.id, image.name
    );
    Diagnostic::error("The image's name is taken", detail).at("name")
}

fn no_instance(error: &CallError) -> Diagnostic {
    if error.code.starts_with("InvalidInstanceID") {
        let detail = format!(
            "{} Check the id, and that the provider's region and account are the instance's.",
            diagnose::sentence(error.message.split(". ").next().unwrap_or_default())
        );
        return Diagnostic::error("The instance does not exist", detail);
    }
    diagnose::call(error)
}

fn not_running(facts: &Facts) -> Diagnostic {
    let (id, state) = (&facts.instance.id, &facts.instance.state);
    let hint = match state.as_str() {
        "stopped" => {
            "Start it. Of a stopped instance an ordinary image (aws_ami_from_instance) is consistent."
        }
        "pending" => "Wait until it runs.",
        _ => "It has to run: its writes are held while the image is taken.",
    };
    Diagnostic::error(
        "The instance is not running",
        format!("Instance {id} is {state}. {hint}"),
    )
}

/// What keeps a running instance from being captured.
fn unfit(facts: &Facts) -> Vec<Diagnostic> {
    let id = &facts.instance.id;
    let not_ebs = (!facts.ebs_backed).then(|| {
        let detail = format!("The root device of {id} is an instance store: EC2 makes images of EBS-backed instances only.");
        Diagnostic::error("The instance is not EBS-backed", detail)
    });
    let windows = facts.is_windows.then(|| {
        let detail = format!("{id} runs Windows; writes can be held on Linux only.");
        Diagnostic::error("The instance runs Windows", detail)
    });
    not_ebs.into_iter().chain(windows).collect()
}

/// What keeps the instance from being asked to hold its writes.
fn silent(id: &str, agent: Result<Agent, CallError>) -> Option<Diagnostic> {
    let detail = match agent {
        Ok(agent) => agent.problem(id)?,
        Err(error) if error.code == "InvalidInstanceId" => error.message,
        Err(error) => return Some(diagnose::call(&error)),
    };
    Some(Diagnostic::error(
        "The instance's SSM agent is not online",
        diagnose::sentence(&detail),
    ))
}
