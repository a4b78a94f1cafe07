//! Which region is worked in, and whether there is such a region.

use aws_config::{
    Region,
    environment::EnvironmentVariableRegionProvider,
    imds::{self, region::ImdsRegionProvider},
    meta::region::RegionProviderChain,
    profile::ProfileFileRegionProvider,
};

use super::{ConfigError, Settings, clients};

/// The regions of all partitions (botocore 1.43.11, `partitions.json`, without the pseudo regions `aws-global`...).
pub const KNOWN: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "cn-north-1",
    "cn-northwest-1",
    "eusc-de-east-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "eu-isoe-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
    "us-gov-east-1",
    "us-gov-west-1",
];

/// True for a region that [`KNOWN`] lists.
pub fn is_known(region: &str) -> bool {
    KNOWN.contains(&region)
}

/// What to say of a region that is not known.
pub fn objection(region: &str) -> String {
    let mistaken = KNOWN.iter().find(|known| {
        let zone = region.strip_prefix(**known);
        zone.is_some_and(|zone| zone.len() == 1 && zone.chars().all(|c| c.is_ascii_lowercase()))
    });
    match mistaken {
        Some(known) => {
            format!("{region:?} is an availability zone: its region is {known:?}")
        }
        None => format!(
            "there is no AWS region {region:?}; for one that is newer than this provider, or private, set \
             `skip_region_validation = true`"
        ),
    }
}

/// The block's region, or else the first of environment, profile and instance metadata that names one.
pub(super) async fn resolve(
    settings: &Settings,
    metadata: Option<&imds::Client>,
) -> Result<Region, ConfigError> {
    let region = match &settings.region {
        Some(region) => Some(Region::new(region.clone())),
        None => chain(settings, metadata).region().await,
    };
    let region = region.ok_or(ConfigError::NoRegion)?;
    if !settings.skip_region_validation && !is_known(region.as_ref()) {
        let region = region.to_string();
        return Err(ConfigError::UnknownRegion { region });
    }
    Ok(region)
}

fn chain(settings: &Settings, metadata: Option<&imds::Client>) -> RegionProviderChain {
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = &settings.profile {
        profile = profile.profile_name(name);
    }
    if let Some(files) = clients::profile_files(settings) {
        profile = profile.profile_files(files);
    }
    let named = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(profile.build());
    match metadata {
        Some(client) => {
            let instance = ImdsRegionProvider::builder().imds_client(client.clone());
            named.or_else(instance.build())
        }
        None => named,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_known_by_their_names_alone() {
        for known in [
            "eu-central-1",
            "us-gov-west-1",
            "cn-north-1",
            "mx-central-1",
        ] {
            assert!(is_known(known), "{known}");
        }
        for other in [
            "",
            "frankfurt",
            "eu-centrall-1",
            "EU-CENTRAL-1",
            "aws-global",
        ] {
            assert!(!is_known(other), "{other}");
        }
    }

    #[test]
    fn a_zone_is_told_from_a_region_that_does_not_exist() {
        assert_eq!(
            objection("eu-central-1a"),
            "\"eu-central-1a\" is an availability zone: its region is \"eu-central-1\""
        );
        assert!(objection("eu-centrall-1").contains("skip_region_validation"));
    }
}
