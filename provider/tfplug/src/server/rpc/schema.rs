//! What the provider offers, told and checked.

use std::collections::HashMap;

use super::Service;
use crate::{Provider, check, wire, wire_value};

/// What Terraform may count on with every provider of this library.
const CAPABILITIES: wire::ServerCapabilities = wire::ServerCapabilities {
    plan_destroy: true,
    get_provider_schema_optional: true,
    move_resource_state: true,
    generate_resource_config: true,
};

impl<P: Provider> Service<P> {
    /// Everything that Terraform would refuse, or that would fail at the first use.
    pub(in crate::server) fn check(&self) -> Result<(), Vec<String>> {
        let mut problems = self
            .registry
            .clashes
            .iter()
            .map(|name| format!("{name} is there twice"))
            .collect();
        check::block("the provider block", &self.config.block, &mut problems);
        for (name, resource) in &self.registry.resources {
            check::resource(name, &resource.schema().block, &mut problems);
        }
        for (name, data_source) in &self.registry.data_sources {
            check::data_source(name, &data_source.schema().block, &mut problems);
        }
        for (name, resource) in &self.registry.resources {
            if let Some(identity) = resource.identity_schema() {
                check::identity(name, &identity.block, &mut problems);
            }
        }
        for (name, list) in &self.registry.lists {
            let listed = self.registry.resources.get(name);
            if listed.and_then(|it| it.identity_schema()).is_none() {
                problems.push(format!(
                    "list {name}: there is no resource of that name with an identity"
                ));
            }
            check::list(name, &list.schema().block, &mut problems);
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    pub(super) fn metadata(&self) -> wire::get_metadata::Response {
        use wire::get_metadata::{
            DataSourceMetadata, FunctionMetadata, ListResourceMetadata, ResourceMetadata, Response,
        };
        let named = |name: &&str| (*name).to_owned();
        let resources = self.registry.resources.keys().map(named);
        let data_sources = self.registry.data_sources.keys().map(named);
        let lists = self.registry.lists.keys().map(named);
        let functions = self.registry.functions.keys().map(named);
        Response {
            server_capabilities: Some(CAPABILITIES),
            diagnostics: Vec::new(),
            resources: resources
                .map(|type_name| ResourceMetadata { type_name })
                .collect(),
            data_sources: data_sources
                .map(|type_name| DataSourceMetadata { type_name })
                .collect(),
            functions: functions.map(|name| FunctionMetadata { name }).collect(),
            list_resources: lists
                .map(|type_name| ListResourceMetadata { type_name })
                .collect(),
            ephemeral_resources: Vec::new(),
            state_stores: Vec::new(),
            actions: Vec::new(),
        }
    }

    pub(super) fn schemas(&self) -> wire::get_provider_schema::Response {
        let resources = self.registry.resources.iter();
        let data_sources = self.registry.data_sources.iter();
        let lists = self.registry.lists.iter();
        wire::get_provider_schema::Response {
            // Without it core reports "missing provider schema", even where there is nothing to configure.
            provider: Some(wire_value::schema(&self.config)),
            resource_schemas: resources
                .map(|(name, resource)| ((*name).to_owned(), wire_value::schema(resource.schema())))
                .collect(),
            data_source_schemas: data_sources
                .map(|(name, data_source)| {
                    ((*name).to_owned(), wire_value::schema(data_source.schema()))
                })
                .collect(),
            list_resource_schemas: lists
                .map(|(name, list)| ((*name).to_owned(), wire_value::schema(list.schema())))
                .collect(),
            functions: self.functions(),
            server_capabilities: Some(CAPABILITIES),
            ..wire::get_provider_schema::Response::default()
        }
    }

    pub(super) fn identity_schemas(&self) -> wire::get_resource_identity_schemas::Response {
        let resources = self.registry.resources.iter();
        let identities = resources.filter_map(|(name, resource)| {
            let identity = wire_value::identity_schema(resource.identity_schema()?);
            Some(((*name).to_owned(), identity))
        });
        wire::get_resource_identity_schemas::Response {
            identity_schemas: identities.collect(),
            diagnostics: Vec::new(),
        }
    }

    pub(super) fn functions_alone(&self) -> wire::get_functions::Response {
        wire::get_functions::Response {
            functions: self.functions(),
            diagnostics: Vec::new(),
        }
    }

    fn functions(&self) -> HashMap<String, wire::Function> {
        let functions = self.registry.functions.iter();
        functions
            .map(|(name, function)| {
                (
                    (*name).to_owned(),
                    wire_value::function(function.signature()),
                )
            })
            .collect()
    }
}
