//! The account as its owner sees it, through the EC2 API: what is done by hand in a scenario, and what is left in it.

mod ec2;
mod shapes;

use std::{collections::BTreeSet, time::Duration};

use tokio::time::{Instant, sleep};

pub use self::shapes::{Image, Likeness};
use self::{
    ec2::Ec2,
    shapes::{Created, Done, Images, Launched, Likenesses, Snapshots, UefiData},
};
use crate::{Error, configuration::Access};

/// Between two looks at something that takes its time.
const GLANCE: Duration = Duration::from_millis(100);

/// An image is copied in seconds in the lab.
const IMAGE_WITHIN: Duration = Duration::from_mins(1);

/// One account in one region.
#[derive(Clone, Debug)]
pub struct Account(Ec2);

impl Account {
    pub fn new(access: &Access) -> Self {
        Self(Ec2::new(access))
    }

    /// Starts an instance of an image; returns its id at once.
    pub async fn launch(&self, image: &str) -> Result<String, Error> {
        let parameters = [
            ("ImageId", image),
            ("InstanceType", "m7i.large"),
            ("MinCount", "1"),
            ("MaxCount", "1"),
        ];
        let launched: Launched = self.0.call("RunInstances", &parameters).await?;
        Ok(launched.instances_set.item.instance_id)
    }

    pub async fn terminate(&self, instance: &str) -> Result<(), Error> {
        self.act("TerminateInstances", &[("InstanceId.1", instance)])
            .await
    }

    /// What everybody does: `CreateImage` with `NoReboot`, and nothing else. Returns when it is available.
    pub async fn plain_image(&self, instance: &str, name: &str) -> Result<Image, Error> {
        let parameters = [
            ("InstanceId", instance),
            ("Name", name),
            ("NoReboot", "true"),
        ];
        let created: Created = self.0.call("CreateImage", &parameters).await?;
        self.available(&created.image_id).await
    }

    async fn available(&self, id: &str) -> Result<Image, Error> {
        let deadline = Instant::now() + IMAGE_WITHIN;
        while Instant::now() < deadline {
            if let Some(image) = self.image(id).await? {
                match image.state.as_str() {
                    "available" => return Ok(image),
                    "pending" => {}
                    state => return Err(Error::Unexpected(format!("image {id} is {state}"))),
                }
            }
            sleep(GLANCE).await;
        }
        Err(Error::timed_out(format!("image {id}"), IMAGE_WITHIN))
    }

    /// `None` where no such image is to be seen.
    pub async fn image(&self, id: &str) -> Result<Option<Image>, Error> {
        Ok(self
            .images()
            .await?
            .into_iter()
            .find(|image| image.id == id))
    }

    /// What an image hands on to its instances.
    pub async fn likeness(&self, id: &str) -> Result<Likeness, Error> {
        let shown: Likenesses = self.0.call("DescribeImages", &[("ImageId.1", id)]).await?;
        let attribute = [("ImageId", id), ("Attribute", "uefiData")];
        let told: UefiData = self.0.call("DescribeImageAttribute", &attribute).await?;
        Ok(shown.images_set.item.with(told.uefi_data.value))
    }

    async fn images(&self) -> Result<Vec<Image>, Error> {
        let owner = [("Owner.1", "self")];
        let images: Images = self.0.call("DescribeImages", &owner).await?;
        Ok(images.images_set.item)
    }

    /// The ids of every image and snapshot, in whatever state.
    pub async fn inventory(&self) -> Result<BTreeSet<String>, Error> {
        let owner = [("Owner.1", "self")];
        let snapshots: Snapshots = self.0.call("DescribeSnapshots", &owner).await?;
        let snapshots = snapshots.snapshot_set.item.into_iter().map(|one| one.id);
        let images = self.images().await?.into_iter().map(|image| image.id);
        Ok(images.chain(snapshots).collect())
    }

    /// Deregisters an image and leaves its snapshots.
    pub async fn deregister(&self, image: &str) -> Result<(), Error> {
        self.act("DeregisterImage", &[("ImageId", image)]).await
    }

    pub async fn delete_snapshot(&self, snapshot: &str) -> Result<(), Error> {
        self.act("DeleteSnapshot", &[("SnapshotId", snapshot)])
            .await
    }

    /// Deregisters an image and deletes its snapshots.
    pub async fn discard(&self, image: &Image) -> Result<(), Error> {
        self.deregister(&image.id).await?;
        for snapshot in image.snapshots() {
            self.delete_snapshot(snapshot).await?;
        }
        Ok(())
    }

    /// Removes one tag, by hand.
    pub async fn untag(&self, id: &str, key: &str) -> Result<(), Error> {
        self.act("DeleteTags", &[("ResourceId.1", id), ("Tag.1.Key", key)])
            .await
    }

    /// Sets one tag, by hand.
    pub async fn tag(&self, id: &str, key: &str, value: &str) -> Result<(), Error> {
        let tag = [
            ("ResourceId.1", id),
            ("Tag.1.Key", key),
            ("Tag.1.Value", value),
        ];
        self.act("CreateTags", &tag).await
    }

    async fn act(&self, action: &str, parameters: &[(&str, &str)]) -> Result<(), Error> {
        let Done {} = self.0.call(action, parameters).await?;
        Ok(())
    }
}
