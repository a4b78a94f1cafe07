//! Command documents: made, changed, described and read, version by version. They are only kept here; the agents run AWS's own.

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::{
    cloud::{
        call::{Answer, Call},
        clock::epoch,
        error::ApiError,
        iam::{ACCOUNT, Access},
        lock,
    },
    host::hex,
};

/// One document, its versions in order; the first is number 1.
#[derive(Clone, Debug)]
pub(super) struct Document {
    versions: Vec<Version>,
    /// The number of the default version.
    default: usize,
}

#[derive(Clone, Debug)]
struct Version {
    content: String,
    format: Format,
    made: OffsetDateTime,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
enum Format {
    #[default]
    Json,
    Yaml,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Yaml => "YAML",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Create {
    name: String,
    content: String,
    #[serde(default)]
    document_format: Format,
    document_type: Option<String>,
}

pub(super) fn create(call: &Call<'_>, request: Create) -> Answer {
    authorize(call, "CreateDocument", &request.name)?;
    if request.document_type.is_some_and(|kind| kind != "Command") {
        return Err(ApiError::new(
            "ValidationException",
            "only Command documents are kept",
        ));
    }
    let mut documents = lock(&call.cloud.ssm.documents);
    if documents.contains_key(&request.name) {
        return Err(ApiError::new("DocumentAlreadyExists", ""));
    }
    let version = Version::new(request.content, request.document_format);
    let document = Document {
        versions: vec![version],
        default: 1,
    };
    let shown = document.described(&request.name, 1);
    documents.insert(request.name, document);
    Ok(json!({ "DocumentDescription": shown }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Update {
    name: String,
    content: String,
    #[serde(default)]
    document_format: Format,
    #[serde(rename = "DocumentVersion")]
    _document_version: Option<String>,
}

/// A new version, which is not the default one.
pub(super) fn update(call: &Call<'_>, request: Update) -> Answer {
    authorize(call, "UpdateDocument", &request.name)?;
    let mut documents = lock(&call.cloud.ssm.documents);
    let document = documents.get_mut(&request.name).ok_or_else(unknown)?;
    let version = Version::new(request.content, request.document_format);
    if document
        .versions
        .iter()
        .any(|it| it.hash() == version.hash())
    {
        return Err(ApiError::new("DuplicateDocumentContent", ""));
    }
    document.versions.push(version);
    let shown = document.described(&request.name, document.versions.len());
    Ok(json!({ "DocumentDescription": shown }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Default {
    name: String,
    document_version: String,
}

pub(super) fn update_default(call: &Call<'_>, request: &Default) -> Answer {
    authorize(call, "UpdateDocumentDefaultVersion", &request.name)?;
    let mut documents = lock(&call.cloud.ssm.documents);
    let document = documents.get_mut(&request.name).ok_or_else(unknown)?;
    document.default = document.number(Some(&request.document_version))?;
    Ok(json!({ "Description": {
        "Name": request.name,
        "DefaultVersion": document.default.to_string(),
    }}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Named {
    name: String,
    document_version: Option<String>,
    document_format: Option<Format>,
}

pub(super) fn describe(call: &Call<'_>, request: &Named) -> Answer {
    authorize(call, "DescribeDocument", &request.name)?;
    let documents = lock(&call.cloud.ssm.documents);
    let document = documents.get(&request.name).ok_or_else(unknown)?;
    let number = document.number(request.document_version.as_deref())?;
    Ok(json!({ "Document": document.described(&request.name, number) }))
}

/// Only in the format in which it was written: the lab translates nothing.
pub(super) fn get(call: &Call<'_>, request: &Named) -> Answer {
    authorize(call, "GetDocument", &request.name)?;
    let documents = lock(&call.cloud.ssm.documents);
    let document = documents.get(&request.name).ok_or_else(unknown)?;
    let number = document.number(request.document_version.as_deref())?;
    let version = &document.versions[number - 1];
    if request.document_format.unwrap_or_default() != version.format {
        return Err(ApiError::new(
            "UnsupportedOperation",
            "the lab translates no document",
        ));
    }
    Ok(json!({
        "Name": request.name,
        "DocumentVersion": number.to_string(),
        "Content": version.content,
        "DocumentFormat": version.format.name(),
        "DocumentType": "Command",
        "Status": "Active",
        "CreatedDate": epoch(version.made),
    }))
}

pub(super) fn delete(call: &Call<'_>, request: &Named) -> Answer {
    authorize(call, "DeleteDocument", &request.name)?;
    let removed = lock(&call.cloud.ssm.documents).remove(&request.name);
    removed.map(|_| json!({})).ok_or_else(unknown)
}

fn authorize(call: &Call<'_>, action: &str, name: &str) -> Result<(), ApiError> {
    let arn = format!(
        "arn:aws:ssm:{}:{ACCOUNT}:document/{name}",
        call.cloud.region
    );
    call.authorize(&[Access::new(format!("ssm:{action}"), arn)])
}

fn unknown() -> ApiError {
    ApiError::new("InvalidDocument", "")
}

impl Version {
    fn new(content: String, format: Format) -> Self {
        let made = OffsetDateTime::now_utc();
        Self {
            content,
            format,
            made,
        }
    }

    fn hash(&self) -> String {
        hex(&Sha256::digest(&self.content))
    }
}

impl Document {
    /// The number of the version that is asked for; of the default one where none is.
    fn number(&self, asked: Option<&str>) -> Result<usize, ApiError> {
        let number = match asked {
            None | Some("$DEFAULT") => Some(self.default),
            Some("$LATEST") => Some(self.versions.len()),
            Some(number) => number.parse().ok(),
        };
        let number = number.filter(|it| (1..=self.versions.len()).contains(it));
        number.ok_or_else(|| ApiError::new("InvalidDocumentVersion", ""))
    }

    fn described(&self, name: &str, number: usize) -> Value {
        let version = &self.versions[number - 1];
        json!({
            "Name": name,
            "Owner": ACCOUNT,
            "DocumentVersion": number.to_string(),
            "DefaultVersion": self.default.to_string(),
            "LatestVersion": self.versions.len().to_string(),
            "DocumentFormat": version.format.name(),
            "DocumentType": "Command",
            "SchemaVersion": "2.2",
            "PlatformTypes": ["Linux", "MacOS"],
            "Hash": version.hash(),
            "HashType": "Sha256",
            "Status": "Active",
            "CreatedDate": epoch(version.made),
        })
    }
}
