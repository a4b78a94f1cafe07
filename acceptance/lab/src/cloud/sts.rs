//! STS: who am I, and may I be someone else for a while.

use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::{
    call::{Answer, Call},
    clock::iso,
    ec2::params::Params,
    error::ApiError,
    iam::{ACCOUNT, Access},
};

/// Every action that is understood.
pub(crate) const ACTIONS: &[&str] = &["AssumeRole", "GetCallerIdentity"];

pub(crate) fn act(call: &Call<'_>, action: &str, params: Params) -> Answer {
    match action {
        "GetCallerIdentity" => identity(call, &params),
        "AssumeRole" => assume_role(call, params),
        _ => Err(ApiError::new(
            "InvalidAction",
            format!("Could not find operation {action} for version 2011-06-15"),
        )),
    }
}

/// Needs no permission: "permissions are not required to perform this operation" (API reference).
fn identity(call: &Call<'_>, params: &Params) -> Answer {
    params.finish()?;
    Ok(json!({
        "Arn": call.principal.arn,
        "UserId": call.principal.user_id,
        "Account": ACCOUNT,
    }))
}

fn assume_role(call: &Call<'_>, mut params: Params) -> Answer {
    let role = params.require("RoleArn")?;
    let session = params.require("RoleSessionName")?;
    let seconds: i64 = params.parsed("DurationSeconds")?.unwrap_or(3_600);
    if !(900..=43_200).contains(&seconds) {
        return Err(ApiError::new(
            "ValidationError",
            format!("Value '{seconds}' at 'durationSeconds' must be between 900 and 43200"),
        ));
    }
    params.finish()?;
    let expires = OffsetDateTime::now_utc() + Duration::seconds(seconds);
    let allowed = call.principal.may(&Access::new("sts:AssumeRole", &*role));
    let key = allowed
        .then(|| call.cloud.directory.assume(&role, &session, expires))
        .flatten()
        .ok_or_else(|| denied(call, &role))?;
    Ok(json!({
        "Credentials": {
            "AccessKeyId": key.credentials.access_key_id,
            "SecretAccessKey": key.credentials.secret_access_key,
            "SessionToken": key.credentials.session_token,
            "Expiration": iso(expires),
        },
        "AssumedRoleUser": {
            "AssumedRoleId": key.principal.user_id,
            "Arn": key.principal.arn,
        },
    }))
}

/// STS does not tell a role that may not be assumed from one that does not exist.
fn denied(call: &Call<'_>, role: &str) -> ApiError {
    ApiError::new(
        "AccessDenied",
        format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: {role}",
            call.principal.arn
        ),
    )
    .with_status(403)
}
