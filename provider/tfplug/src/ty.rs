//! Terraform's types, and their spelling in JSON.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

/// A type constraint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    String,
    Number,
    Bool,
    /// Any type: values carry their own.
    Dynamic,
    List(Box<Type>),
    Set(Box<Type>),
    Map(Box<Type>),
    Object(BTreeMap<String, Type>),
    Tuple(Vec<Type>),
}

/// JSON that spells no type.
#[derive(Debug, thiserror::Error)]
#[error("not a Terraform type: {0}")]
pub struct TypeError(String);

impl Type {
    pub fn list(element: Self) -> Self {
        Self::List(Box::new(element))
    }

    pub fn set(element: Self) -> Self {
        Self::Set(Box::new(element))
    }

    pub fn map(element: Self) -> Self {
        Self::Map(Box::new(element))
    }

    /// The spelling that schemas and dynamic values use, e.g. `["list","string"]`.
    pub fn to_json(&self) -> Json {
        match self {
            Self::String => json!("string"),
            Self::Number => json!("number"),
            Self::Bool => json!("bool"),
            Self::Dynamic => json!("dynamic"),
            Self::List(element) => json!(["list", element.to_json()]),
            Self::Set(element) => json!(["set", element.to_json()]),
            Self::Map(element) => json!(["map", element.to_json()]),
            Self::Object(attributes) => {
                let attributes: serde_json::Map<_, _> = attributes
                    .iter()
                    .map(|(name, ty)| (name.clone(), ty.to_json()))
                    .collect();
                json!(["object", attributes])
            }
            Self::Tuple(elements) => {
                let elements: Vec<_> = elements.iter().map(Self::to_json).collect();
                json!(["tuple", elements])
            }
        }
    }

    /// Reads the spelling of [`Type::to_json`]; objects may name optional attributes, which changes nothing here.
    pub fn from_json(json: &Json) -> Result<Self, TypeError> {
        let wrong = || TypeError(json.to_string().chars().take(200).collect());
        match json {
            Json::String(name) => Self::primitive(name).ok_or_else(wrong),
            Json::Array(parts) => match parts.as_slice() {
                [Json::String(kind), argument] | [Json::String(kind), argument, Json::Array(_)] => {
                    Self::compound(kind, argument)?.ok_or_else(wrong)
                }
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }

    /// True where a value has to carry its own type somewhere inside.
    pub fn has_dynamic(&self) -> bool {
        match self {
            Self::Dynamic => true,
            Self::String | Self::Number | Self::Bool => false,
            Self::List(element) | Self::Set(element) | Self::Map(element) => element.has_dynamic(),
            Self::Object(attributes) => attributes.values().any(Self::has_dynamic),
            Self::Tuple(elements) => elements.iter().any(Self::has_dynamic),
        }
    }

    fn primitive(name: &str) -> Option<Self> {
        match name {
            "string" => Some(Self::String),
            "number" => Some(Self::Number),
            "bool" => Some(Self::Bool),
            "dynamic" => Some(Self::Dynamic),
            _ => None,
        }
    }

    fn compound(kind: &str, argument: &Json) -> Result<Option<Self>, TypeError> {
        let ty = match (kind, argument) {
            ("list", element) => Self::list(Self::from_json(element)?),
            ("set", element) => Self::set(Self::from_json(element)?),
            ("map", element) => Self::map(Self::from_json(element)?),
            ("object", Json::Object(attributes)) => {
                let attributes = attributes
                    .iter()
                    .map(|(name, ty)| Ok((name.clone(), Self::from_json(ty)?)));
                Self::Object(attributes.collect::<Result<_, _>>()?)
            }
            ("tuple", Json::Array(elements)) => Self::Tuple(
                elements
                    .iter()
                    .map(Self::from_json)
                    .collect::<Result<_, _>>()?,
            ),
            _ => return Ok(None),
        };
        Ok(Some(ty))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_like_terraform() {
        let ty = Type::Object(BTreeMap::from([
            ("a".to_owned(), Type::list(Type::String)),
            ("b".to_owned(), Type::Tuple(vec![Type::Bool, Type::Dynamic])),
        ]));
        let json =
            json!(["object", {"a": ["list", "string"], "b": ["tuple", ["bool", "dynamic"]]}]);
        assert_eq!(ty.to_json(), json);
        assert_eq!(Type::from_json(&json).expect("a type"), ty);
        assert!(ty.has_dynamic());
    }

    #[test]
    fn optional_attributes_are_read_over() {
        let json = json!(["object", {"a": "string"}, ["a"]]);
        assert!(matches!(Type::from_json(&json), Ok(Type::Object(_))));
    }

    #[test]
    fn refuses_what_is_no_type() {
        for json in [
            json!("text"),
            json!(["list"]),
            json!(["object", []]),
            json!({}),
            json!(["tuple", "x"]),
        ] {
            assert!(Type::from_json(&json).is_err(), "{json}");
        }
    }
}
