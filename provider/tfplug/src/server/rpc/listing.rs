//! Lists: results leave as they are found.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::Status;

use super::{Service, identity, no_such};
use crate::{
    Cty, Provider, Result,
    dispatch::{DynList, DynResource, Listed, Query},
    server::{
        calls::{Outcome, Surroundings, WhenDropped},
        connection::Session,
        lifecycle::Lifecycle,
    },
    wire::{self, list_resource, validate_list_resource_config},
    wire_value,
};

type List<C> = Arc<dyn DynList<C>>;

/// How many results may wait for Terraform to take them.
const AHEAD: usize = 16;

/// A list at work.
struct Listing<C> {
    list: List<C>,
    query: Query,
    session: Arc<Session<C>>,
    lifecycle: Lifecycle,
}

impl<P: Provider> Service<P> {
    pub(super) async fn validate_list(
        &self,
        session: &Session<P::Client>,
        request: validate_list_resource_config::Request,
    ) -> validate_list_resource_config::Response {
        let outcome = match self.list_of(&request.type_name, request.config.as_ref()) {
            Ok((list, config)) => {
                let surroundings = self.surroundings(session, &[]);
                surroundings
                    .run(WhenDropped::Abort, |cx| async move {
                        list.validate(&cx, config).await
                    })
                    .await
            }
            Err(diagnostics) => Outcome::failed(diagnostics),
        };
        validate_list_resource_config::Response {
            diagnostics: outcome.diagnostics,
        }
    }

    pub(super) fn list(
        &self,
        session: Arc<Session<P::Client>>,
        request: &list_resource::Request,
    ) -> impl Stream<Item = Result<list_resource::Event, Status>> + use<P> {
        let (results, listed) = mpsc::channel(AHEAD);
        let prepared = self
            .list_of(&request.type_name, request.config.as_ref())
            .and_then(|found| Ok((found, self.resource(&request.type_name)?)));
        let resource = match prepared {
            Ok(((list, config), resource)) => {
                let query = Query {
                    config,
                    limit: u64::try_from(request.limit).unwrap_or_default(),
                    wants_objects: request.include_resource_object,
                    results,
                };
                let lifecycle = self.lifecycle.clone();
                let listing = Listing {
                    list,
                    query,
                    session,
                    lifecycle,
                };
                tokio::spawn(listing.run());
                Some(resource)
            }
            Err(diagnostics) => {
                // There is room for one.
                let _ = results.try_send(said(diagnostics.to_wire()));
                None
            }
        };
        ReceiverStream::new(listed).map(move |listed| Ok(event(listed, resource.as_deref())))
    }

    fn list_of(
        &self,
        name: &str,
        config: Option<&wire::DynamicValue>,
    ) -> Result<(List<P::Client>, Cty)> {
        let list = self.registry.lists.get(name);
        let list = list.ok_or_else(|| no_such("list", name))?;
        let config = wire_value::decode(config, &list.schema().ty)?;
        Ok((Arc::clone(list), config))
    }
}

impl<C: Send + Sync + 'static> Listing<C> {
    /// Ends when nobody listens any more: to be dropped is the only word that a stream gets of it.
    async fn run(self) {
        let results = self.query.results.clone();
        let surroundings = Surroundings {
            session: &self.session,
            lifecycle: &self.lifecycle,
            private: &[],
            terraform_version: None,
        };
        let (list, query) = (self.list, self.query);
        let listing = surroundings.run(WhenDropped::Abort, |cx| async move {
            list.list(&cx, query).await
        });
        tokio::select! {
            outcome = listing => {
                if !outcome.diagnostics.is_empty() {
                    let _ = results.send(said(outcome.diagnostics)).await;
                }
            }
            () = results.closed() => {}
        }
    }
}

fn said(diagnostics: Vec<wire::Diagnostic>) -> Listed {
    Listed {
        diagnostics,
        ..Listed::default()
    }
}

fn event<C>(listed: Listed, resource: Option<&dyn DynResource<C>>) -> list_resource::Event {
    let identity = listed.identity.zip(resource);
    let object = listed.object.zip(resource);
    list_resource::Event {
        identity: identity.and_then(|(it, of)| identity::encode(&it, of.identity_schema())),
        display_name: listed.display_name,
        resource_object: object.map(|(it, of)| wire_value::encode(&it, &of.schema().ty)),
        diagnostic: listed.diagnostics,
    }
}
