//! A list of objects that exist, as its author writes it: what `terraform query` asks for (Terraform 1.14).

use std::ops::ControlFlow;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::{
    Context, Model, Resource, Result,
    dispatch::{Listed, into_state},
};

/// Finds the objects of a resource type, managed or not. The type needs an identity, by which what is found can be
/// imported.
#[async_trait]
pub trait List: Send + Sync + 'static {
    /// What is listed. The list goes by the same name.
    type Resource: Resource;
    /// What stands in the `config` block: `()` where there is nothing to say.
    type Config: Model;

    /// Checks a configuration beyond what the attributes' own validators see. Not called while a plain field is
    /// unknown; `cx.configured()` is `None` here.
    async fn validate(
        &self,
        _cx: &Context<<Self::Resource as Resource>::Client>,
        _config: Self::Config,
    ) -> Result<()> {
        Ok(())
    }

    /// Hands over what it finds, one by one, until there is no more or nobody wants more. Dropped when Terraform is gone.
    async fn list(
        &self,
        cx: &Context<<Self::Resource as Resource>::Client>,
        config: Self::Config,
        found: &mut Found<Self::Resource>,
    ) -> Result<()>;
}

/// Where a list puts what it finds. Terraform reads on while the list goes on.
#[derive(Debug)]
pub struct Found<R: Resource> {
    left: u64,
    wants_objects: bool,
    results: mpsc::Sender<Listed>,
    of: std::marker::PhantomData<fn() -> R>,
}

impl<R: Resource> Found<R> {
    pub(crate) fn new(limit: u64, wants_objects: bool, results: mpsc::Sender<Listed>) -> Self {
        Self {
            left: limit,
            wants_objects,
            results,
            of: std::marker::PhantomData,
        }
    }

    /// Whether whole objects are wanted: without, identities will do, and need no further look.
    pub fn wants_objects(&self) -> bool {
        self.wants_objects
    }

    /// How many more are wanted.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Hands over an object by its identity, with the name that people know it by and, where they are wanted, its
    /// attributes as `read` gives them. `Break`: enough.
    pub async fn push(
        &mut self,
        identity: R::Identity,
        display_name: impl Into<String>,
        object: Option<R::Model>,
    ) -> ControlFlow<()> {
        if self.left == 0 {
            return ControlFlow::Break(());
        }
        self.left -= 1;
        let object = object.filter(|_| self.wants_objects);
        let listed = Listed {
            identity: Some(identity.into_cty()),
            display_name: display_name.into(),
            object: object.map(stored::<R>),
            diagnostics: Vec::new(),
        };
        let gone = self.results.send(listed).await.is_err();
        if gone || self.left == 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// As it would stand in the state.
fn stored<R: Resource>(object: R::Model) -> crate::Cty {
    into_state(&R::Model::block(), &crate::Cty::Null, object).0
}
