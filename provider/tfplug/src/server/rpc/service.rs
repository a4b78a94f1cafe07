//! Every RPC of the protocol, and what answers it.

use std::pin::Pin;

use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::{Service, no_such, session};
use crate::{
    Provider,
    wire::{self, invoke_action, list_resource, provider_server, read_state_bytes},
};

type Answer<T> = Result<Response<T>, Status>;
type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Writes the service: `told` is answered from the schema, `called` by the provider. Of the kinds of things that are
/// `absent` no provider of this library has any: Terraform has no reason to ask, and gets a diagnostic if it does.
macro_rules! provider_service {
    (
        told { $($told:ident => $tell:ident,)* }
        called { $($called:ident => $call:ident,)* }
        absent { $($absent:ident => $kind:literal $name:ident,)* }
        by hand { $($by_hand:tt)* }
    ) => {
        #[tonic::async_trait]
        impl<P: Provider> provider_server::Provider for Service<P> {
            $(async fn $told(
                &self,
                _: Request<wire::$told::Request>,
            ) -> Answer<wire::$told::Response> {
                Ok(Response::new(self.$tell()))
            })*

            $(async fn $called(
                &self,
                request: Request<wire::$called::Request>,
            ) -> Answer<wire::$called::Response> {
                let session = session(&request)?;
                Ok(Response::new(self.$call(&session, request.into_inner()).await))
            })*

            $(#[allow(clippy::needless_update, reason = "some answers are diagnostics and nothing else")]
            async fn $absent(
                &self,
                request: Request<wire::$absent::Request>,
            ) -> Answer<wire::$absent::Response> {
                Ok(Response::new(wire::$absent::Response {
                    diagnostics: absent($kind, &request.get_ref().$name),
                    ..wire::$absent::Response::default()
                }))
            })*

            $($by_hand)*
        }
    };
}

provider_service! {
    told {
        get_metadata => metadata,
        get_provider_schema => schemas,
        get_resource_identity_schemas => identity_schemas,
        get_functions => functions_alone,
    }
    called {
        validate_provider_config => validate_config,
        validate_resource_config => validate_resource,
        validate_data_resource_config => validate_data_source,
        validate_list_resource_config => validate_list,
        upgrade_resource_state => upgrade,
        upgrade_resource_identity => upgrade_identity,
        move_resource_state => move_state,
        configure_provider => configure,
        read_resource => read,
        plan_resource_change => plan,
        apply_resource_change => apply,
        import_resource_state => import,
        generate_resource_config => generate_config,
        read_data_source => read_data,
        call_function => call,
    }
    absent {
        validate_ephemeral_resource_config => "ephemeral resource" type_name,
        open_ephemeral_resource => "ephemeral resource" type_name,
        renew_ephemeral_resource => "ephemeral resource" type_name,
        close_ephemeral_resource => "ephemeral resource" type_name,
        validate_action_config => "action" type_name,
        plan_action => "action" action_type,
        configure_state_store => "state store" type_name,
        lock_state => "state store" type_name,
        unlock_state => "state store" type_name,
        get_states => "state store" type_name,
        delete_state => "state store" type_name,
    }
    by hand {
        /// Signals and answers: the calls in flight decide how they end. One that began a moment too late, on the same
        /// connection, is born stopped.
        async fn stop_provider(
            &self,
            request: Request<wire::stop_provider::Request>,
        ) -> Answer<wire::stop_provider::Response> {
            session::<P::Client, _>(&request)?.stop().cancel();
            Ok(Response::new(wire::stop_provider::Response::default()))
        }

        type ListResourceStream = Events<list_resource::Event>;

        async fn list_resource(
            &self,
            request: Request<list_resource::Request>,
        ) -> Answer<Self::ListResourceStream> {
            let session = session(&request)?;
            let events = self.list(session, request.get_ref());
            Ok(Response::new(Box::pin(events)))
        }

        type InvokeActionStream = Events<invoke_action::Event>;

        async fn invoke_action(
            &self,
            request: Request<invoke_action::Request>,
        ) -> Answer<Self::InvokeActionStream> {
            let completed = invoke_action::event::Completed {
                diagnostics: absent("action", &request.get_ref().action_type),
            };
            Ok(only(invoke_action::Event {
                r#type: Some(invoke_action::event::Type::Completed(completed)),
            }))
        }

        async fn validate_state_store_config(
            &self,
            request: Request<wire::validate_state_store::Request>,
        ) -> Answer<wire::validate_state_store::Response> {
            Ok(Response::new(wire::validate_state_store::Response {
                diagnostics: absent("state store", &request.get_ref().type_name),
            }))
        }

        type ReadStateBytesStream = Events<read_state_bytes::Response>;

        async fn read_state_bytes(
            &self,
            request: Request<read_state_bytes::Request>,
        ) -> Answer<Self::ReadStateBytesStream> {
            Ok(only(read_state_bytes::Response {
                diagnostics: absent("state store", &request.get_ref().type_name),
                ..read_state_bytes::Response::default()
            }))
        }

        async fn write_state_bytes(
            &self,
            request: Request<Streaming<wire::write_state_bytes::RequestChunk>>,
        ) -> Answer<wire::write_state_bytes::Response> {
            let first = request.into_inner().message().await?;
            let name = first.and_then(|it| it.meta).unwrap_or_default().type_name;
            Ok(Response::new(wire::write_state_bytes::Response {
                diagnostics: absent("state store", &name),
            }))
        }
    }
}

fn absent(kind: &str, name: &str) -> Vec<wire::Diagnostic> {
    vec![no_such(kind, name).to_wire()]
}

/// A stream of one.
fn only<T: Send + 'static>(event: T) -> Response<Events<T>> {
    Response::new(Box::pin(tokio_stream::once(Ok(event))))
}
