//! The documents that engines run: read when a plan or a create knows their names, refused with their place in the configuration.

use consistent_aws::{CallError, config::Clients, ssm::documents::SsmDocuments};
use quiesce::{
    document::{DocumentError, resolve},
    engines::Options,
};
use tfplug::{AttributePath, Diagnostic};

use crate::diagnose;

/// `engines`, each with the document that it names.
pub(crate) async fn resolved(
    clients: &Clients,
    engines: Vec<Options>,
) -> Result<Vec<Options>, Diagnostic> {
    if !engines.iter().any(|it| it.engine().runs_a_document()) {
        return Ok(engines);
    }
    let ssm = clients.ssm().await.map_err(diagnose::config)?;
    let documents = SsmDocuments::new(ssm.clone());
    let mut resolved = Vec::new();
    for options in engines {
        let engine = options.name();
        let options = resolve(&documents, options).await;
        resolved.push(options.map_err(|error| refusal(engine, error))?);
    }
    Ok(resolved)
}

fn refusal(engine: &str, error: DocumentError<CallError>) -> Diagnostic {
    let detail = diagnose::sentence(&error.to_string());
    let (diagnostic, option) = match error {
        DocumentError::Call(error) => (diagnose::call(error), "name"),
        DocumentError::OtherHash { .. } => (
            Diagnostic::error(
                "The document is not the one that was pinned",
                format!(
                    "{detail} Nothing was touched. Read the document, then set `hash` to what you have read."
                ),
            ),
            "hash",
        ),
        DocumentError::Refused { .. } | DocumentError::Option(_) => (
            Diagnostic::error(
                "The document cannot be run",
                format!("{detail} Nothing was touched."),
            ),
            "name",
        ),
    };
    diagnostic.at(AttributePath::new(engine).attribute(option))
}
