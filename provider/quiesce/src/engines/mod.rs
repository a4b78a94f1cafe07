//! The database engines: what each is called, which options it takes, and which shell functions know it on the guest.
//!
//! One folder per engine. Schema, docs and scripts derive from [`ENGINES`]; nothing else lists engines by name. A page about each
//! (docs/guides/engine-<name>.md) is written from the same definition by `cargo xtask docs`.

mod application;
mod custom;
mod mariadb;
mod mysql;
mod mysql_family;
mod postgresql;
mod redis;
mod ssm_document;
mod valkey;

use std::{collections::BTreeMap, sync::Arc};

use crate::document::Document;

/// Every engine that can be asked for, in the order in which the docs name them.
pub const ENGINES: &[&Engine] = &[
    &postgresql::POSTGRESQL,
    &mysql::MYSQL,
    &mariadb::MARIADB,
    &redis::REDIS,
    &valkey::VALKEY,
    &custom::CUSTOM,
    &ssm_document::SSM_DOCUMENT,
];

/// Servers for which there is no engine: the name of the process, as the kernel cuts it.
pub(crate) const OTHER_SERVERS: &[&str] =
    &["mongod", "sqlservr", "clickhouse-serv", "influxd", "etcd"];

/// A kind of database server.
#[derive(Debug)]
pub struct Engine {
    /// The name of the resource's attribute and the word in `CDB_ENGINES`: lower-case letters and digits.
    pub name: &'static str,
    /// As its makers write it: `PostgreSQL`.
    pub title: &'static str,
    /// A sentence or two for the registry page.
    pub docs: &'static str,
    /// What the page about it says beyond that, in Markdown: what is promised, needed, refused.
    pub page: &'static str,
    /// The names of its servers' processes, as the kernel cuts them (15 characters).
    pub processes: &'static [&'static str],
    /// Everything that is asked of the server, in the order in which it is asked.
    pub statements: &'static [Statement],
    pub options: &'static [EngineOption],
    pub recipe: Recipe,
}

/// Something that the functions of an engine ask of the server.
#[derive(Debug)]
pub struct Statement {
    /// The script that asks: `probe`, `arm`, `hold` or `release`; several where each of them does.
    pub script: &'static str,
    /// Word for word as it stands in the functions, but for white space; `$NAME` is a variable of theirs.
    pub text: &'static str,
    /// What for.
    pub purpose: &'static str,
}

/// Something that a user may tell about a server; everything is detected where it is not told.
#[derive(Debug)]
pub struct EngineOption {
    pub name: &'static str,
    pub kind: OptionKind,
    pub docs: &'static str,
}

/// What values an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionKind {
    /// Any text.
    Text,
    /// A TCP port, 1 to 65535.
    Port,
    /// An absolute path.
    Path,
    /// A number of whole seconds, 1 to 60.
    Seconds,
    /// Absolute paths, one a line. At least one has to be told.
    Paths,
    /// Shell text of the user's own, run as root. It goes to the guest and to Terraform's state, and nowhere else.
    Shell {
        /// The option without which this one would do harm.
        needs: Option<&'static str>,
    },
    /// The name or ARN of a document that is run. It has to be told.
    Document,
    /// A version of that document: a number, `$DEFAULT` or `$LATEST`.
    DocumentVersion,
    /// The SHA-256 hash that pins it. It has to be told.
    DocumentHash,
    /// What is passed to it: texts by name, as a JSON object.
    DocumentParameters,
}

/// How long a command of the user's own may take where nothing is told, in seconds (`app_limit` in application/find.sh).
const DEFAULT_COMMAND_TIMEOUT: u64 = 10;

/// The longest shell text: what is longer belongs into a file on the server.
const LONGEST_SHELL: usize = 4_096;

/// How an engine is made to hold its writes.
///
/// The protocol matches recipes, never engines.
#[derive(Debug)]
pub enum Recipe {
    /// Our own hold comes behind the engine's flush: probe, arm, hold, release run on the guest.
    Bracket {
        /// The engine's shell functions: `<name>_find`, `<name>_flush`, `<name>_tell_position` where it tells that before the
        /// hold, and those of the next two that a script of any method may carry. Texts that several engines share go into a script once.
        functions: &'static [&'static str],
        /// What the probe and arming look at beyond what a hold, which comes right behind, has to look at again.
        checks: &'static [&'static str],
        /// What only a `stop` needs: `<name>_remember`, `<name>_is_serving`, `<name>_is_down`.
        stop: &'static [&'static str],
        /// What only a hold that is no `stop` needs: `<name>_hold`, where the engine itself holds something around our hold.
        hold: &'static [&'static str],
        /// The functions that let go again what `<name>_hold` took (see guest/engines.sh), and `<name>_verify`, which
        /// says at the release whether it was still held.
        let_go: &'static [&'static str],
    },
}

/// One engine with what its user told about the server.
#[derive(Clone, Debug)]
pub struct Options {
    engine: &'static Engine,
    values: BTreeMap<&'static str, String>,
    /// What the options name, once it has been read.
    document: Option<Arc<Document>>,
}

/// A value that an option does not take.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum OptionError {
    #[error("{engine} has no option {option}")]
    Unknown {
        engine: &'static str,
        option: String,
    },
    #[error("{engine}.{option}: {reason}")]
    Invalid {
        engine: &'static str,
        option: &'static str,
        reason: &'static str,
    },
}

impl Engine {
    /// The engine of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ENGINES.iter().copied().find(|engine| engine.name == name)
    }

    /// Does it run a document that has to be read first (see [`crate::document::resolve`])?
    pub fn runs_a_document(&self) -> bool {
        let mut options = self.options.iter();
        options.any(|option| option.kind == OptionKind::Document)
    }
}

impl OptionKind {
    /// Nothing works without it.
    pub fn is_required(self) -> bool {
        matches!(self, Self::Paths | Self::Document | Self::DocumentHash)
    }

    /// Nothing that a tag, a log or a diagnostic may show.
    pub fn is_private(self) -> bool {
        matches!(self, Self::Shell { .. } | Self::DocumentParameters)
    }

    /// Why `value` is not one of this kind.
    fn objection(self, value: &str) -> Option<&'static str> {
        if value.is_empty() {
            return Some(match self {
                Self::Paths => "must name at least one path",
                Self::Shell { .. } => "must not be empty; leave it out where nothing is to be run",
                _ => "must not be empty; leave it out to have it detected",
            });
        }
        let is_allowed = |c: char| match self {
            Self::Shell { .. } => c == '\n' || c == '\t',
            Self::Paths => c == '\n',
            _ => false,
        };
        if value.contains(|c: char| c.is_control() && !is_allowed(c)) {
            return Some("must not hold control characters");
        }
        // SSM replaces {{ssm:name}} inside a command's parameters by what its Parameter Store holds.
        if value.contains("{{") {
            return Some("must not hold `{{`, which SSM would interpret");
        }
        match self {
            // A document's own rules for its parameters are known once it is read.
            Self::Text | Self::DocumentParameters => None,
            Self::Port => (!matches!(value.parse::<u16>(), Ok(1..)))
                .then_some("must be a port number, 1 to 65535"),
            Self::Path => (!value.starts_with('/')).then_some("must be an absolute path"),
            Self::Seconds => (!matches!(value.parse::<u16>(), Ok(1..=60)))
                .then_some("must be a number of seconds, 1 to 60"),
            Self::Paths => (!value.lines().all(|path| path.starts_with('/')))
                .then_some("must be absolute paths"),
            Self::Shell { .. } => (value.len() > LONGEST_SHELL)
                .then_some("must not be longer than 4,096 bytes: call a file on the server"),
            Self::Document => (!is_document_name(value))
                .then_some("must be the name or the ARN of a document: 3 to 200 letters, digits, `_`, `-`, `.`, `:` and `/`"),
            Self::DocumentVersion => (!is_document_version(value))
                .then_some("must be a version's number, `$DEFAULT` or `$LATEST`"),
            Self::DocumentHash => (!is_sha256(value))
                .then_some("must be a SHA-256 hash in 64 hexadecimal digits, as `aws ssm describe-document` shows it"),
        }
    }
}

/// As botocore has it (`DocumentARN`, and what a document may be called).
fn is_document_name(text: &str) -> bool {
    let allowed = |it: u8| it.is_ascii_alphanumeric() || b"_-.:/".contains(&it);
    (3..=200).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_document_version(text: &str) -> bool {
    ["$DEFAULT", "$LATEST"].contains(&text) || matches!(text.parse::<u64>(), Ok(1..))
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|it| it.is_ascii_hexdigit())
}

impl Options {
    /// The engine with everything left to detection.
    pub fn new(engine: &'static Engine) -> Self {
        Self {
            engine,
            values: BTreeMap::new(),
            document: None,
        }
    }

    /// The same with `option` told.
    pub fn with(mut self, option: &str, value: impl Into<String>) -> Result<Self, OptionError> {
        let value = value.into();
        let engine = self.engine.name;
        let known = self.engine.options.iter().find(|o| o.name == option);
        let known = known.ok_or_else(|| OptionError::Unknown {
            engine,
            option: option.to_owned(),
        })?;
        if let Some(reason) = known.kind.objection(&value) {
            return Err(OptionError::Invalid {
                engine,
                option: known.name,
                reason,
            });
        }
        self.values.insert(known.name, value);
        Ok(self)
    }

    /// The same with the document that the options name: its number is its version, and what it allows itself bounds the time.
    pub(crate) fn with_document(self, document: Document) -> Result<Self, OptionError> {
        let told = self.told("command_timeout").and_then(|it| it.parse().ok());
        let seconds: u64 = told.unwrap_or(DEFAULT_COMMAND_TIMEOUT);
        let bound = document.time_limit.map_or(seconds, |it| it.as_secs());
        let mut options = self
            .with("version", document.version.to_string())?
            .with("command_timeout", seconds.min(bound).to_string())?;
        options.document = Some(Arc::new(document));
        Ok(options)
    }

    pub(crate) fn document(&self) -> Option<&Document> {
        self.document.as_deref()
    }

    pub fn engine(&self) -> &'static Engine {
        self.engine
    }

    /// What was told of `option`.
    pub fn told(&self, option: &str) -> Option<&str> {
        self.values.get(option).map(String::as_str)
    }

    /// The engine's name.
    pub fn name(&self) -> &'static str {
        self.engine.name
    }

    /// Each option of the engine with what was told; `None` means detect.
    pub fn iter(&self) -> impl Iterator<Item = (&'static EngineOption, Option<&str>)> {
        self.engine
            .options
            .iter()
            .map(|option| (option, self.values.get(option.name).map(String::as_str)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postgresql() -> Options {
        Options::new(Engine::named("postgresql").expect("an engine of ours"))
    }

    #[test]
    fn names_are_usable_in_schemas_and_shells() {
        for engine in ENGINES {
            let names = engine.options.iter().map(|o| o.name).chain([engine.name]);
            for name in names {
                assert!(
                    name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn every_statement_stands_in_the_functions_as_it_is_told() {
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for engine in ENGINES {
            let Recipe::Bracket {
                functions,
                checks,
                stop,
                hold,
                let_go,
            } = engine.recipe;
            let functions = flat(&[functions, checks, stop, hold, let_go].concat().concat());
            for Statement { text, script, .. } in engine.statements {
                assert!(functions.contains(&flat(text)), "{}: {text}", engine.name);
                let known = |word: &str| ["probe", "arm", "hold", "release"].contains(&word);
                assert!(script.split(", ").all(known), "{script}");
            }
        }
    }

    #[test]
    fn what_is_told_is_kept_and_the_rest_is_detected() {
        let options = postgresql().with("port", "5433").expect("a port");
        let told: Vec<_> = options
            .iter()
            .filter_map(|(option, value)| Some((option.name, value?)))
            .collect();
        assert_eq!(told, [("port", "5433")]);
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_reason() {
        for (option, value, reason) in [
            ("port", "0", "must be a port number, 1 to 65535"),
            ("port", "65536", "must be a port number, 1 to 65535"),
            ("data_directory", "pgdata", "must be an absolute path"),
            ("os_user", "a\nb", "must not hold control characters"),
            (
                "service",
                "{{ssm:x}}",
                "must not hold `{{`, which SSM would interpret",
            ),
            (
                "service",
                "",
                "must not be empty; leave it out to have it detected",
            ),
        ] {
            let error = postgresql().with(option, value).expect_err(value);
            assert_eq!(error.to_string(), format!("postgresql.{option}: {reason}"));
        }
        let long = "x".repeat(4_097);
        for (option, value, reason) in [
            ("paths", "", "must name at least one path"),
            ("paths", "/a\nb", "must be absolute paths"),
            ("freeze", "a\u{7}", "must not hold control characters"),
            (
                "thaw",
                "echo {{ssm:x}}",
                "must not hold `{{`, which SSM would interpret",
            ),
            (
                "check",
                &long,
                "must not be longer than 4,096 bytes: call a file on the server",
            ),
        ] {
            let custom = Options::new(Engine::named("custom").expect("an engine of ours"));
            let error = custom.with(option, value).expect_err(value);
            assert_eq!(error.to_string(), format!("custom.{option}: {reason}"));
        }
        for (option, value, reason) in [
            (
                "name",
                "no name",
                "must be the name or the ARN of a document: 3 to 200 letters, digits, `_`, `-`, `.`, `:` and `/`",
            ),
            (
                "version",
                "newest",
                "must be a version's number, `$DEFAULT` or `$LATEST`",
            ),
            (
                "hash",
                "e3b0c442",
                "must be a SHA-256 hash in 64 hexadecimal digits, as `aws ssm describe-document` shows it",
            ),
        ] {
            let engine = Engine::named("ssm_document").expect("an engine of ours");
            let error = Options::new(engine).with(option, value).expect_err(value);
            assert_eq!(
                error.to_string(),
                format!("ssm_document.{option}: {reason}")
            );
        }
        assert_eq!(
            postgresql().with("nope", "x").expect_err("x").to_string(),
            "postgresql has no option nope"
        );
    }
}
