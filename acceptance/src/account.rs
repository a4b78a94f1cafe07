//! The account as its owner sees it, through the EC2 API: what is done by hand in a scenario, and what is left in it.

use std::{collections::BTreeSet, time::Duration};

use aws_credential_types::Credentials;
use aws_sdk_ec2::{
    Client,
    config::{BehaviorVersion, Region, retry::RetryConfig},
    error::DisplayErrorContext,
    types::{Image, ImageState, InstanceType, Snapshot, Tag},
};
use tokio::time::{Instant, sleep};

use crate::{Error, configuration::Access};

/// Between two looks at something that takes its time.
const GLANCE: Duration = Duration::from_millis(100);

/// An image is copied in seconds in the lab.
const IMAGE_WITHIN: Duration = Duration::from_mins(1);

/// One account in one region.
#[derive(Clone, Debug)]
pub struct Account {
    ec2: Client,
}

impl Account {
    /// Never retries, so that a scenario sees what happened.
    pub fn new(access: &Access) -> Self {
        let (key, secret) = (&access.access_key, &access.secret_key);
        let credentials = Credentials::new(key, secret, None, None, "acceptance");
        let config = aws_sdk_ec2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(access.region.clone()))
            .endpoint_url(&access.endpoint)
            .credentials_provider(credentials)
            .retry_config(RetryConfig::disabled())
            .build();
        Self {
            ec2: Client::from_conf(config),
        }
    }

    /// Starts an instance of an image; returns its id at once.
    pub async fn launch(&self, image: &str) -> Result<String, Error> {
        let launch = self.ec2.run_instances().image_id(image);
        let answer = launch
            .instance_type(InstanceType::from("m7i.large"))
            .min_count(1)
            .max_count(1)
            .send()
            .await
            .map_err(refused("ec2:RunInstances"))?;
        let instance = answer.instances().first();
        instance
            .and_then(|instance| instance.instance_id.clone())
            .ok_or_else(|| Error::Unexpected("ec2:RunInstances named no instance".into()))
    }

    pub async fn terminate(&self, instance: &str) -> Result<(), Error> {
        let terminate = self.ec2.terminate_instances().instance_ids(instance);
        terminate
            .send()
            .await
            .map_err(refused("ec2:TerminateInstances"))?;
        Ok(())
    }

    /// What everybody does: `CreateImage` with `NoReboot`, and nothing else. Returns when it is available.
    pub async fn plain_image(&self, instance: &str, name: &str) -> Result<Image, Error> {
        let create = self.ec2.create_image().instance_id(instance).name(name);
        let answer = create
            .no_reboot(true)
            .send()
            .await
            .map_err(refused("ec2:CreateImage"))?;
        let id = answer.image_id.unwrap_or_default();
        self.available(&id).await
    }

    async fn available(&self, id: &str) -> Result<Image, Error> {
        let deadline = Instant::now() + IMAGE_WITHIN;
        loop {
            match self.image(id).await? {
                Some(image) if image.state() == Some(&ImageState::Available) => return Ok(image),
                Some(image) if image.state() == Some(&ImageState::Failed) => {
                    return Err(Error::Unexpected(format!("image {id} failed")));
                }
                _ if Instant::now() > deadline => {
                    return Err(Error::timed_out(format!("image {id}"), IMAGE_WITHIN));
                }
                _ => sleep(GLANCE).await,
            }
        }
    }

    /// `None` where no such image is to be seen.
    pub async fn image(&self, id: &str) -> Result<Option<Image>, Error> {
        let mine = self.images().await?;
        Ok(mine.into_iter().find(|i| i.image_id() == Some(id)))
    }

    async fn images(&self) -> Result<Vec<Image>, Error> {
        let describe = self.ec2.describe_images().owners("self");
        let answer = describe
            .send()
            .await
            .map_err(refused("ec2:DescribeImages"))?;
        Ok(answer.images.unwrap_or_default())
    }

    async fn snapshots(&self) -> Result<Vec<Snapshot>, Error> {
        let describe = self.ec2.describe_snapshots().owner_ids("self");
        let answer = describe
            .send()
            .await
            .map_err(refused("ec2:DescribeSnapshots"))?;
        Ok(answer.snapshots.unwrap_or_default())
    }

    /// The ids of every image and snapshot, in whatever state.
    pub async fn inventory(&self) -> Result<BTreeSet<String>, Error> {
        let images = self.images().await?.into_iter().filter_map(|i| i.image_id);
        let snapshots = self.snapshots().await?;
        Ok(images
            .chain(snapshots.into_iter().filter_map(|s| s.snapshot_id))
            .collect())
    }

    /// Deregisters an image and leaves its snapshots.
    pub async fn deregister(&self, image: &str) -> Result<(), Error> {
        let deregister = self.ec2.deregister_image().image_id(image);
        deregister
            .send()
            .await
            .map_err(refused("ec2:DeregisterImage"))?;
        Ok(())
    }

    pub async fn delete_snapshot(&self, snapshot: &str) -> Result<(), Error> {
        let delete = self.ec2.delete_snapshot().snapshot_id(snapshot);
        delete.send().await.map_err(refused("ec2:DeleteSnapshot"))?;
        Ok(())
    }

    /// Deregisters an image and deletes its snapshots.
    pub async fn discard(&self, image: &Image) -> Result<(), Error> {
        self.deregister(image.image_id().unwrap_or_default())
            .await?;
        for snapshot in snapshots_of(image) {
            self.delete_snapshot(&snapshot).await?;
        }
        Ok(())
    }

    /// Removes one tag, by hand.
    pub async fn untag(&self, id: &str, key: &str) -> Result<(), Error> {
        let untag = self.ec2.delete_tags().resources(id);
        untag
            .tags(Tag::builder().key(key).build())
            .send()
            .await
            .map_err(refused("ec2:DeleteTags"))?;
        Ok(())
    }
}

/// The snapshots that an image is made of.
pub fn snapshots_of(image: &Image) -> Vec<String> {
    let mappings = image.block_device_mappings().iter();
    mappings
        .filter_map(|mapping| mapping.ebs()?.snapshot_id.clone())
        .collect()
}

/// The value of a tag of an image.
pub fn tag<'a>(image: &'a Image, key: &str) -> Option<&'a str> {
    let mut tags = image.tags().iter();
    tags.find(|tag| tag.key() == Some(key))?.value()
}

fn refused<E: std::error::Error>(action: &str) -> impl FnOnce(E) -> Error {
    move |error| Error::Unexpected(format!("{action}: {}", DisplayErrorContext(error)))
}
