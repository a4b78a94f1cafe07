//! What EC2 can change of an image in place: its description, when it is deprecated, its protection.

use std::time::SystemTime;

use aws_sdk_ec2::{Client, primitives::DateTime, types::AttributeValue};
use time::OffsetDateTime;

use super::images::Image;
use crate::CallError;

/// Whether EC2 refuses to deregister an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    #[default]
    Off,
    On {
        /// It lasts for 24 hours more once it is switched off.
        cooldown: bool,
    },
}

impl Image {
    /// EC2's words are `disabled`, `enabled-without-cooldown` and `enabled-with-cooldown`; where it says nothing there is
    /// no protection.
    pub fn protection(&self) -> Protection {
        match self.deregistration_protection.as_str() {
            "enabled-with-cooldown" => Protection::On { cooldown: true },
            word if word.starts_with("enabled") => Protection::On { cooldown: false },
            _ => Protection::Off,
        }
    }
}

/// Empty is none.
pub async fn set_description(ec2: &Client, id: &str, description: &str) -> Result<(), CallError> {
    let value = AttributeValue::builder().value(description).build();
    let done = ec2.modify_image_attribute().image_id(id).description(value);
    done.send()
        .await
        .map(drop)
        .map_err(|error| CallError::of("ec2:ModifyImageAttribute", &error))
}

/// EC2 rounds to the minute, and takes the next ten years only.
pub async fn deprecate(ec2: &Client, id: &str, at: OffsetDateTime) -> Result<(), CallError> {
    let done = ec2
        .enable_image_deprecation()
        .image_id(id)
        .deprecate_at(DateTime::from(SystemTime::from(at)));
    done.send()
        .await
        .map(drop)
        .map_err(|error| CallError::of("ec2:EnableImageDeprecation", &error))
}

pub async fn do_not_deprecate(ec2: &Client, id: &str) -> Result<(), CallError> {
    let done = ec2.disable_image_deprecation().image_id(id);
    done.send()
        .await
        .map(drop)
        .map_err(|error| CallError::of("ec2:DisableImageDeprecation", &error))
}

pub async fn protect(ec2: &Client, id: &str, protection: Protection) -> Result<(), CallError> {
    let Protection::On { cooldown } = protection else {
        return unprotect(ec2, id).await;
    };
    let done = ec2
        .enable_image_deregistration_protection()
        .image_id(id)
        .with_cooldown(cooldown);
    done.send()
        .await
        .map(drop)
        .map_err(|error| CallError::of("ec2:EnableImageDeregistrationProtection", &error))
}

async fn unprotect(ec2: &Client, id: &str) -> Result<(), CallError> {
    let done = ec2.disable_image_deregistration_protection().image_id(id);
    done.send()
        .await
        .map(drop)
        .map_err(|error| CallError::of("ec2:DisableImageDeregistrationProtection", &error))
}
