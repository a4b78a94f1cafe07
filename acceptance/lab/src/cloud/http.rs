//! The port: connections, protocols, signatures; faults and the journal around every call.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode, body::Incoming, http::request::Parts, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::{net::TcpListener, time::sleep};

use super::{
    Cloud,
    call::{Answer, Call},
    ec2,
    ec2::params::Params,
    error::ApiError,
    faults::Effect,
    iam::{Principal, sigv4::Claim},
    ids,
    journal::Event,
    settings::ms,
    ssm, sts, xml,
};
use crate::host::Monotonic;

/// Accepts connections until the task is aborted.
pub(crate) async fn serve(cloud: Arc<Cloud>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let cloud = cloud.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(cloud.clone(), request));
            // An error here is a client that went away, or a connection that a fault has dropped.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Why a connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error("a fault dropped the connection")]
    Dropped,
    #[error("the request's body was not read: {0}")]
    Body(#[from] hyper::Error),
    #[error(transparent)]
    Http(#[from] hyper::http::Error),
}

impl From<Infallible> for Closed {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

async fn answer(
    cloud: Arc<Cloud>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Closed> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    // A task of its own: work that has begun is done even if the client hangs up.
    tokio::spawn(async move { exchange(&cloud, &parts, &body).await })
        .await
        .unwrap_or(Err(Closed::Dropped))
}

/// A request, as far as every protocol has it.
struct Exchange {
    service: Service,
    action: String,
    /// `ec2:CreateImage`
    name: String,
    /// The request in readable form, for faults that look for a text in it.
    text: String,
    input: Input,
    request_id: String,
}

enum Input {
    Query(Params),
    Json(Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Ec2,
    Ssm,
    Sts,
}

async fn exchange(
    cloud: &Arc<Cloud>,
    parts: &Parts,
    body: &[u8],
) -> Result<Response<Full<Bytes>>, Closed> {
    let began = Monotonic::now();
    let exchange = match Exchange::read(parts, body) {
        Ok(exchange) => exchange,
        Err((service, error)) => return render(service, "", &ids::uuid(), &Err(error)),
    };
    let effects = cloud.faults.at(&exchange.name, &exchange.text);
    let struck: Vec<String> = effects.iter().map(|e| format!("{e:?}")).collect();
    trouble_guests(cloud, &effects);
    let principal = authenticate(cloud, exchange.service, parts, body);
    let arn = principal.as_ref().map_or(String::new(), |p| p.arn.clone());
    let asked = ids_in(&exchange.text);
    let (service, action) = (exchange.service, exchange.action.clone());
    let (name, request_id) = (exchange.name.clone(), exchange.request_id.clone());
    let outcome = perform(cloud, exchange, principal, effects).await;
    let told = match &outcome {
        Some(Ok(value)) => ids_in(&value.to_string()),
        _ => Vec::new(),
    };
    cloud.journal.record(Event::Call {
        action: name,
        principal: arn,
        request_id: request_id.clone(),
        began,
        outcome: match &outcome {
            None => "dropped".to_owned(),
            Some(Ok(_)) => "ok".to_owned(),
            Some(Err(error)) => error.code.clone().into_owned(),
        },
        ids: union(asked, told),
        faults: struck,
    });
    match outcome {
        Some(answer) => render(service, &action, &request_id, &answer),
        None => Err(Closed::Dropped),
    }
}

/// Does the call, with what goes wrong before and after the work. `None`: no answer is sent.
async fn perform(
    cloud: &Arc<Cloud>,
    exchange: Exchange,
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
            Effect::Throttle { .. } => return Some(Err(throttled(exchange.service))),
            _ => {}
        }
    }
    let answer = match principal {
        Ok(principal) => act(cloud, exchange, &principal, effects.clone()).await,
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
    exchange: Exchange,
    principal: &Principal,
    effects: Vec<Effect>,
) -> Answer {
    let call = Call {
        cloud,
        principal,
        effects,
    };
    match (exchange.service, exchange.input) {
        (Service::Ec2, Input::Query(params)) => ec2::act(&call, &exchange.action, params).await,
        (Service::Sts, Input::Query(params)) => sts::act(&call, &exchange.action, params),
        (_, Input::Json(input)) => ssm::act(&call, &exchange.action, input),
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

impl Exchange {
    fn read(parts: &Parts, body: &[u8]) -> Result<Self, (Service, ApiError)> {
        let (service, action, input, text) = if let Some(target) = parts.headers.get("x-amz-target")
        {
            let target = target.to_str().unwrap_or_default();
            let action = target.strip_prefix("AmazonSSM.").unwrap_or_default();
            let input = serde_json::from_slice(body).map_err(|e| {
                let error = ApiError::new("SerializationException", e.to_string());
                (Service::Ssm, error)
            })?;
            let text = String::from_utf8_lossy(body).into_owned();
            (Service::Ssm, action.to_owned(), Input::Json(input), text)
        } else {
            let service = match Claim::of(&parts.headers) {
                Some(claim) if claim.service == "sts" => Service::Sts,
                _ => Service::Ec2,
            };
            let (action, params) = Params::parse(body).map_err(|error| (service, error))?;
            let text = format!("{params:?}");
            (service, action, Input::Query(params), text)
        };
        Ok(Self {
            name: format!("{}:{action}", service.prefix()),
            service,
            action,
            text,
            input,
            request_id: ids::uuid(),
        })
    }
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

/// Whose signature is it? Every service has its own words for "nobody's".
fn authenticate(
    cloud: &Cloud,
    service: Service,
    parts: &Parts,
    body: &[u8],
) -> Result<Arc<Principal>, ApiError> {
    let unknown = || match service {
        Service::Ec2 => ApiError::new(
            "AuthFailure",
            "AWS was not able to validate the provided access credentials",
        )
        .with_status(401),
        Service::Ssm => ApiError::new(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        Service::Sts => ApiError::new(
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        )
        .with_status(403),
    };
    let claim = Claim::of(&parts.headers).ok_or_else(unknown)?;
    let key = cloud.directory.key(claim.access_key).ok_or_else(unknown)?;
    let token = parts.headers.get("x-amz-security-token");
    let token = token.and_then(|token| token.to_str().ok());
    if token != key.credentials.session_token.as_deref()
        || !claim.verify(&key.credentials.secret_access_key, parts, body)
    {
        return Err(unknown());
    }
    if key
        .expires
        .is_some_and(|at| at <= OffsetDateTime::now_utc())
    {
        return Err(expired(service));
    }
    Ok(key.principal)
}

fn expired(service: Service) -> ApiError {
    match service {
        Service::Ec2 => ApiError::new("RequestExpired", "Request has expired."),
        Service::Ssm => ApiError::new(
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ),
        Service::Sts => ApiError::new(
            "ExpiredToken",
            "The security token included in the request is expired",
        )
        .with_status(403),
    }
}

fn render(
    service: Service,
    action: &str,
    request_id: &str,
    answer: &Answer,
) -> Result<Response<Full<Bytes>>, Closed> {
    let status = answer.as_ref().map_or_else(|e| e.status, |_| 200);
    let text = match (service, answer) {
        (Service::Ec2, Ok(value)) => xml::ec2(action, request_id, value),
        (Service::Ec2, Err(error)) => xml::ec2_error(request_id, error),
        (Service::Sts, Ok(value)) => xml::sts(action, request_id, value),
        (Service::Sts, Err(error)) => xml::sts_error(request_id, error),
        (Service::Ssm, Ok(value)) => value.to_string(),
        (Service::Ssm, Err(error)) => {
            serde_json::json!({"__type": error.code, "message": error.message}).to_string()
        }
    };
    let content_type = match service {
        Service::Ssm => "application/x-amz-json-1.1",
        _ => "text/xml;charset=UTF-8",
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok(Response::builder()
        .status(status)
        .header("content-type", content_type)
        .header("x-amzn-requestid", request_id)
        .body(Full::new(Bytes::from(text)))?)
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

fn union(mut left: Vec<String>, right: Vec<String>) -> Vec<String> {
    left.extend(right);
    left.sort_unstable();
    left.dedup();
    left
}
