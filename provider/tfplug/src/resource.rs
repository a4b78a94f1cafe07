//! A managed resource, as its author writes it.

use async_trait::async_trait;

use crate::{AttributePath, Context, Diagnostic, Diagnostics, Model, Result};

/// A managed resource type. Only `create`, `read` and `delete` have to be written, and the types that they work with.
///
/// `create`, `update` and `delete` run on a task of their own: if Terraform drops the call or dies, they see
/// `cx.stop()` cancelled and run on until they return, and the process waits for them. All other calls are dropped.
/// A panic in any of them becomes an error.
#[async_trait]
pub trait Resource: Send + Sync + 'static {
    /// What `Provider::configure` returns.
    type Client: Send + Sync + 'static;
    type Model: Model;
    /// What tells one object from every other (Terraform 1.12): a flat struct in which `required` and `optional` say what
    /// an import has to give; `#[tf(version = 1)]` is the identity's own version. `()` where objects have none.
    type Identity: Model;

    /// The full type name, e.g. `toy_file`.
    const NAME: &'static str;

    /// Checks a configuration beyond what the attributes' own validators see, and whatever they found: the user is told
    /// both at once. Not called while a plain field is unknown; `cx.configured()` is `None` here.
    async fn validate(&self, _cx: &Context<Self::Client>, _config: Self::Model) -> Result<()> {
        Ok(())
    }

    /// Adjusts a plan to create, change or keep the resource: fills in computed values that are already certain,
    /// marks others unknown, asks for a replacement. Not called while a plain field is unknown.
    ///
    /// What is planned as known has to come out of `create` or `update` exactly so.
    async fn plan(&self, _cx: &Context<Self::Client>, _plan: &mut Plan<Self::Model>) -> Result<()> {
        Ok(())
    }

    /// Has a say before the resource is planned to be destroyed.
    async fn plan_destroy(&self, _cx: &Context<Self::Client>, _prior: Self::Model) -> Result<()> {
        Ok(())
    }

    /// Makes the object. The planned model comes back with every unknown value known.
    async fn create(
        &self,
        cx: &Context<Self::Client>,
        request: Create<Self::Model>,
    ) -> Result<Self::Model, Failure<Self::Model>>;

    /// The object as it is now; `None` if it is gone.
    async fn read(
        &self,
        cx: &Context<Self::Client>,
        state: Self::Model,
    ) -> Result<Option<Self::Model>>;

    /// Changes the object in place. Not reached if every attribute that can be configured is `force_replace`.
    async fn update(
        &self,
        _cx: &Context<Self::Client>,
        _request: Update<Self::Model>,
    ) -> Result<Self::Model, Failure<Self::Model>> {
        Err(Diagnostic::error(
            "Cannot be changed in place",
            format!(
                "{} has no update: this is a bug in the provider, whose schema allows one.",
                Self::NAME
            ),
        )
        .into())
    }

    /// Removes the object; success if it is gone already. After a failure the state stays, as the failure says.
    async fn delete(
        &self,
        cx: &Context<Self::Client>,
        state: Self::Model,
    ) -> Result<(), Failure<Self::Model>>;

    /// Finds an existing object by the id that the user gave. `read` follows.
    async fn import(&self, _cx: &Context<Self::Client>, _id: String) -> Result<Self::Model> {
        Err(Diagnostic::error(
            "Import is not supported",
            format!("{} cannot be imported.", Self::NAME),
        )
        .into())
    }

    /// What identifies the object; `None` as long as that is not known. It never changes while the object lives.
    fn identity(&self, _object: &Self::Model) -> Option<Self::Identity> {
        None
    }

    /// Finds an existing object by its identity. What an import may leave out can be null. `read` follows.
    async fn import_by_identity(
        &self,
        _cx: &Context<Self::Client>,
        _identity: Self::Identity,
    ) -> Result<Self::Model> {
        Err(Diagnostic::error(
            "Import by identity is not supported",
            format!("{} can be imported by its id only.", Self::NAME),
        )
        .into())
    }

    /// Turns what an import found into a configuration that fits it (`-generate-config-out`, Terraform 1.14). Read-only
    /// attributes are null already; defaults are left out afterwards.
    fn configuration(&self, imported: Self::Model) -> Result<Self::Model> {
        Ok(imported)
    }

    /// Brings state of schema version `from` to the current one, in the JSON form of state files. Attributes that
    /// the current schema does not have are dropped afterwards, missing ones are null.
    fn upgrade(&self, from: i64, _state: serde_json::Value) -> Result<serde_json::Value> {
        let current = Self::Model::VERSION;
        Err(Diagnostic::error(
            "State from another version of the provider",
            format!(
                "{} has state of schema version {from}; this provider reads version {current}.",
                Self::NAME
            ),
        )
        .into())
    }

    /// Brings an identity of version `from` to the current one, in the JSON form of state files.
    fn upgrade_identity(
        &self,
        from: i64,
        _identity: serde_json::Value,
    ) -> Result<serde_json::Value> {
        let current = Self::Identity::VERSION;
        Err(Diagnostic::error(
            "Identity from another version of the provider",
            format!(
                "{} has an identity of version {from}; this provider reads version {current}.",
                Self::NAME
            ),
        )
        .into())
    }

    /// Takes over the state of another resource type (a `moved` block); `None` if that type is not one it knows.
    async fn move_state(
        &self,
        _cx: &Context<Self::Client>,
        _source: MoveSource,
    ) -> Result<Option<Self::Model>> {
        Ok(None)
    }
}

/// What to create.
#[derive(Clone, Debug)]
pub struct Create<M> {
    pub planned: M,
    /// As the user wrote it, defaults filled in; the only place that holds write-only values.
    pub config: M,
}

/// What to change.
#[derive(Clone, Debug)]
pub struct Update<M> {
    pub prior: M,
    pub planned: M,
    /// As the user wrote it, defaults filled in; the only place that holds write-only values.
    pub config: M,
}

/// A plan in the making.
#[derive(Clone, Debug)]
pub struct Plan<M> {
    /// As the user wrote it, defaults filled in.
    pub config: M,
    /// `None`: create.
    pub prior: Option<M>,
    /// What will be. Computed values that may change are unknown already.
    pub planned: M,
    pub(crate) replace: Vec<AttributePath>,
}

impl<M> Plan<M> {
    /// For a provider's own tests; the server makes the real ones.
    pub fn new(config: M, prior: Option<M>, planned: M) -> Self {
        Self {
            config,
            prior,
            planned,
            replace: Vec::new(),
        }
    }

    /// Asks for a new object, because of this attribute. Terraform heeds it only if the attribute's planned value
    /// differs from the prior one: a computed attribute has to be made `Value::Unknown`, too.
    pub fn replace(&mut self, path: impl Into<AttributePath>) {
        self.replace.push(path.into());
    }

    /// The attributes that ask for a new object so far.
    pub fn replaces(&self) -> &[AttributePath] {
        &self.replace
    }
}

/// State of another resource type.
#[derive(Clone, Debug)]
pub struct MoveSource {
    /// E.g. `registry.terraform.io/hashicorp/aws`.
    pub provider_address: String,
    pub type_name: String,
    pub schema_version: i64,
    /// The state in the JSON form of state files.
    pub state: serde_json::Value,
    pub private: Vec<u8>,
    /// In the JSON form of state files; `None` where it has none.
    pub identity: Option<serde_json::Value>,
}

/// Why a change failed, and what it left behind.
///
/// Diagnostics alone convert into it, so `?` works: then nothing is stored after a failed create, and the prior
/// state stays after a failed update or delete. [`Failure::keeping`] stores something else: after a failed create
/// Terraform marks it as tainted, and replaces it at the next apply.
#[derive(Debug)]
pub struct Failure<M> {
    pub diagnostics: Diagnostics,
    pub state: Option<Box<M>>,
}

impl<M> Failure<M> {
    /// Stores `state`, in which unknown values become null.
    #[must_use]
    pub fn keeping(mut self, state: M) -> Self {
        self.state = Some(Box::new(state));
        self
    }
}

impl<M> From<Diagnostics> for Failure<M> {
    fn from(diagnostics: Diagnostics) -> Self {
        Self {
            diagnostics,
            state: None,
        }
    }
}

impl<M> From<Diagnostic> for Failure<M> {
    fn from(diagnostic: Diagnostic) -> Self {
        Diagnostics::from(diagnostic).into()
    }
}
