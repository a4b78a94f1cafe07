//! What EC2 tells of an image, in the attributes that show it.

use consistent_aws::ec2::images::{self, Image};
use tfplug::Value;

use super::model::ImageModel;

impl ImageModel {
    /// Takes over what EC2 tells; what only the proof tells stays.
    pub(super) fn take_facts(&mut self, image: &Image, region: &str) {
        let known = |text: &str| Value::Known(text.to_owned());
        self.arn = Value::Known(images::arn(region, &image.id));
        self.id = known(&image.id);
        self.name = known(&image.name);
        self.description = Value::from(Some(image.description.clone()).filter(|it| !it.is_empty()));
        self.architecture = known(&image.architecture);
        self.root_device_name = known(&image.root_device_name);
        self.creation_date = known(&image.creation_date);
        self.owner_id = known(&image.owner_id);
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
