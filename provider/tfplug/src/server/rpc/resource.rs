//! Managed resources.

use std::{future::Future, sync::Arc};

use serde_json::value::RawValue;

use super::{Service, no_such};
use crate::{
    Context, Cty, Diagnostic, MoveSource, Provider, Result,
    dispatch::{Applied, Change, DynResource, Schema},
    server::{
        calls::{self, Outcome, WhenDropped},
        connection::Session,
    },
    wire::{
        self, DynamicValue, apply_resource_change, import_resource_state, move_resource_state,
        plan_resource_change, read_resource, upgrade_resource_state, validate_resource_config,
    },
    wire_value,
};

type Resource<C> = Arc<dyn DynResource<C>>;

/// A call of one resource type.
struct Call<'a, C> {
    session: &'a Session<C>,
    type_name: &'a str,
    private: &'a [u8],
    when_dropped: WhenDropped,
}

impl<'a, C> Call<'a, C> {
    /// One that only looks.
    fn looking(session: &'a Session<C>, type_name: &'a str) -> Self {
        Self {
            session,
            type_name,
            private: &[],
            when_dropped: WhenDropped::Abort,
        }
    }

    fn with_private(mut self, private: &'a [u8]) -> Self {
        self.private = private;
        self
    }
}

impl<P: Provider> Service<P> {
    pub(super) async fn validate_resource(
        &self,
        session: &Session<P::Client>,
        request: validate_resource_config::Request,
    ) -> Outcome<()> {
        let config = |schema: &Schema| decode(request.config.as_ref(), schema);
        self.on_resource(
            Call::looking(session, &request.type_name),
            config,
            |resource, cx, config| async move { resource.validate(&cx, config).await },
        )
        .await
    }

    pub(super) async fn read(
        &self,
        session: &Session<P::Client>,
        request: read_resource::Request,
    ) -> read_resource::Response {
        let call = Call::looking(session, &request.type_name).with_private(&request.private);
        let state = |schema: &Schema| decode(request.current_state.as_ref(), schema);
        let outcome = self
            .on_resource(call, state, |resource, cx, state| async move {
                let state = resource.read(&cx, state).await?;
                Ok(encode(&state, resource.schema()))
            })
            .await;
        read_resource::Response {
            new_state: outcome.value,
            diagnostics: outcome.diagnostics,
            private: outcome.private,
            deferred: None,
        }
    }

    pub(super) async fn plan(
        &self,
        session: &Session<P::Client>,
        request: plan_resource_change::Request,
    ) -> plan_resource_change::Response {
        let call = Call::looking(session, &request.type_name).with_private(&request.prior_private);
        let change = |schema: &Schema| {
            Ok(Change {
                prior: decode(request.prior_state.as_ref(), schema)?,
                planned: decode(request.proposed_new_state.as_ref(), schema)?,
                config: decode(request.config.as_ref(), schema)?,
            })
        };
        let outcome = self
            .on_resource(call, change, |resource, cx, change| async move {
                let plan = resource.plan(&cx, change).await?;
                let replace: Vec<_> = plan
                    .replace
                    .iter()
                    .map(crate::AttributePath::to_wire)
                    .collect();
                Ok((encode(&plan.planned, resource.schema()), replace))
            })
            .await;
        let (planned_state, requires_replace) = outcome.value.unzip();
        plan_resource_change::Response {
            planned_state,
            requires_replace: requires_replace.unwrap_or_default(),
            planned_private: outcome.private,
            diagnostics: outcome.diagnostics,
            // Unset: core then checks every promise of the plan.
            legacy_type_system: false,
            deferred: None,
        }
    }

    pub(super) async fn apply(
        &self,
        session: &Session<P::Client>,
        request: apply_resource_change::Request,
    ) -> apply_resource_change::Response {
        let mut call =
            Call::looking(session, &request.type_name).with_private(&request.planned_private);
        call.when_dropped = WhenDropped::Finish;
        let change = |schema: &Schema| {
            Ok(Change {
                prior: decode(request.prior_state.as_ref(), schema)?,
                planned: decode(request.planned_state.as_ref(), schema)?,
                config: decode(request.config.as_ref(), schema)?,
            })
        };
        let outcome = self
            .on_resource(call, change, |resource, cx, change| async move {
                let Applied { state, diagnostics } = resource.apply(&cx, change).await;
                Ok((encode(&state, resource.schema()), diagnostics.to_wire()))
            })
            .await;
        let (new_state, errors) = outcome.value.unzip();
        apply_resource_change::Response {
            // A call that crashed says nothing about the object: the prior state is the best there is.
            new_state: new_state.or(request.prior_state),
            private: outcome.private,
            diagnostics: outcome
                .diagnostics
                .into_iter()
                .chain(errors.unwrap_or_default())
                .collect(),
            legacy_type_system: false,
        }
    }

    pub(super) async fn import(
        &self,
        session: &Session<P::Client>,
        request: import_resource_state::Request,
    ) -> import_resource_state::Response {
        let call = Call::looking(session, &request.type_name);
        let outcome = self
            .on_resource(
                call,
                |_| Ok(request.id),
                |resource, cx, id| async move {
                    let state = resource.import(&cx, id).await?;
                    Ok(encode(&state, resource.schema()))
                },
            )
            .await;
        let imported = outcome
            .value
            .map(|state| import_resource_state::ImportedResource {
                type_name: request.type_name.clone(),
                state: Some(state),
                private: outcome.private,
            });
        import_resource_state::Response {
            imported_resources: imported.into_iter().collect(),
            diagnostics: outcome.diagnostics,
            deferred: None,
        }
    }

    pub(super) async fn upgrade(
        &self,
        request: upgrade_resource_state::Request,
    ) -> upgrade_resource_state::Response {
        let upgraded = match self.resource(&request.type_name) {
            Ok(resource) => calls::run_plain(async move {
                let raw = raw_state(request.raw_state.as_ref())?;
                let state = resource.upgrade(request.version, raw)?;
                Ok(encode(&state, resource.schema()))
            })
            .await
            .flatten(),
            Err(diagnostics) => Err(diagnostics),
        };
        let (upgraded_state, diagnostics) = match upgraded {
            Ok(state) => (Some(state), Vec::new()),
            Err(diagnostics) => (None, diagnostics.into_failure().to_wire()),
        };
        upgrade_resource_state::Response {
            upgraded_state,
            diagnostics,
        }
    }

    pub(super) async fn move_state(
        &self,
        session: &Session<P::Client>,
        request: move_resource_state::Request,
    ) -> move_resource_state::Response {
        let target = request.target_type_name.clone();
        let outcome = self
            .on_resource(
                Call::looking(session, &target),
                |_| move_source(request),
                |resource, cx, source| async move {
                    let from = source.type_name.clone();
                    let state = resource
                        .move_state(&cx, source)
                        .await?
                        .ok_or_else(|| cannot_move(&from))?;
                    Ok(encode(&state, resource.schema()))
                },
            )
            .await;
        move_resource_state::Response {
            target_state: outcome.value,
            diagnostics: outcome.diagnostics,
            target_private: outcome.private,
        }
    }

    /// Reads the call's arguments along the resource's schema, then runs `work` on them.
    async fn on_resource<A, T, F>(
        &self,
        call: Call<'_, P::Client>,
        arguments: impl FnOnce(&Schema) -> Result<A>,
        work: impl FnOnce(Resource<P::Client>, Arc<Context<P::Client>>, A) -> F,
    ) -> Outcome<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let prepared = self
            .resource(call.type_name)
            .and_then(|resource| Ok((arguments(resource.schema())?, resource)));
        match prepared {
            Ok((arguments, resource)) => {
                let surroundings = self.surroundings(call.session, call.private);
                surroundings
                    .run(call.when_dropped, |cx| work(resource, cx, arguments))
                    .await
            }
            Err(diagnostics) => Outcome::failed(diagnostics),
        }
    }

    fn resource(&self, type_name: &str) -> Result<Resource<P::Client>> {
        let resource = self.registry.resources.get(type_name);
        Ok(Arc::clone(
            resource.ok_or_else(|| no_such("resource", type_name))?,
        ))
    }
}

fn decode(value: Option<&DynamicValue>, schema: &Schema) -> Result<Cty> {
    wire_value::decode(value, &schema.ty)
}

fn encode(value: &Cty, schema: &Schema) -> DynamicValue {
    wire_value::encode(value, &schema.ty)
}

fn raw_state(state: Option<&wire::RawState>) -> Result<&RawValue> {
    let json = state.map_or(&[][..], |state| &state.json);
    serde_json::from_slice(json).map_err(|error| {
        let why = if json.is_empty() {
            "it was written by a Terraform before 0.12".to_owned()
        } else {
            error.to_string()
        };
        Diagnostic::error(
            "State cannot be read",
            format!("The state file's entry is no JSON: {why}."),
        )
        .into()
    })
}

fn move_source(request: move_resource_state::Request) -> Result<MoveSource> {
    let state =
        serde_json::from_str(raw_state(request.source_state.as_ref())?.get()).map_err(|error| {
            Diagnostic::error(
                "State cannot be read",
                format!("The state to move is no JSON: {error}."),
            )
        })?;
    Ok(MoveSource {
        provider_address: request.source_provider_address,
        type_name: request.source_type_name,
        schema_version: request.source_schema_version,
        state,
        private: request.source_private,
    })
}

fn cannot_move(from: &str) -> Diagnostic {
    Diagnostic::error(
        "Cannot be moved here",
        format!("This resource type does not know how to take over the state of a {from}."),
    )
}
