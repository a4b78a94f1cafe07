//! What EC2 and Systems Manager alone can say against taking an image of an instance.

use consistent_aws::{CallError, ec2::instances::Facts, ssm::agent::Agent};

use super::model::Problem;
use crate::image::young;

/// None of an instance that does not run and will not soon: the survey says that, and asks no guest.
pub(super) fn of(
    facts: &Facts,
    agent: Result<Agent, CallError>,
) -> Result<Vec<Problem>, CallError> {
    let unfit = unfit(facts);
    if young::is_awaited(facts, &agent) {
        return Ok([unfit, vec![just_started(&facts.instance.id)]].concat());
    }
    if facts.instance.state != "running" {
        return Ok(unfit);
    }
    let silent = silent(&facts.instance.id, agent)?;
    Ok(unfit.into_iter().chain(silent).collect())
}

/// What no start and no agent would change.
fn unfit(facts: &Facts) -> Vec<Problem> {
    let id = &facts.instance.id;
    let not_ebs = (!facts.ebs_backed).then(|| {
        let message = format!("the root device of {id} is an instance store");
        Problem::new(
            "not_ebs_backed",
            &message,
            "EC2 makes images of EBS-backed instances only",
        )
    });
    let windows = facts.is_windows.then(|| {
        let message = format!("instance {id} runs Windows");
        Problem::new("windows", &message, "writes can be held on Linux only")
    });
    not_ebs.into_iter().chain(windows).collect()
}

fn just_started(id: &str) -> Problem {
    Problem::new(
        "agent_awaited",
        &format!("instance {id} was started a moment ago, and its SSM agent is not online yet"),
        "consistent_db_image waits for it, up to ten minutes from the start",
    )
}

/// An agent that is not online; an error where nobody may know.
fn silent(id: &str, agent: Result<Agent, CallError>) -> Result<Option<Problem>, CallError> {
    let message = match agent {
        Ok(agent) => agent.problem(id),
        Err(error) if error.code == "InvalidInstanceId" => Some(error.message),
        Err(error) => return Err(error),
    };
    Ok(message.map(|it| Problem::new("agent_not_online", &it, "")))
}
