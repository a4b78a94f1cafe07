//! `list "consistent_db_image"`: every proven image that there is, whoever manages it, the newest first.

use std::collections::BTreeMap;

use consistent_aws::ec2::images::{self, Image, Snapshot};
use tfplug::{Context, Found, List, Model, Result, async_trait};
use time::OffsetDateTime;
use tracing::{debug, info};

use super::image::{
    null_tags,
    wanted::{self, Arguments, Wanted},
};
use crate::{
    client::Client,
    diagnose, duration,
    image::{ImageResource, identity::ImageIdentity, import, names, soundness},
    tags::ConfiguredTags,
};

/// How many values a filter of EC2's takes ("Filter" in the EC2 API reference): an image has a dozen snapshots at most.
const FILTER_VALUES: usize = 200;

/// Proven images (AMIs) of the provider's own account and region, made by `consistent_db_image`, whoever manages them.
///
/// Only images are found whose proof is complete, that are available in EC2 and whose snapshots all exist: each of them can be
/// imported. Arguments narrow the search down; all of them have to be met.
#[derive(Clone, Debug, Model)]
pub(crate) struct ImagesWanted {
    /// The instance that the images were taken of.
    #[tf(optional, validate = names::instance)]
    source_instance_id: Option<String>,
    /// A database engine on the images, e.g. `postgresql`.
    #[tf(optional, validate = wanted::engine)]
    engine: Option<String>,
    /// A regular expression that the images' names match somewhere; `^` and `$` tie it to a name's ends. Without look-around
    /// and Unicode classes.
    #[tf(optional, validate = wanted::pattern)]
    name_regex: Option<String>,
    /// Tags that the images have, each with this very value.
    #[tf(optional)]
    tags: ConfiguredTags,
    /// How old the images may be at most, by EC2's time of their making: a duration like `36h` or `90m`.
    #[tf(optional, validate = duration::check)]
    max_age: Option<String>,
    /// Whether a restore test of the images has to have passed. Default: `false`, with or without.
    #[tf(optional)]
    verified: Option<bool>,
}

pub(crate) struct ImageList;

#[async_trait]
impl List for ImageList {
    type Resource = ImageResource;
    type Config = ImagesWanted;

    async fn validate(&self, _cx: &Context<Client>, config: ImagesWanted) -> Result<()> {
        null_tags(&config.tags).or_ok(())
    }

    async fn list(
        &self,
        cx: &Context<Client>,
        config: ImagesWanted,
        found: &mut Found<ImageResource>,
    ) -> Result<()> {
        let client = cx.client()?;
        let ec2 = client.clients.ec2().await.map_err(diagnose::config)?;
        let region = client.clients.region().await.map_err(diagnose::config)?;
        let wanted = Wanted::of(&config.arguments())?;
        let ours = images::of_sessions(ec2).await.map_err(diagnose::call)?;
        let (matching, others) = wanted.judge(ours, OffsetDateTime::now_utc());
        info!(
            matching = matching.len(),
            others = others.len(),
            "looked for proven images"
        );
        for some in portions(matching) {
            let mapped = mapped(&some);
            let existing = images::existing_snapshots(ec2, &mapped).await;
            let existing = existing.map_err(diagnose::call)?;
            for image in some {
                let why = soundness::snapshot_problems(&image, &existing);
                if !why.is_empty() {
                    debug!(image = image.id, why = why.join(" "), "passed over");
                    continue;
                }
                let object = found
                    .wants_objects()
                    .then(|| import::state(&client, &image, &region, &own(&image, &existing)))
                    .transpose()?;
                let identity = ImageIdentity::of(&image, &region);
                if found.push(identity, image.name, object).await.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl ImagesWanted {
    fn arguments(&self) -> Arguments<'_> {
        Arguments {
            source_instance_id: self.source_instance_id.as_ref(),
            engine: self.engine.as_ref(),
            name_regex: self.name_regex.as_ref(),
            tags: &self.tags,
            max_age: self.max_age.as_ref(),
            verified: self.verified == Some(true),
        }
    }
}

/// The images in their order, as many at a time as one look at their snapshots can take.
fn portions(images: Vec<Image>) -> Vec<Vec<Image>> {
    let mut portions: Vec<Vec<Image>> = Vec::new();
    let mut room = 0;
    for image in images {
        let needed = image.snapshots.len();
        match portions.last_mut() {
            Some(portion) if needed <= room => portion.push(image),
            _ => {
                portions.push(vec![image]);
                room = FILTER_VALUES;
            }
        }
        room = room.saturating_sub(needed);
    }
    portions
}

fn mapped(images: &[Image]) -> Vec<String> {
    let snapshots = images.iter().flat_map(|image| &image.snapshots);
    snapshots.map(|it| it.snapshot_id.clone()).collect()
}

/// Those of the image itself.
fn own(image: &Image, existing: &BTreeMap<String, Snapshot>) -> BTreeMap<String, Snapshot> {
    let ids = image.snapshots.iter().map(|it| &it.snapshot_id);
    let found = ids.filter_map(|id| Some((id.clone(), existing.get(id)?.clone())));
    found.collect()
}

#[cfg(test)]
mod tests {
    use consistent_aws::ec2::images::MappedSnapshot;

    use super::*;

    fn image(id: usize, snapshots: usize) -> Image {
        let mapped = (0..snapshots).map(|number| MappedSnapshot {
            device_name: format!("/dev/sd{number}"),
            snapshot_id: format!("snap-{id}-{number}"),
            size_gib: 8,
            encrypted: false,
        });
        Image {
            id: format!("ami-{id}"),
            name: String::new(),
            description: String::new(),
            state: String::new(),
            state_reason: String::new(),
            architecture: String::new(),
            root_device_name: String::new(),
            creation_date: String::new(),
            owner_id: String::new(),
            source_instance_id: String::new(),
            deprecation_time: String::new(),
            deregistration_protection: String::new(),
            tags: BTreeMap::new(),
            snapshots: mapped.collect(),
        }
    }

    #[test]
    fn no_look_takes_more_than_ec2_allows_and_none_is_left_out() {
        let images: Vec<Image> = (0..100).map(|id| image(id, 1 + id % 7)).collect();
        let portions = portions(images.clone());
        assert!(portions.iter().all(|it| mapped(it).len() <= FILTER_VALUES));
        assert!(
            portions.len() < 4,
            "and they are filled: {}",
            portions.len()
        );
        assert_eq!(portions.concat(), images);
    }

    #[test]
    fn an_image_has_its_own_snapshots_only() {
        let existing = |id: &str| {
            let snapshot = Snapshot {
                volume_id: format!("vol-{id}"),
                size_gib: 8,
                encrypted: false,
                is_completed: true,
                tags: BTreeMap::new(),
            };
            (id.to_owned(), snapshot)
        };
        let all = ["snap-1-0", "snap-1-1", "snap-2-0"].map(existing).into();
        let of_first = own(&image(1, 2), &all);
        assert_eq!(
            of_first.keys().collect::<Vec<_>>(),
            ["snap-1-0", "snap-1-1"]
        );
    }
}
