//! `terraform query` finds proven images, and what it finds can be imported. Under a Terraform that knows of both.

use crate::support::{Moto, Terraform};

/// A list of proven images, with these arguments.
fn query(moto: &Moto, arguments: &str) -> Terraform {
    let terraform = Terraform::new(&moto.provider_block());
    let config = format!("  config {{\n{arguments}  }}\n");
    let list =
        format!("list \"consistent_db_image\" \"found\" {{\n  provider = consistent\n{config}}}\n");
    terraform.write("images.tfquery.hcl", &list);
    terraform
}

#[test]
fn the_examples_are_valid() {
    let example = |path: &str| {
        let path = format!("{}/../../examples/{path}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("an example")
    };
    let resource = example("resources/consistent_db_image/resource.tf");
    let import = example("resources/consistent_db_image/import-by-identity.tf");
    let terraform = Terraform::new(&format!("{resource}{import}"));
    let list = example("list-resources/consistent_db_image/list-resource.tfquery.hcl");
    terraform.write("images.tfquery.hcl", &list);
    let answer = terraform.run_newer(&["validate", "-query"]);
    assert!(answer.success, "{}", answer.text);
    terraform.write("images.tfquery.hcl", &list.replace("engine ", "motor "));
    let answer = terraform.run_newer(&["validate", "-query"]);
    assert!(
        !answer.success && answer.text.contains("motor"),
        "{}",
        answer.text
    );
}

#[test]
fn a_query_finds_proven_images_and_no_others() {
    let moto = Moto::shared();
    let all = query(moto, "").run_newer(&["query"]);
    assert!(all.success, "{}", all.text);
    for found in ["proven", "prefixed", "silent"] {
        let identity = format!(
            "account_id=123456789012,id={},region=eu-central-1",
            moto.id(found)
        );
        assert!(all.text.contains(&identity), "{found}: {}", all.text);
    }
    for other in ["plain", "taken"] {
        assert!(!all.text.contains(moto.id(other)), "{other}: {}", all.text);
    }
    let linux = moto.id("linux");
    let arguments = format!(
        "    source_instance_id = \"{linux}\"\n    engine = \"postgresql\"\n    name_regex = \"^orders-1$\"\n    \
         max_age = \"36h\"\n    tags = {{ Team = \"dba\" }}\n"
    );
    let one = query(moto, &arguments).run_newer(&["query"]);
    assert!(one.text.contains(moto.id("proven")), "{}", one.text);
    assert!(!one.text.contains(moto.id("silent")), "{}", one.text);
    let none = query(moto, "    verified = true\n").run_newer(&["query"]);
    assert!(none.success && !none.text.contains("ami-"), "{}", none.text);
}

#[test]
fn what_a_query_finds_imports_into_an_empty_plan() {
    let moto = Moto::shared();
    let terraform = query(moto, "    name_regex = \"^orders-[0-9]+$\"\n");
    let written = terraform.run_newer(&["query", "-generate-config-out=found.tf"]);
    assert!(written.success, "{}", written.text);
    let found = terraform.read("found.tf");
    for image in ["proven", "prefixed"] {
        assert!(found.contains(moto.id(image)), "{found}");
    }
    let applied = terraform.run_newer(&["apply", "-auto-approve"]);
    let nothing_else = "2 imported, 0 added, 0 changed, 0 destroyed";
    assert!(applied.text.contains(nothing_else), "{}", applied.text);
    let plan = terraform.run_newer(&["plan", "-detailed-exitcode"]);
    assert!(plan.success, "{}", plan.text);
}

#[test]
fn a_written_configuration_says_what_is_needed_and_no_more() {
    let moto = Moto::shared();
    let configuration = |image: &str| {
        let id = moto.id(image);
        let import = format!(
            "import {{\n  to = consistent_db_image.orders\n  identity = {{\n    id = \"{id}\"\n  }}\n}}\n"
        );
        let terraform = Terraform::new(&format!("{}{import}", moto.provider_block()));
        let planned = terraform.run_newer(&["plan", "-generate-config-out=written.tf"]);
        let outcome = "1 to import, 0 to add, 0 to change, 0 to destroy";
        assert!(planned.text.contains(outcome), "{}", planned.text);
        terraform.read("written.tf")
    };
    let said = |text: &str, attribute: &str| {
        let mut lines = text.lines().map(str::trim);
        let line = lines.find(|line| line.split(' ').next() == Some(attribute));
        let value = line.and_then(|line| line.split_once("= "));
        value
            .map(|(_, value)| value.to_owned())
            .filter(|value| value != "null")
    };
    let proven = configuration("proven");
    assert_eq!(said(&proven, "name").as_deref(), Some("\"orders-1\""));
    assert_eq!(said(&proven, "max_hold_seconds").as_deref(), Some("30"));
    for silent in [
        "capture",
        "skip_destroy",
        "deregistration_protection",
        "method",
        "name_prefix",
    ] {
        assert_eq!(said(&proven, silent), None, "{proven}");
    }
    let prefixed = configuration("prefixed");
    assert_eq!(
        said(&prefixed, "name_prefix").as_deref(),
        Some("\"orders-\"")
    );
    assert_eq!(said(&prefixed, "name"), None, "{prefixed}");
}

#[test]
fn an_identity_of_elsewhere_is_refused() {
    let moto = Moto::shared();
    let id = moto.id("proven");
    for (attribute, said) in [
        ("region = \"us-east-1\"", "The image is in another region"),
        (
            "account_id = \"000000000000\"",
            "The image is in another account",
        ),
    ] {
        let import = format!(
            "import {{\n  to = consistent_db_image.orders\n  identity = {{\n    id = \"{id}\"\n    {attribute}\n  }}\n}}\n"
        );
        let resource = "resource \"consistent_db_image\" \"orders\" {\n  name = \"orders-1\"\n  \
                        source_instance_id = \"i-0123456789abcdef0\"\n  postgresql = {}\n}\n";
        let terraform = Terraform::new(&format!("{}{import}{resource}", moto.provider_block()));
        let refused = terraform.run_newer(&["plan"]);
        assert!(
            !refused.success && refused.text.contains(said),
            "{}",
            refused.text
        );
    }
}

#[test]
fn a_query_that_is_wrong_says_everything_at_once() {
    let moto = Moto::shared();
    let arguments = "    source_instance_id = \"i-1\"\n    name_regex = \"(\"\n    max_age = \"long\"\n    tags = { Team = null }\n";
    let refused = query(moto, arguments).run_newer(&["query"]);
    assert!(!refused.success, "{}", refused.text);
    for said in [
        "Invalid value for \"source_instance_id\"",
        "Invalid value for \"name_regex\"",
        "Invalid value for \"max_age\"",
        "The value of \"Team\" is null",
    ] {
        assert!(refused.text.contains(said), "{said}: {}", refused.text);
    }
}
