//! Provider blocks as hashicorp/aws's own documentation shows them (website/docs/index.html.markdown and
//! website/docs/guides/custom-service-endpoints.html.markdown of 5.100.0: each example's arguments), with one word
//! changed: `aws` to `consistent`.

use crate::support::{Moto, Terraform};

/// The documentation's heading, and the block below it.
const BLOCKS: &[(&str, &str)] = &[
    (
        "Example Usage",
        r#"
provider "aws" {
  region = "eu-west-1"
}
"#,
    ),
    (
        "Example Usage, Terraform 0.12 and earlier",
        r#"
provider "aws" {
  version = "~> 0.1"
  region  = "eu-west-1"
}
"#,
    ),
    (
        "Provider Configuration",
        r#"
provider "aws" {
  region     = "eu-west-1"
  access_key = "an-access-key"
  secret_key = "its-secret"
}
"#,
    ),
    ("Environment Variables", "provider \"aws\" {}\n"),
    (
        "Shared Configuration and Credentials Files",
        r#"
provider "aws" {
  shared_config_files      = ["/home/dba/.aws/conf"]
  shared_credentials_files = ["/home/dba/.aws/creds"]
  profile                  = "dba"
}
"#,
    ),
    (
        "Assuming an IAM Role",
        r#"
provider "aws" {
  assume_role {
    role_arn     = "arn:aws:iam::123456789012:role/images"
    session_name = "nightly"
    external_id  = "orders"
  }
}
"#,
    ),
    (
        "Assuming an IAM Role Using A Web Identity",
        r#"
provider "aws" {
  assume_role_with_web_identity {
    role_arn                = "arn:aws:iam::123456789012:role/images"
    session_name            = "nightly"
    web_identity_token_file = "/home/dba/web-identity-token"
  }
}
"#,
    ),
    (
        "Using an External Credentials Process",
        r#"
provider "aws" {
  profile = "dba"
}
"#,
    ),
    (
        "default_tags Configuration Block",
        r#"
provider "aws" {
  default_tags {
    tags = {
      Stage = "Test"
      Name  = "Of the provider"
    }
  }
}
"#,
    ),
    (
        "ignore_tags Configuration Block",
        r#"
provider "aws" {
  ignore_tags {
    keys = ["Scanned"]
  }
}
"#,
    ),
    (
        "Custom Service Endpoints: Getting Started",
        r#"
provider "aws" {
  endpoints {
    ec2 = "http://localhost:4566"
    ssm = "http://localhost:4567"
  }
}
"#,
    ),
];

/// Something to do for the provider.
const USE: &str = r#"
data "consistent_db_image" "orders" {
  most_recent = true
}
"#;

fn renamed(block: &str) -> String {
    block.replace("provider \"aws\"", "provider \"consistent\"")
}

#[test]
fn the_blocks_of_the_aws_documentation_fit_and_nothing_of_them_goes_unheeded() {
    for (heading, block) in BLOCKS {
        let terraform = Terraform::new(&format!("{}{USE}", renamed(block)));
        let answer = terraform.json(&["validate", "-json"]);
        assert_eq!(answer["valid"], true, "{heading}: {answer}");
        // Terraform's own words on `version` in a provider block are its own.
        let remarks = answer["diagnostics"].as_array().expect("diagnostics");
        let ours = remarks
            .iter()
            .find(|it| it["summary"] == "Arguments without effect");
        assert!(ours.is_none(), "{heading}: {ours:?}");
    }
}

/// "Connecting to Local AWS Compatible Solutions": the guide's arguments, and services that mean nothing here.
#[test]
fn the_block_of_the_guide_to_local_endpoints_reaches_them() {
    let moto = Moto::shared();
    let url = moto.id("url");
    let services = [
        "apigateway",
        "dynamodb",
        "ec2",
        "iam",
        "lambda",
        "s3",
        "sns",
        "sqs",
        "ssm",
        "sts",
    ];
    let endpoints = services.map(|service| format!("    {service} = \"{url}\"\n"));
    let endpoints = endpoints.concat();
    let block = format!(
        r#"
provider "aws" {{
  access_key                  = "a_mock_key"
  region                      = "eu-central-1"
  s3_use_path_style           = true
  secret_key                  = "its_mock_secret"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true

  endpoints {{
{endpoints}  }}
}}
"#
    );
    let terraform = Terraform::new(&format!("{}{USE}", renamed(&block)));
    let applied = terraform.run(&["apply", "-auto-approve"]);
    assert!(applied.success, "{}", applied.text);
    let unheeded = "it ignores `s3_use_path_style`, `endpoints.apigateway`, `endpoints.dynamodb`, `endpoints.iam`";
    assert!(applied.text.contains(unheeded), "{}", applied.text);
}
