//! SSM's documents behind the `Documents` port: what one version of a document is, and its text.

use aws_sdk_ssm::{
    Client,
    types::{DocumentDescription, DocumentFormat},
};
use quiesce::ports::{DocumentFacts, Documents, Format};

use crate::CallError;

const DESCRIBE: &str = "ssm:DescribeDocument";
const GET: &str = "ssm:GetDocument";

/// The documents that the account has, or that others share with it.
#[derive(Clone, Debug)]
pub struct SsmDocuments {
    ssm: Client,
}

impl SsmDocuments {
    pub fn new(ssm: Client) -> Self {
        Self { ssm }
    }
}

impl Documents for SsmDocuments {
    type Error = CallError;

    async fn describe(&self, name: &str, version: &str) -> Result<DocumentFacts, CallError> {
        let described = self.ssm.describe_document().name(name);
        let described = described.document_version(version).send().await;
        let described = described.map_err(|error| CallError::of(DESCRIBE, &error))?;
        described
            .document
            .and_then(facts)
            .ok_or_else(|| CallError::refused(DESCRIBE, "the answer describes no document"))
    }

    /// In the format it was written in: in another one it would not be what its hash pins.
    async fn content(
        &self,
        name: &str,
        version: &str,
        format: Format,
    ) -> Result<String, CallError> {
        let format = match format {
            Format::Json => DocumentFormat::Json,
            Format::Yaml => DocumentFormat::Yaml,
        };
        let got = self.ssm.get_document().name(name).document_version(version);
        let got = got.document_format(format).send().await;
        let got = got.map_err(|error| CallError::of(GET, &error))?;
        got.content
            .ok_or_else(|| CallError::refused(GET, "the answer has no content"))
    }
}

/// None where what cannot be done without is missing.
fn facts(document: DocumentDescription) -> Option<DocumentFacts> {
    let format = match document.document_format? {
        DocumentFormat::Json => Format::Json,
        DocumentFormat::Yaml => Format::Yaml,
        _ => return None,
    };
    let platforms = document.platform_types.unwrap_or_default();
    Some(DocumentFacts {
        version: document.document_version?.parse().ok()?,
        hash: document.hash?,
        hash_type: document.hash_type?.as_str().to_owned(),
        status: document.status?.as_str().to_owned(),
        platforms: platforms.iter().map(|it| it.as_str().to_owned()).collect(),
        format,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::replay::Replay;

    fn described(change: impl FnOnce(&mut Value)) -> Replay {
        let mut document = json!({
            "Name": "freeze-orders", "DocumentVersion": "3", "Hash": "ab12", "HashType": "Sha256", "Status": "Active",
            "PlatformTypes": ["Linux", "MacOS"], "DocumentFormat": "YAML",
        });
        change(&mut document);
        Replay::default().ok(
            "DescribeDocument",
            json!({ "Document": document }).to_string(),
        )
    }

    #[tokio::test]
    async fn one_version_is_described_and_read_in_its_own_format() {
        let replay = described(|_| {}).ok("GetDocument", r#"{"Content":"a: b"}"#);
        let documents = SsmDocuments::new(replay.ssm());
        let facts = documents
            .describe("freeze-orders", "$DEFAULT")
            .await
            .unwrap();
        assert_eq!((facts.version, facts.format), (3, Format::Yaml));
        assert_eq!(facts.platforms, ["Linux", "MacOS"]);
        let content = documents.content("freeze-orders", "3", facts.format).await;
        assert_eq!(content.unwrap(), "a: b");
        let asked = |action| serde_json::from_str::<Value>(&replay.only(action).body).unwrap();
        assert_eq!(
            asked("DescribeDocument"),
            json!({ "Name": "freeze-orders", "DocumentVersion": "$DEFAULT" })
        );
        assert_eq!(
            asked("GetDocument"),
            json!({ "Name": "freeze-orders", "DocumentVersion": "3", "DocumentFormat": "YAML" })
        );
    }

    #[tokio::test]
    async fn an_answer_that_lacks_what_is_needed_is_an_error() {
        let replay = described(|it| it["Hash"] = Value::Null);
        let documents = SsmDocuments::new(replay.ssm());
        let error = documents.describe("freeze-orders", "3").await.unwrap_err();
        assert!(error.message.contains("describes no document"), "{error}");
    }

    #[tokio::test]
    async fn a_document_that_does_not_exist_is_named_by_its_code() {
        let replay = Replay::default().ssm_error("DescribeDocument", 400, "InvalidDocument", "");
        let documents = SsmDocuments::new(replay.ssm());
        let error = documents.describe("nope", "1").await.unwrap_err();
        assert_eq!(error.code, "InvalidDocument");
        assert!(
            error
                .message
                .contains("no document of this name and version"),
            "{error}"
        );
    }
}
