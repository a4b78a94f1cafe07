//! `terraform test` of a user's module, with this provider mocked: nobody needs an AWS for it.

use std::{fs, path::Path};

use crate::support::Terraform;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/testing");
const TESTS: &str = "tests/image.tftest.hcl";

fn example(name: &str) -> String {
    fs::read_to_string(Path::new(EXAMPLE).join(name)).expect(name)
}

fn module() -> Terraform {
    let terraform = Terraform::new(&example("main.tf"));
    terraform.write(TESTS, &example(TESTS));
    terraform
}

#[test]
fn a_module_is_tested_with_the_provider_mocked() {
    let tested = module().run(&["test"]);
    assert!(tested.success, "{}", tested.text);
    assert!(
        tested.text.contains("2 passed, 0 failed"),
        "{}",
        tested.text
    );
}

#[test]
fn a_module_that_does_otherwise_fails_its_test() {
    let terraform = module();
    let other = terraform
        .read("main.tf")
        .replace("consistent_db_image.orders.id", "var.server");
    terraform.write("main.tf", &other);
    let tested = terraform.run(&["test"]);
    let said = "The module's output is not the image's id.";
    assert!(
        !tested.success && tested.text.contains(said),
        "{}",
        tested.text
    );
}

/// What a mock answers has to fit the schema, and what a module configures is checked as ever.
#[test]
fn a_mocked_provider_refuses_what_the_real_one_refuses() {
    let terraform = module();
    let wrong = terraform
        .read(TESTS)
        .replace("i-0123456789abcdef0", "ami-0123456789abcdef0");
    terraform.write(TESTS, &wrong);
    let tested = terraform.run(&["test"]);
    let said = "Invalid value for \"source_instance_id\"";
    assert!(
        !tested.success && tested.text.contains(said),
        "{}",
        tested.text
    );
}
