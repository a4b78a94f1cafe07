//! Loop devices: what makes a file of the store a block device. Always with direct I/O, so that a snapshot of the file
//! holds exactly what the device was told to write, and nothing waits in a second page cache.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    error::{Context, HostError, Result},
    mounts,
    tool::Tool,
};

/// Direct I/O to a reflinked file goes by whole file system blocks. A device has the same sectors before and after its
/// file was cloned, or an XFS on it would not mount again.
pub(super) const SECTOR: u32 = 4096;

/// How long the kernel may take to let go of a device whose last user has died.
const RELEASE_LIMIT: Duration = Duration::from_secs(20);

/// An attached loop device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LoopDevice {
    /// `/dev/loop7`
    pub(super) node: PathBuf,
    pub(super) file: PathBuf,
    pub(super) major: u32,
    pub(super) minor: u32,
}

impl LoopDevice {
    pub(super) async fn attach(file: &Path) -> Result<Self> {
        let printed = Tool::new("losetup")
            .args(["--find", "--show", "--direct-io=on", "--sector-size"])
            .arg(SECTOR.to_string())
            .arg(file)
            .run()
            .await?;
        let node = PathBuf::from(printed.trim());
        let device = Self::attached(&node, file.to_owned())?;
        if device.attribute("loop/dio")? != "1" {
            device.detach().await?;
            let why = format!("no direct I/O on {}", file.display());
            return Err(HostError::Kernel(why));
        }
        Ok(device)
    }

    /// Every attached loop device whose file lies at or below `dir`.
    pub(super) fn below(dir: &Path) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/sys/block").context(|| "/sys/block".to_owned())? {
            let name = entry
                .context(|| "/sys/block".to_owned())?
                .file_name()
                .to_string_lossy()
                .into_owned();
            let Some(file) = backing_file(&name) else {
                continue;
            };
            if file.starts_with(dir) {
                found.push(Self::attached(&Path::new("/dev").join(&name), file)?);
            }
        }
        Ok(found)
    }

    fn attached(node: &Path, file: PathBuf) -> Result<Self> {
        let name = node.file_name().unwrap_or_default().to_string_lossy();
        let numbers = read_trimmed(&Path::new("/sys/block").join(&*name).join("dev"))?;
        let (major, minor) = numbers
            .split_once(':')
            .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, numbers.clone()))
            .context(|| format!("device number of {}", node.display()))?;
        Ok(Self {
            node: node.to_owned(),
            file,
            major,
            minor,
        })
    }

    /// Detaches it, waiting until the kernel has let go of the file.
    ///
    /// A file system that was frozen when its last mount went away lives on, out of reach, and holds the device:
    /// mounting the device once more reaches it again, and then it can be thawed.
    pub(super) async fn detach(&self) -> Result<()> {
        self.request_detach().await?;
        if self.released(Duration::from_secs(2)).await {
            return Ok(());
        }
        self.thaw_orphan().await;
        self.request_detach().await?;
        if self.released(RELEASE_LIMIT).await {
            return Ok(());
        }
        Err(HostError::TimedOut {
            what: format!("detaching {}", self.node.display()),
            limit: RELEASE_LIMIT,
        })
    }

    /// Detaches it as soon as nobody uses it. That may be later: every mount namespace that anybody on the machine made
    /// while its file system was mounted has a mount of its own.
    pub(super) async fn detach_when_unused(&self) -> Result<()> {
        if self
            .attribute("loop/autoclear")
            .is_ok_and(|asked| asked == "1")
        {
            return Ok(());
        }
        self.request_detach().await?;
        if !self.released(Duration::from_secs(2)).await {
            tracing::warn!(
                device = %self.node.display(),
                "some mount namespace still has it; the kernel detaches it when that ends"
            );
        }
        Ok(())
    }

    /// Lazy where the device is busy: the kernel then detaches it when its last user goes.
    async fn request_detach(&self) -> Result<()> {
        if self.is_released() {
            return Ok(());
        }
        let asked = Tool::new("losetup")
            .arg("--detach")
            .arg(&self.node)
            .run()
            .await;
        match asked {
            Err(error) if !self.is_released() => Err(error),
            _ => Ok(()),
        }
    }

    async fn thaw_orphan(&self) {
        let Ok(dir) = tempfile::tempdir() else { return };
        let mount = Tool::new("mount").arg(&self.node).arg(dir.path());
        if mount.within(RELEASE_LIMIT).run().await.is_err() {
            return;
        }
        if let Err(error) = thaw(dir.path()).await {
            tracing::debug!(device = %self.node.display(), %error, "was not frozen");
        }
        if let Err(error) = Tool::new("umount").arg(dir.path()).run().await {
            tracing::warn!(device = %self.node.display(), %error, "still mounted");
        }
    }

    async fn released(&self, limit: Duration) -> bool {
        let wait = async {
            while !self.is_released() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(limit, wait).await.is_ok()
    }

    fn is_released(&self) -> bool {
        let name = self.node.file_name().unwrap_or_default().to_string_lossy();
        backing_file(&name).as_deref() != Some(self.file.as_path())
    }

    fn attribute(&self, name: &str) -> Result<String> {
        let device = self.node.file_name().unwrap_or_default();
        read_trimmed(&Path::new("/sys/block").join(device).join(name))
    }
}

/// Thaws the file system mounted at `mount_point`, from a process of its own: whoever touches a frozen file system
/// may hang, and that must not be the lab. Fails where it was not frozen.
pub(super) async fn thaw(mount_point: &Path) -> Result<()> {
    Tool::new("fsfreeze")
        .arg("--unfreeze")
        .arg(mount_point)
        .within(Duration::from_secs(5))
        .run()
        .await
        .map(drop)
}

/// Thaws every file system of these loop devices that the process `pid` has mounted. Ends what was held, quietly
/// passes over what was not.
pub(super) async fn thaw_mounts_of(pid: u32, devices: &[LoopDevice]) {
    let Ok(mounts) = mounts::mounts_of(&pid.to_string()).await else {
        return;
    };
    for mount in mounts {
        let ours = |d: &LoopDevice| (d.major, d.minor) == (mount.major, mount.minor);
        if !devices.iter().any(ours) {
            continue;
        }
        let inside = mount.point.strip_prefix("/").unwrap_or(Path::new(""));
        let seen_from_here = Path::new("/proc")
            .join(pid.to_string())
            .join("root")
            .join(inside);
        if thaw(&seen_from_here).await.is_ok() {
            tracing::info!(mount = %seen_from_here.display(), "thawed");
        }
    }
}

fn backing_file(device: &str) -> Option<PathBuf> {
    let attribute = Path::new("/sys/block")
        .join(device)
        .join("loop/backing_file");
    let text = read_trimmed(&attribute).ok()?;
    // The kernel's word for a file that was unlinked while attached.
    Some(PathBuf::from(
        text.strip_suffix(" (deleted)").unwrap_or(&text),
    ))
}

fn read_trimmed(file: &Path) -> Result<String> {
    let text = fs::read_to_string(file).context(|| file.display().to_string())?;
    Ok(text.trim().to_owned())
}
