//! The servers that people have: one PostgreSQL 15 under write load, its files spread over volumes in five ways.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Host,
    disk::{Attachment, DiskIdentity},
    error::{HostError, Result},
    golden::{Cache, GoldenDevice, GoldenImage, Listed, base_recipe, write_list},
    loopdev::SECTOR,
    machine::{BootSpec, Machine},
    store::{Filesystem, VolumeFile},
    tool::Tool,
};

const SERVER_SH: &str = include_str!("../../guest/server.sh");

/// pgbench fills about 1 MiB a second even on a slow machine; scale 1 is 15 MiB.
const BUILD_LIMIT: Duration = Duration::from_secs(500);
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(90);

/// Where a server's files lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Data and WAL on an ext4 volume each.
    TwoExt4,
    /// Data and WAL on an XFS volume each.
    TwoXfs,
    /// Data, WAL, and the indexes in a tablespace, on an ext4 volume each.
    Tablespace,
    /// Everything under a `/var` of its own, which is also where the SSM agent works.
    SharedVar,
    /// Everything on the root volume.
    AllOnRoot,
}

/// What runs on a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServerSpec {
    /// pgbench's scale factor: 100,000 accounts, 15 MiB, for each.
    pub pgbench_scale: u32,
    /// Lines of postgresql.conf beyond Debian's own.
    pub settings: BTreeMap<String, String>,
}

impl Default for ServerSpec {
    fn default() -> Self {
        Self {
            pgbench_scale: 10,
            settings: BTreeMap::new(),
        }
    }
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

    /// Where the data directory is, on every layout: Debian's own place.
    pub fn data_directory(self) -> &'static str {
        "/var/lib/postgresql/15/main"
    }

    /// The file systems that the database needs.
    pub fn mount_points(self) -> Vec<&'static str> {
        match self {
            Self::AllOnRoot => vec!["/"],
            _ => self.parts().iter().map(|part| part.mount_point).collect(),
        }
    }

    fn wal_directory(self) -> &'static str {
        match self {
            Self::TwoExt4 | Self::TwoXfs | Self::Tablespace => "/srv/wal/15-main",
            Self::SharedVar | Self::AllOnRoot => "",
        }
    }

    fn index_directory(self) -> &'static str {
        match self {
            Self::Tablespace => "/srv/index/15-main",
            _ => "",
        }
    }

    fn parts(self) -> Vec<Part> {
        let part = |device_name, label, filesystem, mount_point| Part {
            device_name,
            label,
            size_gib: 8,
            filesystem,
            mount_point,
        };
        let data_and_wal = |filesystem| {
            vec![
                part("/dev/sdf", "pgdata", filesystem, "/var/lib/postgresql"),
                part("/dev/sdg", "pgwal", filesystem, "/srv/wal"),
            ]
        };
        match self {
            Self::TwoExt4 => data_and_wal(Filesystem::Ext4),
            Self::TwoXfs => data_and_wal(Filesystem::Xfs),
            Self::Tablespace => {
                let mut parts = data_and_wal(Filesystem::Ext4);
                parts.push(part("/dev/sdh", "pgindex", Filesystem::Ext4, "/srv/index"));
                parts
            }
            Self::SharedVar => vec![part("/dev/sdf", "var", Filesystem::Ext4, "/var")],
            Self::AllOnRoot => Vec::new(),
        }
    }
}

impl Host {
    /// A server of this layout, cleanly shut down, ready to be an AMI. Built when it is not in the cache: about half a
    /// minute, and the time that pgbench takes to fill its tables.
    pub async fn golden(&self, layout: Layout, server: &ServerSpec) -> Result<GoldenImage> {
        let base = self.base_image().await?;
        let cache = Cache::open(&self.0.config.cache)?;
        let recipe = format!("{} {layout:?} {server:?} {SECTOR}", base_recipe());
        let entry = cache.entry(layout.name(), &[&recipe, SERVER_SH]);
        let _lock = cache.lock().await?;
        if entry.exists() {
            self.delete_image(&base)?;
            return entry.load(&self.0.store).await;
        }
        tracing::info!(layout = layout.name(), "building a server, once");
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
        let (spec, sizes) = self.blueprint(base, layout).await?;
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
    async fn blueprint(&self, base: &GoldenImage, layout: Layout) -> Result<(BootSpec, Vec<u64>)> {
        let root = &base.devices[0];
        let volume = self.volume_from_snapshot(&root.snapshot, None).await?;
        let mut sizes = vec![root.size_gib];
        let mut data = Vec::new();
        for part in layout.parts() {
            let filesystem = Some((part.filesystem, part.label));
            let volume = self.create_volume(part.size_gib, filesystem).await?;
            data.push(attachment(part.device_name, volume, data.len() + 1));
            sizes.push(part.size_gib);
        }
        let spec = BootSpec {
            name: format!("golden-{}", layout.name()),
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
    let scale = server.pgbench_scale.to_string();
    let settings = server.settings.iter();
    let settings: Vec<String> = settings
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    let settings = settings.join(
        "
",
    );
    let mounts: Vec<String> = layout.parts().iter().zip(1..).map(mount_argument).collect();
    let mut argv = vec!["sh", "-s", "--", &scale, layout.data_directory()];
    argv.extend([layout.wal_directory(), layout.index_directory(), &settings]);
    argv.extend(mounts.iter().map(String::as_str));
    let output = machine
        .exec(&argv, SERVER_SH.as_bytes(), BUILD_LIMIT)
        .await?;
    if !output.success() {
        return Err(HostError::Command {
            command: format!("server.sh for {}", layout.name()),
            status: output.status.to_string(),
            stderr: output.stderr,
        });
    }
    machine.shutdown(SHUTDOWN_LIMIT).await
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
