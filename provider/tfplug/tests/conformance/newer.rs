//! Under a Terraform that speaks what the one on the PATH is too old for: identities, queries, generated configuration.

use std::fs;

use serde_json::{Value as Json, json};

use crate::workspace::Workspace;

const APPLY: [&str; 3] = ["apply", "-auto-approve", "-no-color"];
const IS_SETTLED: [&str; 3] = ["plan", "-detailed-exitcode", "-no-color"];
const ALPHA: &str = "resource \"toy_thing\" \"a\" { name = \"alpha\" }";

#[track_caller]
fn apply(workspace: &Workspace) {
    let applied = workspace.run_newer(&APPLY);
    assert_eq!(applied.code, Some(0), "{}", applied.text);
    is_settled(workspace);
}

#[track_caller]
fn is_settled(workspace: &Workspace) {
    let plan = workspace.run_newer(&IS_SETTLED);
    assert_eq!(plan.code, Some(0), "{}", plan.text);
}

fn put(workspace: &Workspace, name: &str, colour: &str) {
    let stored = json!({ "size": "medium", "labels": null, "colour": colour, "revision": 3 });
    fs::write(workspace.toy(name), stored.to_string()).unwrap();
}

fn edit_state(workspace: &Workspace, edit: impl Fn(&mut Json)) {
    let file = workspace.path("terraform.tfstate");
    let mut state: Json = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    edit(&mut state["resources"][0]["instances"][0]);
    fs::write(&file, state.to_string()).unwrap();
}

#[test]
fn a_whole_life() {
    let workspace = Workspace::new(ALPHA);
    apply(&workspace);
    let entry = workspace.entry("toy_thing.a").unwrap();
    assert_eq!(
        entry["identity"],
        json!({ "name": "alpha", "kind": "thing" })
    );
    workspace.configure(
        &ALPHA
            .replace('}', "\n  size = \"large\"\n}")
            .replace("{ ", "{\n"),
    );
    apply(&workspace);
    workspace.configure(&ALPHA.replace("alpha", "beta"));
    apply(&workspace);
    let entry = workspace.entry("toy_thing.a").unwrap();
    assert_eq!(entry["identity"]["name"], "beta", "another object");
    let destroyed = workspace.run_newer(&["destroy", "-auto-approve", "-no-color"]);
    assert_eq!(destroyed.code, Some(0), "{}", destroyed.text);
    assert!(!workspace.toy("beta").exists());
}

#[test]
fn state_of_an_older_terraform_gets_its_identities() {
    let workspace = Workspace::new(ALPHA);
    workspace.apply();
    let entry = workspace.entry("toy_thing.a").unwrap();
    assert_eq!(entry.get("identity"), None, "it knows nothing of them");
    is_settled(&workspace);
    let refreshed = workspace.run_newer(&[&APPLY[..], &["-refresh-only"]].concat());
    assert_eq!(refreshed.code, Some(0), "{}", refreshed.text);
    let entry = workspace.entry("toy_thing.a").unwrap();
    assert_eq!(entry["identity"]["name"], "alpha");
}

#[test]
fn an_identity_of_an_older_provider_is_upgraded() {
    let workspace = Workspace::new(ALPHA);
    apply(&workspace);
    edit_state(&workspace, |instance| {
        instance["identity_schema_version"] = json!(0);
        instance["identity"] = json!({ "title": "alpha", "kind": "thing" });
    });
    is_settled(&workspace);
}

#[test]
fn an_identity_is_imported_and_its_configuration_written() {
    let import = "import {\n  to = toy_thing.a\n  identity = { name = \"alpha\" }\n}\n";
    let workspace = Workspace::new(import);
    put(&workspace, "alpha", "green");
    let planned = workspace.run_newer(&["plan", "-no-color", "-generate-config-out=written.tf"]);
    planned.says("1 to import, 0 to add, 0 to change, 0 to destroy");
    let written = fs::read_to_string(workspace.path("written.tf")).unwrap();
    assert!(written.contains("colour = \"green\""), "{written}");
    assert!(
        !written.contains("size"),
        "a default needs no words: {written}"
    );
    apply(&workspace);
    assert_eq!(workspace.attributes("toy_thing.a")["revision"], 3);
}

#[test]
fn a_query_finds_what_nobody_manages() {
    let workspace = Workspace::new("");
    for (name, colour) in [("alpha", "green"), ("beta", "red"), ("gamma", "grey")] {
        put(&workspace, name, colour);
    }
    let query = "list \"toy_thing\" \"all\" {\n  provider = toy\n}\n\
                 list \"toy_thing\" \"red\" {\n  provider = toy\n  config {\n    colour = \"red\"\n  }\n}\n";
    fs::write(workspace.path("all.tfquery.hcl"), query).unwrap();
    workspace
        .run_newer(&["query", "-no-color"])
        .says("list.toy_thing.all kind=thing,name=alpha the thing alpha")
        .says("list.toy_thing.red kind=thing,name=beta the thing beta")
        .says("That is all");

    fs::write(
        workspace.path("all.tfquery.hcl"),
        &query[..query.find("list \"toy_thing\" \"red\"").unwrap()],
    )
    .unwrap();
    let found = workspace.run_newer(&["query", "-no-color", "-generate-config-out=found.tf"]);
    assert_eq!(found.code, Some(0), "{}", found.text);
    workspace
        .run_newer(&APPLY)
        .says("3 imported, 0 added, 0 changed, 0 destroyed");
    is_settled(&workspace);
}

#[test]
fn a_query_that_is_wrong_is_told_where() {
    let workspace = Workspace::new("");
    let query =
        "list \"toy_thing\" \"all\" {\n  provider = toy\n  config {\n    colour = \"\"\n  }\n}\n";
    fs::write(workspace.path("all.tfquery.hcl"), query).unwrap();
    let refused = workspace.run_newer(&["query", "-no-color"]);
    refused.says("Everything has one.");
    assert_ne!(refused.code, Some(0));
}

#[test]
fn the_schema_tells_identities_and_lists() {
    let workspace = Workspace::new("");
    let schemas = workspace.run_newer(&["providers", "schema", "-json"]);
    let schemas: Json = serde_json::from_str(&schemas.text).unwrap();
    let toy = &schemas["provider_schemas"]["registry.terraform.io/tfplug/toy"];
    let identity = &toy["resource_identity_schemas"]["toy_thing"]["attributes"];
    assert_eq!(identity["name"]["required_for_import"], true);
    assert_eq!(identity["kind"]["optional_for_import"], true);
    let config = &toy["list_resource_schemas"]["toy_thing"]["block"];
    assert_eq!(config["attributes"]["colour"]["optional"], true);
}
