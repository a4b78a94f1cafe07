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

#[cfg(test)]
mod tests {
    use quiesce::engines::Engine;

    use super::*;
    use crate::{tags::TagPolicy, testing::Aws};

    const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn described(hash: &str) -> String {
        format!(
            r#"{{"Document": {{"DocumentVersion": "3", "Hash": "{hash}", "HashType": "Sha256", "Status": "Active",
                "PlatformTypes": ["Linux"], "DocumentFormat": "JSON"}}}}"#
        )
    }

    async fn refused(aws: &Aws) -> Diagnostic {
        let engine = Engine::named("ssm_document").expect("an engine of ours");
        let told = [("name", "freeze-orders"), ("hash", HASH), ("paths", "/srv")];
        let options = told
            .into_iter()
            .fold(Options::new(engine), |options, (name, value)| {
                options.with(name, value).expect("a valid option")
            });
        let client = aws.client(TagPolicy::default());
        let resolved = resolved(&client.clients, vec![options]).await;
        resolved.expect_err("a document that cannot be run")
    }

    #[tokio::test]
    async fn another_hash_names_both_and_nothing_is_read() {
        let other = HASH.replace('e', "f");
        let aws = Aws::default().on("DescribeDocument", described(&other));
        let told = refused(&aws).await;
        assert_eq!(told.path.to_string(), "ssm_document.hash");
        assert!(
            told.detail.contains(HASH) && told.detail.contains(&other),
            "{told:?}"
        );
        assert!(aws.calls("GetDocument").is_empty());
    }

    #[tokio::test]
    async fn a_document_that_cannot_be_run_says_why_and_shows_no_word_of_it() {
        let content = r#"{"Content": "{\"schemaVersion\": \"2.2\", \"secretive\": 1}"}"#;
        let aws = Aws::default()
            .on("DescribeDocument", described(HASH))
            .on("GetDocument", content);
        let told = refused(&aws).await;
        assert_eq!(told.path.to_string(), "ssm_document.name");
        assert_eq!(told.summary, "The document cannot be run");
        assert!(told.detail.contains("Nothing was touched"), "{told:?}");
    }

    #[tokio::test]
    async fn a_document_that_is_not_there_is_told_with_its_place() {
        let aws = Aws::default().refusing("DescribeDocument", "InvalidDocument", "");
        let told = refused(&aws).await;
        assert_eq!(told.path.to_string(), "ssm_document.name");
        assert!(
            told.detail.contains("SSM has no document of this name"),
            "{told:?}"
        );
    }

    #[tokio::test]
    async fn nobody_is_asked_where_no_document_is_named() {
        let engine = Engine::named("postgresql").expect("an engine of ours");
        let aws = Aws::default();
        let client = aws.client(TagPolicy::default());
        let same = resolved(&client.clients, vec![Options::new(engine)]).await;
        assert_eq!(same.expect("as it was").len(), 1);
        assert!(aws.calls("DescribeDocument").is_empty());
    }
}
