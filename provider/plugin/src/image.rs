//! `consistent_db_image`: an image of a live database server that is proven consistent, or none.

pub(crate) mod capture;
mod condition;
mod create;
mod delete;
mod deprecation;
pub(crate) mod documents;
pub(crate) mod engines;
mod facts;
#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod identity;
pub(crate) mod import;
pub(crate) mod method;
pub(crate) mod model;
mod moved;
pub(crate) mod names;
mod naming;
mod plan;
pub(crate) mod preflight;
mod private;
mod proof;
mod read;
mod record;
mod settings;
mod snapshot_tags;
pub(crate) mod soundness;
mod timeouts;
mod triggers;
mod unique;
mod update;
mod validate;
pub(crate) mod young;

use tfplug::{
    Context, Create, Diagnostic, Diagnostics, Failure, MoveSource, Plan, Resource, Result, Update,
    Value, async_trait,
};

use self::{identity::ImageIdentity, model::ImageModel};
use crate::client::Client;

pub(crate) struct ImageResource;

#[async_trait]
impl Resource for ImageResource {
    type Client = Client;
    type Model = ImageModel;
    type Identity = ImageIdentity;

    const NAME: &'static str = "consistent_db_image";

    async fn validate(&self, _cx: &Context<Client>, config: ImageModel) -> Result<()> {
        validate::problems(&config).or_ok(())
    }

    async fn plan(&self, cx: &Context<Client>, plan: &mut Plan<ImageModel>) -> Result<()> {
        plan::plan(cx, plan).await
    }

    async fn plan_destroy(&self, _cx: &Context<Client>, prior: ImageModel) -> Result<()> {
        delete::plan(&prior)
    }

    async fn create(
        &self,
        cx: &Context<Client>,
        request: Create<ImageModel>,
    ) -> Result<ImageModel, Failure<ImageModel>> {
        create::create(cx, request.planned).await
    }

    async fn read(&self, cx: &Context<Client>, state: ImageModel) -> Result<Option<ImageModel>> {
        read::read(&*cx.client()?, state).await
    }

    async fn update(
        &self,
        cx: &Context<Client>,
        request: Update<ImageModel>,
    ) -> Result<ImageModel, Failure<ImageModel>> {
        Ok(update::update(cx, &request.prior, request.planned).await?)
    }

    async fn delete(
        &self,
        cx: &Context<Client>,
        state: ImageModel,
    ) -> Result<(), Failure<ImageModel>> {
        Ok(delete::delete(cx, &state).await?)
    }

    async fn import(&self, cx: &Context<Client>, id: String) -> Result<ImageModel> {
        import::import(cx, &id).await
    }

    fn identity(&self, image: &ImageModel) -> Option<ImageIdentity> {
        ImageIdentity::of_state(image)
    }

    async fn import_by_identity(
        &self,
        cx: &Context<Client>,
        identity: ImageIdentity,
    ) -> Result<ImageModel> {
        identity::import(cx, &identity).await
    }

    /// A name that its prefix gave comes back by itself.
    fn configuration(&self, mut imported: ImageModel) -> Result<ImageModel> {
        if imported.name_prefix.known().is_some() {
            imported.name = Value::Null;
        }
        Ok(imported)
    }

    async fn move_state(
        &self,
        _cx: &Context<Client>,
        source: MoveSource,
    ) -> Result<Option<ImageModel>> {
        moved::take_over(source).map(Some)
    }
}

/// A value that every plan to apply, and every state, has.
pub(crate) fn needed<'a, T>(
    value: &'a tfplug::Value<T>,
    attribute: &str,
) -> Result<&'a T, Diagnostics> {
    value.known().ok_or_else(|| {
        let detail = format!("{attribute} is not set, though it has to be by now.");
        Diagnostic::error("Incomplete plan or state", detail)
            .at(attribute)
            .into()
    })
}
