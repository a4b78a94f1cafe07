//! The list of things: what lies in the box, whoever made it.

use tfplug::{Context, Diagnostic, Found, List, Model, Result, async_trait, validate};

use crate::{
    store::Store,
    thing::{ThingIdentity, ThingResource},
};

/// Which things.
#[derive(Clone, Debug, Model)]
pub(crate) struct Things {
    /// Their colour.
    #[tf(optional)]
    colour: Option<String>,
    /// How their names begin.
    #[tf(optional, default = "", validate = validate::length(0..=30))]
    prefix: String,
    /// The name of one that cannot be looked at.
    #[tf(optional)]
    stuck: Option<String>,
}

pub(crate) struct ThingList;

#[async_trait]
impl List for ThingList {
    type Resource = ThingResource;
    type Config = Things;

    async fn validate(&self, _cx: &Context<Store>, config: Things) -> Result<()> {
        if config.colour.as_deref() == Some("") {
            return Err(Diagnostic::error("No colour", "Everything has one.")
                .at("colour")
                .into());
        }
        Ok(())
    }

    async fn list(
        &self,
        cx: &Context<Store>,
        config: Things,
        found: &mut Found<ThingResource>,
    ) -> Result<()> {
        let store = cx.client()?;
        for name in store.names(&config.prefix)? {
            if config.stuck.as_ref() == Some(&name) {
                return Err(Diagnostic::error("Stuck", format!("{name:?} is stuck.")).into());
            }
            let Some(thing) = ThingResource::stored(&store, &name)? else {
                continue;
            };
            if config.colour.is_some() && config.colour.as_ref() != thing.colour() {
                continue;
            }
            let shown = format!("the thing {name}");
            let identity = ThingIdentity::of(name);
            if found.push(identity, shown, Some(thing)).await.is_break() {
                return Ok(());
            }
        }
        cx.warn(Diagnostic::warning("That is all", "There are no more."));
        Ok(())
    }
}
