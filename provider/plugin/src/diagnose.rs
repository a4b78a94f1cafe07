//! What our libraries report as errors, as Terraform shows it: the one place where one becomes the other.

use consistent_aws::{CallError, config::ConfigError};
use quiesce::{
    Failure,
    error::{Cause, Database},
    report::Problem,
};
use tfplug::Diagnostic;

/// The provider block, or what stands behind it, leads to no client.
pub(crate) fn config(error: ConfigError) -> Diagnostic {
    let detail = sentence(&error.to_string());
    let summary = match error {
        ConfigError::NoRegion => "No AWS region",
        ConfigError::UnknownRegion { .. } => "Unknown AWS region",
        ConfigError::CaBundle { .. } => "No certificates to trust",
        ConfigError::Proxy { .. } => "Invalid proxy",
        ConfigError::MetadataEndpoint { .. } => "Invalid metadata service",
        ConfigError::HalfAKey { .. } => "Half a key pair",
        ConfigError::WrongAccount { .. } => "This AWS account may not be touched",
        ConfigError::Call(error) => return call(error),
    };
    Diagnostic::error(summary, detail)
}

/// A call to AWS did not succeed.
pub(crate) fn call(error: CallError) -> Diagnostic {
    let CallError {
        action, message, ..
    } = error;
    Diagnostic::error(format!("{action} failed"), sentence(&message))
}

/// A run made no image: what happened, how database and image were left, what to do.
pub(crate) fn failure(instance_id: &str, failure: &Failure) -> Diagnostic {
    let paragraphs = [
        format!("Instance {instance_id}, session {}.", failure.session),
        what_happened(failure),
        format!("{} {}", failure.database, failure.image),
        what_to_do(failure),
    ];
    let told: Vec<String> = paragraphs.into_iter().filter(|it| !it.is_empty()).collect();
    Diagnostic::error(summary(failure), told.join("\n\n"))
}

fn summary(failure: &Failure) -> &'static str {
    match (&failure.cause, &failure.database) {
        (Cause::Refused { .. }, _) => "No image: the server cannot be held safely as it is",
        (Cause::Stopped, _) => "Stopped: no image was made",
        (Cause::StillHeld, _) | (_, Database::LetsGoBy(_)) => {
            "No image, and the database may still be held"
        }
        (Cause::Lapsed | Cause::Mismatch(_), _) => "No image: it could not be proven consistent",
        _ => "No image was made",
    }
}

/// The cause, and below it, line by line, what it consists of.
fn what_happened(failure: &Failure) -> String {
    if let Some(problems) = problems(&failure.cause) {
        return problems.iter().map(bullet).collect::<Vec<_>>().join("\n");
    }
    let attempt = match failure.attempts {
        1 => String::new(),
        number => format!(" (attempt {number})"),
    };
    let step = sentence(&failure.step.to_string());
    let cause = format!(
        "{}{attempt}: {}",
        step.trim_end_matches('.'),
        sentence(&failure.cause.to_string())
    );
    let links = failure
        .broken
        .iter()
        .map(|link| format!("  - {}", sentence(&link.to_string())));
    std::iter::once(cause)
        .chain(links)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Advice that does not stand beside a problem already.
fn what_to_do(failure: &Failure) -> String {
    match problems(&failure.cause) {
        Some(_) => String::new(),
        None => failure.advice(),
    }
}

fn problems(cause: &Cause) -> Option<&[Problem]> {
    match cause {
        Cause::Refused { problems } if !problems.is_empty() => Some(problems),
        _ => None,
    }
}

/// A problem beside what to do about it.
fn bullet(problem: &Problem) -> String {
    let told = [&*problem.message, &*problem.hint].map(sentence).join(" ");
    format!("  - {}", told.trim_end())
}

/// Upper case at its beginning, a full stop at its end.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut letters = text.chars();
    let Some(first) = letters.next() else {
        return String::new();
    };
    // A name - an API action, an instance - is written as it is.
    let word = text.split_whitespace().next().unwrap_or_default();
    let is_name = word.contains([':', '-', '_', '.', '/', '`']);
    let first: String = if is_name {
        first.to_string()
    } else {
        first.to_uppercase().collect()
    };
    let stop = if text.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    format!("{first}{}{stop}", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_begin_and_end_as_sentences_do() {
        assert_eq!(sentence("no region"), "No region.");
        assert_eq!(sentence("fsync is off."), "Fsync is off.");
        assert_eq!(sentence("i-012 does not exist"), "i-012 does not exist.");
        assert_eq!(
            sentence("ec2:CreateImage: denied"),
            "ec2:CreateImage: denied."
        );
        assert_eq!(sentence(" "), "");
    }

    #[test]
    fn a_configuration_error_is_told_once() {
        let told = config(ConfigError::WrongAccount {
            account: "123456789012".to_owned(),
            why: "listed in `forbidden_account_ids`",
        });
        assert_eq!(told.summary, "This AWS account may not be touched");
        assert_eq!(
            told.detail,
            "Account 123456789012 is listed in `forbidden_account_ids`; nothing was touched."
        );
    }
}
