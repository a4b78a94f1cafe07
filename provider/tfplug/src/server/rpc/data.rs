//! Data sources and functions.

use std::sync::Arc;

use super::{Service, encoded, no_such};
use crate::{
    Cty, FunctionError, Provider,
    dispatch::{DynDataSource, DynFunction},
    server::{
        calls::{self, Outcome, WhenDropped},
        connection::Session,
    },
    wire, wire_value,
};

type DataSource<C> = Arc<dyn DynDataSource<C>>;

impl<P: Provider> Service<P> {
    pub(super) async fn validate_data_source(
        &self,
        session: &Session<P::Client>,
        request: wire::validate_data_resource_config::Request,
    ) -> wire::validate_data_resource_config::Response {
        let outcome = match self.data_source(&request.type_name, request.config.as_ref()) {
            Ok((data_source, config)) => {
                let surroundings = self.surroundings(session, &[]);
                surroundings
                    .run(WhenDropped::Abort, |cx| async move {
                        data_source.validate(&cx, config).await
                    })
                    .await
            }
            Err(diagnostics) => Outcome::failed(diagnostics),
        };
        wire::validate_data_resource_config::Response {
            diagnostics: outcome.diagnostics,
        }
    }

    pub(super) async fn read_data(
        &self,
        session: &Session<P::Client>,
        request: wire::read_data_source::Request,
    ) -> wire::read_data_source::Response {
        let (data_source, config) =
            match self.data_source(&request.type_name, request.config.as_ref()) {
                Ok(found) => found,
                Err(diagnostics) => {
                    return wire::read_data_source::Response {
                        diagnostics: diagnostics.to_wire(),
                        ..wire::read_data_source::Response::default()
                    };
                }
            };
        let reader = Arc::clone(&data_source);
        let outcome = self
            .surroundings(session, &[])
            .run(WhenDropped::Abort, move |cx| async move {
                reader.read(&cx, config).await
            })
            .await;
        wire::read_data_source::Response {
            state: encoded(outcome.value.as_ref(), data_source.schema()),
            diagnostics: outcome.diagnostics,
            deferred: None,
        }
    }

    fn data_source(
        &self,
        name: &str,
        config: Option<&wire::DynamicValue>,
    ) -> crate::Result<(DataSource<P::Client>, Cty)> {
        let data_source = self.registry.data_sources.get(name);
        let data_source = data_source.ok_or_else(|| no_such("data source", name))?;
        let config = wire_value::decode(config, &data_source.schema().ty)?;
        Ok((Arc::clone(data_source), config))
    }

    /// Functions are pure: they know nothing of the session.
    pub(super) async fn call(
        &self,
        _: &Session<P::Client>,
        request: wire::call_function::Request,
    ) -> wire::call_function::Response {
        match self.result_of(request).await {
            Ok(result) => wire::call_function::Response {
                result: Some(result),
                error: None,
            },
            Err(FunctionError { text, argument }) => wire::call_function::Response {
                result: None,
                error: Some(wire::FunctionError {
                    text,
                    function_argument: argument,
                }),
            },
        }
    }

    async fn result_of(
        &self,
        request: wire::call_function::Request,
    ) -> Result<wire::DynamicValue, FunctionError> {
        let function = self.registry.functions.get(request.name.as_str());
        let function = function
            .ok_or_else(|| FunctionError::new(no_such("function", &request.name).detail))?;
        let arguments = decode_arguments(function.as_ref(), &request.arguments)?;
        let called = Arc::clone(function);
        let result = calls::run_plain(async move { called.call(arguments).await }).await;
        let result = result.map_err(|crash| told(&crash))??;
        Ok(wire_value::encode(&result, &function.signature().output))
    }
}

fn decode_arguments(
    function: &dyn DynFunction,
    values: &[wire::DynamicValue],
) -> Result<Vec<Cty>, FunctionError> {
    let decode = |(position, value): (usize, &wire::DynamicValue)| {
        let ty = function.signature().parameter(position);
        let ty = ty.ok_or_else(|| FunctionError::new("too many arguments"))?;
        wire_value::decode(Some(value), ty).map_err(|problems| told(&problems))
    };
    values.iter().enumerate().map(decode).collect()
}

fn told(problems: &crate::Diagnostics) -> FunctionError {
    let details: Vec<_> = problems
        .iter()
        .map(|problem| problem.detail.as_str())
        .collect();
    FunctionError::new(details.join(" "))
}
