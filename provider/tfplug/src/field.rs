//! Which Rust types an attribute can have, and how each looks to Terraform.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Cty, DecodeError, Dynamic, Mismatch, Number, Type, Value,
    path::Step,
    schema::{Nesting, Shape},
};

/// A Rust type that an attribute can have.
///
/// Implemented for `String`, `bool`, `i64`, `u64`, `i32`, `u32`, `u16`, `f64`, [`Number`] and [`Dynamic`], for structs that derive
/// [`Model`](crate::Model), for `Vec` (list), `BTreeSet` (set) and `BTreeMap<String, _>` (map) of those, and for
/// `Option` (may be null) and [`Value`] (may be null or unknown) of any.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the type of a Terraform attribute",
    label = "not an attribute type",
    note = "use String, bool, an integer, f64, Number, Dynamic or a struct with #[derive(Model)]; \
            Vec, BTreeSet or BTreeMap<String, _> of one; Option<_> or Value<_> around it"
)]
pub trait Field: Sized + Send + 'static {
    /// What a validator of this field is given: the value without its `Option` or `Value`.
    type Checked: ?Sized;

    const HOLDS_NULL: bool = false;
    const HOLDS_UNKNOWN: bool = false;

    fn shape() -> Shape;
    fn decode(cty: Cty) -> Result<Self, DecodeError>;
    fn encode(self) -> Cty;

    /// Shows a known value to a validator. A value that this type cannot hold yet is passed over.
    fn check(known: Cty, validator: &dyn Validate<Self::Checked>) -> Result<(), String>;
}

/// The check behind `#[tf(validate = ...)]`, type-erased.
pub(crate) type DynCheck = dyn Fn(Cty) -> Result<(), String> + Send + Sync;

/// What a validator does: any `Fn(&T) -> Result<(), String>` is one. The message says what is wrong, in a sentence.
pub trait Validate<T: ?Sized>: Send + Sync {
    fn validate(&self, value: &T) -> Result<(), String>;
}

impl<T: ?Sized, F: Fn(&T) -> Result<(), String> + Send + Sync> Validate<T> for F {
    fn validate(&self, value: &T) -> Result<(), String> {
        self(value)
    }
}

macro_rules! checked_as_itself {
    () => {
        fn check(known: Cty, validator: &dyn Validate<Self::Checked>) -> Result<(), String> {
            Self::decode(known).map_or(Ok(()), |value| validator.validate(&value))
        }
    };
}

impl Field for String {
    type Checked = str;

    fn shape() -> Shape {
        Shape::Plain(Type::String)
    }

    fn decode(cty: Cty) -> Result<Self, DecodeError> {
        match cty {
            Cty::String(text) => Ok(text),
            other => Err(DecodeError::expected("a string", &other)),
        }
    }

    fn encode(self) -> Cty {
        Cty::String(self)
    }

    checked_as_itself!();
}

impl Field for bool {
    type Checked = bool;

    fn shape() -> Shape {
        Shape::Plain(Type::Bool)
    }

    fn decode(cty: Cty) -> Result<Self, DecodeError> {
        match cty {
            Cty::Bool(value) => Ok(value),
            other => Err(DecodeError::expected("a bool", &other)),
        }
    }

    fn encode(self) -> Cty {
        Cty::Bool(self)
    }

    checked_as_itself!();
}

impl Field for Number {
    type Checked = Number;

    fn shape() -> Shape {
        Shape::Plain(Type::Number)
    }

    fn decode(cty: Cty) -> Result<Self, DecodeError> {
        match cty {
            Cty::Number(number) => Ok(number),
            other => Err(DecodeError::expected("a number", &other)),
        }
    }

    fn encode(self) -> Cty {
        Cty::Number(self)
    }

    checked_as_itself!();
}

macro_rules! integer_fields {
    ($($integer:ty => $wide:ty, $read:ident);* $(;)?) => {$(
        impl Field for $integer {
            type Checked = $integer;

            fn shape() -> Shape {
                Shape::Plain(Type::Number)
            }

            fn decode(cty: Cty) -> Result<Self, DecodeError> {
                let number = Number::decode(cty)?;
                let integer = number.$read().and_then(|wide| Self::try_from(wide).ok());
                integer.ok_or_else(|| {
                    let (min, max) = (Self::MIN, Self::MAX);
                    let reason = format!("expected a whole number from {min} to {max}, found {number}");
                    DecodeError::because(Mismatch::Other(reason))
                })
            }

            fn encode(self) -> Cty {
                Cty::Number(Number::from(<$wide>::from(self)))
            }

            fn check(known: Cty, validator: &dyn Validate<Self>) -> Result<(), String> {
                match Self::decode(known) {
                    Ok(value) => validator.validate(&value),
                    Err(DecodeError { reason: Mismatch::Other(what), .. }) => Err(what),
                    Err(_) => Ok(()),
                }
            }
        }
    )*};
}
integer_fields! {
    i64 => i64, to_i64;
    i32 => i64, to_i64;
    u64 => u64, to_u64;
    u32 => u64, to_u64;
    u16 => u64, to_u64;
}

impl Field for f64 {
    type Checked = f64;

    fn shape() -> Shape {
        Shape::Plain(Type::Number)
    }

    fn decode(cty: Cty) -> Result<Self, DecodeError> {
        Number::decode(cty).map(|number| number.to_f64())
    }

    /// Infinities and NaN do not exist in Terraform: null takes their place.
    fn encode(self) -> Cty {
        Number::from_f64(self).map_or(Cty::Null, Cty::Number)
    }

    checked_as_itself!();
}

impl Field for Dynamic {
    type Checked = Dynamic;

    fn shape() -> Shape {
        Shape::Plain(Type::Dynamic)
    }

    fn decode(cty: Cty) -> Result<Self, DecodeError> {
        match cty {
            Cty::Dynamic(inner) => {
                let (ty, value) = *inner;
                Ok(Self { ty, value })
            }
            other => Err(DecodeError::expected("a value", &other)),
        }
    }

    fn encode(self) -> Cty {
        Cty::Dynamic(Box::new((self.ty, self.value)))
    }

    checked_as_itself!();
}

fn decode_sequence<T: Field>(
    cty: Cty,
    step: impl Fn(usize) -> Option<Step>,
) -> Result<Vec<T>, DecodeError> {
    let Cty::Seq(elements) = cty else {
        return Err(DecodeError::expected("a sequence", &cty));
    };
    let decode = |(index, element)| {
        T::decode(element).map_err(|error| match step(index) {
            Some(step) => error.under(step),
            // Elements of a set have no address: the path ends at the set.
            None => DecodeError::because(error.reason),
        })
    };
    elements.into_iter().enumerate().map(decode).collect()
}

impl<T: Field> Field for Vec<T> {
    type Checked = Vec<T>;

    fn shape() -> Shape {
        T::shape().collected(Nesting::List, Type::list)
    }

    fn decode(cty: Cty) -> Result<Self, DecodeError> {
        decode_sequence(cty, |index| Some(Step::Index(index as u64)))
    }

    fn encode(self) -> Cty {
        Cty::Seq(self.into_iter().map(T::encode).collect())
    }

    checked_as_itself!();
}

impl<T: Field + Ord> Field for BTreeSet<T> {
    type Checked = BTreeSet<T>;

    fn shape() -> Shape {
        T::shape().collected(Nesting::Set, Type::set)
    }

    fn decode(cty: Cty) -> Result<Self, DecodeError> {
        decode_sequence(cty, |_| None).map(|elements| elements.into_iter().collect())
    }

    fn encode(self) -> Cty {
        Cty::set(self.into_iter().map(T::encode).collect())
    }

    checked_as_itself!();
}

impl<T: Field> Field for BTreeMap<String, T> {
    type Checked = BTreeMap<String, T>;

    fn shape() -> Shape {
        T::shape().collected(Nesting::Map, Type::map)
    }

    fn decode(cty: Cty) -> Result<Self, DecodeError> {
        let Cty::Map(entries) = cty else {
            return Err(DecodeError::expected("a map", &cty));
        };
        let decode = |(key, value)| match T::decode(value) {
            Ok(value) => Ok((key, value)),
            Err(error) => Err(error.under(Step::Key(key))),
        };
        entries.into_iter().map(decode).collect()
    }

    fn encode(self) -> Cty {
        Cty::Map(
            self.into_iter()
                .map(|(key, value)| (key, value.encode()))
                .collect(),
        )
    }

    checked_as_itself!();
}

impl<T: Field> Field for Option<T> {
    type Checked = T::Checked;

    const HOLDS_NULL: bool = true;
    const HOLDS_UNKNOWN: bool = T::HOLDS_UNKNOWN;

    fn shape() -> Shape {
        T::shape()
    }

    fn decode(cty: Cty) -> Result<Self, DecodeError> {
        match cty {
            Cty::Null => Ok(None),
            other => T::decode(other).map(Some),
        }
    }

    fn encode(self) -> Cty {
        self.map_or(Cty::Null, T::encode)
    }

    fn check(known: Cty, validator: &dyn Validate<Self::Checked>) -> Result<(), String> {
        T::check(known, validator)
    }
}

impl<T: Field> Field for Value<T> {
    type Checked = T::Checked;

    const HOLDS_NULL: bool = true;
    const HOLDS_UNKNOWN: bool = true;

    fn shape() -> Shape {
        T::shape()
    }

    fn decode(cty: Cty) -> Result<Self, DecodeError> {
        match cty {
            Cty::Null => Ok(Self::Null),
            Cty::Unknown(_) => Ok(Self::Unknown),
            other => T::decode(other).map(Self::Known),
        }
    }

    fn encode(self) -> Cty {
        match self {
            Self::Null => Cty::Null,
            Self::Unknown => Cty::UNKNOWN,
            Self::Known(value) => value.encode(),
        }
    }

    fn check(known: Cty, validator: &dyn Validate<Self::Checked>) -> Result<(), String> {
        T::check(known, validator)
    }
}
