//! Documents of Systems Manager that bracket a snapshot (`command` = pre-script | post-script | dry-run): read, pinned by their hash and
//! resolved here, so that their text runs around our hold with nobody in between who could die.
//!
//! SSM would run the post-script only if somebody asked it to; the guest's own switch asks nobody (docs/design/proof.md).

mod content;
mod parameters;
mod template;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use crate::{
    engines::{OptionError, Options},
    ports::{DocumentFacts, Documents},
    session::SessionId,
    shell::quote,
};

use content::Content;
use template::Template;

/// A document that can be run as the SSM agent would run it.
#[derive(Clone, Debug)]
pub struct Document {
    pub(crate) version: u64,
    template: Template,
    working_directory: Option<String>,
    /// How long the agent would let it run.
    pub(crate) time_limit: Option<Duration>,
}

/// Why a document cannot be run.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DocumentError<E> {
    /// The service was not asked, or did not answer.
    #[error(transparent)]
    Call(E),
    /// Not the content that the user pinned.
    #[error(
        "document {name}, version {version}, has the hash {found}, not {wanted}: it is another text than the one that was pinned"
    )]
    OtherHash {
        name: String,
        version: u64,
        found: String,
        wanted: String,
    },
    #[error("document {name}: {reason}")]
    Refused { name: String, reason: String },
    #[error(transparent)]
    Option(#[from] OptionError),
}

/// `options` with the document that they name, where they name one: read, compared with its hash, and resolved.
pub async fn resolve<D: Documents>(
    documents: &D,
    options: Options,
) -> Result<Options, DocumentError<D::Error>> {
    let Some(name) = options
        .told("name")
        .filter(|_| options.engine().runs_a_document())
    else {
        return Ok(options);
    };
    let refused = |reason: String| DocumentError::Refused {
        name: name.to_owned(),
        reason,
    };
    let wanted = options.told("hash").unwrap_or_default();
    let version = options.told("version").unwrap_or("$DEFAULT");
    let facts = documents.describe(name, version).await;
    let facts = facts.map_err(DocumentError::Call)?;
    check(&facts, name, wanted)?;
    let number = facts.version.to_string();
    let text = documents.content(name, &number, facts.format).await;
    let text = text.map_err(DocumentError::Call)?;
    // A document may be removed and made anew under the same name and number between two calls.
    let again = documents.describe(name, &number).await;
    check(&again.map_err(DocumentError::Call)?, name, wanted)?;
    let document = Content::parse(&text, facts.format)
        .and_then(|content| Document::new(facts.version, content, &told(&options)))
        .map_err(refused)?;
    Ok(options.with_document(document)?)
}

fn check<E>(facts: &DocumentFacts, name: &str, wanted: &str) -> Result<(), DocumentError<E>> {
    let refused = |reason: String| {
        Err(DocumentError::Refused {
            name: name.to_owned(),
            reason,
        })
    };
    if facts.hash_type != "Sha256" {
        return refused(format!(
            "its hash is {:?}, and only Sha256 pins it",
            facts.hash_type
        ));
    }
    if !facts.hash.eq_ignore_ascii_case(wanted) {
        return Err(DocumentError::OtherHash {
            name: name.to_owned(),
            version: facts.version,
            found: facts.hash.clone(),
            wanted: wanted.to_owned(),
        });
    }
    if facts.status != "Active" {
        return refused(format!("it is {}, not Active", facts.status));
    }
    if !facts.platforms.iter().any(|it| it == LINUX) {
        return refused("it is not made for Linux".to_owned());
    }
    Ok(())
}

/// The platform on which every guest of ours runs, in SSM's spelling.
pub(crate) const LINUX: &str = "Linux";

/// The user's values of the document's parameters.
fn told(options: &Options) -> BTreeMap<String, String> {
    let text = options.told("parameters").unwrap_or("{}");
    serde_json::from_str(text).unwrap_or_default()
}

impl Document {
    fn new(
        version: u64,
        content: Content,
        told: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let values = parameters::values(&content.parameters, told)?;
        let step = content.only_step(&values)?;
        let lines: Vec<&str> = step.lines.iter().map(String::as_str).collect();
        let template = Template::parse(&(lines.join("\n") + "\n"), &values)?;
        Ok(Self {
            version,
            template,
            working_directory: step.working_directory,
            time_limit: step.time_limit,
        })
    }

    /// The script's text, gzipped in base64: with `mark` wherever the value of `command` belongs.
    pub(crate) fn packed(&self, session: &SessionId, mark: &str) -> String {
        self.template.packed(&execution_id(session), mark)
    }

    /// What the kernel would run for the script's first line; `/bin/sh` where that names nothing.
    pub(crate) fn interpreter(&self) -> &str {
        self.template.interpreter().0
    }

    /// The command line that runs a script as the agent does, but for the name of its file.
    pub(crate) fn command_line(&self) -> String {
        let (interpreter, argument) = self.template.interpreter();
        let enter = self.working_directory.as_deref();
        let enter = enter.map_or_else(String::new, |it| format!("cd {} && ", quote(it)));
        let argument = argument.map_or_else(String::new, |it| format!(" {}", quote(it)));
        format!("{enter}exec {}{argument}", quote(interpreter))
    }
}

/// The session as a UUID: Data Lifecycle Manager's documents insist on one.
pub(crate) fn execution_id(session: &SessionId) -> String {
    let hex = session.as_str();
    // Version 4, of the usual variant: 122 of its bits are the session's.
    format!(
        "{}-{}-4{}-a{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..]
    )
}
