//! A provider, as its author writes it, and the list of what it offers.

use async_trait::async_trait;

use crate::{Context, Model, Registry, Result};

/// A provider: its configuration block, and the resources, data sources and functions it offers.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The provider block.
    type Config: Model;
    /// What the resources and data sources work with, once configured.
    type Client: Send + Sync + 'static;

    /// The source address, e.g. `registry.terraform.io/acme/toy`.
    const ADDRESS: &'static str;

    /// Modules of libraries, by the beginning of their names, that log whole requests and answers, and a line for each
    /// of their own steps. They are logged one level below everything else, and never at `TRACE`.
    const TALKATIVE: &'static [&'static str] = &[];

    /// Adds everything that the provider offers.
    fn register(&self, registry: &mut Registry<Self::Client>);

    /// Checks the provider block. Not called while a plain field is unknown.
    async fn validate(&self, _cx: &Context<Self::Client>, _config: Self::Config) -> Result<()> {
        Ok(())
    }

    /// Makes the client. Not called while a plain field is unknown: plans are then made without a client.
    async fn configure(
        &self,
        cx: &Context<Self::Client>,
        config: Self::Config,
    ) -> Result<Self::Client>;
}
