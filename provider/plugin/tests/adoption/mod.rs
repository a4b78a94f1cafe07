//! Images that Terraform does not have from us: imported, moved from `aws_ami_from_instance`, stored by an earlier version.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::{Value, json};

use crate::support::{Moto, Terraform};

/// Exit code 0 of a plan: nothing is to be done.
const EMPTY: [&str; 2] = ["plan", "-detailed-exitcode"];

/// What made the image `proven` of `moto_account.py`.
fn matching(moto: &Moto) -> String {
    let linux = moto.id("linux");
    let defaults = "  default_tags {\n    tags = { Team = \"dba\" }\n  }\n";
    format!(
        r#"{}
resource "consistent_db_image" "orders" {{
  name               = "orders-1"
  description        = "Of the orders"
  source_instance_id = "{linux}"
  postgresql         = {{}}
  quiesce            = {{ max_hold_seconds = 30 }}
  triggers           = {{ release = "2026.11" }}
  tags               = {{ Name = "orders" }}
  timeouts           = {{ create = "90m" }}
}}
"#,
        moto.provider_block_with(defaults)
    )
}

fn import_block(id: &str) -> String {
    format!("import {{\n  to = consistent_db_image.orders\n  id = \"{id}\"\n}}\n")
}

#[test]
fn a_proven_image_imports_into_an_empty_plan() {
    let moto = Moto::shared();
    let (matching, proven) = (matching(moto), moto.id("proven"));
    let by_block = Terraform::new(&format!("{matching}{}", import_block(proven)));
    let applied = by_block.run(&["apply", "-auto-approve"]);
    let nothing_else = "1 imported, 0 added, 0 changed, 0 destroyed";
    assert!(applied.text.contains(nothing_else), "{}", applied.text);

    let by_command = Terraform::new(&matching);
    let imported = by_command.run(&["import", "consistent_db_image.orders", proven]);
    assert!(imported.success, "{}", imported.text);

    for terraform in [by_block, by_command] {
        for refresh in ["-refresh=true", "-refresh=false"] {
            let plan = terraform.run(&[EMPTY[0], EMPTY[1], refresh]);
            assert!(plan.success, "{}", plan.text);
        }
    }
}

/// Credentials may come from where nothing is kept, and are kept nowhere.
#[test]
fn an_ephemeral_secret_leaves_no_trace() {
    let moto = Moto::shared();
    let secret = "ephemeral-secret-4711";
    let variable = "variable \"secret\" {\n  ephemeral = true\n}\n";
    let image = matching(moto).replace("secret_key = \"secret\"", "secret_key = var.secret");
    let import = import_block(moto.id("proven"));
    let terraform = Terraform::new(&format!("{variable}{image}{import}"));
    let given = format!("-var=secret={secret}");
    let planned = terraform.run(&["plan", "-out=plan", &given]);
    assert!(planned.success, "{}", planned.text);
    let shown = terraform.run(&["show", "-json", "plan"]);
    assert!(
        shown.text.contains("var.secret"),
        "it is used: {}",
        shown.text
    );
    assert!(!shown.text.contains(secret), "{}", shown.text);
    let applied = terraform.run(&["apply", &given, "plan"]);
    assert!(applied.success, "{}", applied.text);
    let state = terraform.read("terraform.tfstate");
    assert!(
        state.contains(moto.id("proven")) && !state.contains(secret),
        "{state}"
    );
}

#[test]
fn an_import_sees_what_the_configuration_says_otherwise() {
    let moto = Moto::shared();
    let import = import_block(moto.id("proven"));
    for (said, otherwise, outcome) in [
        (
            "2026.11",
            "2026.12",
            "1 to import, 1 to add, 0 to change, 1 to destroy",
        ),
        (
            "Of the orders",
            "Of more",
            "1 to import, 0 to add, 1 to change, 0 to destroy",
        ),
    ] {
        let configuration = matching(moto).replace(said, otherwise);
        let plan = Terraform::new(&format!("{configuration}{import}")).run(&["plan"]);
        assert!(plan.text.contains(outcome), "{}", plan.text);
    }
}

#[test]
fn the_configuration_that_terraform_writes_for_an_import_fits_it() {
    let moto = Moto::shared();
    for image in ["proven", "prefixed", "digested"] {
        let (provider, import) = (moto.provider_block(), import_block(moto.id(image)));
        let terraform = Terraform::new(&format!("{provider}{import}"));
        let written = terraform.run(&["plan", "-generate-config-out=written.tf"]);
        assert!(written.success, "{}", written.text);
        let applied = terraform.run(&["apply", "-auto-approve"]);
        let nothing_else = "1 imported, 0 added, 0 changed, 0 destroyed";
        assert!(applied.text.contains(nothing_else), "{}", applied.text);
        let plan = terraform.run(&EMPTY);
        assert!(plan.success, "{}", plan.text);
    }
}

#[test]
fn what_an_image_does_not_tell_is_taken_as_configured_and_watched_from_then_on() {
    let moto = Moto::start();
    let configuration = matching(&moto).replace("\"orders-1\"", "\"orders-silent\"");
    let configuration = configuration.replace("  description        = \"Of the orders\"\n", "");
    let terraform = Terraform::new(&configuration);
    let imported = terraform.run(&["import", "consistent_db_image.orders", moto.id("silent")]);
    let warned = imported
        .text
        .contains("Part of the image's configuration is not known");
    assert!(imported.success && warned, "{}", imported.text);
    let applied = terraform.run(&["apply", "-auto-approve"]);
    let in_place = "0 added, 1 changed, 0 destroyed";
    assert!(applied.text.contains(in_place), "{}", applied.text);
    let plan = terraform.run(&EMPTY);
    assert!(plan.success, "{}", plan.text);
    let changed = terraform.read("main.tf").replace("2026.11", "2026.12");
    terraform.write("main.tf", &changed);
    let plan = terraform.run(&["plan"]);
    assert!(
        plan.text.contains("1 to add, 0 to change, 1 to destroy"),
        "{}",
        plan.text
    );
}

/// The digest is Python's: `tests/moto_account.py`.
#[test]
fn an_image_knows_its_triggers_again_and_tells_nobody_what_they_are() {
    let moto = Moto::start();
    let configuration = matching(&moto).replace("\"orders-1\"", "\"orders-digested\"");
    let terraform = Terraform::new(&configuration);
    let image = moto.id("digested");
    let imported = terraform.run(&["import", "consistent_db_image.orders", image]);
    assert!(imported.success, "{}", imported.text);
    let state = terraform.read("terraform.tfstate");
    assert!(!state.contains("2026.11"), "{state}");
    for refresh in ["-refresh=true", "-refresh=false"] {
        let plan = terraform.run(&[EMPTY[0], EMPTY[1], refresh]);
        assert!(plan.success, "{}", plan.text);
    }
    let replaces = || {
        let other = terraform.read("main.tf").replace("2026.11", "2026.12");
        terraform.write("main.tf", &other);
        let plan = terraform.run(&["plan"]);
        let replaced = "1 to add, 0 to change, 1 to destroy";
        assert!(plan.text.contains(replaced), "{}", plan.text);
    };
    replaces();

    // What changes in place takes the words along, and the image goes on telling their digest.
    let changed = terraform.read("main.tf").replace("2026.12", "2026.11");
    let changed = changed.replace("Of the orders", "Of all orders");
    terraform.write("main.tf", &changed);
    let applied = terraform.run(&["apply", "-auto-approve"]);
    let in_place = "0 added, 1 changed, 0 destroyed";
    assert!(applied.text.contains(in_place), "{}", applied.text);
    assert!(terraform.read("terraform.tfstate").contains("2026.11"));
    let plan = terraform.run(&EMPTY);
    assert!(plan.success, "{}", plan.text);
    replaces();
}

#[test]
fn what_carries_no_proof_is_not_imported() {
    let moto = Moto::shared();
    let matching = matching(moto);
    for (id, said) in [
        (moto.id("plain"), "It has no tag `consistent:state`"),
        (
            "ami-0123456789abcdef0",
            "There is no image ami-0123456789abcdef0",
        ),
        ("orders-1", "Must be an image's id"),
    ] {
        let terraform = Terraform::new(&matching);
        let refused = terraform.run(&["import", "consistent_db_image.orders", id]);
        assert!(
            !refused.success && refused.text.contains(said),
            "{}",
            refused.text
        );
    }
}

/// A state that hashicorp/aws wrote of the image `plain`.
fn foreign_state(moto: &Moto, of: &str) -> String {
    let (image, instance) = (moto.id("plain"), moto.id("linux"));
    let attributes = json!({
        "id": image, "name": "plain", "source_instance_id": instance, "description": "", "tags": null, "tags_all": {},
        "arn": format!("arn:aws:ec2:eu-central-1::image/{image}"), "architecture": "x86_64", "owner_id": "123456789012",
        "root_device_name": "/dev/sda1", "snapshot_without_reboot": true, "manage_ebs_snapshots": true, "timeouts": null,
        "ebs_block_device": [{
            "device_name": "/dev/sda1", "snapshot_id": "snap-0123456789abcdef0", "volume_size": 15, "encrypted": false,
            "delete_on_termination": false, "iops": 0, "outpost_arn": "", "throughput": 0, "volume_type": "standard",
        }],
    });
    let instances =
        json!([{ "schema_version": 0, "attributes": attributes, "sensitive_attributes": [] }]);
    let provider = "provider[\"registry.terraform.io/hashicorp/aws\"]";
    let resource = json!({
        "mode": "managed", "type": of, "name": "orders", "provider": provider, "instances": instances,
    });
    let state = json!({
        "version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "l", "outputs": {}, "resources": [resource],
    });
    state.to_string()
}

fn moving(moto: &Moto, of: &str, resource: &str) -> Terraform {
    let moved =
        format!("moved {{\n  from = {of}.orders\n  to   = consistent_db_image.orders\n}}\n");
    let provider = moto.provider_block();
    let terraform = Terraform::with_a_stand_in_for_aws(&format!("{provider}{moved}{resource}"));
    terraform.write("terraform.tfstate", &foreign_state(moto, of));
    terraform
}

fn of_the_same_name(moto: &Moto) -> String {
    let instance = moto.id("linux");
    format!(
        "resource \"consistent_db_image\" \"orders\" {{\n  name = \"plain\"\n  source_instance_id = \"{instance}\"\n  \
         postgresql = {{}}\n}}\n"
    )
}

#[test]
fn a_moved_image_is_replaced_and_the_plan_says_why() {
    let moto = Moto::shared();
    let terraform = moving(moto, "aws_ami_from_instance", &of_the_same_name(moto));
    let plan = terraform.run(&["plan"]);
    assert!(plan.success, "{}", plan.text);
    for said in [
        "(moved from aws_ami_from_instance.orders)",
        "1 to add, 0 to change, 1 to destroy",
        "The image is replaced",
        "was not made by this provider, so nothing proves that it is consistent",
    ] {
        assert!(plan.text.contains(said), "{said}: {}", plan.text);
    }
}

/// The apply fails - no agent of moto's answers - and what there was is untouched.
#[test]
fn the_old_image_stays_until_its_replacement_is_proven() {
    let moto = Moto::shared();
    let first = "  lifecycle {\n    create_before_destroy = true\n  }\n}\n";
    let resource = of_the_same_name(moto);
    let resource = resource.replace(
        "name = \"plain\"",
        "name_prefix = \"orders-\"\n  timeouts = { create = \"3s\" }",
    );
    let resource = format!("{}{first}", resource.trim_end().trim_end_matches('}'));
    let terraform = moving(moto, "aws_ami_from_instance", &resource);
    let applied = terraform.run(&["apply", "-auto-approve"]);
    assert!(!applied.success, "{}", applied.text);
    assert!(
        applied.text.contains("No image was made"),
        "{}",
        applied.text
    );
    let state: Value = serde_json::from_str(&terraform.read("terraform.tfstate")).expect("a state");
    let kept = &state["resources"][0]["instances"][0]["attributes"]["id"];
    assert_eq!(kept, moto.id("plain"));
}

#[test]
fn a_moved_image_is_destroyed_as_hashicorp_aws_would() {
    let moto = Moto::start();
    let terraform = moving(&moto, "aws_ami_from_instance", &of_the_same_name(&moto));
    let destroyed = terraform.run(&["destroy", "-auto-approve"]);
    assert!(destroyed.text.contains("1 destroyed"), "{}", destroyed.text);
    let import = Terraform::new(&matching(&moto));
    let gone = import.run(&["import", "consistent_db_image.orders", moto.id("plain")]);
    assert!(gone.text.contains("There is no image"), "{}", gone.text);
}

#[test]
fn nothing_else_moves_here() {
    let moto = Moto::shared();
    let terraform = moving(moto, "aws_ami", &of_the_same_name(moto));
    let refused = terraform.run(&["plan"]);
    let said = "can take the place of an aws_ami_from_instance of hashicorp/aws, not of aws_ami";
    assert!(
        !refused.success && refused.text.contains(said),
        "{}",
        refused.text
    );
}

/// One folder for every released version of the schema, and for the one to come.
fn stored_states() -> Vec<PathBuf> {
    let folder = format!("{}/../../schemas/state", env!("CARGO_MANIFEST_DIR"));
    let entries = fs::read_dir(folder).expect("states");
    let mut folders: Vec<PathBuf> = entries.map(|it| it.expect("an entry").path()).collect();
    folders.sort();
    folders
}

#[test]
fn the_state_of_every_version_loads_into_an_empty_plan() {
    let folders = stored_states();
    assert!(!folders.is_empty());
    for folder in folders {
        let text = |name: &str| fs::read_to_string(folder.join(name)).expect(name);
        let terraform = Terraform::new(&text("main.tf"));
        terraform.write("terraform.tfstate", &text("terraform.tfstate"));
        // Without a look at EC2: what is stored is all that counts here.
        let plan = terraform.run(&[EMPTY[0], EMPTY[1], "-refresh=false"]);
        assert!(plan.success, "{}: {}", folder.display(), plan.text);
    }
}

#[test]
fn the_state_of_this_version_holds_every_attribute() {
    let terraform = Terraform::new("");
    let schemas = terraform.json(&["providers", "schema", "-json"]);
    let ours = &schemas["provider_schemas"]["registry.terraform.io/consistent-db/consistent"];
    let schema = &ours["resource_schemas"]["consistent_db_image"];
    let version = schema["version"].as_u64().expect("a version");
    let folder = stored_states()
        .into_iter()
        .find(|it| it.ends_with(version.to_string()));
    let folder = folder.unwrap_or_else(|| panic!("schemas/state/{version} is missing"));
    let state = fs::read_to_string(folder.join("terraform.tfstate")).expect("a state");
    let state: Value = serde_json::from_str(&state).expect("JSON");
    let stored = &state["resources"][0]["instances"][0];
    assert_eq!(stored["schema_version"], schema["version"]);
    let keys = |value: &Value| -> BTreeSet<String> {
        value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(
        keys(&stored["attributes"]),
        keys(&schema["block"]["attributes"])
    );
}
