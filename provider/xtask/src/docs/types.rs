//! Terraform's types in the words of the registry's pages.

use serde_json::Value;

/// A type constraint: `String`, `Set of String`, `Map of List of Number`.
pub(super) fn plain(ty: &Value) -> String {
    match ty {
        Value::String(name) => primitive(name).to_owned(),
        Value::Array(parts) => compound(parts),
        _ => "Dynamic".to_owned(),
    }
}

/// Nested attributes or blocks: `Attributes`, `Attributes Set`, `Block List`.
pub(super) fn nested(what: &str, mode: &str) -> String {
    let collection = match mode {
        "list" => " List",
        "set" => " Set",
        "map" => " Map",
        _ => "",
    };
    format!("{what}{collection}")
}

fn primitive(name: &str) -> &str {
    match name {
        "string" => "String",
        "number" => "Number",
        "bool" => "Boolean",
        _ => "Dynamic",
    }
}

fn compound(parts: &[Value]) -> String {
    let of = |collection: &str, element: &Value| format!("{collection} of {}", plain(element));
    match parts {
        [Value::String(kind), element] => match kind.as_str() {
            "list" => of("List", element),
            "set" => of("Set", element),
            "map" => of("Map", element),
            "tuple" => "Tuple".to_owned(),
            _ => "Object".to_owned(),
        },
        _ => "Object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_spelled_out() {
        assert_eq!(plain(&json!("bool")), "Boolean");
        assert_eq!(plain(&json!(["map", "string"])), "Map of String");
        assert_eq!(
            plain(&json!(["set", ["list", "number"]])),
            "Set of List of Number"
        );
        assert_eq!(plain(&json!(["object", { "a": "string" }])), "Object");
        assert_eq!(nested("Block", "single"), "Block");
        assert_eq!(nested("Attributes", "set"), "Attributes Set");
    }
}
