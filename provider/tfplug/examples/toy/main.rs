//! A toy provider: every feature of the library once. The conformance tests drive it with a real Terraform.
//!
//! Its objects are JSON files in a directory, so that tests can look at them and damage them.

mod functions;
mod gallery;
mod shelf;
mod sleeper;
mod store;
mod thing;
mod things;

use std::process::ExitCode;

use tfplug::{Context, Diagnostic, Model, Provider, Registry, Result, Value, async_trait};

use crate::store::Store;

/// Toys in a directory.
#[derive(Model)]
struct ToyConfig {
    /// Where the toys lie.
    #[tf(required)]
    directory: Value<String>,
}

struct ToyProvider;

#[async_trait]
impl Provider for ToyProvider {
    type Config = ToyConfig;
    type Client = Store;
    const ADDRESS: &'static str = "registry.terraform.io/tfplug/toy";

    fn register(&self, registry: &mut Registry<Store>) {
        registry
            .resource(thing::ThingResource)
            .resource(gallery::GalleryResource)
            .resource(sleeper::SleeperResource)
            .list(things::ThingList)
            .data_source(shelf::ShelfDataSource)
            .function(functions::Join)
            .function(functions::Describe);
    }

    async fn configure(&self, _cx: &Context<Store>, config: ToyConfig) -> Result<Store> {
        let Some(directory) = config.directory.into_known() else {
            return Err(Diagnostic::error(
                "Directory not known",
                "Toys need a directory now, not after apply.",
            )
            .at("directory")
            .into());
        };
        Ok(Store::new(directory))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    tfplug::serve(ToyProvider).await
}
