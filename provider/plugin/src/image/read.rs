//! Refreshing: the image as it is now, and whether it is still what was proven.

use consistent_aws::ec2::images::{self, Image};
use tfplug::{Diagnostics, Result, Value};
use tracing::info;

use super::{condition, model::ImageModel};
use crate::{client::Client, diagnose, tags};

/// None where image and snapshots are all gone. While a snapshot is left there is something to destroy.
pub(super) async fn read(client: &Client, mut state: ImageModel) -> Result<Option<ImageModel>> {
    // A create failed, and could not remove what it had begun: only a destroy helps.
    let Value::Known(id) = state.id.clone() else {
        return Ok(Some(state));
    };
    let ec2 = client
        .clients
        .ec2()
        .await
        .map_err(|error| diagnose::config(&error))?;
    let recorded = state.snapshot_ids();
    let (image, existing) = tokio::join!(
        images::find(ec2, &id),
        images::existing_snapshots(ec2, &recorded)
    );
    let image = image.map_err(|error| diagnose::call(&error))?;
    let existing = existing.map_err(|error| diagnose::call(&error))?;

    let Some(image) = image.filter(|image| image.state != condition::DEREGISTERED) else {
        info!(
            image = id,
            snapshots_left = existing.len(),
            "the image is gone"
        );
        state.state = condition::DEREGISTERED.into();
        return Ok((!existing.is_empty()).then_some(state));
    };
    let missing = recorded.len() - existing.len();
    state.state = Value::Known(condition::of(&image, state.session(), missing));
    take_image(client, &mut state, &image).await?;
    Ok(Some(state))
}

async fn take_image(
    client: &Client,
    state: &mut ImageModel,
    image: &Image,
) -> Result<(), Diagnostics> {
    let region = client
        .clients
        .region()
        .await
        .map_err(|error| diagnose::config(&error))?;
    state.take_facts(image, &region);
    let managed = client.tags.managed(&image.tags);
    let (own, all) = (tags::known(&state.tags), tags::known(&state.tags_all));
    let shown = client
        .tags
        .refreshed(&managed, &own.unwrap_or_default(), &all.unwrap_or_default());
    state.tags = tags::configured(shown, &state.tags);
    state.tags_all = tags::shown(managed);
    Ok(())
}
