//! Managed resources, from plan to end.

use std::{future::Future, sync::Arc};

use super::{Service, identity, no_such};
use crate::{
    Context, Cty, Provider, Result,
    dispatch::{self, Applied, Change, DynResource},
    server::{
        calls::{Outcome, WhenDropped},
        connection::Session,
    },
    wire::{
        self, DynamicValue, ResourceIdentityData, apply_resource_change, plan_resource_change,
        read_resource, validate_resource_config,
    },
    wire_value,
};

type Resource<C> = Arc<dyn DynResource<C>>;

/// A call of one resource type.
pub(super) struct Call<'a, C> {
    session: &'a Session<C>,
    type_name: &'a str,
    private: &'a [u8],
    when_dropped: WhenDropped,
}

impl<'a, C> Call<'a, C> {
    /// One that only looks.
    pub(super) fn looking(session: &'a Session<C>, type_name: &'a str) -> Self {
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
    ) -> validate_resource_config::Response {
        let client = request.client_capabilities.unwrap_or_default();
        let call = Call::looking(session, &request.type_name);
        let config = |resource: &dyn DynResource<_>| decode(request.config.as_ref(), resource);
        let outcome = self
            .on_resource(call, config, move |resource, cx, config| async move {
                if !client.write_only_attributes_allowed {
                    dispatch::refuse_write_only(&resource.schema().block, &config)?;
                }
                resource.validate(&cx, config).await
            })
            .await;
        validate_resource_config::Response {
            diagnostics: outcome.diagnostics,
        }
    }

    pub(super) async fn read(
        &self,
        session: &Session<P::Client>,
        request: read_resource::Request,
    ) -> read_resource::Response {
        let call = Call::looking(session, &request.type_name).with_private(&request.private);
        let current = |resource: &dyn DynResource<_>| {
            let (state, data) = (&request.current_state, &request.current_identity);
            let known = identity::decode(data.as_ref(), resource.identity_schema())?;
            Ok((decode(state.as_ref(), resource)?, known))
        };
        let outcome = self
            .on_resource(call, current, |resource, cx, (state, known)| async move {
                let state = resource.read(&cx, state).await?;
                let identity = identity::of_state(&*resource, &state, known)?;
                Ok(encoded(&*resource, &state, identity.as_ref()))
            })
            .await;
        let (new_state, new_identity) = outcome.value.unzip();
        read_resource::Response {
            new_state,
            diagnostics: outcome.diagnostics,
            private: outcome.private,
            deferred: None,
            new_identity: new_identity.flatten(),
        }
    }

    pub(super) async fn plan(
        &self,
        session: &Session<P::Client>,
        request: plan_resource_change::Request,
    ) -> plan_resource_change::Response {
        let call = Call::looking(session, &request.type_name).with_private(&request.prior_private);
        let prior = |resource: &dyn DynResource<_>| {
            let data = request.prior_identity.as_ref();
            let change = Change {
                prior: decode(request.prior_state.as_ref(), resource)?,
                planned: decode(request.proposed_new_state.as_ref(), resource)?,
                config: decode(request.config.as_ref(), resource)?,
            };
            let known = identity::decode(data, resource.identity_schema())?;
            // A new object has an identity of its own, which nobody knows yet.
            let known = known.or_else(|| resource.identity(&change.prior));
            Ok((known.filter(|_| !change.prior.is_null()), change))
        };
        let outcome = self
            .on_resource(call, prior, |resource, cx, (known, change)| async move {
                let plan = resource.plan(&cx, change).await?;
                let replace = plan.replace.iter().map(crate::AttributePath::to_wire);
                let planned = encoded(&*resource, &plan.planned, known.as_ref());
                Ok((planned, replace.collect()))
            })
            .await;
        let (planned, requires_replace) = outcome.value.unzip();
        let (planned_state, planned_identity) = planned.unzip();
        plan_resource_change::Response {
            planned_state,
            requires_replace: requires_replace.unwrap_or_default(),
            planned_private: outcome.private,
            diagnostics: outcome.diagnostics,
            // Unset: core then checks every promise of the plan.
            legacy_type_system: false,
            deferred: None,
            planned_identity: planned_identity.flatten(),
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
        let change = |resource: &dyn DynResource<_>| {
            let data = request.planned_identity.as_ref();
            let change = Change {
                prior: decode(request.prior_state.as_ref(), resource)?,
                planned: decode(request.planned_state.as_ref(), resource)?,
                config: decode(request.config.as_ref(), resource)?,
            };
            Ok((identity::decode(data, resource.identity_schema())?, change))
        };
        let outcome = self
            .on_resource(call, change, |resource, cx, (known, change)| async move {
                Ok(applied(
                    &*resource,
                    known,
                    resource.apply(&cx, change).await,
                ))
            })
            .await;
        let (made, errors) = outcome.value.unzip();
        let (new_state, new_identity) = made.unzip();
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
            new_identity: new_identity.unwrap_or(request.planned_identity),
        }
    }

    /// Reads the call's arguments along the resource's schemas, then runs `work` on them.
    pub(super) async fn on_resource<A, T, F>(
        &self,
        call: Call<'_, P::Client>,
        arguments: impl FnOnce(&dyn DynResource<P::Client>) -> Result<A>,
        work: impl FnOnce(Resource<P::Client>, Arc<Context<P::Client>>, A) -> F,
    ) -> Outcome<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let prepared = self
            .resource(call.type_name)
            .and_then(|resource| Ok((arguments(&*resource)?, resource)));
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

    pub(super) fn resource(&self, type_name: &str) -> Result<Resource<P::Client>> {
        let resource = self.registry.resources.get(type_name);
        Ok(Arc::clone(
            resource.ok_or_else(|| no_such("resource", type_name))?,
        ))
    }
}

pub(super) fn decode<C>(value: Option<&DynamicValue>, of: &dyn DynResource<C>) -> Result<Cty> {
    wire_value::decode(value, &of.schema().ty)
}

pub(super) fn encode<C>(value: &Cty, of: &dyn DynResource<C>) -> DynamicValue {
    wire_value::encode(value, &of.schema().ty)
}

/// An object's state, and its identity where that is known.
pub(super) type Encoded = (DynamicValue, Option<ResourceIdentityData>);

pub(super) fn encoded<C>(of: &dyn DynResource<C>, state: &Cty, identity: Option<&Cty>) -> Encoded {
    let identity = identity.and_then(|it| identity::encode(it, of.identity_schema()));
    (encode(state, of), identity)
}

/// What a change left, with everything that was said of it.
fn applied<C>(
    of: &dyn DynResource<C>,
    known: Option<Cty>,
    applied: Applied,
) -> (Encoded, Vec<wire::Diagnostic>) {
    let Applied {
        state,
        mut diagnostics,
    } = applied;
    let identity = identity::of_state(of, &state, known).unwrap_or_else(|changed| {
        diagnostics.extend(changed);
        None
    });
    (
        encoded(of, &state, identity.as_ref()),
        diagnostics.to_wire(),
    )
}
