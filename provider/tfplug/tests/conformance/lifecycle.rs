//! What happens to a resource from its creation to its end, seen through Terraform.

use std::fs;

use serde_json::{Value as Json, json};

use crate::workspace::Workspace;

#[test]
fn create_change_destroy() {
    let workspace = Workspace::new(r#"resource "toy_thing" "a" { name = "alpha" }"#);
    workspace.apply();
    let unseen = workspace.run(&["plan", "-detailed-exitcode", "-refresh=false"]);
    assert_eq!(unseen.code, Some(0), "without a look at the real object");
    let made = workspace.attributes("toy_thing.a");
    assert_eq!(
        (&made["size"], &made["colour"], &made["revision"]),
        (&json!("medium"), &json!("grey"), &json!(1))
    );

    workspace
        .configure("resource \"toy_thing\" \"a\" {\n  name = \"alpha\"\n  size = \"large\"\n}");
    // The id was computed once and for all; the revision is computed at every change.
    let plan = workspace.plan();
    plan.says("will be updated in-place")
        .says("~ revision = 1 -> (known after apply)");
    assert!(!plan.text.contains("~ id"), "{}", plan.text);
    workspace.apply();
    assert_eq!(workspace.attributes("toy_thing.a")["revision"], 2);

    workspace.destroy();
    assert!(!workspace.toy("alpha").exists());
    assert_eq!(workspace.entry("toy_thing.a"), None);
}

#[test]
fn a_default_comes_back_when_the_value_goes() {
    let workspace =
        Workspace::new("resource \"toy_thing\" \"a\" {\n  name = \"alpha\"\n  size = \"large\"\n}");
    workspace.apply();
    workspace.configure(r#"resource "toy_thing" "a" { name = "alpha" }"#);
    workspace.plan().says(r#"~ size = "large" -> "medium""#);
    workspace.apply();
}

#[test]
fn unknown_inputs() {
    let config = r#"
        resource "terraform_data" "known_later" { input = "blue" }
        resource "toy_thing" "a" {
          name   = "thing-${terraform_data.known_later.id}"
          colour = terraform_data.known_later.output
          labels = { id = terraform_data.known_later.id }
          size   = terraform_data.known_later.output == "blue" ? "small" : null
        }
        resource "toy_gallery" "g" {
          id       = terraform_data.known_later.id
          anything = terraform_data.known_later.output
          matrix   = [[1], [length(terraform_data.known_later.output)]]
          frames   = [for s in [terraform_data.known_later.output] : { width = length(s) }]
          dynamic "wall" {
            for_each = toset([terraform_data.known_later.output])
            content { colour = wall.key }
          }
        }
    "#;
    // Names are checked at plan time where they are known, and else when applying.
    let workspace = Workspace::new(&config.replace(
        "thing-${terraform_data.known_later.id}",
        "${substr(terraform_data.known_later.id, 0, 8)}",
    ));
    workspace.apply();
    let made = workspace.attributes("toy_thing.a");
    assert_eq!(
        (&made["size"], &made["colour"]),
        (&json!("small"), &json!("blue"))
    );

    let workspace = Workspace::new(config);
    workspace
        .apply_fails()
        .says("Must have at least 2 and at most 30 characters, not 42.");
}

#[test]
fn a_new_name_is_a_new_thing() {
    let workspace = Workspace::new(r#"resource "toy_thing" "a" { name = "alpha" }"#);
    workspace.apply();
    workspace.configure(r#"resource "toy_thing" "a" { name = "beta" }"#);
    workspace
        .plan()
        .says("must be replaced")
        .says(r#"~ name = "alpha" -> "beta" # forces replacement"#);
    workspace.apply();
    assert!(!workspace.toy("alpha").exists() && workspace.toy("beta").exists());
}

#[test]
fn the_resource_itself_can_ask_for_replacement() {
    let workspace = Workspace::new(r#"resource "toy_thing" "a" { name = "alpha" }"#);
    workspace.apply();
    let broken = json!({ "size": "medium", "labels": null, "colour": "broken", "revision": 1 });
    fs::write(workspace.toy("alpha"), broken.to_string()).unwrap();
    workspace
        .plan()
        .says(r#"~ colour = "broken" -> (known after apply) # forces replacement"#);
    workspace.apply();
    assert_eq!(workspace.attributes("toy_thing.a")["colour"], "grey");
}

#[test]
fn replace_on_demand() {
    let workspace = Workspace::new(r#"resource "toy_thing" "a" { name = "alpha" }"#);
    workspace.apply();
    let replaced = workspace.run(&[
        "apply",
        "-auto-approve",
        "-no-color",
        "-replace=toy_thing.a",
    ]);
    replaced.says("Apply complete! Resources: 1 added, 0 changed, 1 destroyed.");
    workspace.is_settled();
}

#[test]
fn gone_behind_our_back() {
    let workspace = Workspace::new(r#"resource "toy_thing" "a" { name = "alpha" }"#);
    workspace.apply();
    fs::remove_file(workspace.toy("alpha")).unwrap();
    workspace.plan().says("1 to add, 0 to change, 0 to destroy");
    workspace.apply();
}

#[test]
fn imported_things_plan_empty() {
    let config = "import {\n  to = toy_thing.a\n  id = \"alpha\"\n}\nresource \"toy_thing\" \"a\" { name = \"alpha\" }";
    let workspace = Workspace::new(config);
    workspace.apply_fails().says("No such thing");
    let stored = json!({ "size": "medium", "labels": null, "colour": "green", "revision": 7 });
    fs::write(workspace.toy("alpha"), stored.to_string()).unwrap();
    workspace
        .apply()
        .says("1 imported, 0 added, 0 changed, 0 destroyed");
    assert_eq!(workspace.attributes("toy_thing.a")["revision"], 7);

    let refused = workspace.run(&["import", "-no-color", "toy_sleeper.s", "x"]);
    assert_ne!(refused.code, Some(0));
}

#[test]
fn state_of_an_older_version_is_upgraded() {
    let workspace = Workspace::new(r#"resource "toy_thing" "a" { name = "alpha" }"#);
    workspace.apply();
    let edit = |change: &dyn Fn(&mut Json)| {
        let file = workspace.path("terraform.tfstate");
        let mut state: Json = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        change(&mut state["resources"][0]["instances"][0]);
        fs::write(&file, state.to_string()).unwrap();
    };
    edit(&|instance| {
        instance["schema_version"] = json!(1);
        let attributes = instance["attributes"].as_object_mut().unwrap();
        let size = attributes.remove("size").unwrap();
        attributes.insert("scale".to_owned(), size);
    });
    workspace.is_settled();
    edit(&|instance| instance["schema_version"] = json!(0));
    workspace
        .run(&["plan", "-no-color"])
        .says("Nobody knows version 0.");
}

#[test]
fn attributes_of_other_days_do_not_hurt() {
    let workspace = Workspace::new(r#"resource "toy_thing" "a" { name = "alpha" }"#);
    workspace.apply();
    let file = workspace.path("terraform.tfstate");
    let mut state: Json = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let attributes = state["resources"][0]["instances"][0]["attributes"]
        .as_object_mut()
        .unwrap();
    attributes.insert("forgotten".to_owned(), json!(["x"]));
    attributes.remove("labels");
    fs::write(&file, state.to_string()).unwrap();
    workspace.is_settled();
}

#[test]
fn moved_from_another_type() {
    let workspace = Workspace::new(r#"resource "terraform_data" "old" { input = "alpha" }"#);
    workspace.apply();
    let stored = json!({ "size": "medium", "labels": null, "colour": "grey", "revision": 1 });
    fs::write(workspace.toy("alpha"), stored.to_string()).unwrap();
    workspace.configure(
        "moved {\n  from = terraform_data.old\n  to = toy_thing.a\n}\nresource \"toy_thing\" \"a\" { name = \"alpha\" }",
    );
    workspace
        .run(&["apply", "-auto-approve", "-no-color"])
        .says("0 added, 0 changed, 0 destroyed");
    workspace.is_settled();
    assert_eq!(workspace.attributes("toy_thing.a")["id"], "alpha");

    workspace.configure(
        "moved {\n  from = toy_thing.a\n  to = toy_sleeper.a\n}\n\
         resource \"toy_sleeper\" \"a\" {\n  name = \"x\"\n  hold_ms = 0\n  release_ms = 0\n}",
    );
    workspace
        .apply_fails()
        .says("does not know how to take over the state of a toy_thing");
}

#[test]
fn write_only_values_are_seen_and_never_stored() {
    let config = "resource \"toy_thing\" \"a\" {\n  name = \"alpha\"\n  secret = \"hunter2\"\n}";
    let workspace = Workspace::new(config);
    workspace.apply();
    assert_eq!(workspace.attributes("toy_thing.a")["secret_length"], 7);
    let state = fs::read_to_string(workspace.path("terraform.tfstate")).unwrap();
    assert!(!state.contains("hunter2"));
}

#[test]
fn an_ephemeral_value_goes_where_nothing_is_stored() {
    let config = "variable \"token\" {\n  default = \"hunter22\"\n  ephemeral = true\n}\n\
                  resource \"toy_thing\" \"a\" {\n  name = \"alpha\"\n  secret = var.token\n}";
    let workspace = Workspace::new(config);
    workspace.apply();
    assert_eq!(workspace.attributes("toy_thing.a")["secret_length"], 8);
    let state = fs::read_to_string(workspace.path("terraform.tfstate")).unwrap();
    assert!(!state.contains("hunter22"));
    workspace.configure(&config.replace("secret", "colour"));
    workspace
        .apply_fails()
        .says("Invalid use of ephemeral value");
}

#[test]
fn private_state_survives_reads() {
    let workspace = Workspace::new(r#"resource "toy_thing" "a" { name = "alpha" }"#);
    workspace.apply();
    workspace.run(&["apply", "-auto-approve", "-refresh-only"]);
    assert!(workspace.entry("toy_thing.a").unwrap()["private"].is_string());
    // The provider itself asserts in its update what its creation left there.
    workspace
        .configure("resource \"toy_thing\" \"a\" {\n  name = \"alpha\"\n  size = \"small\"\n}");
    workspace.apply();
}

#[test]
fn data_sources() {
    let config = r#"
        resource "toy_thing" "a" { name = "alpha" }
        data "toy_shelf" "a" { name = toy_thing.a.id }
        data "toy_shelf" "b" {
          name     = "beta"
          optional = true
        }
        output "found" { value = [data.toy_shelf.a.found, data.toy_shelf.b.found] }
    "#;
    let workspace = Workspace::new(config);
    workspace.apply();
    let output = workspace.run(&["output", "-json", "found"]);
    assert_eq!(output.text.trim(), "[true,false]");
    workspace.configure("data \"toy_shelf\" \"b\" {\n  name = \"beta\"\n}");
    workspace
        .apply_fails()
        .says("Not on the shelf")
        .says("name = \"beta\"");
}

#[test]
fn functions() {
    let config = r#"
        resource "terraform_data" "d" { input = "x" }
        output "joined" { value = provider::toy::join(", ", "a", null, "b") }
        output "none" { value = provider::toy::join(", ") }
        output "types" { value = [for v in [[1], { a = true }] : provider::toy::describe(v)] }
        output "null" { value = provider::toy::describe(null) }
        output "later" { value = provider::toy::join("-", terraform_data.d.output, "y") }
    "#;
    let workspace = Workspace::new(config);
    workspace.run(&["apply", "-auto-approve"]);
    let output: Json = serde_json::from_str(&workspace.run(&["output", "-json"]).text).unwrap();
    assert_eq!(output["joined"]["value"], "a, b");
    assert_eq!(output["none"]["value"], "");
    assert_eq!(output["null"]["value"], "null");
    assert_eq!(output["later"]["value"], "x-y");
    let types = json!([r#"["tuple",["number"]]"#, r#"["object",{"a":"bool"}]"#]);
    assert_eq!(output["types"]["value"], types);

    workspace.configure("output \"wrong\" { value = provider::toy::join(\"\", \"a\") }");
    workspace
        .apply_fails()
        .says("a separator cannot be empty")
        .says("Invalid value for \"separator\" parameter");
}

#[test]
fn the_schema_is_complete() {
    let workspace = Workspace::new("");
    let schemas = workspace.run(&["providers", "schema", "-json"]);
    let schemas: Json = serde_json::from_str(&schemas.text).unwrap();
    let toy = &schemas["provider_schemas"]["registry.terraform.io/tfplug/toy"];
    assert_eq!(
        toy["provider"]["block"]["attributes"]["directory"]["required"],
        true
    );
    let thing = &toy["resource_schemas"]["toy_thing"];
    assert_eq!(thing["version"], 2);
    assert_eq!(thing["block"]["description"], "A thing.");
    assert_eq!(thing["block"]["description_kind"], "markdown");
    let size = json!({
        "type": "string", "description": "How big it is.", "description_kind": "markdown",
        "optional": true, "computed": true
    });
    assert_eq!(thing["block"]["attributes"]["size"], size);
    assert_eq!(thing["block"]["attributes"]["secret"]["write_only"], true);
    let gallery = &toy["resource_schemas"]["toy_gallery"]["block"];
    assert_eq!(
        gallery["attributes"]["pegs"]["nested_type"]["nesting_mode"],
        "set"
    );
    assert_eq!(
        gallery["attributes"]["frame"]["nested_type"]["attributes"]["price"]["sensitive"],
        true
    );
    assert_eq!(gallery["block_types"]["wall"]["max_items"], 3);
    assert_eq!(
        toy["functions"]["join"]["variadic_parameter"]["is_nullable"],
        true
    );
}
