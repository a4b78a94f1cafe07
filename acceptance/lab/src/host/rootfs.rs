//! Root file systems: Debian with systemd, the agent's unit and the packages of one database, made once from the mirrors
//! that this machine's apt uses.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    time::Duration,
};

use super::{
    error::{Context, HostError, Result},
    golden::{Listed, write_list},
    tool::Tool,
};

/// An operating system with a database's packages in it, and no database yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RootFs {
    pub release: Release,
    /// Beyond what every instance has.
    pub packages: &'static [&'static str],
    /// Shell commands that run in the finished tree: what the packages' own set-up did and nobody wants.
    pub finish: &'static str,
}

/// A release of Debian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Release {
    /// Debian 12.
    Bookworm,
    /// Debian 13.
    Trixie,
    /// What the next one will be.
    Sid,
}

impl Release {
    fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Sid => "sid",
        }
    }
}

/// This machine's own release: what its apt knows mirrors of.
const OWN: Release = Release::Bookworm;

/// In every instance.
const PACKAGES: &str = "dbus,e2fsprogs,fdisk,iproute2,less,login,mount,procps,sudo,systemd,systemd-sysv,util-linux,\
    xfsprogs";
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
    ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
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
    "xfs_healer_start.service",
    "xfs_scrub_all.timer",
];

/// Everything that goes into a root file system but the packages' versions of the day.
pub(super) fn recipe(root: &RootFs) -> String {
    format!("{root:?} {PACKAGES} {LEFT_OUT:?} {ROOT_GIB} {FILES:?} {ENABLED:?} {MASKED:?}")
}

/// Makes it in `dir`: the image of its one device, and the list that says so.
pub(super) async fn build(dir: &Path, root: &RootFs) -> Result<()> {
    tracing::info!(packages = ?root.packages, "building a root file system, once");
    let tree = dir.join("tree");
    bootstrap(dir, &tree, root).await?;
    furnish(&tree).context(|| "furnishing the root file system".to_owned())?;
    let device = Listed {
        device_name: "/dev/xvda".to_owned(),
        size_gib: ROOT_GIB,
        file: "root.img".to_owned(),
    };
    let image = dir.join(&device.file);
    let file = File::create(&image).and_then(|file| file.set_len(ROOT_GIB << 30));
    file.context(|| image.display().to_string())?;
    let mkfs = Tool::new("mkfs.ext4").args(["-q", "-F", "-L", "root", "-E", "nodiscard", "-d"]);
    mkfs.arg(&tree).arg(&image).run().await?;
    fs::remove_dir_all(&tree).context(|| tree.display().to_string())?;
    write_list(dir, &[device])
}

/// Unpacks and configures the packages.
async fn bootstrap(dir: &Path, tree: &Path, root: &RootFs) -> Result<()> {
    let sources = dir.join("sources.list");
    let mirrors = mirrors(root.release).await?;
    fs::write(&sources, mirrors).context(|| sources.display().to_string())?;
    let options = dir.join("apt.conf");
    fs::write(&options, apt_options().await?).context(|| options.display().to_string())?;
    let left_out = LEFT_OUT.iter();
    Tool::new("mmdebstrap")
        .args([
            "--quiet",
            "--mode=root",
            "--variant=minbase",
            "--format=directory",
        ])
        .arg(format!("--include={PACKAGES},{}", root.packages.join(",")))
        .arg(format!("--aptopt={}", options.display()))
        .args(left_out.map(|path| format!("--dpkgopt=path-exclude={path}")))
        .arg(format!(
            "--customize-hook=chroot \"$1\" sh -ec '{}'",
            root.finish
        ))
        .arg(root.release.name())
        .arg(tree)
        .arg(&sources)
        .within(DOWNLOAD_LIMIT)
        .run()
        .await
        .map(drop)
}

/// Lines of a sources.list, as this machine's own apt knows Debian. Other releases are on the mirror of its own one.
async fn mirrors(release: Release) -> Result<String> {
    let apt = Tool::new("apt-get").args(["indextargets", "--format"]);
    let format = "deb $(SITE) $(RELEASE) $(COMPONENT)";
    let filters = ["Created-By: Packages", "Origin: Debian"];
    let printed = apt.arg(format).args(filters).run().await?;
    let of_release = |line: &&str| {
        line.split(' ')
            .nth(2)
            .is_some_and(|r| r.starts_with(OWN.name()))
    };
    let mut lines: Vec<String> = printed
        .lines()
        .filter(of_release)
        .map(str::to_owned)
        .collect();
    if release != OWN {
        let main = format!(" {} main", OWN.name());
        let other = format!(" {} main", release.name());
        lines.retain(|line| line.ends_with(&main));
        for line in &mut lines {
            *line = line.replace(&main, &other);
        }
    }
    if lines.is_empty() {
        return Err(HostError::NoMirror(release.name()));
    }
    Ok(lines.join("\n") + "\n")
}

/// The way through a proxy, if this machine's apt needs one. A mirror that stands still has release files that have run
/// out; what is installed from it never leaves the lab.
async fn apt_options() -> Result<String> {
    let dump = Tool::new("apt-config").args(["dump", "--format", "%F \"%v\";%n", "Acquire"]);
    let printed = dump.run().await?;
    let mut options: Vec<&str> = printed
        .lines()
        .filter(|line| line.contains("Proxy"))
        .collect();
    options.push("Acquire::Check-Valid-Until \"false\";");
    Ok(options.join("\n") + "\n")
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
