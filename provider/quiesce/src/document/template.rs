//! A script's text with its `{{ parameter }}` places resolved as the agent resolves them, but for the two that differ from run to run.

use std::io::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compression, write::GzEncoder};

use super::parameters::{Place, Values};

/// What runs a script that does not say by what.
const SHELL: &str = "/bin/sh";

#[derive(Clone, Debug)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Command,
    ExecutionId,
}

impl Template {
    pub(super) fn parse(text: &str, values: &Values) -> Result<Self, String> {
        if text.contains('\0') {
            return Err("its script holds a NUL".to_owned());
        }
        pieces(text, values).map(|pieces| Self { pieces })
    }

    pub(super) fn packed(&self, execution_id: &str, mark: &str) -> String {
        let texts = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Command => mark,
            Piece::ExecutionId => execution_id,
        });
        let text: String = texts.collect();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        let packed = gzip.write_all(text.as_bytes()).and_then(|()| gzip.finish());
        BASE64_STANDARD.encode(packed.expect("memory takes all that is written"))
    }

    /// Interpreter and its one argument, as the kernel reads a script's first line (execve(2)).
    pub(super) fn interpreter(&self) -> (&str, Option<&str>) {
        let Some(Piece::Text(first)) = self.pieces.first() else {
            return (SHELL, None);
        };
        let Some(line) = first.lines().next().and_then(|it| it.strip_prefix("#!")) else {
            return (SHELL, None);
        };
        let blank = [' ', '\t'];
        let line = line.trim_matches(blank);
        let (interpreter, argument) = line.split_once(blank).unwrap_or((line, ""));
        let argument = Some(argument.trim_matches(blank)).filter(|it| !it.is_empty());
        if interpreter.is_empty() {
            (SHELL, None)
        } else {
            (interpreter, argument)
        }
    }
}

/// `text` in pieces. What stands in braces and looks like no parameter, such as `{{.State}}`, the agent leaves as it is.
pub(super) fn pieces(text: &str, values: &Values) -> Result<Vec<Piece>, String> {
    let mut found = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once("{{") {
        plain += before;
        let Some((name, after)) = inside
            .split_once("}}")
            .filter(|(name, _)| is_name(name.trim()))
        else {
            plain += "{";
            // A third brace may open the real place.
            rest = &rest[before.len() + 1..];
            continue;
        };
        match resolved(name.trim(), values)? {
            Piece::Text(value) => plain += &value,
            place => found.extend([Piece::Text(std::mem::take(&mut plain)), place]),
        }
        rest = after;
    }
    plain += rest;
    found.push(Piece::Text(plain));
    Ok(found)
}

/// A parameter's name, or one of something that SSM looks up: `ssm:name`, `global:REGION`.
fn is_name(inside: &str) -> bool {
    let letters = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || it == b'-')
    };
    match inside.split_once(':') {
        Some((source, _)) => letters(source),
        None => inside.bytes().all(|it| it.is_ascii_alphanumeric()) && !inside.is_empty(),
    }
}

fn resolved(name: &str, values: &Values) -> Result<Piece, String> {
    match values.of(name) {
        Some(Place::Command) => Ok(Piece::Command),
        Some(Place::ExecutionId) => Ok(Piece::ExecutionId),
        Some(Place::Text(text)) => Ok(Piece::Text(text.clone())),
        Some(Place::Other { kind }) => Err(format!(
            "its parameter {name:?} is a {kind}, which cannot stand in a text"
        )),
        None if name.contains(':') => Err(format!(
            "it refers to {name:?}, which SSM would look up when it runs: its hash pins nothing of that"
        )),
        None => Err(format!(
            "it refers to a parameter {name:?} that it does not declare"
        )),
    }
}
