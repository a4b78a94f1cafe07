//! The metadata service of the instance that Terraform runs on: where it is asked, and whether.

use aws_config::{
    imds::{Client, client::EndpointMode},
    provider_config::ProviderConfig,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::{ConfigError, MetadataMode, Settings};

/// None where it is not to be asked. What the block does not set, the SDK looks up in environment and profile.
pub(super) fn client(
    settings: &Settings,
    http: &SharedHttpClient,
) -> Result<Option<Client>, ConfigError> {
    let metadata = &settings.metadata;
    if metadata.skip {
        return Ok(None);
    }
    let context = ProviderConfig::without_region().with_http_client(http.clone());
    let mut client = Client::builder().configure(&context);
    if let Some(endpoint) = &metadata.endpoint {
        let wrong = |_| ConfigError::MetadataEndpoint {
            endpoint: endpoint.clone(),
        };
        client = client.endpoint(endpoint).map_err(wrong)?;
    } else if let Some(mode) = metadata.mode {
        client = client.endpoint_mode(match mode {
            MetadataMode::Ipv4 => EndpointMode::IpV4,
            MetadataMode::Ipv6 => EndpointMode::IpV6,
        });
    }
    Ok(Some(client.build()))
}
