//! Terraform plugin protocol 6 for Rust: write a provider with typed structs.
//!
//! This is a whole one. It stands in the crate's repository as a crate of its own, in `example/`: copy it and go on from there.
//!
//! ```no_run
//! //! A whole provider: `disk_file` is a file on this machine.
//! use std::{fs, io, process::ExitCode};
//! use tfplug::{Context, Create, Diagnostic, Failure, Model, Provider, Registry, Resource};
//! use tfplug::{Result, async_trait};
//!
//! /// A file on this machine.
//! #[derive(Model)]
//! struct File {
//!     /// Where it lies. Another path is another file.
//!     #[tf(required, force_replace)]
//!     path: String,
//!     /// What stands in it.
//!     #[tf(optional, default = "", force_replace)]
//!     content: String,
//! }
//!
//! fn problem(error: io::Error) -> Diagnostic {
//!     Diagnostic::error("The file cannot be used", error.to_string()).at("path")
//! }
//!
//! struct Disk;
//!
//! #[async_trait]
//! impl Resource for Disk {
//!     type Client = Disk;
//!     type Model = File;
//!     type Identity = ();
//!     const NAME: &'static str = "disk_file";
//!     async fn create(&self, _: &Context<Disk>, new: Create<File>) -> Result<File, Failure<File>> {
//!         let file = new.planned;
//!         fs::write(&file.path, &file.content).map_err(problem)?;
//!         Ok(file)
//!     }
//!     async fn read(&self, _: &Context<Disk>, file: File) -> Result<Option<File>> {
//!         let content = fs::read_to_string(&file.path).ok();
//!         Ok(content.map(|content| File { content, ..file }))
//!     }
//!     async fn delete(&self, _: &Context<Disk>, file: File) -> Result<(), Failure<File>> {
//!         Ok(fs::remove_file(file.path).map_err(problem)?)
//!     }
//! }
//!
//! #[async_trait]
//! impl Provider for Disk {
//!     type Config = ();
//!     type Client = Disk;
//!     const ADDRESS: &'static str = "registry.terraform.io/acme/disk";
//!     fn register(&self, registry: &mut Registry<Disk>) {
//!         registry.resource(Disk);
//!     }
//!     async fn configure(&self, _: &Context<Disk>, (): ()) -> Result<Disk> {
//!         Ok(Disk)
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> ExitCode {
//!     tfplug::serve(Disk).await
//! }
//! ```
//!
//! # Writing a provider
//!
//! 1. **A struct for the attributes.** `#[derive(Model)]` turns it into a schema: doc comments become the descriptions that
//!    users read, `#[tf(...)]` says who gives an attribute its value and how it behaves in a plan (all keys: [`Model`]).
//!    Values that only the provider knows are `#[tf(computed)]`, with a field type of [`Value`].
//! 2. **A [`Resource`] for what happens to it.** `create`, `read` and `delete` have to be there. To change an object in place, leave out
//!    `force_replace` and write `update`. What is checked across attributes stands in `validate`, what a plan may know better than
//!    the schema in `plan`. `import` finds existing objects; `upgrade` reads the state of earlier versions.
//! 3. **A [`Provider`] that lists them**, with a struct for the provider block where there is something to configure. What its
//!    `configure` returns, a client for instance, is there in all calls as [`Context::client`].
//! 4. **[`serve`] in `main`.** Messages, msgpack, TLS and Terraform's consistency rules stay in here.
//!
//! [`DataSource`] and [`Function`] are written likewise. A resource whose objects have an `Identity` can be imported by it, and a
//! [`List`] finds such objects for `terraform query`.
//!
//! To try it, call the binary `terraform-provider-disk` and tell Terraform where it lies, in a file that `TF_CLI_CONFIG_FILE` names:
//!
//! ```text
//! provider_installation {
//!   dev_overrides {
//!     "acme/disk" = "/home/me/disk/target/debug"
//!   }
//!   direct {}
//! }
//! ```
//!
//! Errors are [`Diagnostics`]: a [`Diagnostic`] converts into them, and `.at("path")` shows the user the line. A failed change can leave
//! state behind with [`Failure::keeping`]. `tracing` goes to Terraform's log. With `--debug` the provider runs on its own, and prints what makes
//! Terraform attach to it.
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
