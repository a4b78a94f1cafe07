//! EC2's answers, as far as they are looked at.

use serde::Deserialize;

/// The answer to an action of which nothing is to be known but that it was done.
#[derive(Debug, Deserialize)]
pub(super) struct Done {}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Refusal {
    pub(super) errors: Errors,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Errors {
    pub(super) error: ErrorItem,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ErrorItem {
    pub(super) code: String,
    pub(super) message: String,
}

/// EC2 lists are elements with `item`s.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct List<T> {
    #[serde(default = "Vec::new")]
    pub(super) item: Vec<T>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { item: Vec::new() }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Launched {
    pub(super) instances_set: One<Instance>,
}

#[derive(Debug, Deserialize)]
pub(super) struct One<T> {
    pub(super) item: T,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Instance {
    pub(super) instance_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Created {
    pub(super) image_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Images {
    pub(super) images_set: List<Image>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Snapshots {
    pub(super) snapshot_set: List<Snapshot>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Snapshot {
    #[serde(rename = "snapshotId")]
    pub(super) id: String,
}

/// An image (AMI).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    #[serde(rename = "imageId")]
    pub id: String,
    /// `pending`, `available`...
    #[serde(rename = "imageState")]
    pub state: String,
    #[serde(default)]
    block_device_mapping: List<Mapping>,
    #[serde(default)]
    tag_set: List<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mapping {
    ebs: Option<Ebs>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ebs {
    snapshot_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Likenesses {
    pub(super) images_set: One<Likeness>,
}

/// What instances of an image have from it, whatever its name and its snapshots.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Likeness {
    architecture: String,
    virtualization_type: String,
    boot_mode: Option<String>,
    tpm_support: Option<String>,
    imds_support: Option<String>,
    ena_support: Option<bool>,
    sriov_net_support: Option<String>,
    platform_details: Option<String>,
    usage_operation: Option<String>,
    root_device_name: String,
    block_device_mapping: List<Device>,
    /// Asked for by itself.
    #[serde(skip)]
    uefi_data: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    device_name: String,
    ebs: Disk,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Disk {
    volume_size: u32,
    volume_type: String,
    iops: Option<u32>,
    throughput: Option<u32>,
    delete_on_termination: bool,
    encrypted: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UefiData {
    pub(super) uefi_data: AttributeValue,
}

#[derive(Debug, Deserialize)]
pub(super) struct AttributeValue {
    pub(super) value: Option<String>,
}

impl Likeness {
    /// With its UEFI data, and its devices in the order of their names: EC2 promises none.
    pub(super) fn with(mut self, uefi_data: Option<String>) -> Self {
        let devices = &mut self.block_device_mapping.item;
        devices.sort_by(|one, other| one.device_name.cmp(&other.device_name));
        Self { uefi_data, ..self }
    }
}

#[derive(Debug, Deserialize)]
struct Tag {
    key: String,
    value: String,
}

impl Image {
    /// The snapshots that it is made of.
    pub fn snapshots(&self) -> impl Iterator<Item = &str> {
        let mappings = self.block_device_mapping.item.iter();
        mappings.filter_map(|mapping| mapping.ebs.as_ref()?.snapshot_id.as_deref())
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        let mut tags = self.tag_set.item.iter();
        tags.find(|tag| tag.key == key)
            .map(|tag| tag.value.as_str())
    }
}
