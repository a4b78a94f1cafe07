//! A data source, as its author writes it.

use async_trait::async_trait;

use crate::{Context, Model, Result};

/// A data source type.
#[async_trait]
pub trait DataSource: Send + Sync + 'static {
    /// What `Provider::configure` returns.
    type Client: Send + Sync + 'static;
    type Model: Model;

    /// The full type name, e.g. `toy_file`.
    const NAME: &'static str;

    /// Checks a configuration beyond what the attributes' own validators see. Not called while a plain field is
    /// unknown; `cx.configured()` is `None` here.
    async fn validate(&self, _cx: &Context<Self::Client>, _config: Self::Model) -> Result<()> {
        Ok(())
    }

    /// The configuration with the computed attributes filled in. Dropped when Terraform is gone.
    async fn read(&self, cx: &Context<Self::Client>, config: Self::Model) -> Result<Self::Model>;
}
