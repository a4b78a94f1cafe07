//! What a resource, data source or provider block looks like to Terraform: built by the derive, sent by the server.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::{Cty, Field, Type, Validate, field::DynCheck};

/// The attributes and nested blocks of one block, or the attributes of one nested object.
#[derive(Clone, Debug)]
pub struct Block {
    /// Markdown.
    pub description: String,
    pub deprecated: bool,
    pub attributes: Vec<Attribute>,
    pub blocks: Vec<NestedBlock>,
}

/// One attribute.
#[derive(Clone)]
pub struct Attribute {
    pub name: String,
    /// Markdown.
    pub description: String,
    pub shape: Shape,
    pub mode: Mode,
    flags: Vec<Flag>,
    /// Takes the place of null in the configuration.
    pub default: Option<Cty>,
    validators: Vec<Arc<DynCheck>>,
    pub(crate) holds_unknown: bool,
}

/// What an attribute holds.
#[derive(Clone, Debug)]
pub enum Shape {
    Plain(Type),
    /// An object, or a collection of objects, whose attributes have descriptions and behaviour of their own.
    Nested(Nesting, Block),
}

/// Who gives an attribute its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Required,
    Optional,
    Computed,
    /// The configuration, or else the provider.
    OptionalComputed,
}

/// What else is true of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// Never shown in plans.
    Sensitive,
    /// Never stored: null in plans and in state, present only in the configuration (Terraform 1.11).
    WriteOnly,
    /// A change of it replaces the resource.
    ForceReplace,
    /// Computed once: a plan keeps the prior value.
    UseStateForUnknown,
    Deprecated,
}

/// How several nested objects form one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    Single,
    List,
    Set,
    Map,
}

/// A nested block: what the user writes as `name { ... }`.
#[derive(Clone, Debug)]
pub struct NestedBlock {
    pub name: String,
    pub nesting: Nesting,
    pub block: Block,
    pub min_items: i64,
    /// 0: no limit.
    pub max_items: i64,
}

/// A type whose values can be written as nested blocks.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a nested block",
    note = "use a struct with #[derive(Model)], or Option<_>, Vec<_>, BTreeSet<_> or BTreeMap<String, _> of one"
)]
pub trait BlockField: Field {
    const NESTING: Nesting;
    /// One block and no fewer.
    const REQUIRED: bool = false;
    fn block() -> Block;
}

impl Block {
    /// The description is Markdown.
    pub fn new(description: impl Into<String>) -> Self {
        Self {
            description: description.into(),
            deprecated: false,
            attributes: Vec::new(),
            blocks: Vec::new(),
        }
    }

    #[must_use]
    pub fn deprecated(mut self) -> Self {
        self.deprecated = true;
        self
    }

    #[must_use]
    pub fn attribute(mut self, attribute: Attribute) -> Self {
        self.attributes.push(attribute);
        self
    }

    #[must_use]
    pub fn nested(mut self, block: NestedBlock) -> Self {
        self.blocks.push(block);
        self
    }

    /// Takes over what stands in `other`, as if it stood here.
    #[must_use]
    pub fn flatten(mut self, other: Self) -> Self {
        self.attributes.extend(other.attributes);
        self.blocks.extend(other.blocks);
        self
    }

    /// The type of this block's values.
    pub fn ty(&self) -> Type {
        let attributes = self
            .attributes
            .iter()
            .map(|a| (a.name.clone(), a.shape.ty()));
        let blocks = self
            .blocks
            .iter()
            .map(|b| (b.name.clone(), b.nesting.of(b.block.ty())));
        Type::Object(attributes.chain(blocks).collect())
    }
}

impl Attribute {
    /// An attribute of field type `F`. The description is Markdown.
    pub fn new<F: Field>(name: &str, description: impl Into<String>, mode: Mode) -> Self {
        Self {
            name: name.to_owned(),
            description: description.into(),
            shape: F::shape(),
            mode,
            flags: Vec::new(),
            default: None,
            validators: Vec::new(),
            holds_unknown: F::HOLDS_UNKNOWN,
        }
    }

    /// An attribute that is an object with the attributes of `block`: for objects whose attributes are known at run
    /// time only, see [`crate::Fields::take_cty`].
    pub fn object(name: &str, block: Block, mode: Mode) -> Self {
        Self {
            name: name.to_owned(),
            description: block.description.clone(),
            shape: Shape::Nested(Nesting::Single, block),
            mode,
            flags: Vec::new(),
            default: None,
            validators: Vec::new(),
            holds_unknown: true,
        }
    }

    #[must_use]
    pub fn flag(mut self, flag: Flag) -> Self {
        self.flags.push(flag);
        self
    }

    /// Plans this value where the configuration has none.
    #[must_use]
    pub fn default_value<F: Field>(mut self, value: impl Into<F>) -> Self {
        self.default = Some(value.into().encode());
        self
    }

    /// Checks known, non-null values while the configuration is validated.
    #[must_use]
    pub fn validate<F: Field>(mut self, validator: impl Validate<F::Checked> + 'static) -> Self {
        let check = move |known| F::check(known, &validator);
        self.validators.push(Arc::new(check));
        self
    }

    pub fn is(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }

    /// The provider may give it a value.
    pub fn is_computed(&self) -> bool {
        matches!(self.mode, Mode::Computed | Mode::OptionalComputed)
    }

    /// What the validators have to say about a known value.
    pub(crate) fn problems(&self, known: &Cty) -> impl Iterator<Item = String> {
        self.validators
            .iter()
            .filter_map(|check| check(known.clone()).err())
    }
}

impl NestedBlock {
    pub fn new<F: BlockField>(name: &str) -> Self {
        let single = i64::from(F::REQUIRED);
        Self {
            name: name.to_owned(),
            nesting: F::NESTING,
            block: F::block(),
            min_items: single,
            max_items: single,
        }
    }

    /// Describes the block where it is used, rather than by its struct.
    #[must_use]
    pub fn describe(mut self, description: &str) -> Self {
        description.clone_into(&mut self.block.description);
        self
    }

    #[must_use]
    pub fn min_items(mut self, count: i64) -> Self {
        self.min_items = count;
        self
    }

    #[must_use]
    pub fn max_items(mut self, count: i64) -> Self {
        self.max_items = count;
        self
    }
}

impl Shape {
    pub fn ty(&self) -> Type {
        match self {
            Self::Plain(ty) => ty.clone(),
            Self::Nested(nesting, block) => nesting.of(block.ty()),
        }
    }

    /// The shape of a collection of these: nested attributes where the protocol can say so, else a plain type.
    pub(crate) fn collected(self, nesting: Nesting, plain: impl Fn(Type) -> Type) -> Self {
        match self {
            Self::Nested(Nesting::Single, block) => Self::Nested(nesting, block),
            other => Self::Plain(plain(other.ty())),
        }
    }
}

impl Nesting {
    fn of(self, object: Type) -> Type {
        match self {
            Self::Single => object,
            Self::List => Type::list(object),
            Self::Set => Type::set(object),
            Self::Map => Type::map(object),
        }
    }
}

impl<M: crate::Model + Field> BlockField for Option<M> {
    const NESTING: Nesting = Nesting::Single;

    fn block() -> Block {
        M::block()
    }
}

impl<M: crate::Model + Field> BlockField for Vec<M> {
    const NESTING: Nesting = Nesting::List;

    fn block() -> Block {
        M::block()
    }
}

impl<M: crate::Model + Field + Ord> BlockField for std::collections::BTreeSet<M> {
    const NESTING: Nesting = Nesting::Set;

    fn block() -> Block {
        M::block()
    }
}

impl<M: crate::Model + Field> BlockField for BTreeMap<String, M> {
    const NESTING: Nesting = Nesting::Map;

    fn block() -> Block {
        M::block()
    }
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attribute")
            .field("name", &self.name)
            .field("shape", &self.shape)
            .field("mode", &self.mode)
            .field("flags", &self.flags)
            .finish_non_exhaustive()
    }
}
