//! Mount tables as the kernel shows them (proc(5), `/proc/<pid>/mountinfo`), of the host and of its guests.

use std::path::{Path, PathBuf};

use super::error::{Context, Result};

/// One line of a mountinfo file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) point: PathBuf,
    pub(super) filesystem: String,
    pub(super) source: String,
}

/// The mounts that process `pid` sees; `"self"` for this one.
pub(super) async fn mounts_of(pid: &str) -> Result<Vec<Mount>> {
    let file = format!("/proc/{pid}/mountinfo");
    let text = tokio::fs::read_to_string(&file)
        .await
        .context(|| file.clone())?;
    Ok(text.lines().filter_map(parse).collect())
}

/// Where cgroup v2 is mounted: `/sys/fs/cgroup`, or beside v1's controllers `/sys/fs/cgroup/unified`.
pub(super) async fn cgroup2_root() -> Result<Option<PathBuf>> {
    let mounts = mounts_of("self").await?;
    let unified = mounts.into_iter().find(|m| m.filesystem == "cgroup2");
    Ok(unified.map(|mount| mount.point))
}

/// Every mount point at or below `dir`, the deepest first: the order in which they can be unmounted.
pub(super) async fn mounts_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let mounts = mounts_of("self").await?.into_iter();
    let mut points: Vec<_> = mounts
        .map(|mount| mount.point)
        .filter(|point| point.starts_with(dir))
        .collect();
    points.reverse();
    Ok(points)
}

fn parse(line: &str) -> Option<Mount> {
    let (own, filesystem) = line.split_once(" - ")?;
    let mut own = own.split(' ').skip(2);
    let (major, minor) = own.next()?.split_once(':')?;
    let point = own.nth(1)?;
    let mut filesystem = filesystem.split(' ');
    Some(Mount {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
        point: PathBuf::from(unescape(point)),
        filesystem: filesystem.next()?.to_owned(),
        source: unescape(filesystem.next()?),
    })
}

/// Undoes the kernel's octal escapes of space, tab, newline and backslash.
fn unescape(field: &str) -> String {
    field
        .replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_mountinfo() {
        let line = "61 28 7:3 / /srv/my\\040data rw,relatime shared:5 master:1 - ext4 /dev/nvme1n1 rw,seclabel";
        let expected = Mount {
            major: 7,
            minor: 3,
            point: PathBuf::from("/srv/my data"),
            filesystem: "ext4".to_owned(),
            source: "/dev/nvme1n1".to_owned(),
        };
        assert_eq!(parse(line), Some(expected));
        assert_eq!(parse("nonsense"), None);
    }
}
