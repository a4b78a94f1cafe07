//! The servers that people have: one database, its files spread over volumes in five ways.

use std::{path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Host,
    disk::{Attachment, DiskIdentity},
    error::{HostError, Result},
    golden::{Cache, GoldenDevice, GoldenImage, Listed, write_list},
    loopdev::SECTOR,
    machine::{BootSpec, Machine},
    rootfs::{self, RootFs},
    store::{Filesystem, VolumeFile},
    tool::Tool,
};

/// Goes before every server's own script.
const MOUNTS_SH: &str = include_str!("../../guest/mounts.sh");

/// The slowest to fill, pgbench's tables, take about a second for a MiB on a slow machine.
const BUILD_LIMIT: Duration = Duration::from_secs(500);
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(90);

/// Where a server's files lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Data and logs on an ext4 volume each.
    TwoExt4,
    /// Data and logs on an XFS volume each.
    TwoXfs,
    /// Data, logs, and a tablespace, on an ext4 volume each.
    Tablespace,
    /// Everything under a `/var` of its own, which is also where the SSM agent works.
    SharedVar,
    /// Everything on the root volume.
    AllOnRoot,
}

/// What runs on a server, and how it comes to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServerSpec {
    /// The database's name: names the image too.
    pub name: &'static str,
    pub root: RootFs,
    pub places: Places,
    /// A POSIX shell script that makes the database, with its service started. It runs as root in an instance, after
    /// guest/mounts.sh, which says what it is told.
    pub set_up: &'static str,
    /// How much is in it, in the script's own unit.
    pub size: u32,
    /// Lines of the database's own configuration file, beyond what is Debian's.
    pub settings: &'static str,
}

/// Where a database keeps its files: what the volumes of a layout are mounted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Places {
    pub data: &'static str,
    pub log: &'static str,
    pub tablespace: Option<&'static str>,
}

/// A volume of a layout.
struct Part {
    device_name: &'static str,
    label: &'static str,
    size_gib: u64,
    filesystem: Filesystem,
    mount_point: &'static str,
}

impl Layout {
    pub const ALL: [Self; 5] = [
        Self::TwoExt4,
        Self::TwoXfs,
        Self::Tablespace,
        Self::SharedVar,
        Self::AllOnRoot,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::TwoExt4 => "two-ext4",
            Self::TwoXfs => "two-xfs",
            Self::Tablespace => "tablespace",
            Self::SharedVar => "shared-var",
            Self::AllOnRoot => "all-on-root",
        }
    }

    /// The file systems that a database with these places needs.
    pub fn mount_points(self, places: &Places) -> Vec<&'static str> {
        match self {
            Self::AllOnRoot => vec!["/"],
            _ => self
                .parts(places)
                .iter()
                .map(|part| part.mount_point)
                .collect(),
        }
    }

    fn parts(self, places: &Places) -> Vec<Part> {
        let part = |device_name, label, filesystem, mount_point| Part {
            device_name,
            label,
            size_gib: 8,
            filesystem,
            mount_point,
        };
        let data_and_log = |filesystem| {
            vec![
                part("/dev/sdf", "data", filesystem, places.data),
                part("/dev/sdg", "log", filesystem, places.log),
            ]
        };
        match self {
            Self::TwoExt4 => data_and_log(Filesystem::Ext4),
            Self::TwoXfs => data_and_log(Filesystem::Xfs),
            Self::Tablespace => {
                let mut parts = data_and_log(Filesystem::Ext4);
                let tablespace = places.tablespace.into_iter();
                parts.extend(
                    tablespace.map(|mount| part("/dev/sdh", "space", Filesystem::Ext4, mount)),
                );
                parts
            }
            Self::SharedVar => vec![part("/dev/sdf", "var", Filesystem::Ext4, "/var")],
            Self::AllOnRoot => Vec::new(),
        }
    }
}

impl Host {
    /// A server of this layout, cleanly shut down, ready to be an AMI. Built when it is not in the cache: about half a
    /// minute, and the time that its tables take to fill.
    pub async fn golden(&self, layout: Layout, server: &ServerSpec) -> Result<GoldenImage> {
        let base = self.base_image(&server.root).await?;
        let cache = Cache::open(&self.0.config.cache)?;
        let root = rootfs::recipe(&server.root);
        let recipe = format!("{root} {layout:?} {server:?} {SECTOR}");
        let name = format!("{}-{}", server.name, layout.name());
        let entry = cache.entry(&name, &[&recipe, MOUNTS_SH]);
        let _lock = entry.lock().await?;
        if entry.exists() {
            self.delete_image(&base)?;
            return entry.load(&self.0.store).await;
        }
        tracing::info!(name, "building a server, once");
        let image = self.build(&base, layout, server).await?;
        self.delete_image(&base)?;
        let building = cache.building()?;
        export(&image, building.path()).await?;
        entry.keep(building)?;
        Ok(image)
    }

    async fn build(
        &self,
        base: &GoldenImage,
        layout: Layout,
        server: &ServerSpec,
    ) -> Result<GoldenImage> {
        let (spec, sizes) = self.blueprint(base, layout, server).await?;
        let attachments: Vec<_> = [&spec.root]
            .into_iter()
            .chain(&spec.data)
            .cloned()
            .collect();
        let machine = self.boot(spec).await?;
        let built = set_up(&machine, layout, server).await;
        machine.terminate().await?;
        built?;
        let mut devices = Vec::new();
        for (attachment, size_gib) in attachments.iter().zip(sizes) {
            devices.push(GoldenDevice {
                device_name: attachment.device_name.clone(),
                size_gib,
                snapshot: self.snapshot(&attachment.volume).await?,
            });
            self.delete_volume(&attachment.volume)?;
        }
        Ok(GoldenImage { devices })
    }

    /// What to boot, and its volumes' sizes in GiB.
    async fn blueprint(
        &self,
        base: &GoldenImage,
        layout: Layout,
        server: &ServerSpec,
    ) -> Result<(BootSpec, Vec<u64>)> {
        let root = &base.devices[0];
        let volume = self.volume_from_snapshot(&root.snapshot, None).await?;
        let mut sizes = vec![root.size_gib];
        let mut data = Vec::new();
        for part in layout.parts(&server.places) {
            let filesystem = Some((part.filesystem, part.label));
            let volume = self.create_volume(part.size_gib, filesystem).await?;
            data.push(attachment(part.device_name, volume, data.len() + 1));
            sizes.push(part.size_gib);
        }
        let spec = BootSpec {
            name: format!("golden-{}-{}", server.name, layout.name()),
            root: attachment(&root.device_name, volume, 0),
            data,
            agent: None,
        };
        Ok((spec, sizes))
    }

    fn delete_image(&self, image: &GoldenImage) -> Result<()> {
        let mut devices = image.devices.iter();
        devices.try_for_each(|device| self.delete_snapshot(&device.snapshot))
    }
}

fn attachment(device_name: &str, volume: VolumeFile, number: usize) -> Attachment {
    let volume_id = format!("vol-{number:017x}");
    Attachment {
        device_name: device_name.to_owned(),
        identity: DiskIdentity::Ebs { volume_id },
        volume,
    }
}

/// Makes the server and shuts it down cleanly.
async fn set_up(machine: &Machine, layout: Layout, server: &ServerSpec) -> Result<()> {
    machine.booted(SHUTDOWN_LIMIT).await?;
    let arguments = arguments(layout, server);
    let mut argv = vec!["sh", "-s", "--"];
    argv.extend(arguments.iter().map(String::as_str));
    let script = [MOUNTS_SH, server.set_up].concat();
    let output = machine.exec(&argv, script.as_bytes(), BUILD_LIMIT).await?;
    if !output.success() {
        // What a service complained about, and is gone with the instance.
        let complaints = ["journalctl", "--no-pager", "--quiet", "--lines=20"];
        let journal = machine.exec(&complaints, b"", SHUTDOWN_LIMIT).await?;
        return Err(HostError::Command {
            command: format!("making {} on {}", server.name, layout.name()),
            status: output.status.to_string(),
            stderr: output.stderr + &journal.stdout,
        });
    }
    machine.shutdown(SHUTDOWN_LIMIT).await
}

/// What guest/mounts.sh is told.
fn arguments(layout: Layout, server: &ServerSpec) -> Vec<String> {
    let Places {
        log, tablespace, ..
    } = server.places;
    let parts = layout.parts(&server.places);
    let mounted = |place: &&str| parts.iter().any(|part| part.mount_point == *place);
    let own_volume = |place: Option<&'static str>| place.filter(mounted).unwrap_or_default();
    let mut arguments = vec![
        server.size.to_string(),
        own_volume(Some(log)).to_owned(),
        own_volume(tablespace).to_owned(),
        server.settings.to_owned(),
    ];
    arguments.extend(parts.iter().zip(1..).map(mount_argument));
    arguments
}

fn mount_argument((part, number): (&Part, usize)) -> String {
    let filesystem = match part.filesystem {
        Filesystem::Ext4 => "ext4",
        Filesystem::Xfs => "xfs",
    };
    format!("nvme{number}n1:{filesystem}:{}", part.mount_point)
}

async fn export(image: &GoldenImage, dir: &Path) -> Result<()> {
    let mut listed = Vec::new();
    for (number, device) in image.devices.iter().enumerate() {
        let file = format!("{number}.img");
        let copy = Tool::new("cp")
            .arg("--sparse=always")
            .arg(&device.snapshot.path);
        copy.arg(dir.join(&file)).run().await?;
        listed.push(Listed {
            device_name: device.device_name.clone(),
            size_gib: device.size_gib,
            file,
        });
    }
    write_list(dir, &listed)
}
