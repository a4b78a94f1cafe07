//! Files that are generated and kept in the repository: written, or compared with what they would become.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What to do with a generated file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Write,
    /// Nothing is written; a difference is an error.
    Check,
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.ancestors().nth(2).unwrap_or(manifest);
    root.to_owned()
}

/// Reads a file of the repository.
pub(crate) fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))
}

/// Writes or compares a file of the repository.
pub(crate) fn settle(mode: Mode, path: &str, content: &str, chore: &str) -> Result<(), String> {
    match mode {
        Mode::Write => {
            let file = root().join(path);
            let folder = file.parent().unwrap_or(&file);
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&file, content))
                .map_err(|error| format!("{path}: {error}"))
        }
        Mode::Check => match difference(&read(path)?, content) {
            None => Ok(()),
            Some(line) => Err(format!(
                "{path} is out of date from line {line} on; run `cargo xtask {chore}` and look at what changed"
            )),
        },
    }
}

/// The first line in which two texts differ, counted from 1.
fn difference(one: &str, other: &str) -> Option<usize> {
    if one == other {
        return None;
    }
    let same = one.lines().zip(other.lines()).take_while(|(a, b)| a == b);
    Some(same.count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_found_even_at_the_end() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(difference("a\nb\n", "a\nb"), Some(3));
        assert_eq!(difference("a\n", "a\nb\n"), Some(2));
    }
}
