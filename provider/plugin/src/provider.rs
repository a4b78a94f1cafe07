//! The provider as a whole: its block, and what it offers.

mod block;
mod endpoints;
mod environment;
mod problems;
mod roles;
mod settings;
#[cfg(test)]
mod tests;
mod values;

use consistent_aws::config::{Clients, Endpoints, Settings};
use tfplug::{Context, Diagnostic, Provider, Registry, Result, async_trait};

use self::{block::ProviderBlock, environment::Environment};
use crate::{
    client::Client,
    data::{ImageList, ImageSource, ReadinessSource},
    image::ImageResource,
};

/// The clients of an empty provider block, but for what is given here: everything else is looked up as it is for a block.
pub(crate) fn clients_of(
    region: Option<String>,
    profile: Option<String>,
    endpoints: Endpoints,
) -> Result<Clients, Diagnostic> {
    let block = ProviderBlock {
        region,
        profile,
        ..ProviderBlock::default()
    };
    let settings = block.settings(&Environment::of_process())?;
    Ok(Clients::new(Settings {
        endpoints,
        ..settings
    }))
}

/// Proven consistent images of live database servers.
pub(crate) struct Consistent;

#[async_trait]
impl Provider for Consistent {
    type Config = ProviderBlock;
    type Client = Client;

    const ADDRESS: &'static str = "registry.terraform.io/consistent-db/consistent";

    /// The AWS SDK's crates: at `TRACE` they show tags, scripts and web identity tokens.
    const TALKATIVE: &'static [&'static str] = &["aws_"];

    fn register(&self, registry: &mut Registry<Client>) {
        registry.resource(ImageResource);
        registry.list(ImageList);
        registry.data_source(ImageSource);
        registry.data_source(ReadinessSource);
    }

    async fn validate(&self, cx: &Context<Client>, config: ProviderBlock) -> Result<()> {
        if let Some(warning) = config.unheeded() {
            cx.warn(warning);
        }
        config.problems(&Environment::of_process()).or_ok(())
    }

    /// Touches neither files nor network: both wait until a client is used for the first time.
    async fn configure(&self, cx: &Context<Client>, config: ProviderBlock) -> Result<Client> {
        let environment = Environment::of_process();
        let tags = config.tag_policy(&environment);
        let settings = Settings {
            terraform_version: cx.terraform_version().map(str::to_owned),
            ..config.settings(&environment)?
        };
        Ok(Client {
            tags,
            clients: Clients::new(settings),
        })
    }
}
