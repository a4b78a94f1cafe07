//! What identifies an object, on its way through the calls: known once, it stays what it was.

use super::Service;
use crate::{
    Cty, Diagnostic, Provider, Result,
    dispatch::{DynResource, Schema},
    server::{calls, connection::Session},
    wire::{ResourceIdentityData, upgrade_resource_identity},
    wire_value,
};

/// What Terraform sent: none where it sent nothing, or nothing but nulls (as other libraries do for "none yet").
pub(super) fn decode(
    data: Option<&ResourceIdentityData>,
    schema: Option<&Schema>,
) -> Result<Option<Cty>> {
    let (Some(data), Some(schema)) = (data, schema) else {
        return Ok(None);
    };
    let identity = wire_value::decode(data.identity_data.as_ref(), &schema.ty)?;
    let is_empty = match &identity {
        Cty::Map(attributes) => attributes.values().all(Cty::is_null),
        other => other.is_null(),
    };
    Ok(Some(identity).filter(|it| !is_empty && it.is_wholly_known()))
}

pub(super) fn encode(identity: &Cty, schema: Option<&Schema>) -> Option<ResourceIdentityData> {
    let identity_data = Some(wire_value::encode(identity, &schema?.ty));
    Some(ResourceIdentityData { identity_data })
}

/// The identity of the object in `state`, of which `known` was known before. An error where it is that of another object.
pub(super) fn of_state<C>(
    resource: &dyn DynResource<C>,
    state: &Cty,
    known: Option<Cty>,
) -> Result<Option<Cty>> {
    if state.is_null() {
        return Ok(None);
    }
    let found = resource.identity(state);
    match (&known, &found) {
        (Some(known), Some(found)) if contradict(known, found) => {
            let detail = "It is that of another object than before. This is a bug in the provider: an object's identity \
                          never changes.";
            Err(Diagnostic::error("The object's identity changed", detail).into())
        }
        _ => Ok(found.or(known)),
    }
}

/// Whether two identities cannot be the same object's: null is what was left open.
fn contradict(one: &Cty, other: &Cty) -> bool {
    let Cty::Map(attributes) = one else {
        return false;
    };
    attributes.iter().any(|(name, mine)| {
        let theirs = other.attribute(name);
        !mine.is_null() && !theirs.is_null() && mine != theirs
    })
}

impl<P: Provider> Service<P> {
    pub(super) async fn upgrade_identity(
        &self,
        _: &Session<P::Client>,
        request: upgrade_resource_identity::Request,
    ) -> upgrade_resource_identity::Response {
        // State from before identities: Terraform 1.15 asks for an upgrade of nothing, wherever the version is not 0.
        if request
            .raw_identity
            .as_ref()
            .is_none_or(|raw| raw.json.is_empty())
        {
            return upgrade_resource_identity::Response::default();
        }
        let upgraded = match self.resource(&request.type_name) {
            Ok(resource) => calls::run_plain(async move {
                let raw = super::adoption::raw_state(request.raw_identity.as_ref())?;
                let identity = resource.upgrade_identity(request.version, raw)?;
                Ok(encode(&identity, resource.identity_schema()))
            })
            .await
            .flatten(),
            Err(diagnostics) => Err(diagnostics),
        };
        let (upgraded_identity, diagnostics) = match upgraded {
            Ok(identity) => (identity, Vec::new()),
            Err(diagnostics) => (None, diagnostics.into_failure().to_wire()),
        };
        upgrade_resource_identity::Response {
            upgraded_identity,
            diagnostics,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(attributes: &[(&str, Option<&str>)]) -> Cty {
        let attributes = attributes.iter().map(|(name, value)| {
            let value = value.map_or(Cty::Null, |it| Cty::String(it.to_owned()));
            ((*name).to_owned(), value)
        });
        Cty::Map(attributes.collect())
    }

    #[test]
    fn what_was_left_open_contradicts_nothing() {
        let whole = identity(&[("id", Some("a")), ("region", Some("x"))]);
        let open = identity(&[("id", Some("a")), ("region", None)]);
        let other = identity(&[("id", Some("b")), ("region", None)]);
        assert!(!contradict(&open, &whole) && !contradict(&whole, &open));
        assert!(contradict(&other, &whole) && contradict(&whole, &other));
    }
}
