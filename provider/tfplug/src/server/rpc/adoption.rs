//! Objects and state that come from elsewhere: imported, moved, or stored by an earlier version.

use serde_json::value::RawValue;

use super::{
    Service, identity,
    resource::{Call, decode, encode, encoded},
};
use crate::{
    Cty, Diagnostic, MoveSource, Provider, Result,
    dispatch::{DynResource, Target},
    server::{calls, connection::Session},
    wire::{
        self, generate_resource_config,
        import_resource_state::{self, ImportedResource},
        move_resource_state, upgrade_resource_state,
    },
};

impl<P: Provider> Service<P> {
    pub(super) async fn import(
        &self,
        session: &Session<P::Client>,
        request: import_resource_state::Request,
    ) -> import_resource_state::Response {
        let call = Call::looking(session, &request.type_name);
        let target = |resource: &dyn DynResource<_>| {
            let given = identity::decode(request.identity.as_ref(), resource.identity_schema())?;
            let target = given
                .clone()
                .map_or(Target::Id(request.id), Target::Identity);
            Ok((given, target))
        };
        let outcome = self
            .on_resource(call, target, |resource, cx, (given, target)| async move {
                let state = resource.import(&cx, target).await?;
                let identity = identity::of_state(&*resource, &state, given)?;
                Ok(encoded(&*resource, &state, identity.as_ref()))
            })
            .await;
        let imported = outcome.value.map(|(state, identity)| ImportedResource {
            type_name: request.type_name.clone(),
            state: Some(state),
            private: outcome.private,
            identity,
        });
        import_resource_state::Response {
            imported_resources: imported.into_iter().collect(),
            diagnostics: outcome.diagnostics,
            deferred: None,
        }
    }

    pub(super) async fn generate_config(
        &self,
        session: &Session<P::Client>,
        request: generate_resource_config::Request,
    ) -> generate_resource_config::Response {
        let call = Call::looking(session, &request.type_name);
        let state = |resource: &dyn DynResource<_>| decode(request.state.as_ref(), resource);
        let outcome = self
            .on_resource(call, state, |resource, _, state| async move {
                // Of an object that was listed without its attributes.
                let config = match state {
                    Cty::Null => Cty::Null,
                    state => resource.configuration(state)?,
                };
                Ok(encode(&config, &*resource))
            })
            .await;
        generate_resource_config::Response {
            config: outcome.value,
            diagnostics: outcome.diagnostics,
        }
    }

    pub(super) async fn upgrade(
        &self,
        _: &Session<P::Client>,
        request: upgrade_resource_state::Request,
    ) -> upgrade_resource_state::Response {
        let upgraded = match self.resource(&request.type_name) {
            Ok(resource) => calls::run_plain(async move {
                let raw = raw_state(request.raw_state.as_ref())?;
                let state = resource.upgrade(request.version, raw)?;
                Ok(encode(&state, &*resource))
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
                    let identity = resource.identity(&state);
                    Ok(encoded(&*resource, &state, identity.as_ref()))
                },
            )
            .await;
        let (target_state, target_identity) = outcome.value.unzip();
        move_resource_state::Response {
            target_state,
            diagnostics: outcome.diagnostics,
            target_private: outcome.private,
            target_identity: target_identity.flatten(),
        }
    }
}

pub(super) fn raw_state(state: Option<&wire::RawState>) -> Result<&RawValue> {
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
    let identity = request.source_identity.as_ref();
    let identity = identity.filter(|it| !it.json.is_empty());
    let identity = identity.map(|it| serde_json::from_slice(&it.json));
    Ok(MoveSource {
        provider_address: request.source_provider_address,
        type_name: request.source_type_name,
        schema_version: request.source_schema_version,
        state,
        private: request.source_private,
        // Not ours to judge: one that cannot be read is none.
        identity: identity.and_then(std::result::Result::ok),
    })
}

fn cannot_move(from: &str) -> Diagnostic {
    Diagnostic::error(
        "Cannot be moved here",
        format!("This resource type does not know how to take over the state of a {from}."),
    )
}
