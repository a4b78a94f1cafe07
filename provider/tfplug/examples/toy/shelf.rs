//! `toy_shelf`: a data source.

use tfplug::{Context, DataSource, Diagnostic, Model, Result, Value, async_trait};

use crate::store::Store;

/// Looks for a thing.
#[derive(Clone, Debug, Model)]
pub(crate) struct Shelf {
    /// The thing's name.
    #[tf(required)]
    name: String,
    /// Whether it may be missing.
    #[tf(optional, default = false)]
    optional: bool,
    /// Whether it is there.
    #[tf(computed)]
    found: Value<bool>,
}

pub(crate) struct ShelfDataSource;

#[async_trait]
impl DataSource for ShelfDataSource {
    type Client = Store;
    type Model = Shelf;
    const NAME: &'static str = "toy_shelf";

    async fn read(&self, cx: &Context<Store>, mut config: Shelf) -> Result<Shelf> {
        let thing: Option<serde_json::Value> = cx.client()?.get(&config.name)?;
        if thing.is_none() && !config.optional {
            return Err(Diagnostic::error(
                "Not on the shelf",
                format!("{:?} is not there.", config.name),
            )
            .at("name")
            .into());
        }
        config.found = Value::Known(thing.is_some());
        Ok(config)
    }
}
