//! Resources with their types erased.

use async_trait::async_trait;
use serde_json::value::RawValue;

use super::{Schema, checked, decode, decode_if_known, into_state};
use crate::{
    Context, Create, Cty, Diagnostic, Diagnostics, Failure, Model, MoveSource, Plan, Resource,
    Result, Update, json,
    plan::{self, Outline},
};

/// What a change is planned from, or carried out with.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) prior: Cty,
    /// While planning: what Terraform proposes.
    pub(crate) planned: Cty,
    pub(crate) config: Cty,
}

/// What to import.
#[derive(Debug)]
pub(crate) enum Target {
    Id(String),
    Identity(Cty),
}

/// What a change left behind, errors or not.
#[derive(Debug)]
pub(crate) struct Applied {
    pub(crate) state: Cty,
    pub(crate) diagnostics: Diagnostics,
}

#[async_trait]
pub(crate) trait DynResource<C>: Send + Sync {
    fn schema(&self) -> &Schema;
    /// `None` where the objects have no identity.
    fn identity_schema(&self) -> Option<&Schema>;
    /// What identifies the object in this state, as far as it is known.
    fn identity(&self, state: &Cty) -> Option<Cty>;
    async fn validate(&self, cx: &Context<C>, config: Cty) -> Result<()>;
    async fn plan(&self, cx: &Context<C>, change: Change) -> Result<Outline>;
    async fn apply(&self, cx: &Context<C>, change: Change) -> Applied;
    async fn read(&self, cx: &Context<C>, state: Cty) -> Result<Cty>;
    async fn import(&self, cx: &Context<C>, target: Target) -> Result<Cty>;
    fn configuration(&self, state: Cty) -> Result<Cty>;
    fn upgrade(&self, from: i64, state: &RawValue) -> Result<Cty>;
    fn upgrade_identity(&self, from: i64, identity: &RawValue) -> Result<Cty>;
    async fn move_state(&self, cx: &Context<C>, source: MoveSource) -> Result<Option<Cty>>;
}

pub(crate) struct ResourceAdapter<R> {
    resource: R,
    schema: Schema,
    identity: Schema,
}

impl<R: Resource> ResourceAdapter<R> {
    pub(crate) fn new(resource: R) -> Self {
        Self {
            resource,
            schema: Schema::of::<R::Model>(),
            identity: Schema::of::<R::Identity>(),
        }
    }

    async fn plan_destroy(&self, cx: &Context<R::Client>, prior: Cty) -> Result<Outline> {
        if !prior.is_null() {
            self.resource.plan_destroy(cx, decode(prior)?).await?;
        }
        Ok(Outline {
            planned: Cty::Null,
            replace: Vec::new(),
        })
    }

    /// The resource's own say about a plan, as far as its struct can hold the plan.
    async fn adjust(
        &self,
        cx: &Context<R::Client>,
        change: Change,
        outline: Outline,
    ) -> Result<Outline> {
        let block = &self.schema.block;
        let config = plan::with_defaults(block, &change.config);
        let (Some(typed_config), Some(planned)) = (
            decode_if_known(config.clone())?,
            decode_if_known(outline.planned.clone())?,
        ) else {
            return Ok(outline);
        };
        let prior = (!change.prior.is_null()).then(|| decode(change.prior.clone()));
        let mut typed: Plan<R::Model> = Plan::new(typed_config, prior.transpose()?, planned);
        self.resource.plan(cx, &mut typed).await?;

        let Plan {
            planned,
            replace: asked,
            ..
        } = typed;
        let mut planned = plan::restore(&outline.planned, planned.into_cty());
        plan::null_write_only(block, &mut planned);
        let began = outline.planned == change.prior && planned != change.prior;
        if began {
            plan::mark_untouched(block, &change.prior, &config, &mut planned);
        }
        let mut replace = outline.replace;
        replace.extend(asked);
        Ok(Outline { planned, replace })
    }

    fn applied(
        &self,
        planned: &Cty,
        prior: Cty,
        result: Result<R::Model, Failure<R::Model>>,
    ) -> Applied {
        match result {
            Ok(model) => {
                let (state, diagnostics) = into_state(&self.schema.block, planned, model);
                Applied { state, diagnostics }
            }
            Err(failure) => self.failed(planned, prior, failure),
        }
    }

    fn failed(&self, planned: &Cty, prior: Cty, failure: Failure<R::Model>) -> Applied {
        let state = match failure.state {
            // Half made: what is not known of it yet is null.
            Some(model) => into_state(&self.schema.block, planned, *model).0,
            None => prior,
        };
        Applied {
            state,
            diagnostics: failure.diagnostics.into_failure(),
        }
    }

    async fn create(
        &self,
        cx: &Context<R::Client>,
        planned: Cty,
        config: Cty,
    ) -> Result<R::Model, Failure<R::Model>> {
        let planned = decode(planned)?;
        let config = decode(config)?;
        self.resource.create(cx, Create { planned, config }).await
    }

    async fn update(
        &self,
        cx: &Context<R::Client>,
        change: Change,
    ) -> Result<R::Model, Failure<R::Model>> {
        let request = Update {
            prior: decode(change.prior)?,
            planned: decode(change.planned)?,
            config: decode(change.config)?,
        };
        self.resource.update(cx, request).await
    }

    async fn delete(&self, cx: &Context<R::Client>, prior: Cty) -> Applied {
        let result = match decode(prior.clone()) {
            Ok(state) => self.resource.delete(cx, state).await,
            Err(diagnostics) => Err(diagnostics.into()),
        };
        match result {
            Ok(()) => Applied {
                state: Cty::Null,
                diagnostics: Diagnostics::default(),
            },
            Err(failure) => self.failed(&prior.clone(), prior, failure),
        }
    }
}

#[async_trait]
impl<R: Resource> DynResource<R::Client> for ResourceAdapter<R> {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn identity_schema(&self) -> Option<&Schema> {
        let identity = &self.identity;
        (!identity.block.attributes.is_empty()).then_some(identity)
    }

    fn identity(&self, state: &Cty) -> Option<Cty> {
        let object = decode_if_known(state.clone()).ok()??;
        let identity = self.resource.identity(&object)?.into_cty();
        identity.is_wholly_known().then_some(identity)
    }

    async fn validate(&self, cx: &Context<R::Client>, config: Cty) -> Result<()> {
        let (config, mut problems) = checked(&self.schema.block, &config);
        if let Some(config) = config {
            let found = self.resource.validate(cx, config).await;
            problems.extend(found.err().unwrap_or_default());
        }
        problems.or_ok(())
    }

    async fn plan(&self, cx: &Context<R::Client>, change: Change) -> Result<Outline> {
        if change.planned.is_null() {
            return self.plan_destroy(cx, change.prior).await;
        }
        let block = &self.schema.block;
        let outline = plan::outline(block, &change.prior, &change.config, change.planned.clone());
        self.adjust(cx, change, outline).await
    }

    async fn apply(&self, cx: &Context<R::Client>, mut change: Change) -> Applied {
        if change.planned.is_null() {
            return self.delete(cx, change.prior).await;
        }
        change.config = plan::with_defaults(&self.schema.block, &change.config);
        let (planned, prior) = (change.planned.clone(), change.prior.clone());
        let result = if prior.is_null() {
            self.create(cx, change.planned, change.config).await
        } else {
            self.update(cx, change).await
        };
        self.applied(&planned, prior, result)
    }

    async fn read(&self, cx: &Context<R::Client>, state: Cty) -> Result<Cty> {
        let Some(model) = self.resource.read(cx, decode(state.clone())?).await? else {
            return Ok(Cty::Null);
        };
        let (state, problems) = into_state(&self.schema.block, &state, model);
        problems.or_ok(state)
    }

    async fn import(&self, cx: &Context<R::Client>, target: Target) -> Result<Cty> {
        let model = match target {
            Target::Id(id) => self.resource.import(cx, id).await?,
            Target::Identity(identity) => {
                let identity = decode(identity)?;
                self.resource.import_by_identity(cx, identity).await?
            }
        };
        let (state, problems) = into_state(&self.schema.block, &Cty::Null, model);
        problems.or_ok(state)
    }

    fn configuration(&self, state: Cty) -> Result<Cty> {
        let block = &self.schema.block;
        let mut config = state;
        plan::null_read_only(block, &mut config);
        let model = self.resource.configuration(decode(config.clone())?)?;
        let mut config = plan::restore(&config, model.into_cty());
        plan::null_write_only(block, &mut config);
        plan::null_needless(block, &mut config);
        Ok(config)
    }

    fn upgrade(&self, from: i64, state: &RawValue) -> Result<Cty> {
        upgraded(&self.schema, R::NAME, from, state, |old| {
            self.resource.upgrade(from, old)
        })
    }

    fn upgrade_identity(&self, from: i64, identity: &RawValue) -> Result<Cty> {
        upgraded(&self.identity, R::NAME, from, identity, |old| {
            self.resource.upgrade_identity(from, old)
        })
    }

    async fn move_state(&self, cx: &Context<R::Client>, source: MoveSource) -> Result<Option<Cty>> {
        let Some(model) = self.resource.move_state(cx, source).await? else {
            return Ok(None);
        };
        let (state, problems) = into_state(&self.schema.block, &Cty::Null, model);
        problems.or_ok(Some(state))
    }
}

/// What a state file holds, of this version or of one that `upgrade` knows, along the current schema.
fn upgraded(
    schema: &Schema,
    name: &str,
    from: i64,
    stored: &RawValue,
    upgrade: impl FnOnce(serde_json::Value) -> Result<serde_json::Value>,
) -> Result<Cty> {
    let unreadable = |error: &dyn std::fmt::Display| {
        let detail = format!("The state file's entry for {name} does not fit its schema: {error}.");
        Diagnostic::error("State cannot be read", detail)
    };
    if from == schema.version {
        return json::decode(stored, &schema.ty).map_err(|error| unreadable(&error).into());
    }
    let old = serde_json::from_str(stored.get()).map_err(|error| unreadable(&error))?;
    let new = serde_json::value::to_raw_value(&upgrade(old)?);
    let new = new.map_err(|error| unreadable(&error))?;
    json::decode(&new, &schema.ty).map_err(|error| unreadable(&error).into())
}
