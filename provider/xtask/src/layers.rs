//! Who may depend on whom, checked against `cargo metadata`: the house's walls.

use std::collections::BTreeMap;

use serde_json::Value;

/// Our crates, bottom up, and which of ours each may use. `tfplug` and `quiesce` know nobody: one must be
/// publishable on its own, the other must stay testable in seconds.
const LAYERS: &[(&str, &[&str])] = &[
    ("tfplug-derive", &[]),
    ("tfplug", &["tfplug-derive"]),
    // What a reader copies.
    ("terraform-provider-disk", &["tfplug"]),
    ("quiesce", &[]),
    ("consistent-aws", &["quiesce"]),
    (
        "terraform-provider-consistent",
        &["consistent-aws", "quiesce", "tfplug"],
    ),
    ("lab", &[]),
    // The scenarios judge from outside: they may know the lab, never the code under test.
    ("acceptance", &["lab"]),
    // The pages about the engines are written from what the engines say of themselves.
    ("xtask", &["quiesce"]),
];

/// Crates that only these of ours may name, so that the others build in seconds.
const RESERVED: &[(&str, &[&str])] = &[
    ("aws-", &["consistent-aws"]),
    ("tonic", &["tfplug"]),
    ("prost", &["tfplug"]),
];

/// Returns one line per forbidden dependency in the output of `cargo metadata --no-deps`.
pub(crate) fn violations(metadata: &Value) -> Vec<String> {
    let layers: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let mut found = Vec::new();
    for package in list(&metadata["packages"]) {
        let name = text(&package["name"]);
        let Some(allowed) = layers.get(name) else {
            found.push(format!(
                "{name}: not in LAYERS; decide where it stands in the house"
            ));
            continue;
        };
        for dependency in list(&package["dependencies"])
            .iter()
            .map(|dependency| text(&dependency["name"]))
        {
            let ours = layers.contains_key(dependency);
            if ours && dependency != name && !allowed.contains(&dependency) {
                found.push(format!("{name} must not depend on {dependency}"));
            }
            for (prefix, holders) in RESERVED {
                if dependency.starts_with(prefix) && !holders.contains(&name) {
                    found.push(format!(
                        "{name} must not depend on {dependency}: reserved for {}",
                        holders.join(", ")
                    ));
                }
            }
        }
    }
    found
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, dependencies: &[&str]) -> Value {
        let dependencies: Vec<Value> = dependencies
            .iter()
            .map(|name| json!({ "name": name }))
            .collect();
        json!({ "packages": [{ "name": name, "dependencies": dependencies }] })
    }

    #[test]
    fn the_drawn_arrows_are_allowed() {
        assert_eq!(
            violations(&package("consistent-aws", &["quiesce", "aws-sdk-ec2"])),
            Vec::<String>::new()
        );
    }

    #[test]
    fn an_arrow_upwards_is_refused() {
        assert_eq!(
            violations(&package("quiesce", &["tfplug"])),
            ["quiesce must not depend on tfplug"]
        );
    }

    #[test]
    fn the_sdk_stays_behind_its_adapter() {
        assert_eq!(violations(&package("quiesce", &["aws-sdk-ssm"])).len(), 1);
    }

    #[test]
    fn a_new_crate_must_be_placed() {
        assert_eq!(violations(&package("newcomer", &[])).len(), 1);
    }
}
