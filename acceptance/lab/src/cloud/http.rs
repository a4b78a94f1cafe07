//! The port: connections, protocols, signatures.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Response, StatusCode, body::Incoming, http::request::Parts, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use time::OffsetDateTime;
use tokio::net::TcpListener;

use super::{
    Cloud,
    call::Answer,
    ec2::params::Params,
    error::ApiError,
    exchange::{self, Input, Request, Service},
    iam::{Principal, sigv4::Claim},
    ids, xml,
};

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
    request: hyper::Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Closed> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    // A task of its own: work that has begun is done even if the client hangs up.
    tokio::spawn(async move { serve_call(&cloud, &parts, &body).await })
        .await
        .unwrap_or(Err(Closed::Dropped))
}

async fn serve_call(
    cloud: &Arc<Cloud>,
    parts: &Parts,
    body: &[u8],
) -> Result<Response<Full<Bytes>>, Closed> {
    let request_id = ids::uuid();
    let request = match read(parts, body) {
        Ok(request) => request,
        Err((service, error)) => return render(service, "", &request_id, &Err(error)),
    };
    let principal = authenticate(cloud, request.service, parts, body);
    let (service, action) = (request.service, request.action.clone());
    match exchange::run(cloud, request, principal, &request_id).await {
        Some(answer) => render(service, &action, &request_id, &answer),
        None => Err(Closed::Dropped),
    }
}

/// Which protocol is it? The JSON protocol names its target in a header, the query protocols share one form.
fn read(parts: &Parts, body: &[u8]) -> Result<Request, (Service, ApiError)> {
    if let Some(target) = parts.headers.get("x-amz-target") {
        let target = target.to_str().unwrap_or_default();
        let action = target.strip_prefix("AmazonSSM.").unwrap_or_default();
        let input = serde_json::from_slice(body).map_err(|e| {
            let error = ApiError::new("SerializationException", e.to_string());
            (Service::Ssm, error)
        })?;
        return Ok(Request {
            service: Service::Ssm,
            action: action.to_owned(),
            input: Input::Json(input),
        });
    }
    let service = match Claim::of(&parts.headers) {
        Some(claim) if claim.service == "sts" => Service::Sts,
        _ => Service::Ec2,
    };
    let (action, params) = Params::parse(body).map_err(|error| (service, error))?;
    Ok(Request {
        service,
        action,
        input: Input::Query(params),
    })
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
