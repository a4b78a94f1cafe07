//! The struct behind a resource, a data source, a provider block or a nested object.

use std::collections::BTreeMap;

use crate::{Cty, DecodeError, Field, path::Step, schema::Block};

/// A struct that is a Terraform object: the attributes of a resource, a data source, a provider block, a nested
/// object or a nested block. Derive it.
///
/// Doc comments become descriptions (Markdown). On the struct, `#[tf(version = 1)]` is the schema version and
/// `#[tf(deprecated)]` marks it. On a field, `#[tf(...)]` takes:
///
/// | key | meaning |
/// |---|---|
/// | `required`, `optional`, `computed`, `optional, computed` | who gives the value; one of them has to stand there |
/// | `default = expr` | planned where an `optional` attribute is left out |
/// | `validate = expr` | a [`Validate`](crate::Validate) of the value; may be repeated |
/// | `sensitive` | hidden in plans |
/// | `write_only` | only ever in the configuration, never stored (Terraform 1.11) |
/// | `force_replace` | a change of it needs a new object; one in a nested object does not see its object vanish |
/// | `use_state_for_unknown` | computed once: plans keep the prior value |
/// | `deprecated` | a warning wherever it is used |
/// | `name = "..."` | the attribute's name, if not the field's |
/// | `block` | a nested block (`name { }`): a struct (exactly one), `Option`, `Vec`, `BTreeSet`, `BTreeMap` of one |
/// | `min_items = n`, `max_items = n` | how many blocks |
/// | `flatten` | a struct whose attributes and blocks stand here, as if they were this struct's own |
///
/// A field whose type is a struct, or a collection of structs, is a nested attribute (`name = { }`) unless it is
/// marked as `block`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a Terraform object",
    note = "write #[derive(tfplug::Model)] on the struct"
)]
pub trait Model: Sized + Send + 'static {
    /// The version of this schema: raise it when stored state needs `Resource::upgrade` to fit.
    const VERSION: i64 = 0;

    fn block() -> Block;
    fn from_fields(fields: Fields) -> Result<Self, DecodeError>;
    fn into_fields(self) -> Fields;

    fn from_cty(cty: Cty) -> Result<Self, DecodeError> {
        match cty {
            Cty::Map(fields) => Self::from_fields(Fields(fields)),
            other => Err(DecodeError::expected("an object", &other)),
        }
    }

    fn into_cty(self) -> Cty {
        Cty::Map(self.into_fields().0)
    }
}

/// The attributes of one object on their way in or out of a struct.
#[derive(Debug, Default)]
pub struct Fields(BTreeMap<String, Cty>);

impl Fields {
    /// Takes an attribute out; one that is not there reads as null.
    pub fn take<F: Field>(&mut self, name: &str) -> Result<F, DecodeError> {
        let cty = self.0.remove(name).unwrap_or(Cty::Null);
        F::decode(cty).map_err(|error| error.under(Step::Attribute(name.to_owned())))
    }

    #[must_use]
    pub fn with<F: Field>(mut self, name: &str, field: F) -> Self {
        self.0.insert(name.to_owned(), field.encode());
        self
    }

    /// Takes out what a flattened struct holds: everything that its own block names.
    pub fn take_flattened<M: Model>(&mut self) -> Result<M, DecodeError> {
        let block = M::block();
        let names = block.attributes.iter().map(|attribute| &attribute.name);
        let names = names.chain(block.blocks.iter().map(|block| &block.name));
        let part = names.filter_map(|name| self.0.remove_entry(name)).collect();
        M::from_fields(Fields(part))
    }

    #[must_use]
    pub fn with_flattened<M: Model>(mut self, model: M) -> Self {
        self.0.extend(model.into_fields().0);
        self
    }

    /// Takes an attribute out as it is, for a [`Model`] whose attributes are known at run time only.
    pub fn take_cty(&mut self, name: &str) -> Cty {
        self.0.remove(name).unwrap_or(Cty::Null)
    }

    #[must_use]
    pub fn with_cty(mut self, name: &str, cty: Cty) -> Self {
        self.0.insert(name.to_owned(), cty);
        self
    }
}

/// No attributes at all: for a provider without configuration, a data source without arguments.
impl Model for () {
    fn block() -> Block {
        Block::new("")
    }

    fn from_fields(_: Fields) -> Result<Self, DecodeError> {
        Ok(())
    }

    fn into_fields(self) -> Fields {
        Fields::default()
    }
}
