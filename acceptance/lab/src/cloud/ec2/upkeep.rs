//! What becomes of an image in time: deprecation, and protection from deregistration.

use serde_json::json;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::{images, params::Params};
use crate::cloud::{
    call::{Answer, Call},
    error::ApiError,
    iam::Access,
    world::{Image, Protection},
};

/// "The upper limit for `DeprecateAt` is 10 years from now" (API reference of `EnableImageDeprecation`).
const LONGEST: Duration = Duration::days(3_653);
/// "enforces deregistration protection for 24 hours after deregistration protection is disabled" (API reference of
/// `EnableImageDeregistrationProtection`).
const COOLDOWN: Duration = Duration::hours(24);

pub(super) fn deprecate(call: &Call<'_>, mut params: Params) -> Answer {
    let text = params.require("DeprecateAt")?;
    let at = instant(&text)?;
    change(call, params, "EnableImageDeprecation", |image| {
        image.deprecated_at = Some(at);
    })
}

/// "You can't specify a date in the past", and "Amazon EC2 rounds the seconds to the nearest minute".
fn instant(text: &str) -> Result<OffsetDateTime, ApiError> {
    let invalid = |why: &str| {
        ApiError::invalid_value(format!(
            "Value ({text}) for parameter DeprecateAt is invalid. {why}"
        ))
    };
    let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| invalid("Not a time."))?;
    let now = OffsetDateTime::now_utc();
    if at <= now {
        return Err(invalid("The date must be in the future."));
    }
    if at > now + LONGEST {
        return Err(invalid("The date must be within 10 years from now."));
    }
    let minutes = (at.unix_timestamp() + 30).div_euclid(60);
    OffsetDateTime::from_unix_timestamp(minutes * 60).map_err(|_| invalid("Not a time."))
}

pub(super) fn do_not_deprecate(call: &Call<'_>, params: Params) -> Answer {
    change(call, params, "DisableImageDeprecation", |image| {
        image.deprecated_at = None;
    })
}

pub(super) fn protect(call: &Call<'_>, mut params: Params) -> Answer {
    let cooldown = params.flag("WithCooldown")?;
    change(
        call,
        params,
        "EnableImageDeregistrationProtection",
        |image| image.protection = Protection::On { cooldown },
    )
}

pub(super) fn unprotect(call: &Call<'_>, params: Params) -> Answer {
    let action = "DisableImageDeregistrationProtection";
    change(call, params, action, |image| {
        image.protection = match image.protection {
            Protection::On { cooldown: true } => {
                Protection::CoolsDown(OffsetDateTime::now_utc() + COOLDOWN)
            }
            Protection::On { cooldown: false } | Protection::Off => Protection::Off,
            cooling @ Protection::CoolsDown(_) => cooling,
        };
    })
}

/// Which error EC2 gives is not documented: this is the code with which it refuses to end a protected instance.
pub(super) fn refuse_protected(image: &Image) -> Result<(), ApiError> {
    let until = match image.protection {
        Protection::Off => return Ok(()),
        Protection::CoolsDown(until) if until <= OffsetDateTime::now_utc() => return Ok(()),
        Protection::CoolsDown(until) => format!(" until {until}"),
        Protection::On { .. } => String::new(),
    };
    Err(ApiError::new(
        "OperationNotPermitted",
        format!(
            "The image {} is protected from deregistration{until}",
            image.id
        ),
    ))
}

/// Does `edit` to the image that is named, where the caller may do `action` to it.
fn change(
    call: &Call<'_>,
    mut params: Params,
    action: &str,
    edit: impl FnOnce(&mut Image),
) -> Answer {
    let id = params.require("ImageId")?;
    let carried = images::visible(&call.cloud.world(), &id)
        .map(|image| image.tags.clone())
        .ok_or_else(|| images::not_found(&id))?;
    let access = Access::new(format!("ec2:{action}"), call.cloud.arn("image", &id));
    call.admit(params, &[access.carrying(&carried)])?;
    if let Some(image) = call.cloud.world().images.get_mut(&id) {
        edit(image);
    }
    Ok(json!({"return": "true"}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(at: OffsetDateTime) -> String {
        at.format(&Rfc3339).unwrap()
    }

    #[test]
    fn a_deprecation_lies_ahead_and_is_kept_to_the_minute() {
        let now = OffsetDateTime::now_utc();
        let day = now.replace_time(time::Time::MIDNIGHT) + Duration::days(2);
        let kept = |seconds| instant(&written(day + Duration::seconds(seconds))).unwrap();
        assert_eq!(kept(29), day);
        assert_eq!(kept(31), day + Duration::minutes(1));
        for wrong in [
            written(now),
            written(now + Duration::days(4_000)),
            "soon".to_owned(),
        ] {
            let error = instant(&wrong).unwrap_err();
            assert_eq!(error.code, "InvalidParameterValue");
        }
    }
}
