//! One call, whatever protocol brought it: its faults, its work, its entry in the journal.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::sleep;

use super::{
    Cloud,
    call::{Answer, Call},
    ec2,
    ec2::params::Params,
    error::ApiError,
    faults::Effect,
    iam::Principal,
    ids,
    journal::Event,
    settings::ms,
    ssm, sts,
};
use crate::host::Monotonic;

pub(crate) struct Request {
    pub(crate) service: Service,
    pub(crate) action: String,
    pub(crate) input: Input,
}

pub(crate) enum Input {
    Query(Params),
    Json(Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Ec2,
    Ssm,
    Sts,
}

impl Service {
    fn prefix(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Ssm => "ssm",
            Self::Sts => "sts",
        }
    }
}

impl Request {
    /// See [`super::Lab::call`].
    pub(crate) fn named(name: &str, input: Value) -> Result<Self, ApiError> {
        let unknown = || ApiError::new("InvalidAction", format!("there is no {name}"));
        let (service, action) = name.split_once(':').ok_or_else(unknown)?;
        let (service, input) = match service {
            "ec2" => (Service::Ec2, Input::Query(query(&input))),
            "sts" => (Service::Sts, Input::Query(query(&input))),
            "ssm" => (Service::Ssm, Input::Json(input)),
            _ => return Err(unknown()),
        };
        Ok(Self {
            service,
            action: action.to_owned(),
            input,
        })
    }

    /// In readable form, for faults that look for a text in it.
    fn text(&self) -> String {
        match &self.input {
            Input::Query(params) => params.text(),
            Input::Json(input) => input.to_string(),
        }
    }
}

fn query(input: &Value) -> Params {
    let members = input.as_object().into_iter().flatten();
    Params::from_pairs(members.map(|(name, value)| {
        let text = value.as_str().map(str::to_owned);
        (name.clone(), text.unwrap_or_else(|| value.to_string()))
    }))
}

/// Does the call and records it. `None`: no answer is to be sent.
pub(crate) async fn run(
    cloud: &Arc<Cloud>,
    request: Request,
    principal: Result<Arc<Principal>, ApiError>,
    request_id: &str,
) -> Option<Answer> {
    let began = Monotonic::now();
    let name = format!("{}:{}", request.service.prefix(), request.action);
    let text = request.text();
    let effects = cloud.faults.at(&name, &text);
    let faults = effects.iter().map(|effect| format!("{effect:?}")).collect();
    let caller = principal.as_ref().map_or(String::new(), |p| p.arn.clone());
    trouble_guests(cloud, &effects);
    let answer = perform(cloud, request, principal, effects).await;
    let (outcome, told) = match &answer {
        None => ("dropped", String::new()),
        Some(Ok(value)) => ("ok", value.to_string()),
        Some(Err(error)) => (&*error.code, String::new()),
    };
    cloud.journal.record(Event::Call {
        action: name,
        principal: caller,
        request_id: request_id.to_owned(),
        began,
        outcome: outcome.to_owned(),
        ids: ids_in(&format!("{text} {told}")),
        faults,
    });
    answer
}

/// Does the call, with what goes wrong before and after the work. `None`: no answer is sent.
async fn perform(
    cloud: &Arc<Cloud>,
    request: Request,
    principal: Result<Arc<Principal>, ApiError>,
    effects: Vec<Effect>,
) -> Option<Answer> {
    for effect in &effects {
        match effect {
            Effect::DelayBefore { ms: delay } => sleep(ms(*delay)).await,
            Effect::Drop => return None,
            Effect::Error {
                code,
                message,
                status,
            } => return Some(Err(refusal(code, message, *status))),
            Effect::Throttle { .. } => return Some(Err(throttled(request.service))),
            _ => {}
        }
    }
    let answer = match principal {
        Ok(principal) => act(cloud, request, &principal, effects.clone()).await,
        Err(error) => Err(error),
    };
    for effect in &effects {
        match effect {
            Effect::DelayAfter { ms: delay } => sleep(ms(*delay)).await,
            Effect::DropAfter => return None,
            Effect::ErrorAfter {
                code,
                message,
                status,
            } => return Some(Err(refusal(code, message, *status))),
            _ => {}
        }
    }
    Some(answer)
}

async fn act(
    cloud: &Arc<Cloud>,
    request: Request,
    principal: &Principal,
    effects: Vec<Effect>,
) -> Answer {
    let call = Call {
        cloud,
        principal,
        effects,
    };
    match (request.service, request.input) {
        (Service::Ec2, Input::Query(params)) => ec2::act(&call, &request.action, params).await,
        (Service::Sts, Input::Query(params)) => sts::act(&call, &request.action, params),
        (_, Input::Json(input)) => ssm::act(&call, &request.action, input),
        (Service::Ssm, Input::Query(_)) => Err(ApiError::internal("not a JSON request")),
    }
}

/// What a fault does to the instances, whatever becomes of the call.
fn trouble_guests(cloud: &Arc<Cloud>, effects: &[Effect]) {
    for effect in effects {
        match effect {
            Effect::Reboot { ms: after } => ec2::reboot_running(cloud, ms(*after)),
            Effect::AgentOffline { ms: after, for_ms } => {
                cloud.ssm.disconnect_all(ms(*after), ms(*for_ms));
            }
            _ => {}
        }
    }
}

fn refusal(code: &str, message: &str, status: u16) -> ApiError {
    ApiError::new(code.to_owned(), message).with_status(status)
}

fn throttled(service: Service) -> ApiError {
    match service {
        Service::Ec2 => {
            ApiError::new("RequestLimitExceeded", "Request limit exceeded.").with_status(503)
        }
        Service::Ssm => ApiError::new("ThrottlingException", "Rate exceeded"),
        Service::Sts => ApiError::new("Throttling", "Rate exceeded"),
    }
}

/// The EC2 ids in a text, each once.
fn ids_in(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let mut ids: Vec<String> = words
        .filter(|word| ids::is_resource(word))
        .map(str::to_owned)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
