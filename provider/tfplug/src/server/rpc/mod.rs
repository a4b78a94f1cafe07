//! The `Provider` service: messages in, messages out.

mod adoption;
mod data;
mod identity;
mod listing;
mod resource;
mod schema;
mod service;

use std::sync::Arc;

use tonic::{Request, Status};

use super::{
    calls::{Outcome, Surroundings, WhenDropped},
    connection::Session,
    lifecycle::Lifecycle,
};
use crate::{
    Cty, Diagnostic, Provider, Registry,
    dispatch::{self, Schema},
    plan, wire, wire_value,
};

/// A provider behind the protocol.
pub(super) struct Service<P: Provider> {
    provider: Arc<P>,
    config: Schema,
    registry: Registry<P::Client>,
    lifecycle: Lifecycle,
}

impl<P: Provider> Service<P> {
    pub(super) fn new(provider: P, lifecycle: Lifecycle) -> Self {
        let mut registry = Registry::default();
        provider.register(&mut registry);
        Self {
            provider: Arc::new(provider),
            config: Schema::of::<P::Config>(),
            registry,
            lifecycle,
        }
    }

    fn surroundings<'a>(
        &'a self,
        session: &'a Session<P::Client>,
        private: &'a [u8],
    ) -> Surroundings<'a, P::Client> {
        Surroundings {
            session,
            lifecycle: &self.lifecycle,
            private,
            terraform_version: None,
        }
    }

    async fn validate_config(
        &self,
        session: &Session<P::Client>,
        request: wire::validate_provider_config::Request,
    ) -> wire::validate_provider_config::Response {
        let outcome = self.checked_config(session, request.config).await;
        wire::validate_provider_config::Response {
            diagnostics: outcome.diagnostics,
        }
    }

    async fn checked_config(
        &self,
        session: &Session<P::Client>,
        config: Option<wire::DynamicValue>,
    ) -> Outcome<()> {
        let config = match wire_value::decode(config.as_ref(), &self.config.ty) {
            Ok(config) => config,
            Err(diagnostics) => return Outcome::failed(diagnostics),
        };
        let provider = Arc::clone(&self.provider);
        let checked = dispatch::validate_attributes(&self.config.block, &config);
        let config = plan::with_defaults(&self.config.block, &config);
        self.surroundings(session, &[])
            .run(WhenDropped::Abort, move |cx| async move {
                checked?;
                match dispatch::decode_if_known(config)? {
                    Some(config) => provider.validate(&cx, config).await,
                    None => Ok(()),
                }
            })
            .await
    }

    /// While a plain field of the configuration is unknown there is no client, and resources plan without one.
    async fn configure(
        &self,
        session: &Session<P::Client>,
        request: wire::configure_provider::Request,
    ) -> wire::configure_provider::Response {
        let config = match wire_value::decode(request.config.as_ref(), &self.config.ty) {
            Ok(config) => plan::with_defaults(&self.config.block, &config),
            Err(diagnostics) => {
                return wire::configure_provider::Response {
                    diagnostics: diagnostics.to_wire(),
                };
            }
        };
        let provider = Arc::clone(&self.provider);
        let surroundings = Surroundings {
            terraform_version: Some(request.terraform_version).filter(|it| !it.is_empty()),
            ..self.surroundings(session, &[])
        };
        let outcome = surroundings
            .run(WhenDropped::Abort, move |cx| async move {
                match dispatch::decode_if_known(config)? {
                    Some(config) => provider.configure(&cx, config).await.map(Some),
                    None => Ok(None),
                }
            })
            .await;
        session.configure(outcome.value.flatten().map(Arc::new));
        wire::configure_provider::Response {
            diagnostics: outcome.diagnostics,
        }
    }
}

/// What the connection of this request belongs to.
fn session<C: Send + Sync + 'static, T>(request: &Request<T>) -> Result<Arc<Session<C>>, Status> {
    let session = request.extensions().get::<Arc<Session<C>>>();
    session
        .cloned()
        .ok_or_else(|| Status::internal("a request without a connection"))
}

/// Terraform asked for a type that the schema does not have.
fn no_such(kind: &str, name: &str) -> Diagnostic {
    Diagnostic::error(
        format!("No such {kind}"),
        format!(
            "This provider has no {kind} {name:?}. Terraform may have started another version of it than it asked for its schema."
        ),
    )
}

fn encoded(value: Option<&Cty>, schema: &Schema) -> Option<wire::DynamicValue> {
    value.map(|value| wire_value::encode(value, &schema.ty))
}
