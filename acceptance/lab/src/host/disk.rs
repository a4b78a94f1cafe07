//! What an instance sees of its volumes: the nodes and links that the kernel's `NVMe` driver and udev make on a Nitro
//! instance, with the numbers of the loop devices that stand behind them.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::{Deserialize, Serialize};

use super::{error::Result, loopdev::LoopDevice, store::VolumeFile, text::hex, tool::Tool};

/// A volume and where an instance has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// EC2's name of the attachment: `/dev/xvda`, `/dev/sdf`. A Nitro guest never sees it.
    pub device_name: String,
    pub identity: DiskIdentity,
    pub volume: VolumeFile,
}

/// What a disk says that it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskIdentity {
    /// `vol-0123456789abcdef0`; shown as the `NVMe` serial number `vol0123456789abcdef0`.
    Ebs { volume_id: String },
    /// A disk of the host that no image holds, serial number `AWS...`.
    InstanceStore { serial: String },
}

impl DiskIdentity {
    fn model(&self) -> &'static str {
        match self {
            Self::Ebs { .. } => "Amazon Elastic Block Store",
            Self::InstanceStore { .. } => "Amazon EC2 NVMe Instance Storage",
        }
    }

    fn serial(&self) -> String {
        match self {
            Self::Ebs { volume_id } => volume_id.replace('-', ""),
            Self::InstanceStore { serial } => serial.clone(),
        }
    }

    /// The three links below `/dev/disk/by-id` that udev 252 makes (60-persistent-storage.rules): by the world wide
    /// id, by model and serial number, and the same with the namespace number.
    fn links(&self) -> [String; 3] {
        let (model, serial) = (self.model(), self.serial());
        let named = format!("nvme-{}_{serial}", model.replace(' ', "_"));
        let wwid = format!(
            "nvme-nvme.1d0f-{}-{}-00000001",
            hex(serial.as_bytes()),
            hex(model.as_bytes())
        );
        [wwid, format!("{named}_1"), named]
    }
}

/// An attachment on its loop device.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    pub(super) attachment: Attachment,
    pub(super) device: LoopDevice,
    /// `nvme0n1`
    pub(super) node: String,
    /// `UUID` and `LABEL` of the file system, as blkid found them.
    tags: BTreeMap<String, String>,
}

impl Disk {
    /// Attaches the disks in the order given, the root first; all of them or none.
    pub(super) async fn attach_all(attachments: &[Attachment]) -> Result<Vec<Self>> {
        let mut disks = Vec::new();
        for (number, attachment) in attachments.iter().enumerate() {
            match Self::attach(number, attachment).await {
                Ok(disk) => disks.push(disk),
                Err(error) => {
                    Self::detach_all(&disks).await?;
                    return Err(error);
                }
            }
        }
        Ok(disks)
    }

    async fn attach(number: usize, attachment: &Attachment) -> Result<Self> {
        let device = LoopDevice::attach(&attachment.volume.path).await?;
        Ok(Self {
            tags: filesystem_tags(&device).await,
            attachment: attachment.clone(),
            device,
            node: format!("nvme{number}n1"),
        })
    }

    /// Detaches all of them; reports the first that could not be.
    pub(super) async fn detach_all(disks: &[Self]) -> Result<()> {
        let mut outcome = Ok(());
        for disk in disks {
            outcome = outcome.and(disk.device.detach().await);
        }
        outcome
    }

    /// What boot.sh makes below `/dev`.
    pub(super) fn manifest(disks: &[Self]) -> String {
        disks.iter().map(Self::lines).collect()
    }

    fn lines(&self) -> String {
        let Self { node, device, .. } = self;
        let mut text = format!("node {node} {} {}\n", device.major, device.minor);
        for link in self.attachment.identity.links() {
            let _ = writeln!(text, "link disk/by-id/{link} ../../{node}");
        }
        for (tag, dir) in [("UUID", "by-uuid"), ("LABEL", "by-label")] {
            if let Some(value) = self.tags.get(tag) {
                let _ = writeln!(text, "link disk/{dir}/{value} ../../{node}");
            }
        }
        text
    }
}

/// Empty where the disk holds no file system.
async fn filesystem_tags(device: &LoopDevice) -> BTreeMap<String, String> {
    let probe = Tool::new("blkid").args(["-p", "-o", "export"]);
    let printed = probe.arg(&device.node).run().await.unwrap_or_default();
    let pairs = printed.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(tag, value)| (tag.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_as_udev_makes_them_on_nitro() {
        let identity = DiskIdentity::Ebs {
            volume_id: "vol-0123456789abcdef0".to_owned(),
        };
        assert_eq!(
            identity.links(),
            [
                "nvme-nvme.1d0f-766f6c3031323334353637383961626364656630-\
                 416d617a6f6e20456c617374696320426c6f636b2053746f7265-00000001",
                "nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0_1",
                "nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0",
            ]
        );
    }

    #[test]
    fn an_instance_store_disk_looks_like_one() {
        let identity = DiskIdentity::InstanceStore {
            serial: "AWS22222222222222222".to_owned(),
        };
        assert_eq!(
            identity.links()[2],
            "nvme-Amazon_EC2_NVMe_Instance_Storage_AWS22222222222222222"
        );
    }
}
