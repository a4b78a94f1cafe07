//! One mapping from what the SDK reports to what a user can act on and what the protocol has to know.

use std::{error::Error, time::Duration};

use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_sdk_ec2::{
    config::http::HttpResponse,
    error::{ErrorMetadata, ProvideErrorMetadata, SdkError},
};
use quiesce::ports::{ImagerError, Retry};

/// A call to AWS that did not succeed. Its message holds no secret and no encoded authorization message.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{action}: {message}")]
pub struct CallError {
    /// The API action, e.g. `ec2:CreateImage`.
    pub action: &'static str,
    /// The service's error code, e.g. `UnauthorizedOperation`; empty where no answer came.
    pub code: String,
    /// What happened and what the user can do.
    pub message: String,
    /// When the same call can help.
    pub retry: Retry,
    /// True where the service may have done the work although the call failed.
    pub maybe_done: bool,
}

impl From<CallError> for ImagerError {
    fn from(error: CallError) -> Self {
        Self {
            action: error.action,
            code: error.code,
            message: error.message,
            retry: error.retry,
            maybe_done: error.maybe_done,
        }
    }
}

impl CallError {
    /// A refusal of our own, before or after a call: nothing was done.
    pub(crate) fn refused(action: &'static str, message: impl Into<String>) -> Self {
        Self {
            action,
            code: String::new(),
            message: message.into(),
            retry: Retry::Never,
            maybe_done: false,
        }
    }

    /// True where the service says that what was named does not exist, or no longer.
    pub(crate) fn is_gone(&self) -> bool {
        self.code.ends_with(".NotFound") || self.code == "InvalidAMIID.Unavailable"
    }

    /// Turns the SDK's error of one `action` into ours.
    pub(crate) fn of<E>(action: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let Some(cause) = find::<CredentialsError>(error) {
            return without_credentials(action, cause);
        }
        match error {
            SdkError::ServiceError(answer) => {
                answered(action, answer.err().meta(), answer.raw().status().as_u16())
            }
            SdkError::ConstructionFailure(_) => Self::refused(
                action,
                format!("the request could not be made: {}", root_cause(error)),
            ),
            SdkError::DispatchFailure(_) if never_connected(error) => unreachable(action, error),
            _ => unanswered(action, error),
        }
    }
}

/// EC2 takes one snapshot of a volume in 15 s (API error list, `SnapshotCreationPerVolumeRateExceeded`).
const SNAPSHOT_SPACING: Duration = Duration::from_secs(15);
/// Five snapshots of a volume may be pending at a time (`ConcurrentSnapshotLimitExceeded`); one has to complete first.
const PENDING_SNAPSHOTS: Duration = Duration::from_mins(1);
/// EC2's and SSM's token buckets refill every second; two leave room for the others that were throttled.
const THROTTLED: Duration = Duration::from_secs(2);
/// Server errors and lost connections are over, if they are, within about this time.
const TRANSIENT: Duration = Duration::from_secs(1);

/// The service answered, and the answer is an error.
fn answered(action: &'static str, meta: &ErrorMetadata, status: u16) -> CallError {
    let code = meta.code().unwrap_or_default();
    let said = meta.message().unwrap_or_default();
    // Not the request's fault: a server error, or a success that cannot be read.
    let unclear = !(400..500).contains(&status);
    CallError {
        action,
        code: code.to_owned(),
        message: explain(action, code, said, status),
        retry: match code {
            "SnapshotCreationPerVolumeRateExceeded" => Retry::After(SNAPSHOT_SPACING),
            "ConcurrentSnapshotLimitExceeded" => Retry::After(PENDING_SNAPSHOTS),
            _ if is_throttle(code) => Retry::After(THROTTLED),
            _ if unclear => Retry::After(TRANSIENT),
            _ => Retry::Never,
        },
        // A throttled call was turned away at the door, whatever its status.
        maybe_done: unclear && !is_throttle(code),
    }
}

fn is_throttle(code: &str) -> bool {
    THROTTLING_ERRORS.contains(&code)
}

/// Credentials were needed and could not be had: nothing was sent.
fn without_credentials(action: &'static str, cause: &CredentialsError) -> CallError {
    let inner = find::<CallError>(cause);
    let message = match (cause, inner) {
        (_, Some(call)) => format!("no credentials: {call}"),
        (CredentialsError::CredentialsNotLoaded(_), None) => format!(
            "no AWS credentials found ({}). Set `profile`, or `access_key` and `secret_key`, in the provider block, or \
             AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or run where a role is attached",
            root_cause(cause)
        ),
        (_, None) => format!(
            "the AWS credentials could not be loaded: {}",
            root_cause(cause)
        ),
    };
    let passing = matches!(cause, CredentialsError::ProviderTimedOut(_));
    CallError {
        action,
        code: inner.map(|call| call.code.clone()).unwrap_or_default(),
        message,
        retry: match inner {
            Some(call) => call.retry,
            None if passing => Retry::After(TRANSIENT),
            None => Retry::Never,
        },
        maybe_done: false,
    }
}

/// No connection came about: nothing was sent.
fn unreachable(action: &'static str, error: &(dyn Error + 'static)) -> CallError {
    let service = action.split(':').next().unwrap_or_default();
    let cause = root_cause(error);
    // rustls begins so whatever is wrong with a certificate.
    let advice = if cause.starts_with("invalid peer certificate") {
        "`custom_ca_bundle` names the certificates to trust, those of a proxy that opens TLS among them".to_owned()
    } else {
        format!("Check `region`, `endpoints {{ {service} }}`, the network, and the proxy")
    };
    let message = format!("no connection to the {service} endpoint: {cause}. {advice}");
    CallError {
        retry: Retry::After(TRANSIENT),
        ..CallError::refused(action, message)
    }
}

/// The request went out, or may have; no answer that can be read came back.
fn unanswered(action: &'static str, error: &(dyn Error + 'static)) -> CallError {
    CallError {
        retry: Retry::After(TRANSIENT),
        maybe_done: true,
        ..CallError::refused(
            action,
            format!(
                "no usable answer: {}. The request may have been carried out",
                root_cause(error)
            ),
        )
    }
}

/// What the service said, and what the user can do about it.
fn explain(action: &str, code: &str, said: &str, status: u16) -> String {
    if is_denied(code) {
        return denied(action, said);
    }
    let said = match code {
        // The expected canonical request is quoted there, and with it the session token.
        "SignatureDoesNotMatch" | "InvalidSignatureException" => {
            "the signature does not match".to_owned()
        }
        _ if said.is_empty() && code.is_empty() => {
            format!("HTTP status {status} without an error code")
        }
        _ if said.is_empty() => code.to_owned(),
        _ => tidy(said),
    };
    match advice(code) {
        "" => said,
        advice => format!("{}. {advice}", said.trim_end_matches('.')),
    }
}

fn is_denied(code: &str) -> bool {
    matches!(
        code,
        "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" | "UnauthorizedAccess"
    )
}

/// Names the permission that is missing, and never repeats the encoded message that EC2 appends (kilobytes of base64).
fn denied(action: &str, said: &str) -> String {
    let said = said
        .split_once("Encoded authorization failure message")
        .map_or(said, |(plain, _)| plain);
    let missing = said
        .split_once("not authorized to perform: ")
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .map_or(action, |word| word.trim_end_matches(['.', ',']));
    let said = match tidy(said) {
        empty if empty.is_empty() => "access denied".to_owned(),
        said => said,
    };
    format!(
        "{}. The caller lacks the permission `{missing}`: schemas/iam in the provider's repository holds the policy it needs",
        said.trim_end_matches('.')
    )
}

/// What the user can do, by error code; empty where the service's own words say it all.
fn advice(code: &str) -> &'static str {
    match code {
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => {
            "The AWS credentials have expired: sign in again, or renew the session"
        }
        "RequestExpired" | "RequestInTheFuture" => {
            "The AWS credentials have expired, or this machine's clock is wrong by more than five minutes"
        }
        "AuthFailure"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "MissingAuthenticationToken" => {
            "AWS does not accept the credentials: check the keys or the profile, that they belong to this partition, \
             and this machine's clock"
        }
        "OptInRequired" => "The account has not enabled this region or service",
        "InvalidAMIName.Duplicate" => "Choose another `name`, or remove the image that bears it",
        "InvalidInstanceID.NotFound" | "InvalidInstanceID.Malformed" => {
            "Check `source_instance_id`, and that region and account are the instance's"
        }
        "SnapshotCreationPerVolumeRateExceeded" => {
            "AWS takes at most one snapshot of a volume in 15 seconds"
        }
        "ConcurrentSnapshotLimitExceeded" => {
            "Too many snapshots of the same volume are still pending: wait until one completes"
        }
        "InvalidDocument" | "InvalidDocumentVersion" => {
            "SSM has no document of this name and version here: check both, the region, and whether the document is shared with \
             this account"
        }
        // SSM's answer for an instance that it does not manage, or whose agent is gone.
        "InvalidInstanceId" => crate::ssm::NOT_MANAGED,
        _ if is_throttle(code) => "AWS throttles the calls of this account in this region",
        _ => "",
    }
}

/// One line of at most 600 characters, without control characters.
fn tidy(said: &str) -> String {
    const LONGEST: usize = 600;
    let line: String = said
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(LONGEST)
        .collect();
    line.trim().to_owned()
}

/// True where no connection was made: DNS, TCP, TLS or a connect time-out failed.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    find::<hyper_util::client::legacy::Error>(error)
        .is_some_and(hyper_util::client::legacy::Error::is_connect)
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|cause| cause.downcast_ref::<T>())
}

/// The deepest cause, which is the one that says something: `Connection refused (os error 111)`.
pub(crate) fn root_cause(error: &(dyn Error + 'static)) -> String {
    chain(error)
        .last()
        .map_or_else(String::new, |cause| tidy(&cause.to_string()))
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&cause| cause.source())
}

#[cfg(test)]
mod tests;
