//! Values of every type, there and back, and the plans they make.

use serde_json::json;

use crate::workspace::Workspace;

const FULL: &str = r#"
resource "toy_gallery" "g" {
  id       = "g"
  big      = 123456789012345678901234567890.125
  ratio    = 0.1
  on       = true
  tags     = ["b", "a", "ä"]
  matrix   = [[1, 2], [], [-9007199254740993]]
  anything = { list = [1, "x", null], deep = { big = 1e40 } }
  frame    = { width = 3 }
  frames   = [{ width = 1 }, { width = 2, material = "pine" }]
  pegs     = [{ position = 2 }, { position = 1 }]
  rooms    = { hall = { width = 9, price = 3.5 } }
  light {}
  wall {
    colour = "red"
    window { width = 1 }
    window {}
  }
  wall { colour = "blue" }
  nail { length = 3 }
  nail { length = 1 }
}
"#;

#[test]
fn every_kind_of_value_comes_back() {
    let workspace = Workspace::new(FULL);
    workspace.apply();
    // As text: numbers have more digits than a JSON library keeps.
    let state = std::fs::read_to_string(workspace.path("terraform.tfstate")).unwrap();
    for digits in [
        "123456789012345678901234567890.125",
        "-9007199254740993",
        "\"ratio\": 0.1,",
    ] {
        assert!(state.contains(digits), "{digits} in {state}");
    }
    let stored = workspace.attributes("toy_gallery.g");
    assert_eq!(stored["tags"], json!(["a", "b", "ä"]));
    assert_eq!(
        stored["frame"],
        json!({ "width": 3, "material": "oak", "price": null })
    );
    assert_eq!(stored["frames"][1]["material"], "pine");
    assert_eq!(
        stored["pegs"],
        json!([{ "position": 1, "serial": "peg-1" }, { "position": 2, "serial": "peg-2" }])
    );
    assert_eq!(stored["rooms"]["hall"]["price"], 3.5);
    assert_eq!(stored["light"], json!({ "watts": 60 }));
    assert_eq!(
        stored["wall"][0]["window"],
        json!([{ "width": 1 }, { "width": null }])
    );
    assert_eq!(stored["nail"], json!([{ "length": 1 }, { "length": 3 }]));
    assert_eq!(stored["summary"]["frames"], 2);
    assert_eq!(stored["anything"]["value"]["list"], json!([1, "x", null]));
}

#[test]
fn order_matters_in_lists_and_not_in_sets() {
    let workspace = Workspace::new(FULL);
    workspace.apply();
    let reordered = FULL
        .replace(r#"["b", "a", "ä"]"#, r#"["ä", "a", "b", "a"]"#)
        .replace(
            "[{ position = 2 }, { position = 1 }]",
            "[{ position = 1 }, { position = 2 }]",
        )
        .replace(
            "nail { length = 3 }\n  nail { length = 1 }",
            "nail { length = 1 }\n  nail { length = 3 }",
        );
    assert_ne!(reordered, FULL);
    workspace.configure(&reordered);
    workspace.is_settled();

    let swapped = "[{ width = 2, material = \"pine\" }, { width = 1 }]";
    workspace.configure(&FULL.replace(
        "[{ width = 1 }, { width = 2, material = \"pine\" }]",
        swapped,
    ));
    workspace.plan().says("0 to add, 1 to change");
    workspace.apply();
}

#[test]
fn parts_change_without_the_rest() {
    let workspace = Workspace::new(FULL);
    workspace.apply();
    for (before, after) in [
        ("{ position = 1 }]", "{ position = 1 }, { position = 3 }]"),
        ("ratio    = 0.1", "ratio    = 0.2"),
        ("{ width = 3 }", "{ width = 4, material = \"ash\" }"),
        ("anything = {", "anything = { changed = true,"),
        ("wall { colour = \"blue\" }", ""),
        ("light {}", "light { watts = 40 }"),
    ] {
        assert!(FULL.contains(before), "{before}");
        workspace.configure(&FULL.replace(before, after));
        workspace.apply();
    }
}

#[test]
fn nothing_but_the_id() {
    let workspace = Workspace::new(r#"resource "toy_gallery" "g" { id = "g" }"#);
    workspace.apply();
    let stored = workspace.attributes("toy_gallery.g");
    assert_eq!(
        (&stored["frames"], &stored["wall"], &stored["light"]),
        (&json!(null), &json!([]), &json!(null))
    );
    workspace.configure(FULL);
    workspace.apply();
    workspace.configure(r#"resource "toy_gallery" "g" { id = "g" }"#);
    workspace.apply();
    workspace.configure("resource \"toy_gallery\" \"g\" {\n  id = \"g\"\n  tags = []\n  anything = null\n  frames = []\n}");
    workspace.apply();
}

#[test]
fn fractions_with_more_digits_than_a_float() {
    // A third, as far as Terraform computes it. (It takes an exact f64 of more than 17 digits for another number
    // once it stored a plan, whatever a provider does: cty compares by the shortest decimal at each one's precision.)
    for ratio in ["0.5", "1 / 3", "0.12345678901234567890123456789", "1e-30"] {
        let workspace = Workspace::new(&format!(
            "resource \"toy_gallery\" \"g\" {{\n  id = \"g\"\n  ratio = {ratio}\n  big = {ratio}\n}}"
        ));
        workspace.apply();
    }
}

#[test]
fn dynamic_values_change_their_type() {
    let workspace = Workspace::new("");
    for anything in [
        "1",
        "\"1\"",
        "true",
        "[1, 2]",
        "tolist([\"a\"])",
        "{ a = { b = null } }",
        "toset([1])",
        "null",
    ] {
        workspace.configure(&format!(
            "resource \"toy_gallery\" \"g\" {{\n  id = \"g\"\n  anything = {anything}\n}}"
        ));
        workspace.apply();
    }
}

#[test]
fn sensitive_values_stay_hidden() {
    let config =
        "resource \"toy_gallery\" \"g\" {\n  id = \"g\"\n  frame = { width = 1, price = 4711 }\n}";
    let workspace = Workspace::new(config);
    let plan = workspace.plan();
    plan.says("price = (sensitive value)");
    assert!(!plan.text.contains("4711"), "{}", plan.text);
}

#[test]
fn messages_may_be_large() {
    // Beyond gRPC's usual limit of 4 MiB.
    let config = "resource \"toy_gallery\" \"g\" {\n  id = \"g\"\n  anything = format(\"%6000000s\", \"x\")\n}";
    let workspace = Workspace::new(config);
    workspace.apply();
}
