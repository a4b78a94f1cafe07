//! Leaves out of a script what it never calls: SSM limits a command's size, and the shell's files are shared by scripts of which none needs all of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::engines::{ENGINES, Engine};

/// The functions that a script comes to, by the words of its text.
///
/// Whatever is mentioned may be called: `await 100 2 is_up`, `words bring_up` and what is quoted to be evaluated later count. Names of functions are put
/// together of an engine's name and a word at run time (`each_engine flush`, `"${ENGINE}_find"`): the word alone counts for those of all engines.
pub(super) struct Pruning<'a> {
    called: BTreeSet<&'a str>,
}

/// A piece of a file of shell functions.
#[derive(Debug)]
enum Piece<'a> {
    Function {
        name: &'a str,
        text: &'a str,
    },
    /// What runs when the file is read.
    Commands(&'a str),
}

impl<'a> Pruning<'a> {
    /// Of a script of these `files`, which is also called by what is mentioned in `callers`.
    pub(super) fn of(files: &[&'a str], callers: &[&'a str]) -> Self {
        let mut functions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut mentions: Vec<&str> = callers.iter().flat_map(|text| words(text)).collect();
        for piece in files.iter().flat_map(|file| pieces(file)) {
            match piece {
                Piece::Function { name, text } => {
                    functions.entry(name).or_default().push(text);
                    functions.entry(behind_engine(name)).or_default().push(text);
                }
                Piece::Commands(text) => mentions.extend(words(text)),
            }
        }
        let mut called = BTreeSet::new();
        while let Some(word) = mentions.pop() {
            // `$1_is_thawed` and `${ENGINE}_find` end in what stands behind an engine's name.
            let word = word.trim_start_matches(|c: char| c == '_' || c.is_ascii_digit());
            if let Some(texts) = functions.get(word)
                && called.insert(word)
            {
                mentions.extend(texts.iter().flat_map(|text| words(text)));
            }
        }
        Self { called }
    }

    /// What is left of these files.
    pub(super) fn prune(&self, files: &[&'a str]) -> String {
        let pieces = files.iter().flat_map(|file| pieces(file));
        pieces
            .filter_map(|piece| match piece {
                Piece::Function { name, text } => self.calls(name).then_some(text),
                Piece::Commands(text) => Some(text),
            })
            .collect()
    }

    fn calls(&self, name: &str) -> bool {
        [name, behind_engine(name)]
            .iter()
            .any(|it| self.called.contains(it))
    }
}

/// What is left of a function's name without the engine's that it begins with.
fn behind_engine(name: &str) -> &str {
    let word = |engine: &&Engine| name.strip_prefix(engine.name)?.strip_prefix('_');
    ENGINES.iter().find_map(word).unwrap_or(name)
}

/// Whatever could be a function's name, outside of comments of whole lines.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
}

/// A function begins with its name at the beginning of a line, and ends with the first line that begins with the bracket that closes it, as this house
/// writes shell.
fn pieces(file: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = file;
    while !rest.is_empty() {
        let line = rest.split_inclusive('\n').next().unwrap_or(rest);
        let length = match function_name(line) {
            Some(_) => function_length(rest),
            None => line.len(),
        };
        let (text, behind) = rest.split_at(length);
        pieces.push(match function_name(line) {
            Some(name) => Piece::Function { name, text },
            None => Piece::Commands(text),
        });
        rest = behind;
    }
    pieces
}

fn function_name(line: &str) -> Option<&str> {
    let (name, body) = line.split_once("() ")?;
    let is_name = !name.is_empty() && words(name).next() == Some(name);
    (is_name && body.starts_with(['{', '('])).then_some(name)
}

fn function_length(text: &str) -> usize {
    let mut length = 0;
    for line in text.split_inclusive('\n') {
        let is_first = length == 0;
        length += line.len();
        if line.starts_with(['}', ')']) || (is_first && line.trim_end().ends_with(['}', ')'])) {
            break;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# shellcheck shell=dash
START=1
first() {
    await 10 second
    {
        echo }
    }
}

second() (
    third \"$1\"
)
third() { :; }
# fourth is mentioned in a comment only.
fourth() {
    first
}
redis_find() {
    fifth
} 2>/dev/null
fifth() { :; }
ssm_document_ends() { sixth; }
sixth() { :; }
";

    fn left(callers: &[&str]) -> Vec<String> {
        let pruned = Pruning::of(&[FILE], callers).prune(&[FILE]);
        let names = pruned.lines().filter_map(function_name);
        names.map(str::to_owned).collect()
    }

    #[test]
    fn what_is_mentioned_stays_with_all_that_it_mentions() {
        assert_eq!(left(&["eval first"]), ["first", "second", "third"]);
        assert!(left(&[]).is_empty());
    }

    #[test]
    fn a_function_of_an_engine_is_called_by_the_word_behind_its_name() {
        for caller in ["each_engine find", "\"${ENGINE}_find\"", "redis_find"] {
            assert_eq!(left(&[caller]), ["redis_find", "fifth"], "{caller}");
        }
        for caller in ["\"${ENGINE}_ends\"", "\"$1_ends\"", "ssm_document_ends"] {
            let kept = ["ssm_document_ends", "sixth"];
            assert_eq!(left(&[caller]), kept, "{caller}");
        }
    }

    #[test]
    fn functions_go_whole_and_commands_stay() {
        let pruned = Pruning::of(&[FILE], &["find"]).prune(&[FILE]);
        let commands: Vec<_> = pruned
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        assert_eq!(
            commands,
            [
                "START=1",
                "",
                "redis_find() {",
                "    fifth",
                "} 2>/dev/null",
                "fifth() { :; }"
            ]
        );
    }

    #[test]
    fn every_function_that_is_defined_twice_is_kept_twice() {
        let other = "third() {\n    again\n}\nagain() { :; }\n";
        let files = [FILE, other];
        let pruned = Pruning::of(&files, &["third"]).prune(&files);
        assert_eq!(pruned.matches("third() {").count(), 2);
        assert!(pruned.contains("again() {"));
    }
}
