//! What EC2 tells of an image, in the attributes that show it.

use std::collections::{BTreeMap, BTreeSet};

use consistent_aws::ec2::{
    images::{self, Image},
    settings::Protection,
};
use tfplug::Value;

use super::{
    deprecation,
    model::{ImageModel, Snapshot},
};

impl ImageModel {
    /// Takes over what EC2 alone tells.
    pub(super) fn take_facts(&mut self, image: &Image, region: &str) {
        let known = |text: &str| Value::Known(text.to_owned());
        self.arn = Value::Known(images::arn(region, &image.id));
        self.id = known(&image.id);
        self.architecture = known(&image.architecture);
        self.root_device_name = known(&image.root_device_name);
        self.creation_date = known(&image.creation_date);
        self.owner_id = known(&image.owner_id);
    }

    /// Takes over what is configured, as EC2 has it now.
    pub(super) fn take_settings(&mut self, image: &Image) {
        self.name = Value::Known(image.name.clone());
        self.description = Value::from(Some(image.description.clone()).filter(|it| !it.is_empty()));
        self.deprecation_time =
            deprecation::refreshed(&self.deprecation_time, &image.deprecation_time);
        self.take_protection(image.protection());
    }

    pub(super) fn take_protection(&mut self, protection: Protection) {
        let (on, cooldown) = match protection {
            Protection::Off => (false, false),
            Protection::On { cooldown } => (true, cooldown),
        };
        self.deregistration_protection = on.into();
        self.deregistration_protection_cooldown = cooldown.into();
    }

    /// Where EC2 told nothing: null, until a refresh knows more.
    pub(super) fn settle_facts(&mut self) {
        let facts = [
            &mut self.arn,
            &mut self.architecture,
            &mut self.root_device_name,
            &mut self.creation_date,
            &mut self.owner_id,
        ];
        for fact in facts.into_iter().filter(|fact| fact.is_unknown()) {
            *fact = Value::Null;
        }
    }

    /// The session under which everything of the image is tagged.
    pub(super) fn session(&self) -> Option<&str> {
        self.evidence
            .known()
            .map(|evidence| evidence.session_id.as_str())
    }

    /// The ids of the snapshots that the image was made of.
    pub(super) fn snapshot_ids(&self) -> Vec<String> {
        let snapshots = self.snapshots.known().into_iter().flatten();
        snapshots
            .map(|snapshot| snapshot.snapshot_id.clone())
            .collect()
    }
}

impl Snapshot {
    /// Those snapshots of an image that exist.
    pub(crate) fn of_image(
        image: &Image,
        existing: &BTreeMap<String, images::Snapshot>,
    ) -> BTreeSet<Self> {
        let shown = image.snapshots.iter().filter_map(|mapped| {
            let snapshot = existing.get(&mapped.snapshot_id)?;
            Some(Self {
                device_name: mapped.device_name.clone(),
                volume_id: Some(snapshot.volume_id.clone()),
                snapshot_id: mapped.snapshot_id.clone(),
                size_gib: snapshot.size_gib,
                encrypted: snapshot.encrypted,
            })
        });
        shown.collect()
    }
}
