//! Values of Terraform's type system as a plain tree: what travels between the wire and the typed structs.

use std::collections::BTreeMap;

use crate::{Number, Type};

/// A value, named after the library that defines these semantics for Terraform.
///
/// The tree follows its [`Type`], which it does not carry: lists, sets and tuples are sequences, maps and objects
/// are maps. Sets are kept sorted and without duplicates ([`Cty::set`]), so that equality is that of Terraform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cty {
    Null,
    /// To be decided during apply, within what is already certain about it.
    Unknown(Option<Box<Refinement>>),
    Bool(bool),
    Number(Number),
    String(String),
    Seq(Vec<Cty>),
    Map(BTreeMap<String, Cty>),
    /// A value where the schema says "any type".
    Dynamic(Box<(Type, Cty)>),
}

/// What is certain about an unknown value. Whoever plans it must keep to it when applying.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refinement {
    /// `Some(false)`: it will not be null.
    pub null: Option<bool>,
    pub prefix: Option<String>,
    pub lower: Option<Bound>,
    pub upper: Option<Bound>,
    pub min_length: Option<u64>,
    pub max_length: Option<u64>,
}

/// One end of a range of numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bound {
    pub number: Number,
    pub inclusive: bool,
}

impl Cty {
    pub const UNKNOWN: Self = Self::Unknown(None);

    /// A set in its canonical order. Two unknown elements may become different ones, so they both stay.
    pub fn set(mut elements: Vec<Self>) -> Self {
        elements.sort();
        elements.dedup_by(|a, b| a == b && a.is_wholly_known());
        Self::Seq(elements)
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// No unknown value anywhere inside.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
            Self::Seq(elements) => elements.iter().all(Self::is_wholly_known),
            Self::Map(entries) => entries.values().all(Self::is_wholly_known),
            Self::Dynamic(inner) => inner.1.is_wholly_known(),
        }
    }

    /// An attribute of this object; null where the object, or the attribute, is absent.
    pub fn attribute(&self, name: &str) -> &Self {
        match self {
            Self::Map(entries) => entries.get(name).unwrap_or(&Self::Null),
            _ => &Self::Null,
        }
    }

    /// How messages name this kind of value.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unknown(_) => "an unknown value",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Seq(_) => "a sequence",
            Self::Map(_) => "a map",
            Self::Dynamic(_) => "a value of its own type",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_compare_without_order_or_duplicates() {
        let text = |s: &str| Cty::String(s.to_owned());
        let a = Cty::set(vec![text("b"), text("a"), text("b")]);
        let b = Cty::set(vec![text("a"), text("b")]);
        assert_eq!(a, b);
        let unknown = Cty::set(vec![Cty::UNKNOWN, Cty::UNKNOWN]);
        assert_eq!(unknown, Cty::Seq(vec![Cty::UNKNOWN, Cty::UNKNOWN]));
    }
}
