//! Images that are built once and kept in the cache: the Debian root file system and the servers made of it. Cached by
//! a hash of the recipe, so that whoever changes a recipe need not think of the cache.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{
    Host,
    error::{Context, HostError, Result},
    store::{SnapshotFile, Store},
    text::hex,
    tool::Tool,
};

/// The instances' operating system.
const RELEASE: &str = "bookworm";
const PACKAGES: &str = "dbus,e2fsprogs,fdisk,iproute2,less,login,mount,postgresql-15,procps,sudo,systemd,\
    systemd-sysv,util-linux,xfsprogs";
/// What nobody reads in an instance makes half of a root file system.
const LEFT_OUT: &[&str] = &[
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
];

/// As large as AWS's own Debian images.
const ROOT_GIB: u64 = 8;
const DOWNLOAD_LIMIT: Duration = Duration::from_mins(9);

/// Files of ours in the root file system.
const FILES: &[(&str, &str)] = &[
    (
        "etc/systemd/system/amazon-ssm-agent.service",
        include_str!("../../guest/rootfs/etc/systemd/system/amazon-ssm-agent.service"),
    ),
    (
        "etc/systemd/system/mount-all.service",
        include_str!("../../guest/rootfs/etc/systemd/system/mount-all.service"),
    ),
    (
        "etc/systemd/journald.conf.d/lab.conf",
        include_str!("../../guest/rootfs/etc/systemd/journald.conf.d/lab.conf"),
    ),
    ("etc/fstab", "LABEL=root / ext4 defaults 0 1\n"),
    // An empty one means "first boot" to systemd, and a much longer start.
    ("etc/machine-id", "00000000000000000000000000001ab0\n"),
];
const ENABLED: &[(&str, &str)] = &[
    ("multi-user.target.wants", "amazon-ssm-agent.service"),
    ("local-fs.target.wants", "mount-all.service"),
];
/// Units that would reach for the host's kernel, for hardware, or for somebody at a screen.
const MASKED: &[&str] = &[
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dev-hugepages.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-journal-flush.service",
    "systemd-logind.service",
    "systemd-modules-load.service",
    "systemd-remount-fs.service",
    "systemd-sysctl.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-update-utmp.service",
];

/// What an AMI is made of: its devices, the root first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldenImage {
    pub devices: Vec<GoldenDevice>,
}

/// One mapping of an AMI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldenDevice {
    /// EC2's name: `/dev/xvda`, `/dev/sdf`...
    pub device_name: String,
    pub size_gib: u64,
    pub snapshot: SnapshotFile,
}

impl Host {
    /// Debian 12 with systemd, the agent's unit and PostgreSQL 15, without a cluster. Takes a minute when it is not in
    /// the cache, from the mirrors that this machine's apt uses.
    pub async fn base_image(&self) -> Result<GoldenImage> {
        let cache = Cache::open(&self.0.config.cache)?;
        let entry = cache.entry("base", &[&base_recipe()]);
        let _lock = cache.lock().await?;
        if !entry.exists() {
            let building = cache.building()?;
            build_root(building.path()).await?;
            entry.keep(building)?;
        }
        entry.load(&self.0.store).await
    }
}

/// The cache's directory.
pub(super) struct Cache(PathBuf);

/// One image in the cache: a directory with a file for each device and a list of them.
pub(super) struct Entry(PathBuf);

#[derive(Serialize, Deserialize)]
pub(super) struct Listed {
    pub(super) device_name: String,
    pub(super) size_gib: u64,
    pub(super) file: String,
}

const LIST: &str = "devices.json";

impl Cache {
    pub(super) fn open(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).context(|| dir.display().to_string())?;
        Ok(Self(dir.to_owned()))
    }

    /// Where an image of this recipe is or will be.
    pub(super) fn entry(&self, name: &str, recipe: &[&str]) -> Entry {
        let mut hash = Sha256::new();
        for part in recipe {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let key = hex(&hash.finalize()[..8]);
        Entry(self.0.join(format!("{name}-{key}")))
    }

    /// One builder at a time, whichever lab it works for.
    pub(super) async fn lock(&self) -> Result<File> {
        let file = self.0.join("lock");
        let locked = tokio::task::spawn_blocking(move || {
            let opened = File::create(file)?;
            flock(&opened, FlockOperation::LockExclusive)?;
            Ok::<_, std::io::Error>(opened)
        });
        let locked = locked.await.map_err(std::io::Error::other).flatten();
        locked.context(|| "locking the cache".to_owned())
    }

    /// A directory that is gone if the building is not finished.
    pub(super) fn building(&self) -> Result<TempDir> {
        let building = tempfile::Builder::new()
            .prefix("building-")
            .tempdir_in(&self.0);
        building.context(|| "making room in the cache".to_owned())
    }
}

impl Entry {
    /// Takes over what was built.
    pub(super) fn keep(&self, building: TempDir) -> Result<()> {
        // The directory has a new name and a new owner.
        fs::rename(building.keep(), &self.0).context(|| self.0.display().to_string())
    }

    pub(super) fn exists(&self) -> bool {
        self.0.join(LIST).exists()
    }

    /// Brings the image into a store.
    pub(super) async fn load(&self, store: &Store) -> Result<GoldenImage> {
        let list = self.0.join(LIST);
        let text = fs::read(&list).context(|| list.display().to_string())?;
        let listed: Vec<Listed> =
            serde_json::from_slice(&text).context(|| list.display().to_string())?;
        let mut devices = Vec::new();
        for device in listed {
            devices.push(GoldenDevice {
                snapshot: store.import(&self.0.join(&device.file)).await?,
                device_name: device.device_name,
                size_gib: device.size_gib,
            });
        }
        Ok(GoldenImage { devices })
    }
}

/// Finishes an image under construction.
pub(super) fn write_list(dir: &Path, devices: &[Listed]) -> Result<()> {
    let list = dir.join(LIST);
    let text = serde_json::to_vec_pretty(devices).context(|| LIST.to_owned())?;
    fs::write(&list, text).context(|| list.display().to_string())
}

/// Everything that goes into a root file system but the packages' versions of the day.
pub(super) fn base_recipe() -> String {
    format!("{RELEASE} {PACKAGES} {LEFT_OUT:?} {ROOT_GIB} {FILES:?} {ENABLED:?} {MASKED:?}")
}

async fn build_root(dir: &Path) -> Result<()> {
    tracing::info!("building the instances' root file system, once");
    let tree = dir.join("tree");
    bootstrap(dir, &tree).await?;
    furnish(&tree).context(|| "furnishing the root file system".to_owned())?;
    let root = Listed {
        device_name: "/dev/xvda".to_owned(),
        size_gib: ROOT_GIB,
        file: "root.img".to_owned(),
    };
    let image = dir.join(&root.file);
    let file = File::create(&image).and_then(|file| file.set_len(ROOT_GIB << 30));
    file.context(|| image.display().to_string())?;
    let mkfs = Tool::new("mkfs.ext4").args(["-q", "-F", "-L", "root", "-E", "nodiscard", "-d"]);
    mkfs.arg(&tree).arg(&image).run().await?;
    fs::remove_dir_all(&tree).context(|| tree.display().to_string())?;
    write_list(dir, &[root])
}

/// Unpacks and configures the packages.
async fn bootstrap(dir: &Path, tree: &Path) -> Result<()> {
    let sources = dir.join("sources.list");
    fs::write(&sources, mirrors().await?).context(|| sources.display().to_string())?;
    let options = dir.join("apt.conf");
    fs::write(&options, proxies().await?).context(|| options.display().to_string())?;
    let left_out = LEFT_OUT.iter();
    Tool::new("mmdebstrap")
        .args([
            "--quiet",
            "--mode=root",
            "--variant=minbase",
            "--format=directory",
        ])
        .arg(format!("--include={PACKAGES}"))
        .arg(format!("--aptopt={}", options.display()))
        .args(left_out.map(|path| format!("--dpkgopt=path-exclude={path}")))
        .arg("--customize-hook=chroot \"$1\" pg_dropcluster 15 main")
        .arg(RELEASE)
        .arg(tree)
        .arg(&sources)
        .within(DOWNLOAD_LIMIT)
        .run()
        .await
        .map(drop)
}

/// Lines of a sources.list, as this machine's own apt knows Debian.
async fn mirrors() -> Result<String> {
    let apt = Tool::new("apt-get").args(["indextargets", "--format"]);
    let format = "deb $(SITE) $(RELEASE) $(COMPONENT)";
    let filters = ["Created-By: Packages", "Origin: Debian"];
    let printed = apt.arg(format).args(filters).run().await?;
    let of_release = |line: &&str| {
        line.split(' ')
            .nth(2)
            .is_some_and(|r| r.starts_with(RELEASE))
    };
    let lines: Vec<&str> = printed.lines().filter(of_release).collect();
    if lines.is_empty() {
        return Err(HostError::NoMirror(RELEASE));
    }
    Ok(lines.join("\n") + "\n")
}

/// The way through a proxy, if this machine's apt needs one.
async fn proxies() -> Result<String> {
    let dump = Tool::new("apt-config").args(["dump", "--format", "%F \"%v\";%n", "Acquire"]);
    let printed = dump.run().await?;
    let proxies: Vec<&str> = printed
        .lines()
        .filter(|line| line.contains("Proxy"))
        .collect();
    Ok(proxies.join("\n") + "\n")
}

/// Puts our files in, enables and masks units.
fn furnish(tree: &Path) -> std::io::Result<()> {
    for (path, text) in FILES {
        let file = tree.join(path);
        fs::create_dir_all(file.parent().unwrap_or(tree))?;
        fs::write(file, text)?;
    }
    for dir in ["var/lib/amazon/ssm", "var/log/amazon/ssm"] {
        fs::create_dir_all(tree.join(dir))?;
    }
    let units = tree.join("etc/systemd/system");
    for (target, unit) in ENABLED {
        fs::create_dir_all(units.join(target))?;
        symlink(format!("../{unit}"), units.join(target).join(unit))?;
    }
    for unit in MASKED {
        symlink("/dev/null", units.join(unit))?;
    }
    symlink(
        "/lib/systemd/system/multi-user.target",
        units.join("default.target"),
    )?;
    // Without it an instance keeps the name that it is given at boot.
    match fs::remove_file(tree.join("etc/hostname")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
