//! A script's output: through pipes, into a file, and its head into the reply.

use std::{io, path::Path};

use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
};

/// "The agent sends at most 24,000 characters each of stdout and stderr (with a truncation marker; the head is
/// kept)" (FACTS.md part C, 7).
const LIMIT: usize = 24_000;
const MARKER: &str = "\n---Output truncated---";

/// Creates an output file, readable by its owner only.
pub(super) async fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(true).mode(0o600);
    options.open(path).await
}

/// Copies a pipe into `file` until everybody has closed it, and returns its head.
///
/// Each piece is written before the next one is read: where the file's file system is frozen, the pipe fills up
/// and the script blocks.
pub(super) async fn collect(
    mut pipe: impl AsyncRead + Unpin,
    mut file: File,
) -> io::Result<Vec<u8>> {
    // A character takes at most four bytes.
    let keep = (LIMIT + 1) * 4;
    let mut head = Vec::new();
    let mut piece = vec![0; 16 * 1024];
    loop {
        let length = pipe.read(&mut piece).await?;
        if length == 0 {
            return Ok(head);
        }
        file.write_all(&piece[..length]).await?;
        file.flush().await?;
        let room = keep - head.len();
        head.extend_from_slice(&piece[..length.min(room)]);
    }
}

/// What the reply says of an output.
pub(super) fn shown(head: &[u8]) -> String {
    let text = String::from_utf8_lossy(head);
    if text.chars().count() <= LIMIT {
        return text.into_owned();
    }
    let kept: String = text.chars().take(LIMIT - MARKER.len()).collect();
    kept + MARKER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_kept_and_the_cut_is_marked() {
        let long = "x".repeat(LIMIT + 1);
        let text = shown(long.as_bytes());
        assert_eq!(text.chars().count(), LIMIT);
        assert!(text.starts_with("xxx") && text.ends_with(MARKER));
        assert_eq!(shown(&long.as_bytes()[..LIMIT]), "x".repeat(LIMIT));
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        assert_eq!(shown("ä".repeat(LIMIT).as_bytes()).chars().count(), LIMIT);
        assert!(!shown("ä".repeat(LIMIT).as_bytes()).ends_with(MARKER));
    }
}
