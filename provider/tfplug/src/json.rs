//! Values in JSON: the state file's form, and the wire's second one.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::{Cty, Number, Type};

/// Deeper values are refused before they exhaust the stack.
const MAX_DEPTH: usize = 100;

/// JSON that does not fit its type.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("{0}")]
    Syntax(#[from] serde_json::Error),
    #[error("expected {expected}, found {found}")]
    Mismatch { expected: String, found: String },
    #[error("nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
}

/// Reads a value of type `ty`. Attributes that the type does not have are dropped and missing ones are null: a
/// schema of the same version may have grown or shrunk. Numbers keep all their digits.
pub(crate) fn decode(json: &RawValue, ty: &Type) -> Result<Cty, JsonError> {
    value(json, ty, 0)
}

fn value(json: &RawValue, ty: &Type, depth: usize) -> Result<Cty, JsonError> {
    if depth > MAX_DEPTH {
        return Err(JsonError::TooDeep);
    }
    if json.get() == "null" {
        return Ok(Cty::Null);
    }
    match ty {
        Type::String => string(json),
        Type::Number => number(json),
        Type::Bool => boolean(json),
        Type::Dynamic => dynamic(json, depth),
        Type::List(element) => sequence(json, |_| Some(element), depth).map(Cty::Seq),
        Type::Set(element) => sequence(json, |_| Some(element), depth).map(Cty::set),
        Type::Tuple(elements) => sequence(json, |index| elements.get(index), depth).map(Cty::Seq),
        Type::Map(element) => map(json, element, depth),
        Type::Object(attributes) => object(json, attributes, depth),
    }
}

/// Terraform itself reads a number or a bool where a string is due, and the other way round: so state that was
/// stored before an attribute changed its primitive type stays readable.
fn string(json: &RawValue) -> Result<Cty, JsonError> {
    let text = json.get();
    if text.starts_with('"') {
        return Ok(Cty::String(serde_json::from_str(text)?));
    }
    let primitive = !text.starts_with(['{', '[']);
    if primitive {
        Ok(Cty::String(text.to_owned()))
    } else {
        Err(mismatch("a string", json))
    }
}

fn number(json: &RawValue) -> Result<Cty, JsonError> {
    let text = json.get().trim_matches('"');
    let number: Result<Number, _> = text.parse();
    number
        .map(Cty::Number)
        .map_err(|_| mismatch("a number", json))
}

fn boolean(json: &RawValue) -> Result<Cty, JsonError> {
    match json.get().trim_matches('"') {
        "true" => Ok(Cty::Bool(true)),
        "false" => Ok(Cty::Bool(false)),
        _ => Err(mismatch("a bool", json)),
    }
}

fn dynamic(json: &RawValue, depth: usize) -> Result<Cty, JsonError> {
    #[derive(serde::Deserialize)]
    struct Typed<'a> {
        #[serde(rename = "type")]
        ty: serde_json::Value,
        #[serde(borrow)]
        value: &'a RawValue,
    }
    let typed: Typed<'_> = serde_json::from_str(json.get())?;
    let ty = Type::from_json(&typed.ty).map_err(|_| mismatch("a value with its type", json))?;
    let value = value(typed.value, &ty, depth + 1)?;
    Ok(Cty::Dynamic(Box::new((ty, value))))
}

fn sequence<'t>(
    json: &RawValue,
    ty: impl Fn(usize) -> Option<&'t Type>,
    depth: usize,
) -> Result<Vec<Cty>, JsonError> {
    let elements: Vec<&RawValue> = serde_json::from_str(json.get())?;
    let decode = |(index, element)| match ty(index) {
        Some(ty) => value(element, ty, depth + 1),
        None => Err(mismatch("a shorter tuple", json)),
    };
    elements.into_iter().enumerate().map(decode).collect()
}

fn map(json: &RawValue, element: &Type, depth: usize) -> Result<Cty, JsonError> {
    let entries: BTreeMap<String, &RawValue> = serde_json::from_str(json.get())?;
    let decode = |(key, entry)| Ok((key, value(entry, element, depth + 1)?));
    let entries: Result<_, JsonError> = entries.into_iter().map(decode).collect();
    entries.map(Cty::Map)
}

fn object(
    json: &RawValue,
    attributes: &BTreeMap<String, Type>,
    depth: usize,
) -> Result<Cty, JsonError> {
    let entries: BTreeMap<String, &RawValue> = serde_json::from_str(json.get())?;
    let decode = |(name, ty): (&String, &Type)| {
        let attribute = match entries.get(name) {
            Some(entry) => value(entry, ty, depth + 1)?,
            None => Cty::Null,
        };
        Ok((name.clone(), attribute))
    };
    let attributes: Result<_, JsonError> = attributes.iter().map(decode).collect();
    attributes.map(Cty::Map)
}

fn mismatch(expected: &str, json: &RawValue) -> JsonError {
    JsonError::Mismatch {
        expected: expected.to_owned(),
        found: json.get().chars().take(60).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str, ty: &Type) -> Result<Cty, JsonError> {
        let raw: &RawValue = serde_json::from_str(json).expect("JSON");
        decode(raw, ty)
    }

    #[test]
    fn keeps_every_digit() {
        let digits = "123456789012345678901234567890.12345";
        let number = read(digits, &Type::Number).expect("a number");
        assert_eq!(number, Cty::Number(digits.parse().expect("a number")));
    }

    #[test]
    fn a_changed_schema_still_reads() {
        let ty = Type::Object(BTreeMap::from([
            ("kept".to_owned(), Type::String),
            ("new".to_owned(), Type::Bool),
        ]));
        let state = read(r#"{"kept": 7, "dropped": [1]}"#, &ty).expect("state");
        assert_eq!(*state.attribute("kept"), Cty::String("7".to_owned()));
        assert_eq!(*state.attribute("new"), Cty::Null);
        assert_eq!(*state.attribute("dropped"), Cty::Null);
    }

    #[test]
    fn depth_is_bounded() {
        let nest = |inner: String| format!(r#"{{"type": "dynamic", "value": {inner}}}"#);
        let bomb = (0..=MAX_DEPTH).fold("null".to_owned(), |inner, _| nest(inner));
        // serde_json has a limit of its own for the outer levels; either refuses.
        assert!(
            serde_json::from_str::<&RawValue>(&bomb).is_err()
                || read(&bomb, &Type::Dynamic).is_err()
        );
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let tuple = Type::Tuple(vec![Type::Bool]);
        assert!(read("[true, false]", &tuple).is_err());
        assert!(read("{}", &Type::String).is_err());
        assert!(read("\"x\"", &Type::Number).is_err());
        assert!(read("1", &Type::list(Type::Number)).is_err());
    }
}
