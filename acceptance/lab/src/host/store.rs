//! Where volumes and snapshots live: an XFS file system with reflinks, in a sparse file of its own.
//!
//! A volume is a file behind a loop device, a snapshot is a reflink clone (`FICLONE`) of that file. XFS takes the
//! clone under the file's exclusive lock, with all direct I/O drained: one instant per volume, as EBS promises, at a
//! cost of milliseconds, whatever the load. `acceptance/lab/tests/host_store.rs` shows that it is.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::fs::ioctl_ficlone;
use serde::{Deserialize, Serialize};

use super::{
    clock::Monotonic,
    error::{Context, HostError, Result},
    loopdev::{LoopDevice, SECTOR},
    tool::Tool,
};

const GIB: u64 = 1 << 30;

/// What a volume is formatted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filesystem {
    Ext4,
    Xfs,
}

/// The bytes of an EBS volume.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VolumeFile {
    pub path: PathBuf,
    pub size_bytes: u64,
}

/// The bytes of a snapshot, and when they were what the volume held: at an instant within `began..=taken_at`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotFile {
    pub path: PathBuf,
    pub size_bytes: u64,
    pub began: Monotonic,
    pub taken_at: Monotonic,
}

impl VolumeFile {
    /// Deletes it, unless it is attached.
    pub fn delete(&self) -> Result<()> {
        if !LoopDevice::below(&self.path)?.is_empty() {
            return Err(HostError::Attached(self.path.clone()));
        }
        fs::remove_file(&self.path).context(|| self.path.display().to_string())
    }

    /// Makes a snapshot's content its own, at the cost of the snapshot. It must not be attached.
    pub(super) fn replace_by(&self, content: &SnapshotFile) -> Result<()> {
        fs::rename(&content.path, &self.path).context(|| self.path.display().to_string())
    }
}

impl SnapshotFile {
    /// Deletes it; volumes made of it keep their content.
    pub fn delete(&self) -> Result<()> {
        fs::remove_file(&self.path).context(|| self.path.display().to_string())
    }
}

#[derive(Debug)]
pub(super) struct Store {
    mount_point: PathBuf,
    device: LoopDevice,
    next: AtomicU64,
}

impl Store {
    /// Makes an empty store of `size_gib` GiB under `dir`, sparse: it takes the space that is written.
    pub(super) async fn create(dir: &Path, size_gib: u64) -> Result<Self> {
        let image = dir.join("store.xfs");
        let mount_point = dir.join("store");
        create_sparse(&image, size_gib * GIB)?;
        fs::create_dir_all(&mount_point).context(|| mount_point.display().to_string())?;
        Tool::new("mkfs.xfs")
            .args(["-q", "-f", "-K", "-m", "reflink=1", "-s"])
            .arg(format!("size={SECTOR}"))
            .arg(&image)
            .run()
            .await?;
        let device = LoopDevice::attach(&image).await?;
        let mount = Tool::new("mount").args(["-t", "xfs", "-o", "noatime,nodev,nosuid"]);
        let mounted = mount.arg(&device.node).arg(&mount_point).run().await;
        if let Err(error) = mounted {
            device.detach().await?;
            return Err(error);
        }
        for kind in ["volumes", "snapshots"] {
            let below = mount_point.join(kind);
            fs::create_dir(&below).context(|| below.display().to_string())?;
        }
        Ok(Self {
            mount_point,
            device,
            next: AtomicU64::new(1),
        })
    }

    pub(super) async fn close(&self) -> Result<()> {
        Tool::new("umount").arg(&self.mount_point).run().await?;
        self.device.detach_when_unused().await?;
        fs::remove_file(&self.device.file).context(|| self.device.file.display().to_string())
    }

    /// A new volume, empty or with one file system over its whole length.
    pub(super) async fn create_volume(
        &self,
        size_gib: u64,
        filesystem: Option<(Filesystem, &str)>,
    ) -> Result<VolumeFile> {
        let volume = VolumeFile {
            path: self.fresh_path("volumes"),
            size_bytes: size_gib * GIB,
        };
        create_sparse(&volume.path, volume.size_bytes)?;
        if let Some((filesystem, label)) = filesystem {
            make_filesystem(&volume.path, filesystem, label).await?;
        }
        Ok(volume)
    }

    /// A volume with a snapshot's content, as large or larger.
    pub(super) async fn volume_from(
        &self,
        snapshot: &SnapshotFile,
        size_gib: Option<u64>,
    ) -> Result<VolumeFile> {
        let path = self.fresh_path("volumes");
        clone_file(snapshot.path.clone(), path.clone()).await?;
        let asked = size_gib.map_or(0, |gib| gib * GIB);
        let size_bytes = asked.max(snapshot.size_bytes);
        set_length(&path, size_bytes)?;
        Ok(VolumeFile { path, size_bytes })
    }

    pub(super) async fn snapshot(&self, volume: &VolumeFile) -> Result<SnapshotFile> {
        let path = self.fresh_path("snapshots");
        let (began, taken_at) = clone_file(volume.path.clone(), path.clone()).await?;
        Ok(SnapshotFile {
            path,
            size_bytes: volume.size_bytes,
            began,
            taken_at,
        })
    }

    /// Takes in an image file from outside the store (a cached one), keeping its holes.
    pub(super) async fn import(&self, image: &Path) -> Result<SnapshotFile> {
        let path = self.fresh_path("snapshots");
        let began = Monotonic::now();
        Tool::new("cp")
            .arg("--sparse=always")
            .arg(image)
            .arg(&path)
            .run()
            .await?;
        let size_bytes = fs::metadata(&path)
            .context(|| path.display().to_string())?
            .len();
        Ok(SnapshotFile {
            path,
            size_bytes,
            began,
            taken_at: Monotonic::now(),
        })
    }

    fn fresh_path(&self, kind: &str) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.mount_point.join(kind).join(format!("{number}.img"))
    }
}

pub(super) async fn make_filesystem(
    file: &Path,
    filesystem: Filesystem,
    label: &str,
) -> Result<()> {
    let tool = match filesystem {
        Filesystem::Ext4 => Tool::new("mkfs.ext4").args(["-q", "-F", "-E", "nodiscard", "-L"]),
        Filesystem::Xfs => Tool::new("mkfs.xfs")
            .args(["-q", "-f", "-K", "-s"])
            .arg(format!("size={SECTOR}"))
            .arg("-L"),
    };
    tool.arg(label).arg(file).run().await.map(drop)
}

/// Clones a file and says between which instants.
async fn clone_file(from: PathBuf, to: PathBuf) -> Result<(Monotonic, Monotonic)> {
    let what = format!("cloning {} to {}", from.display(), to.display());
    let cloned = tokio::task::spawn_blocking(move || {
        let source = File::open(&from)?;
        let target = OpenOptions::new().write(true).create_new(true).open(&to)?;
        let began = Monotonic::now();
        ioctl_ficlone(&target, &source)?;
        Ok::<_, std::io::Error>((began, Monotonic::now()))
    });
    cloned
        .await
        .map_err(std::io::Error::other)
        .flatten()
        .context(|| what)
}

fn create_sparse(file: &Path, size_bytes: u64) -> Result<()> {
    let created = File::create(file).and_then(|file| file.set_len(size_bytes));
    created.context(|| file.display().to_string())
}

fn set_length(file: &Path, size_bytes: u64) -> Result<()> {
    let opened = OpenOptions::new().write(true).open(file);
    opened
        .and_then(|file| file.set_len(size_bytes))
        .context(|| file.display().to_string())
}
