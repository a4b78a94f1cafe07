//! Data sources under terraform: images found and not found, and servers that are ready and that are not.

use serde_json::{Value, json};

use crate::support::{Moto, Terraform};

/// A search, and what it finds as outputs.
fn search(moto: &Moto, arguments: &str) -> Terraform {
    Terraform::new(&format!(
        r#"{}
data "consistent_db_image" "orders" {{
{arguments}
}}
output "found" {{
  value = data.consistent_db_image.orders
}}
"#,
        moto.provider_block()
    ))
}

/// Applies, and reads the output `name`.
fn output(terraform: &Terraform, name: &str) -> Value {
    let applied = terraform.run(&["apply", "-auto-approve"]);
    assert!(applied.success, "{}", applied.text);
    terraform.json(&["output", "-json", name])
}

#[test]
fn a_proven_image_is_found_by_all_that_is_asked_for() {
    let moto = Moto::shared();
    let linux = moto.id("linux");
    let arguments = format!(
        r#"
  source_instance_id = "{linux}"
  engine             = "postgresql"
  name_regex         = "^orders-1$"
  max_age            = "36h"
  tags               = {{ Team = "dba" }}
"#
    );
    let terraform = search(moto, &arguments);
    let found = output(&terraform, "found");
    assert_eq!(found["id"], moto.id("proven"));
    for (attribute, expected) in [
        ("name", json!("orders-1")),
        ("description", json!("Of the orders")),
        ("engine_version", json!("15.14")),
        ("recovery_point", json!("0/1A2B3C")),
        ("method", json!("freeze")),
        ("hold_ms", json!(877)),
        ("session_id", json!("0123456789abcdef0123456789abcdef")),
        ("verified_at", Value::Null),
        ("tags", json!({ "Team": "dba" })),
        ("tags_all", json!({ "Name": "orders", "Team": "dba" })),
    ] {
        assert_eq!(found[attribute], expected, "{attribute}");
    }
    assert_eq!(found["snapshots"].as_array().map(Vec::len), Some(1));
    let again = terraform.run(&["plan", "-detailed-exitcode"]);
    assert!(again.success, "nothing changes by itself: {}", again.text);
}

#[test]
fn of_several_images_the_newest_is_taken_on_demand() {
    let moto = Moto::shared();
    let refused = search(moto, "  name_regex = \"^orders-\"").run(&["plan"]);
    assert!(!refused.success);
    for words in ["Several images match", "most_recent = true"] {
        assert!(refused.text.contains(words), "{words}: {}", refused.text);
    }
    for image in ["proven", "prefixed", "silent", "digested"] {
        assert!(refused.text.contains(moto.id(image)), "{}", refused.text);
    }
    let newest = search(moto, "  name_regex = \"^orders-\"\n  most_recent = true");
    let ours = ["proven", "prefixed", "silent", "digested"].map(|it| json!(moto.id(it)));
    assert!(ours.contains(&output(&newest, "found")["id"]));
}

#[test]
fn where_no_image_is_left_every_near_miss_says_why() {
    let moto = Moto::shared();
    for (arguments, said) in [
        (
            "name_regex = \"^plain$\"",
            format!("{} (plain,", moto.id("plain")),
        ),
        (
            "name_regex = \"^plain$\"",
            "this provider did not make it".to_owned(),
        ),
        (
            "name_regex = \"^orders-1$\"\n  tags = { Team = \"ops\" }",
            "Its tag \"Team\" is \"dba\".".to_owned(),
        ),
        (
            "verified = true",
            "No restore test of it has passed".to_owned(),
        ),
        (
            "source_instance_id = \"i-0123456789abcdef0\"",
            format!("It was taken of {}.", moto.id("linux")),
        ),
    ] {
        let refused = search(moto, &format!("  {arguments}")).run(&["plan"]);
        assert!(
            refused.text.contains("No proven image matches"),
            "{}",
            refused.text
        );
        assert!(refused.text.contains(&said), "{said}: {}", refused.text);
    }
}

/// Asks a server, in a `check` block.
fn ask(moto: &Moto, instance: &str) -> Terraform {
    Terraform::new(&format!(
        r#"{}
data "consistent_db_readiness" "orders" {{
  source_instance_id = "{instance}"
  postgresql         = {{}}
}}
output "readiness" {{
  value = data.consistent_db_readiness.orders
}}
check "ready" {{
  assert {{
    condition     = data.consistent_db_readiness.orders.ready
    error_message = join(" ", data.consistent_db_readiness.orders.problems[*].code)
  }}
}}
"#,
        moto.provider_block()
    ))
}

#[test]
fn a_ready_server_tells_what_would_be_done() {
    let moto = Moto::shared();
    let terraform = ask(moto, moto.id("served"));
    let readiness = output(&terraform, "readiness");
    assert_eq!(readiness["ready"], true, "{readiness}");
    assert_eq!(readiness["problems"], json!([]));
    assert_eq!(
        readiness["method"], "pause",
        "the data is on the root volume"
    );
    assert_eq!(readiness["engine_version"], "15.14");
    assert_eq!(readiness["hold_in_progress"], Value::Null);
    let volumes = &readiness["volumes"];
    assert_eq!(volumes.as_array().map(Vec::len), Some(1));
    let path = &readiness["paths"][0];
    assert_eq!(path["mount_point"], "/");
    assert_eq!(&path["volume_ids"], volumes);
}

#[test]
fn a_server_that_is_not_ready_fails_a_check_and_nothing_else() {
    // Moto's instances were all launched a moment ago.
    let moto = Moto::shared();
    let terraform = ask(moto, moto.id("linux"));
    let planned = terraform.run(&["plan"]);
    assert!(planned.success, "{}", planned.text);
    for words in ["Warning: Check block assertion failed", "agent_awaited"] {
        assert!(planned.text.contains(words), "{words}: {}", planned.text);
    }
    let readiness = output(&terraform, "readiness");
    assert_eq!(readiness["ready"], false);
    assert_eq!(readiness["method"], Value::Null);
}

#[test]
fn a_server_that_is_not_there_yet_is_asked_by_the_apply() {
    let moto = Moto::shared();
    let later = format!(
        r#"{}
resource "terraform_data" "server" {{
  input = "{}"
}}
data "consistent_db_readiness" "orders" {{
  source_instance_id = terraform_data.server.output
  postgresql         = {{ port = 5432 }}
}}
output "method" {{
  value = data.consistent_db_readiness.orders.method
}}
"#,
        moto.provider_block(),
        moto.id("served")
    );
    let terraform = Terraform::new(&later);
    assert_eq!(output(&terraform, "method"), "pause");
}
