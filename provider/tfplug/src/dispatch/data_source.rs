//! Data sources with their types erased.

use async_trait::async_trait;

use super::{Schema, checked, decode, into_state};
use crate::{Context, Cty, DataSource, Result, plan};

#[async_trait]
pub(crate) trait DynDataSource<C>: Send + Sync {
    fn schema(&self) -> &Schema;
    async fn validate(&self, cx: &Context<C>, config: Cty) -> Result<()>;
    async fn read(&self, cx: &Context<C>, config: Cty) -> Result<Cty>;
}

pub(crate) struct DataSourceAdapter<D> {
    data_source: D,
    schema: Schema,
}

impl<D: DataSource> DataSourceAdapter<D> {
    pub(crate) fn new(data_source: D) -> Self {
        Self {
            data_source,
            schema: Schema::of::<D::Model>(),
        }
    }
}

#[async_trait]
impl<D: DataSource> DynDataSource<D::Client> for DataSourceAdapter<D> {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    async fn validate(&self, cx: &Context<D::Client>, config: Cty) -> Result<()> {
        let (config, mut problems) = checked(&self.schema.block, &config);
        if let Some(config) = config {
            let found = self.data_source.validate(cx, config).await;
            problems.extend(found.err().unwrap_or_default());
        }
        problems.or_ok(())
    }

    async fn read(&self, cx: &Context<D::Client>, config: Cty) -> Result<Cty> {
        let config = plan::with_defaults(&self.schema.block, &config);
        let model = self.data_source.read(cx, decode(config.clone())?).await?;
        let (state, problems) = into_state(&self.schema.block, &config, model);
        problems.or_ok(state)
    }
}
