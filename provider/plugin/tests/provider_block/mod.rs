//! Provider blocks under the real terraform: those of hashicorp/aws fit, and what is wrong or useless in them is said.

use std::{collections::BTreeSet, path::Path};

use crate::support::Terraform;

/// Every argument of hashicorp/aws 5.100.0 that does not exclude another one.
const EVERYTHING: &str = r#"
provider "consistent" {
  region                             = "eu-central-1"
  profile                            = "default"
  access_key                         = "AKIDTEST"
  secret_key                         = "secret"
  token                              = "token"
  allowed_account_ids                = ["123456789012"]
  custom_ca_bundle                   = "~/ca.pem"
  ec2_metadata_service_endpoint      = "http://127.0.0.1:1338"
  ec2_metadata_service_endpoint_mode = "IPv4"
  http_proxy                         = "http://proxy.example.com:3128"
  https_proxy                        = ""
  no_proxy                           = "localhost,.example.com"
  insecure                           = false
  max_retries                        = 25
  retry_mode                         = "adaptive"
  s3_us_east_1_regional_endpoint     = "regional"
  s3_use_path_style                  = true
  shared_config_files                = ["~/.aws/config"]
  shared_credentials_files           = ["$HOME/.aws/credentials"]
  skip_credentials_validation        = true
  skip_metadata_api_check            = true
  skip_region_validation             = true
  skip_requesting_account_id         = false
  sts_region                         = "us-east-1"
  token_bucket_rate_limiter_capacity = 500
  use_dualstack_endpoint             = false
  use_fips_endpoint                  = false
  assume_role {
    role_arn            = "arn:aws:iam::123456789012:role/first"
    session_name        = "ci"
    duration            = "1h"
    external_id         = "abc"
    policy              = jsonencode({ Version = "2012-10-17", Statement = [] })
    policy_arns         = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
    source_identity     = "me"
    tags                = { Team = "dba" }
    transitive_tag_keys = ["Team"]
  }
  assume_role {
    role_arn    = "arn:aws:iam::210987654321:role/second"
    external_id = ""
  }
  assume_role_with_web_identity {
    role_arn                = "arn:aws:iam::123456789012:role/web"
    session_name            = "ci"
    duration                = "1h"
    policy                  = jsonencode({ Version = "2012-10-17", Statement = [] })
    policy_arns             = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
    web_identity_token_file = "/run/token"
  }
  endpoints {
    ec2 = "http://127.0.0.1:1"
    s3  = "http://127.0.0.1:1"
  }
  endpoints {
    sts = "http://127.0.0.1:1"
    iam = ""
  }
  default_tags {
    tags = { Team = "dba" }
  }
  ignore_tags {
    keys         = ["Scanned"]
    key_prefixes = ["cost/"]
  }
}
"#;

/// A data source of nobody: terraform asks a provider only where something needs it.
const USE: &str = r#"
resource "consistent_db_image" "orders" {
  name               = "orders-1"
  source_instance_id = "i-0123456789abcdef0"
  postgresql         = {}
}
"#;

fn validated(block: &str) -> (bool, String) {
    let answer = Terraform::new(&format!("{block}{USE}")).run(&["validate"]);
    (answer.success, answer.text)
}

#[test]
fn a_block_of_the_aws_provider_fits_and_one_warning_names_what_goes_unheeded() {
    let (valid, told) = validated(EVERYTHING);
    assert!(valid, "{told}");
    assert_eq!(
        told.matches("Warning: Arguments without effect").count(),
        1,
        "{told}"
    );
    let unheeded =
        "it ignores `s3_us_east_1_regional_endpoint`, `s3_use_path_style` and `endpoints.s3`.";
    assert!(told.contains(unheeded), "{told}");
}

/// What is wrong in a block, and what terraform says of it.
const WRONG: &[(&str, &str)] = &[
    (
        r#"region = "eu-centrall-1""#,
        "There is no AWS region \"eu-centrall-1\"",
    ),
    (
        r#"region = "eu-central-1a""#,
        "is an availability zone: its region is \"eu-central-1\"",
    ),
    (r#"access_key = "AKIDTEST""#, "secret_key is not set"),
    (r#"token = "t0ken""#, "access_key is not set"),
    ("max_retries = -1", "expected a whole number"),
    (
        r#"retry_mode = "fast""#,
        "Must be one of \"standard\", \"adaptive\"",
    ),
    (r#"http_proxy = "ftp://user:pa55@proxy""#, "Must be a URL"),
    (r#"https_proxy = "a proxy""#, "Must be the URL of a proxy"),
    (
        r#"ec2_metadata_service_endpoint = "169.254.169.254""#,
        "Must be a URL",
    ),
    (
        r#"ec2_metadata_service_endpoint_mode = "ipv4""#,
        "Must be one of \"IPv4\", \"IPv6\"",
    ),
    (
        r#"skip_metadata_api_check = "yes""#,
        "Must be true or false",
    ),
    (
        r#"allowed_account_ids = ["1234"]"#,
        "An account id has twelve digits",
    ),
    (r#"assume_role { role_arn = "admin" }"#, "Must be an ARN"),
    (
        r#"assume_role_with_web_identity { web_identity_token_file = "/t" }"#,
        "Which role?",
    ),
    (
        r#"endpoints { rds = "rds.example.com" }"#,
        "`rds`: Must be a URL",
    ),
];

#[test]
fn what_is_wrong_in_a_block_is_said_with_its_place_and_no_secret() {
    for (argument, expected) in WRONG {
        // A block with one argument stands on one line; terraform then shows that line.
        let block = format!("provider \"consistent\" {{\n  {argument}\n}}\n");
        let (valid, told) = validated(&block);
        assert!(!valid, "{argument} passes");
        assert!(told.contains(expected), "{argument}: {told}");
        let name = argument.split_whitespace().next().expect("a name");
        assert!(
            told.contains(name),
            "{argument}: the place is not shown: {told}"
        );
        let line = told.find(argument).map_or(0, |at| at + argument.len());
        assert!(
            !told[line..].contains("pa55"),
            "the message repeats a password: {told}"
        );
    }
}

#[test]
fn what_excludes_each_other_is_said_all_at_once() {
    let (_, told) = validated(
        r#"
provider "consistent" {
  region                = "moon-1"
  access_key            = "AKIDTEST"
  allowed_account_ids   = ["123456789012"]
  forbidden_account_ids = ["210987654321"]
  assume_role {}
  assume_role {
    role_arn = "arn:aws:iam::123456789012:role/a"
  }
}
"#,
    );
    for words in [
        "Unknown AWS region",
        "Half a key pair",
        "Two lists of accounts",
        "Which role?",
    ] {
        assert!(told.contains(words), "{words} is missing: {told}");
    }
}

/// Requests are signed and sent through the proxy; nobody answers there.
#[test]
fn no_log_and_no_message_holds_a_secret() {
    let block = r#"
provider "consistent" {
  region      = "eu-central-1"
  access_key  = "AKIDTEST"
  secret_key  = "s3cretKey"
  token       = "t0kenText"
  https_proxy = "http://user:pa55word@127.0.0.1:1"
  max_retries = 0
}
"#;
    let terraform = Terraform::new(&format!("{block}{USE}"));
    let (answer, log) = terraform.told_and_logged(&["plan", "-no-color"]);
    let refused = "No connection to the ec2 endpoint";
    assert!(answer.text.contains(refused), "{}", answer.text);
    let called = "called AWS: ";
    assert!(log.contains(called), "no call is logged");
    // As a proxy's header has user and password, too.
    for secret in ["s3cretKey", "t0kenText", "pa55word", "dXNlcjpwYTU1d29yZA"] {
        let told = answer.text.lines().chain(log.lines());
        assert_eq!({ told }.find(|line| line.contains(secret)), None);
    }
}

/// The list that our coverage is measured by (src/provider/aws-5.100.0.txt) against the provider itself.
#[test]
fn the_list_of_arguments_is_that_of_the_aws_provider() {
    let mirror =
        std::env::var("LAB_PLUGIN_MIRROR").unwrap_or_else(|_| "/opt/tf-plugins".to_owned());
    let provider = Path::new(&mirror).join("registry.terraform.io/hashicorp/aws/5.100.0");
    if !provider.is_dir() {
        eprintln!("NOT RUN: there is no hashicorp/aws 5.100.0 in {mirror}; set LAB_PLUGIN_MIRROR");
        return;
    }
    let terraform = Terraform::with_mirror("hashicorp/aws", "5.100.0", Path::new(&mirror));
    assert!(terraform.run(&["init"]).success);
    let schema = terraform.json(&["providers", "schema", "-json"]);
    let block =
        &schema["provider_schemas"]["registry.terraform.io/hashicorp/aws"]["provider"]["block"];

    let mut found = arguments(block, "");
    let blocks = block["block_types"].as_object().expect("blocks");
    for (name, nested) in blocks {
        found.extend(arguments(&nested["block"], &format!("{name}.")));
    }
    let listed = include_str!("../../src/provider/aws-5.100.0.txt").lines();
    let listed = listed.filter(|line| !line.starts_with('#'));
    assert_eq!(found, listed.map(str::to_owned).collect());
}

fn arguments(block: &serde_json::Value, prefix: &str) -> BTreeSet<String> {
    let attributes = block["attributes"].as_object().expect("attributes");
    let lines = attributes.iter().map(|(name, attribute)| {
        let ty = match &attribute["type"] {
            serde_json::Value::Array(parts) => format!(
                "{}({})",
                parts[0].as_str().expect("a collection"),
                parts[1].as_str().expect("a plain type")
            ),
            plain => plain.as_str().expect("a plain type").to_owned(),
        };
        format!("{prefix}{name} {ty}")
    });
    lines.collect()
}
