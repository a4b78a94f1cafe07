//! Lists with their types erased.

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{Schema, checked, decode};
use crate::{Context, Cty, Found, List, Resource, Result, plan, wire};

#[async_trait]
pub(crate) trait DynList<C>: Send + Sync {
    fn schema(&self) -> &Schema;
    async fn validate(&self, cx: &Context<C>, config: Cty) -> Result<()>;
    async fn list(&self, cx: &Context<C>, query: Query) -> Result<()>;
}

/// What is asked for, and where it goes.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) config: Cty,
    pub(crate) limit: u64,
    pub(crate) wants_objects: bool,
    pub(crate) results: mpsc::Sender<Listed>,
}

/// One result, or diagnostics alone.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) identity: Option<Cty>,
    pub(crate) display_name: String,
    pub(crate) object: Option<Cty>,
    pub(crate) diagnostics: Vec<wire::Diagnostic>,
}

pub(crate) struct ListAdapter<L> {
    list: L,
    schema: Schema,
}

impl<L: List> ListAdapter<L> {
    pub(crate) fn new(list: L) -> Self {
        Self {
            list,
            schema: Schema::of::<L::Config>(),
        }
    }
}

#[async_trait]
impl<L: List> DynList<<L::Resource as Resource>::Client> for ListAdapter<L> {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    async fn validate(
        &self,
        cx: &Context<<L::Resource as Resource>::Client>,
        config: Cty,
    ) -> Result<()> {
        let (config, mut problems) = checked(&self.schema.block, &config);
        if let Some(config) = config {
            let found = self.list.validate(cx, config).await;
            problems.extend(found.err().unwrap_or_default());
        }
        problems.or_ok(())
    }

    async fn list(
        &self,
        cx: &Context<<L::Resource as Resource>::Client>,
        query: Query,
    ) -> Result<()> {
        let config = decode(plan::with_defaults(&self.schema.block, &query.config))?;
        let mut found = Found::new(query.limit, query.wants_objects, query.results);
        self.list.list(cx, config, &mut found).await
    }
}
