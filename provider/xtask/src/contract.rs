//! `schemas/contract.json`: the schema that configurations and states out there were written for. Whatever takes
//! something away from them fails here and is named; what only adds to it passes.

mod attributes;
mod functions;

use serde_json::{Map, Value};

use crate::{golden, schema};

/// What users rely on: the last release's schema, without its prose.
pub(crate) const PATH: &str = "schemas/contract.json";

/// What has a block of its own, by the name of its collection in terraform's answer.
const KINDS: [(&str, &str); 5] = [
    ("resource_schemas", "resource"),
    ("data_source_schemas", "data source"),
    ("ephemeral_resource_schemas", "ephemeral resource"),
    ("list_resource_schemas", "list resource"),
    ("action_schemas", "action"),
];

/// Fails where `schema` breaks the recorded one.
pub(crate) fn check(schema: &Value) -> Result<(), String> {
    let text = golden::read(PATH)?;
    let recorded: Value =
        serde_json::from_str(&text).map_err(|error| format!("{PATH}: {error}"))?;
    let breaks = breaks(&recorded, schema);
    if breaks.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the schema breaks configurations or states that {PATH} promises to serve:\n\n  - {}\n\nA major release may do so: \
         `cargo xtask schema --release` records what it promises from then on.",
        breaks.join("\n  - ")
    ))
}

/// Makes `schema` what later ones have to serve.
pub(crate) fn record(schema: &Value) -> Result<(), String> {
    let shape = serde_json::to_string_pretty(&shape(schema)).map_err(|error| error.to_string())?;
    golden::settle(golden::Mode::Write, PATH, &format!("{shape}\n"), "schema")
}

/// A schema without what may change at any time. An attribute may bear the name of what is left out, so only texts are;
/// and an attribute's name in a type stands before a text, so types are taken whole.
fn shape(schema: &Value) -> Value {
    let Value::Object(all) = schema else {
        return schema.clone();
    };
    let prose = ["description", "description_kind", "summary"];
    let kept = all
        .iter()
        .filter(|(name, value)| !(value.is_string() && prose.contains(&name.as_str())));
    let shaped = kept.map(|(name, value)| {
        let whole = matches!(name.as_str(), "type" | "return_type");
        let value = if whole { value.clone() } else { shape(value) };
        (name.clone(), value)
    });
    Value::Object(shaped.collect())
}

/// What somebody who wrote for `old` misses in `new`, each with its place.
fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let (old, new) = (provider(old), provider(new));
    let mut found = Vec::new();
    attributes::block(
        "provider",
        &old["provider"]["block"],
        &new["provider"]["block"],
        &mut found,
    );
    for (collection, kind) in KINDS {
        for (name, old) in entries(&old[collection]) {
            let place = format!("{kind} {name}");
            match new[collection].get(name) {
                Some(new) => versioned(&place, old, new, &mut found),
                None => found.push(format!("{place}: is gone")),
            }
        }
    }
    let identities = "resource_identity_schemas";
    attributes::identities(&old[identities], &new[identities], &mut found);
    functions::all(&old["functions"], &new["functions"], &mut found);
    found
}

fn versioned(place: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    let version = |of: &Value| of["version"].as_u64().unwrap_or_default();
    if version(new) < version(old) {
        let (old, new) = (version(old), version(new));
        found.push(format!(
            "{place}: its version went from {old} back to {new}, which no state survives"
        ));
    }
    attributes::block(place, &old["block"], &new["block"], found);
}

fn provider(schema: &Value) -> &Value {
    &schema["provider_schemas"][schema::ADDRESS]
}

/// The entries of an object; none of what is missing.
fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A schema with one of everything.
    fn schema() -> Value {
        let text = || json!({ "type": "string", "optional": true, "description": "A text." });
        let block = json!({
            "attributes": {
                "name": { "type": "string", "required": true },
                "description": text(),
                "size": { "type": "number", "optional": true, "computed": true },
                "id": { "type": "string", "computed": true },
                "quiesce": { "optional": true, "nested_type": { "nesting_mode": "single", "attributes": { "method": text() } } },
            },
            "block_types": { "rule": { "nesting_mode": "list", "max_items": 2, "block": { "attributes": { "port": text() } } } },
        });
        json!({ "format_version": "1.0", "provider_schemas": { (schema::ADDRESS): {
            "provider": { "version": 0, "block": block },
            "resource_schemas": { "db_image": { "version": 1, "block": block } },
            "data_source_schemas": { "db_image": { "version": 0, "block": block } },
            "list_resource_schemas": { "db_image": { "version": 0, "block": block } },
            "resource_identity_schemas": { "db_image": { "version": 1, "attributes": {
                "id": { "type": "string", "required_for_import": true },
                "region": { "type": "string", "optional_for_import": true },
            } } },
            "functions": { "first_boot": {
                "description": "What to run.", "return_type": "string",
                "parameters": [{ "name": "engine", "type": "string" }, { "name": "options", "type": "dynamic", "is_nullable": true }],
                "variadic_parameter": { "name": "more", "type": "string" },
            } },
        } } })
    }

    /// What breaks where the value at a place becomes another one, or goes.
    fn broken(pointer: &str, key: &str, value: Option<Value>) -> Vec<String> {
        let old = schema();
        let mut new = schema();
        let address = schema::ADDRESS.replace('/', "~1");
        let place = new.pointer_mut(&format!("/provider_schemas/{address}{pointer}"));
        let place = place.and_then(Value::as_object_mut).expect(pointer);
        match value {
            Some(value) => place.insert(key.to_owned(), value),
            None => place.remove(key),
        };
        assert_ne!(old, new, "{pointer}/{key} did not change");
        breaks(&old, &new)
    }

    const RESOURCE: &str = "/resource_schemas/db_image/block";

    #[test]
    fn what_is_taken_away_is_named() {
        for (pointer, key, named) in [
            (
                "/resource_schemas",
                "db_image",
                "resource db_image: is gone",
            ),
            (
                "/data_source_schemas",
                "db_image",
                "data source db_image: is gone",
            ),
            (
                "/list_resource_schemas",
                "db_image",
                "list resource db_image: is gone",
            ),
            (
                "/resource_identity_schemas",
                "db_image",
                "identity of db_image: is gone",
            ),
            (
                "/resource_identity_schemas/db_image/attributes",
                "region",
                "identity of db_image: region is gone",
            ),
            ("/functions", "first_boot", "function first_boot: is gone"),
            (
                "/functions/first_boot",
                "variadic_parameter",
                "function first_boot: takes no further arguments any more",
            ),
            (
                "/provider/block/attributes",
                "size",
                "provider: size is gone",
            ),
            (
                "/provider/block/block_types",
                "rule",
                "provider: rule is gone",
            ),
            (
                &format!("{RESOURCE}/attributes"),
                "id",
                "resource db_image: id is gone",
            ),
            (
                &format!("{RESOURCE}/attributes/quiesce/nested_type/attributes"),
                "method",
                "resource db_image: quiesce.method is gone",
            ),
            (
                &format!("{RESOURCE}/block_types/rule/block/attributes"),
                "port",
                "resource db_image: rule.port is gone",
            ),
        ] {
            assert_eq!(broken(pointer, key, None), [named]);
        }
    }

    #[test]
    fn what_is_asked_for_or_given_otherwise_is_named() {
        let attribute = |name: &str| format!("{RESOURCE}/attributes/{name}");
        for (pointer, key, value, named) in [
            (
                attribute("name"),
                "type",
                json!("number"),
                "name was \"string\" and is \"number\"",
            ),
            (
                attribute("description"),
                "type",
                json!(["list", "string"]),
                "description was \"string\" and is [\"list\",\"string\"]",
            ),
            (
                attribute("quiesce") + "/nested_type",
                "nesting_mode",
                json!("list"),
                "quiesce was nested as \"single\" and is as \"list\"",
            ),
            (
                attribute("id"),
                "sensitive",
                json!(true),
                "id is sensitive now: outputs of it fail",
            ),
            (
                attribute("description"),
                "write_only",
                json!(true),
                "description is write-only now: it reads as null",
            ),
            (
                format!("{RESOURCE}/attributes"),
                "extra",
                json!({ "type": "string", "required": true }),
                "extra is new and required",
            ),
            (
                format!("{RESOURCE}/block_types"),
                "extra",
                json!({ "nesting_mode": "list", "min_items": 1, "block": {} }),
                "extra is new and required",
            ),
            (
                format!("{RESOURCE}/block_types/rule"),
                "max_items",
                json!(1),
                "rule may stand 1 times at most, not 2",
            ),
            (
                format!("{RESOURCE}/block_types/rule"),
                "min_items",
                json!(1),
                "rule has to stand 1 times at least, not 0",
            ),
            (
                format!("{RESOURCE}/block_types/rule"),
                "nesting_mode",
                json!("set"),
                "rule was nested as \"list\" and is as \"set\"",
            ),
        ] {
            assert_eq!(
                broken(&pointer, key, Some(value)),
                [format!("resource db_image: {named}")]
            );
        }
    }

    #[test]
    fn who_sets_an_attribute_is_part_of_it() {
        let of = |attribute: Value| {
            json!({ "provider_schemas": { (schema::ADDRESS): {
            "resource_schemas": { "db_image": { "block": { "attributes": { "x": attribute } } } },
        } } })
        };
        let of_kind = |kind: &[&str]| {
            let flags = kind.iter().map(|flag| ((*flag).to_owned(), json!(true)));
            let mut attribute: Map<String, Value> = flags.collect();
            attribute.insert("type".to_owned(), json!("string"));
            of(attribute.into())
        };
        let (required, optional, computed, both) = (
            &["required"][..],
            &["optional"][..],
            &["computed"][..],
            &["optional", "computed"][..],
        );
        for (old, new, named) in [
            (optional, required, Some("x is required now")),
            (both, required, Some("x is required now")),
            (optional, computed, Some("x cannot be set any more")),
            (required, computed, Some("x cannot be set any more")),
            (computed, optional, Some("x is not computed any more")),
            (both, optional, Some("x is not computed any more")),
            (required, optional, None),
            (required, both, None),
            (optional, both, None),
            (computed, both, None),
        ] {
            let named: Vec<String> = named
                .iter()
                .map(|it| format!("resource db_image: {it}"))
                .collect();
            assert_eq!(
                breaks(&of_kind(old), &of_kind(new)),
                named,
                "{old:?} to {new:?}"
            );
        }
    }

    #[test]
    fn functions_and_identities_are_called_as_before() {
        let function = "/functions/first_boot";
        for (pointer, key, value, named) in [
            (
                function,
                "return_type",
                json!("bool"),
                "function first_boot: returned \"string\" and returns \"bool\"",
            ),
            (
                &format!("{function}/parameters/0"),
                "type",
                json!("bool"),
                "function first_boot: parameter 1 was \"string\" and is \"bool\"",
            ),
            (
                &format!("{function}/parameters/1"),
                "is_nullable",
                json!(false),
                "function first_boot: parameter 2 may not be null any more",
            ),
            (
                function,
                "parameters",
                json!([{ "type": "string" }]),
                "function first_boot: has 1 parameters, not 2",
            ),
            (
                "/resource_identity_schemas/db_image/attributes/id",
                "type",
                json!("number"),
                "identity of db_image: id was \"string\" and is \"number\"",
            ),
            (
                "/resource_identity_schemas/db_image/attributes/region",
                "required_for_import",
                json!(true),
                "identity of db_image: region is required now",
            ),
            (
                "/resource_schemas/db_image",
                "version",
                json!(0),
                "resource db_image: its version went from 1 back to 0, which no state survives",
            ),
        ] {
            assert_eq!(broken(pointer, key, Some(value)), [named]);
        }
    }

    #[test]
    fn what_is_added_breaks_nothing() {
        let attribute = json!({ "type": "string", "optional": true });
        for (pointer, key, value) in [
            (
                "/resource_schemas",
                "db_image_set",
                json!({ "version": 0, "block": {} }),
            ),
            ("/resource_schemas/db_image", "version", json!(2)),
            (RESOURCE, "description", json!("Other words.")),
            (
                &format!("{RESOURCE}/attributes"),
                "extra",
                attribute.clone(),
            ),
            (
                &format!("{RESOURCE}/attributes/description"),
                "description",
                json!("Other words."),
            ),
            (
                &format!("{RESOURCE}/attributes/description"),
                "deprecated",
                json!(true),
            ),
            (
                &format!("{RESOURCE}/attributes/quiesce/nested_type/attributes"),
                "extra",
                attribute,
            ),
            (
                &format!("{RESOURCE}/block_types/rule"),
                "max_items",
                json!(3),
            ),
            ("/functions", "second", json!({ "return_type": "string" })),
        ] {
            assert_eq!(
                broken(pointer, key, Some(value)),
                Vec::<String>::new(),
                "{pointer}/{key}"
            );
        }
        assert_eq!(
            broken(&format!("{RESOURCE}/block_types/rule"), "max_items", None),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_shape_has_everything_but_the_prose() {
        let shape = shape(&schema());
        let text = shape.to_string();
        assert!(
            !text.contains("A text.") && !text.contains("What to run."),
            "{text}"
        );
        assert_eq!(breaks(&shape, &schema()), Vec::<String>::new());
        assert_eq!(breaks(&schema(), &shape), Vec::<String>::new());
        let object = json!({ "type": ["object", { "description": "string" }], "description": "x" });
        assert_eq!(
            super::shape(&object),
            json!({ "type": ["object", { "description": "string" }] })
        );
    }
}
