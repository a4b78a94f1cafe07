//! `data.consistent_db_image`: a proven image that somebody made before, or an error that says why each was passed over.

mod model;
mod passed_over;
pub(super) mod wanted;

use std::collections::BTreeMap;

use consistent_aws::ec2::{
    images::{self, Image},
    tags as ours,
};
use tfplug::{
    AttributePath, Context, DataSource, Diagnostic, Diagnostics, Result, Value, async_trait,
};
use time::OffsetDateTime;
use tracing::info;

use self::{
    model::ImageQuery,
    passed_over::{PassedOver, listed},
    wanted::{Arguments, Wanted},
};
use super::as_written;
use crate::{
    client::Client,
    diagnose,
    image::{model::Snapshot, preflight, soundness},
    tags::{self, ConfiguredTags},
};

pub(crate) struct ImageSource;

#[async_trait]
impl DataSource for ImageSource {
    type Client = Client;
    type Model = ImageQuery;

    const NAME: &'static str = "consistent_db_image";

    async fn validate(&self, _cx: &Context<Client>, config: ImageQuery) -> Result<()> {
        null_tags(&config.tags).or_ok(())
    }

    async fn read(&self, cx: &Context<Client>, config: ImageQuery) -> Result<ImageQuery> {
        let client = cx.client()?;
        let wanted = Wanted::of(&arguments(&config))?;
        let most_recent = config.most_recent.known() == Some(&true);
        let (image, snapshots) = Box::pin(find(&client, &wanted, most_recent)).await?;
        info!(image = image.id, name = image.name, "found a proven image");
        shown(&client, config, image, &snapshots).await
    }
}

fn arguments(config: &ImageQuery) -> Arguments<'_> {
    Arguments {
        source_instance_id: config.source_instance_id.known(),
        engine: config.engine.known(),
        name_regex: config.name_regex.known(),
        tags: &config.tags,
        max_age: config.max_age.known(),
        verified: config.verified.known() == Some(&true),
    }
}

/// A null says nothing about what a tag has to be.
pub(super) fn null_tags(tags: &ConfiguredTags) -> Diagnostics {
    let told = tags.known().into_iter().flatten();
    let nulls = told.filter(|(_, value)| value.is_null());
    nulls
        .map(|(key, _)| {
            let detail = format!(
                "The value of {key:?} is null: leave the tag out, or say what it has to be."
            );
            Diagnostic::error("Invalid tag", detail).at(AttributePath::new("tags").key(key))
        })
        .collect()
}

/// The image that is wanted, with its snapshots. Only those of the match are looked up: EC2 refuses to delete
/// most snapshots of a registered image, so that one call is enough nearly always.
async fn find(
    client: &Client,
    wanted: &Wanted,
    most_recent: bool,
) -> Result<(Image, BTreeMap<String, images::Snapshot>)> {
    let ec2 = client.clients.ec2().await.map_err(diagnose::config)?;
    let ours = images::of_sessions(ec2).await.map_err(diagnose::call)?;
    let (matching, mut passed_over) = wanted.judge(ours, OffsetDateTime::now_utc());
    if matching.len() > 1 && !most_recent {
        return Err(several(&matching).into());
    }
    for image in matching {
        let mapped: Vec<String> = image
            .snapshots
            .iter()
            .map(|it| it.snapshot_id.clone())
            .collect();
        let existing = images::existing_snapshots(ec2, &mapped).await;
        let existing = existing.map_err(diagnose::call)?;
        let why = soundness::snapshot_problems(&image, &existing);
        if why.is_empty() {
            return Ok((image, existing));
        }
        passed_over.push(PassedOver { image, why });
    }
    // Images that somebody else made, of that name or that instance.
    let all = images::all(ec2).await.map_err(diagnose::call)?;
    let foreign = all
        .into_iter()
        .filter(|it| !preflight::is_ours(it) && wanted.means(it));
    passed_over.extend(foreign.map(PassedOver::unproven));
    let region = client.clients.region().await.map_err(diagnose::config)?;
    Err(none(&region, passed_over).into())
}

fn several(matching: &[Image]) -> Diagnostic {
    let headlines = matching.iter().map(passed_over::headline);
    let detail = format!(
        "{} proven images match, the newest first:\n\n{}\n\nNarrow the search down, or set `most_recent = true` to take the newest.",
        matching.len(),
        listed(headlines)
    );
    Diagnostic::error("Several images match", detail)
}

fn none(region: &str, mut passed_over: Vec<PassedOver>) -> Diagnostic {
    if passed_over.is_empty() {
        let detail = format!(
            "consistent_db_image has made no image in region {region} of this account, and none is called as you ask."
        );
        return Diagnostic::error("No proven image matches", detail);
    }
    passed_over.sort_by_key(PassedOver::distance);
    let detail = format!(
        "No image in region {region} of this account is proven and is as you ask. These were passed over, the nearest first:\n\n{}",
        listed(passed_over.iter().map(PassedOver::told))
    );
    Diagnostic::error("No proven image matches", detail)
}

/// The answer: what EC2 and the image's tags tell.
async fn shown(
    client: &Client,
    asked: ImageQuery,
    image: Image,
    snapshots: &BTreeMap<String, images::Snapshot>,
) -> Result<ImageQuery> {
    let region = client.clients.region().await.map_err(diagnose::config)?;
    let tag = |key: &str| Value::from(image.tags.get(key).cloned());
    let hold_ms = image.tags.get(ours::HOLD_MS);
    let all = tags::shown(client.tags.managed(&image.tags));
    Ok(ImageQuery {
        source_instance_id: as_written(asked.source_instance_id, tag(ours::SOURCE_INSTANCE)),
        engine: as_written(asked.engine, tag(ours::ENGINE)),
        tags: as_written(asked.tags, all.clone()),
        tags_all: all,
        arn: Value::Known(images::arn(&region, &image.id)),
        snapshots: Value::Known(Snapshot::of_image(&image, snapshots)),
        engine_version: tag(ours::ENGINE_VERSION),
        recovery_point: tag(ours::RECOVERY_POINT),
        method: tag(ours::METHOD),
        hold_ms: Value::from(hold_ms.and_then(|it| it.parse().ok())),
        session_id: tag(ours::SESSION),
        verified_at: tag(ours::VERIFIED_AT),
        id: Value::Known(image.id),
        name: Value::Known(image.name),
        description: Value::Known(image.description),
        architecture: Value::Known(image.architecture),
        root_device_name: Value::Known(image.root_device_name),
        creation_date: Value::Known(image.creation_date),
        owner_id: Value::Known(image.owner_id),
        ..asked
    })
}

#[cfg(test)]
mod tests;
