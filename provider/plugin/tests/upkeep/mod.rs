//! What changes in place, and what keeps an image from being removed: imports of a proven image, then applies.

use crate::support::{Moto, Terraform};

fn configured(moto: &Moto, settings: &str) -> String {
    let (provider, linux) = (moto.provider_block(), moto.id("linux"));
    format!(
        r#"terraform {{
  required_providers {{
    consistent = {{ source = "consistent-db/consistent" }}
  }}
}}
{provider}
resource "consistent_db_image" "orders" {{
  name               = "orders-1"
  source_instance_id = "{linux}"
  postgresql         = {{}}
  quiesce            = {{ max_hold_seconds = 30 }}
  triggers           = {{ release = "2026.11" }}
{settings}
}}
"#
    )
}

/// The image `proven`, imported.
fn imported(moto: &Moto) -> Terraform {
    let terraform = Terraform::new(&configured(moto, ""));
    let done = terraform.run(&["import", "consistent_db_image.orders", moto.id("proven")]);
    assert!(done.success, "{}", done.text);
    terraform
}

fn apply(terraform: &Terraform, moto: &Moto, settings: &str) {
    terraform.write("main.tf", &configured(moto, settings));
    let applied = terraform.run(&["apply", "-auto-approve"]);
    let in_place = "0 added, 1 changed, 0 destroyed";
    assert!(
        applied.text.contains(in_place),
        "{settings}: {}",
        applied.text
    );
    let plan = terraform.run(&["plan", "-detailed-exitcode"]);
    assert!(plan.success, "{settings}: {}", plan.text);
}

#[test]
fn settings_change_in_place_and_leave_empty_plans() {
    let moto = Moto::start();
    let terraform = imported(&moto);
    for settings in [
        "description = \"of the orders\"\n  deprecation_time = \"2031-01-31T00:00:31Z\"",
        "deprecation_time = \"2032-01-31T01:00:00+01:00\"",
        "tags = { Team = \"orders\" }\n  snapshot_tags = { Team = \"backup\", Keep = \"yes\" }",
        "snapshot_tags = { Keep = \"no\" }\n  timeouts = { update = \"1m\" }",
        "deregistration_protection = true\n  deregistration_protection_cooldown = true",
        "",
    ] {
        apply(&terraform, &moto, settings);
    }
}

#[test]
fn the_same_minute_in_other_words_plans_nothing() {
    let moto = Moto::start();
    let terraform = imported(&moto);
    apply(
        &terraform,
        &moto,
        "deprecation_time = \"2031-01-31T00:00:00Z\"",
    );
    let settings = "tags = { Name = \"orders\", Team = \"dba\" }\n  deprecation_time = \"2031-01-31T01:00:29+01:00\"";
    apply(&terraform, &moto, settings);
    let settings = settings.replace("2031-01-31T01:00:29+01:00", "2031-01-30T23:59:40Z");
    terraform.write("main.tf", &configured(&moto, &settings));
    let plan = terraform.run(&["plan", "-detailed-exitcode"]);
    assert!(plan.success, "{}", plan.text);
}

#[test]
fn a_protected_image_stays_until_it_is_protected_no_longer() {
    let moto = Moto::start();
    let terraform = imported(&moto);
    apply(&terraform, &moto, "deregistration_protection = true");
    // Even where the plan was made before anybody protected it.
    for refresh in ["-refresh=true", "-refresh=false"] {
        let refused = terraform.run(&["destroy", "-auto-approve", refresh]);
        let said = refused.text.contains("The image is protected");
        assert!(!refused.success && said, "{}", refused.text);
    }
    apply(&terraform, &moto, "");
    let destroyed = terraform.run(&["destroy", "-auto-approve"]);
    assert!(destroyed.text.contains("1 destroyed"), "{}", destroyed.text);
}

#[test]
fn what_is_kept_can_be_imported_again() {
    let moto = Moto::start();
    let terraform = imported(&moto);
    apply(&terraform, &moto, "skip_destroy = true");
    let destroyed = terraform.run(&["destroy", "-auto-approve"]);
    assert!(destroyed.text.contains("1 destroyed"), "{}", destroyed.text);
    let again = ["import", "consistent_db_image.orders", moto.id("proven")];
    let again = terraform.run(&again);
    assert!(again.success, "{}", again.text);
    let plan = terraform.run(&["plan", "-detailed-exitcode"]);
    assert!(plan.success, "skip_destroy comes back, too: {}", plan.text);
}

#[test]
fn a_prefix_that_the_name_is_not_of_makes_a_new_image() {
    let moto = Moto::start();
    let terraform = imported(&moto);
    let other = configured(&moto, "").replace(
        "name               = \"orders-1\"",
        "name_prefix = \"orders-\"",
    );
    terraform.write("main.tf", &other);
    let plan = terraform.run(&["plan"]);
    assert!(
        plan.text.contains("1 to add, 0 to change, 1 to destroy"),
        "{}",
        plan.text
    );
    let both = configured(&moto, "name_prefix = \"other-\"");
    terraform.write("main.tf", &both);
    let refused = terraform.run(&["plan"]);
    assert!(
        refused.text.contains("exclude each other"),
        "{}",
        refused.text
    );
}

#[test]
fn a_time_that_ec2_would_refuse_is_refused_by_the_plan() {
    let moto = Moto::start();
    let terraform = imported(&moto);
    for (time, said) in [
        ("2020-01-31T00:00:00Z", "lies in the past"),
        ("2050-01-31T00:00:00Z", "is more than ten years away"),
    ] {
        let settings = format!("deprecation_time = \"{time}\"");
        terraform.write("main.tf", &configured(&moto, &settings));
        let plan = terraform.run(&["plan"]);
        assert!(!plan.success && plan.text.contains(said), "{}", plan.text);
    }
}
