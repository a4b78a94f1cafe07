//! The `Provider` service: messages in, messages out.

mod data;
mod resource;
mod schema;

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::{
    calls::{Outcome, Surroundings, WhenDropped},
    connection::Session,
    lifecycle::Lifecycle,
};
use crate::{
    Cty, Diagnostic, Provider, Registry,
    dispatch::{self, Schema},
    plan,
    wire::{self, provider_server},
    wire_value,
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
    ) -> Outcome<()> {
        let config = match wire_value::decode(request.config.as_ref(), &self.config.ty) {
            Ok(config) => plan::with_defaults(&self.config.block, &config),
            Err(diagnostics) => return Outcome::failed(diagnostics),
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
        Outcome {
            value: Some(()),
            diagnostics: outcome.diagnostics,
            private: outcome.private,
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

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl<P: Provider> provider_server::Provider for Service<P> {
    async fn get_metadata(
        &self,
        _: Request<wire::get_metadata::Request>,
    ) -> Answer<wire::get_metadata::Response> {
        Ok(Response::new(self.metadata()))
    }

    async fn get_provider_schema(
        &self,
        _: Request<wire::get_provider_schema::Request>,
    ) -> Answer<wire::get_provider_schema::Response> {
        Ok(Response::new(self.schemas()))
    }

    async fn get_functions(
        &self,
        _: Request<wire::get_functions::Request>,
    ) -> Answer<wire::get_functions::Response> {
        Ok(Response::new(wire::get_functions::Response {
            functions: self.functions(),
            diagnostics: Vec::new(),
        }))
    }

    async fn validate_provider_config(
        &self,
        request: Request<wire::validate_provider_config::Request>,
    ) -> Answer<wire::validate_provider_config::Response> {
        let session = session(&request)?;
        let outcome = self
            .validate_config(&session, request.into_inner().config)
            .await;
        Ok(Response::new(wire::validate_provider_config::Response {
            diagnostics: outcome.diagnostics,
        }))
    }

    async fn validate_resource_config(
        &self,
        request: Request<wire::validate_resource_config::Request>,
    ) -> Answer<wire::validate_resource_config::Response> {
        let session = session(&request)?;
        let outcome = self.validate_resource(&session, request.into_inner()).await;
        Ok(Response::new(wire::validate_resource_config::Response {
            diagnostics: outcome.diagnostics,
        }))
    }

    async fn validate_data_resource_config(
        &self,
        request: Request<wire::validate_data_resource_config::Request>,
    ) -> Answer<wire::validate_data_resource_config::Response> {
        let session = session(&request)?;
        let outcome = self
            .validate_data_source(&session, request.into_inner())
            .await;
        Ok(Response::new(
            wire::validate_data_resource_config::Response {
                diagnostics: outcome.diagnostics,
            },
        ))
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<wire::upgrade_resource_state::Request>,
    ) -> Answer<wire::upgrade_resource_state::Response> {
        Ok(Response::new(self.upgrade(request.into_inner()).await))
    }

    async fn configure_provider(
        &self,
        request: Request<wire::configure_provider::Request>,
    ) -> Answer<wire::configure_provider::Response> {
        let session = session(&request)?;
        let outcome = self.configure(&session, request.into_inner()).await;
        Ok(Response::new(wire::configure_provider::Response {
            diagnostics: outcome.diagnostics,
        }))
    }

    async fn read_resource(
        &self,
        request: Request<wire::read_resource::Request>,
    ) -> Answer<wire::read_resource::Response> {
        let session = session(&request)?;
        Ok(Response::new(
            self.read(&session, request.into_inner()).await,
        ))
    }

    async fn plan_resource_change(
        &self,
        request: Request<wire::plan_resource_change::Request>,
    ) -> Answer<wire::plan_resource_change::Response> {
        let session = session(&request)?;
        Ok(Response::new(
            self.plan(&session, request.into_inner()).await,
        ))
    }

    async fn apply_resource_change(
        &self,
        request: Request<wire::apply_resource_change::Request>,
    ) -> Answer<wire::apply_resource_change::Response> {
        let session = session(&request)?;
        Ok(Response::new(
            self.apply(&session, request.into_inner()).await,
        ))
    }

    async fn import_resource_state(
        &self,
        request: Request<wire::import_resource_state::Request>,
    ) -> Answer<wire::import_resource_state::Response> {
        let session = session(&request)?;
        Ok(Response::new(
            self.import(&session, request.into_inner()).await,
        ))
    }

    async fn move_resource_state(
        &self,
        request: Request<wire::move_resource_state::Request>,
    ) -> Answer<wire::move_resource_state::Response> {
        let session = session(&request)?;
        Ok(Response::new(
            self.move_state(&session, request.into_inner()).await,
        ))
    }

    async fn read_data_source(
        &self,
        request: Request<wire::read_data_source::Request>,
    ) -> Answer<wire::read_data_source::Response> {
        let session = session(&request)?;
        Ok(Response::new(
            self.read_data(&session, request.into_inner()).await,
        ))
    }

    async fn call_function(
        &self,
        request: Request<wire::call_function::Request>,
    ) -> Answer<wire::call_function::Response> {
        Ok(Response::new(self.call(request.into_inner()).await))
    }

    // No ephemeral resources are offered, so Terraform has no reason to ask; if it does, it gets a diagnostic.
    async fn validate_ephemeral_resource_config(
        &self,
        request: Request<wire::validate_ephemeral_resource_config::Request>,
    ) -> Answer<wire::validate_ephemeral_resource_config::Response> {
        Ok(Response::new(
            wire::validate_ephemeral_resource_config::Response {
                diagnostics: no_ephemeral(&request.get_ref().type_name),
            },
        ))
    }

    async fn open_ephemeral_resource(
        &self,
        request: Request<wire::open_ephemeral_resource::Request>,
    ) -> Answer<wire::open_ephemeral_resource::Response> {
        Ok(Response::new(wire::open_ephemeral_resource::Response {
            diagnostics: no_ephemeral(&request.get_ref().type_name),
            ..wire::open_ephemeral_resource::Response::default()
        }))
    }

    async fn renew_ephemeral_resource(
        &self,
        request: Request<wire::renew_ephemeral_resource::Request>,
    ) -> Answer<wire::renew_ephemeral_resource::Response> {
        Ok(Response::new(wire::renew_ephemeral_resource::Response {
            diagnostics: no_ephemeral(&request.get_ref().type_name),
            ..wire::renew_ephemeral_resource::Response::default()
        }))
    }

    async fn close_ephemeral_resource(
        &self,
        request: Request<wire::close_ephemeral_resource::Request>,
    ) -> Answer<wire::close_ephemeral_resource::Response> {
        Ok(Response::new(wire::close_ephemeral_resource::Response {
            diagnostics: no_ephemeral(&request.get_ref().type_name),
        }))
    }

    /// Signals and answers: the calls in flight decide how they end. One that began a moment too late, on the same
    /// connection, is born stopped.
    async fn stop_provider(
        &self,
        request: Request<wire::stop_provider::Request>,
    ) -> Answer<wire::stop_provider::Response> {
        session::<P::Client, _>(&request)?.stop().cancel();
        Ok(Response::new(wire::stop_provider::Response::default()))
    }
}

fn no_ephemeral(name: &str) -> Vec<wire::Diagnostic> {
    vec![no_such("ephemeral resource", name).to_wire()]
}
