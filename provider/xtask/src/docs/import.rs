//! How a resource is imported: by its id, by its identity, by the command.

use std::fmt::Write as _;

use serde_json::Value;

use super::{entries, text, types, unwrapped};
use crate::golden;

/// The section of a page; nothing where there are no examples of it.
pub(super) fn section(examples: &str, identity: &Value) -> Option<String> {
    let example = |name: &str| golden::read(&format!("{examples}/{name}")).ok();
    let by_id = example("import-by-string-id.tf")?;
    let command = example("import.sh")?;
    let by_identity = example("import-by-identity.tf").unwrap_or_default();
    Some(format!(
        "\n## Import\n\nWith an [`import` block](https://developer.hashicorp.com/terraform/language/import):\n\n\
         ```terraform\n{}\n```\n{}\nWith the command:\n\n```shell\n{}\n```\n",
        by_id.trim_end(),
        identified(&by_identity, identity),
        command.trim_end()
    ))
}

fn identified(example: &str, identity: &Value) -> String {
    let attributes = &identity["attributes"];
    if attributes.is_null() {
        return String::new();
    }
    let mut said = format!(
        "\nBy identity (Terraform 1.12 or later):\n\n```terraform\n{}\n```\n\nThe identity's attributes:\n\n",
        example.trim_end()
    );
    for (name, attribute) in entries(attributes) {
        let needed = attribute["required_for_import"] == Value::Bool(true);
        let needed = if needed { "Required" } else { "Optional" };
        let (ty, description) = (
            types::plain(&attribute["type"]),
            unwrapped(text(&attribute["description"])),
        );
        let _ = writeln!(said, "- `{name}` ({ty}, {needed}) {description}");
    }
    said
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_identity_says_what_an_import_has_to_give() {
        let identity = json!({ "attributes": {
            "id": { "type": "string", "description": "Its\nid.", "required_for_import": true },
            "zone": { "type": "string", "description": "Its zone.", "optional_for_import": true },
        } });
        let said = identified("import {}\n", &identity);
        assert!(said.contains("```terraform\nimport {}\n```"));
        assert!(said.ends_with(
            "- `id` (String, Required) Its id.\n- `zone` (String, Optional) Its zone.\n"
        ));
        assert_eq!(identified("", &Value::Null), "");
    }
}
