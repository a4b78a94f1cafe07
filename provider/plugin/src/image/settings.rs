//! What EC2 keeps of an image and changes in place: description, deprecation, protection.

use consistent_aws::{
    config::Clients,
    ec2::settings::{self as ec2, Protection},
};
use tfplug::{Result, Value};
use tracing::info;

use super::{deprecation, model::ImageModel};
use crate::diagnose;

/// As they are configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Empty is none.
    description: String,
    /// RFC 3339.
    deprecation: Option<String>,
    protection: Protection,
}

impl From<&ImageModel> for Settings {
    fn from(model: &ImageModel) -> Self {
        let is_on = |flag: &Value<bool>| flag.known().copied().unwrap_or_default();
        let cooldown = is_on(&model.deregistration_protection_cooldown);
        let on = is_on(&model.deregistration_protection);
        Self {
            description: model.description.known().cloned().unwrap_or_default(),
            deprecation: model.deprecation_time.known().cloned(),
            protection: if on {
                Protection::On { cooldown }
            } else {
                Protection::Off
            },
        }
    }
}

impl Settings {
    /// `CreateImage` takes the description only.
    pub(super) fn as_created(&self) -> Self {
        Self {
            description: self.description.clone(),
            ..Self::default()
        }
    }

    /// Changes what differs in `after`. After an error, some of it may be changed.
    pub(super) async fn become_in(&self, after: &Self, clients: &Clients, id: &str) -> Result<()> {
        if self == after {
            return Ok(());
        }
        let client = clients.ec2().await.map_err(diagnose::config)?;
        if self.description != after.description {
            let done = ec2::set_description(client, id, &after.description).await;
            done.map_err(|error| diagnose::call(error).at("description"))?;
            info!(image = id, "description changed");
        }
        if self.deprecation != after.deprecation {
            let at = after.deprecation.as_deref().and_then(deprecation::parse);
            let done = match at {
                Some(at) => ec2::deprecate(client, id, at).await,
                None => ec2::do_not_deprecate(client, id).await,
            };
            done.map_err(|error| diagnose::call(error).at("deprecation_time"))?;
            info!(image = id, at = after.deprecation, "deprecation changed");
        }
        if self.protection != after.protection {
            let done = ec2::protect(client, id, after.protection).await;
            done.map_err(|error| diagnose::call(error).at("deregistration_protection"))?;
            info!(image = id, protection = ?after.protection, "protection changed");
        }
        Ok(())
    }
}
