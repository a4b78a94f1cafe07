//! Terraform plugin protocol 6 for Rust: write a provider with typed structs.
//!
//! A resource is a struct for its attributes, and an implementation of [`Resource`] for what happens to it. The
//! struct's doc comments become the descriptions that users read; `#[tf(...)]` says who gives an attribute its
//! value and how it behaves in a plan. Messages, msgpack and Terraform's consistency rules stay in here.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use tfplug::{
//!     Context, Create, Diagnostic, Failure, Model, Provider, Registry, Resource, Result, Update, Value, async_trait,
//!     validate,
//! };
//!
//! /// A file on this machine.
//! #[derive(Clone, Debug, Model)]
//! struct File {
//!     /// Where the file lies; another path is another file.
//!     #[tf(required, force_replace, validate = validate::length(1..=4096))]
//!     path: Value<String>,
//!     /// What stands in it.
//!     #[tf(optional, default = "")]
//!     content: Value<String>,
//!     /// Same as `path`.
//!     #[tf(computed, use_state_for_unknown)]
//!     id: Value<String>,
//! }
//!
//! struct FileResource;
//!
//! #[async_trait]
//! impl Resource for FileResource {
//!     type Client = Disk;
//!     type Model = File;
//!     type Identity = ();
//!     const NAME: &'static str = "disk_file";
//!
//!     async fn create(&self, cx: &Context<Disk>, request: Create<File>) -> Result<File, Failure<File>> {
//!         let mut file = request.planned;
//!         cx.client()?.write(&file)?;
//!         file.id = file.path.clone();
//!         Ok(file)
//!     }
//!
//!     async fn read(&self, cx: &Context<Disk>, mut state: File) -> Result<Option<File>> {
//!         let content = cx.client()?.read(&state)?;
//!         state.content = content.clone().into();
//!         Ok(content.is_some().then_some(state))
//!     }
//!
//!     async fn update(&self, cx: &Context<Disk>, request: Update<File>) -> Result<File, Failure<File>> {
//!         cx.client()?.write(&request.planned)?;
//!         Ok(request.planned)
//!     }
//!
//!     async fn delete(&self, cx: &Context<Disk>, state: File) -> Result<(), Failure<File>> {
//!         Ok(cx.client()?.remove(&state)?)
//!     }
//! }
//!
//! struct DiskProvider;
//!
//! #[async_trait]
//! impl Provider for DiskProvider {
//!     type Config = ();
//!     type Client = Disk;
//!     const ADDRESS: &'static str = "registry.terraform.io/acme/disk";
//!
//!     fn register(&self, registry: &mut Registry<Disk>) {
//!         registry.resource(FileResource);
//!     }
//!
//!     async fn configure(&self, _cx: &Context<Disk>, _config: ()) -> Result<Disk> {
//!         Ok(Disk)
//!     }
//! }
//!
//! # struct Disk;
//! # fn problem(error: std::io::Error) -> Diagnostic {
//! #     Diagnostic::error("File access failed", error.to_string()).at("path")
//! # }
//! # impl Disk {
//! #     fn path<'a>(&self, file: &'a File) -> &'a str { file.path.known().map_or("", String::as_str) }
//! #     fn write(&self, file: &File) -> Result<()> {
//! #         let content = file.content.known().map_or("", String::as_str);
//! #         Ok(std::fs::write(self.path(file), content).map_err(problem)?)
//! #     }
//! #     fn read(&self, file: &File) -> Result<Option<String>> { Ok(std::fs::read_to_string(self.path(file)).ok()) }
//! #     fn remove(&self, file: &File) -> Result<()> {
//! #         Ok(std::fs::remove_file(self.path(file)).map_err(problem)?)
//! #     }
//! # }
//! #[tokio::main]
//! async fn main() -> ExitCode {
//!     tfplug::serve(DiskProvider).await
//! }
//! ```
//!
//! # Null and unknown
//!
//! A plain field (`String`, `i64`, a nested struct...) always holds a value, an `Option` may be null, a [`Value`]
//! may also be unknown. Computed attributes are unknown in plans and in `create`, so they are `Value`s. Inputs may be
//! unknown while validating and planning: if one is, and its field is plain, the hooks `validate` and `plan` are
//! passed over; Terraform validates and plans again during apply, with everything known.
//!
//! # Stop
//!
//! `create`, `update` and `delete` are never dropped: see [`Resource`]. [`Context::stop`] tells them that the user
//! pressed Ctrl-C or that Terraform is gone. Work that must survive even their panic goes to [`Context::tasks`].

// The derives name this crate by its public path, in its own tests too.
#[cfg(test)]
extern crate self as tfplug;

mod check;
mod context;
mod cty;
mod data_source;
mod decode_error;
mod diagnostic;
mod dispatch;
mod field;
mod function;
mod json;
mod list;
mod model;
mod msgpack;
mod number;
mod path;
mod plan;
mod private;
mod provider;
mod registry;
mod resource;
pub mod schema;
mod server;
mod tasks;
mod ty;
pub mod validate;
mod value;
mod walk;
mod wire;
mod wire_value;

pub use async_trait::async_trait;
pub use tfplug_derive::{Arguments, Model};
pub use tokio_util::sync::CancellationToken;

pub use crate::{
    context::Context,
    cty::{Bound, Cty, Refinement},
    data_source::DataSource,
    decode_error::{DecodeError, Mismatch},
    diagnostic::{Diagnostic, Diagnostics, Severity},
    field::{Field, Validate},
    function::{ArgumentValues, Arguments, Function, FunctionError, Parameter, Parameters},
    list::{Found, List},
    model::{Fields, Model},
    number::{Number, ParseNumberError},
    path::{AttributePath, Step},
    private::Private,
    provider::Provider,
    registry::Registry,
    resource::{Create, Failure, MoveSource, Plan, Resource, Update},
    server::serve,
    tasks::Tasks,
    ty::{Type, TypeError},
    value::{Dynamic, Value},
};

/// What everything that a provider implements returns.
pub type Result<T, E = Diagnostics> = std::result::Result<T, E>;
