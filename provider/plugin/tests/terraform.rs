//! The built binary under the real terraform: configurations that validate, that do not, and plans against moto's EC2.

mod adoption;
mod data_sources;
mod mocks;
mod modes;
mod pasted;
mod provider_block;
mod queries;
mod support;
mod upkeep;
mod wrong;

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    thread,
};

use support::{Moto, Terraform};

const IMAGE: &str = r#"
resource "consistent_db_image" "orders" {
  name               = "orders-1"
  source_instance_id = "i-0123456789abcdef0"
  postgresql         = {}
}
"#;

#[test]
fn the_examples_are_valid() {
    let resource = "resources/consistent_db_image/resource.tf";
    let import = "resources/consistent_db_image/import-by-string-id.tf";
    for examples in [
        &["provider/provider.tf"][..],
        &[resource],
        &[resource, import],
        &["data-sources/consistent_db_image/data-source.tf"],
        &["data-sources/consistent_db_readiness/data-source.tf"],
    ] {
        let text = |example: &&str| {
            let path = format!("{}/../../examples/{example}", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).expect("an example")
        };
        let texts: String = examples.iter().map(text).collect();
        let answer = Terraform::new(&texts).run(&["validate"]);
        assert!(answer.success, "{examples:?}: {}", answer.text);
    }
}

#[test]
fn several_problems_are_said_at_once() {
    let resource = IMAGE
        .replace("orders-1", "a:b")
        .replace("i-0123456789abcdef0", "i-1");
    let provider = r#"
provider "consistent" {
  sts_region  = "eu-central-1"
  retry_mode  = "fast"
  assume_role {
    role_arn = "admin"
  }
}
"#;
    let provider = format!("{provider}{IMAGE}");
    for (configuration, expected) in [
        (
            &resource,
            [
                "Invalid value for \"name\"",
                "Invalid value for \"source_instance_id\"",
            ],
        ),
        (
            &provider,
            [
                "Must be an ARN",
                "Must be one of \"standard\", \"adaptive\", not \"fast\".",
            ],
        ),
    ] {
        let answer = Terraform::new(configuration).run(&["validate"]);
        for words in expected {
            assert!(
                answer.text.contains(words),
                "{words} is missing: {}",
                answer.text
            );
        }
    }
}

#[test]
fn plans_are_checked_against_the_account() {
    let moto = Moto::start();
    let plan = |name: &str, instance: &str| {
        let image = IMAGE
            .replace("orders-1", name)
            .replace("i-0123456789abcdef0", instance);
        Terraform::new(&format!("{}{image}", moto.provider_block())).run(&["plan"])
    };
    let unknown = plan("orders-1", "i-0123456789abcdef0");
    assert!(!unknown.success);
    assert!(
        unknown.text.contains("The instance does not exist"),
        "{}",
        unknown.text
    );
    assert!(
        unknown
            .text
            .contains("source_instance_id = \"i-0123456789abcdef0\""),
        "{}",
        unknown.text
    );

    let windows = plan("taken", moto.id("windows"));
    for words in ["The instance runs Windows", "The image's name is taken"] {
        assert!(
            windows.text.contains(words),
            "{words} is missing: {}",
            windows.text
        );
    }
}

#[test]
fn what_is_not_known_yet_plans() {
    let moto = Moto::start();
    let unknown = r#"
resource "terraform_data" "name" {}
resource "consistent_db_image" "orders" {
  name               = "orders-${terraform_data.name.id}"
  source_instance_id = "i-${terraform_data.name.id}"
  postgresql         = { data_directory = terraform_data.name.id }
  tags               = { Name = terraform_data.name.id }
}
"#;
    let answer = Terraform::new(&format!("{}{unknown}", moto.provider_block())).run(&["plan"]);
    assert!(answer.success, "{}", answer.text);
    assert!(answer.text.contains("2 to add"), "{}", answer.text);
}

/// What a user of AWS's logs sees of us.
#[test]
fn calls_say_who_makes_them() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let caller = thread::spawn(move || {
        let (connection, _) = listener.accept().expect("a call");
        let lines = BufReader::new(connection).lines();
        let mut lines = lines.map_while(Result::ok);
        lines.find(|line| line.to_lowercase().starts_with("user-agent:"))
    });
    let provider = format!(
        r#"
provider "consistent" {{
  region      = "eu-central-1"
  access_key  = "AKIDTEST"
  secret_key  = "secret"
  max_retries = 0
  endpoints {{
    ec2 = "{url}"
    ssm = "{url}"
  }}
}}
"#
    );
    let answer = Terraform::new(&format!("{provider}{IMAGE}")).run(&["plan"]);
    assert!(!answer.success, "nobody answered: {}", answer.text);
    let agent = caller.join().expect("a caller").expect("a user agent");
    for product in ["lib/terraform-provider-consistent/0.", "lib/Terraform/1."] {
        assert!(agent.contains(product), "{agent}");
    }
}
