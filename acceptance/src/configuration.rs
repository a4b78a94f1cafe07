//! The configurations that scenarios apply, written as a user writes them.

use std::fmt::Write as _;

use lab::cloud::{Lab, iam::User};

/// How to reach an AWS: everything that a provider block needs.
#[derive(Clone, Debug)]
pub struct Access {
    /// One URL for all services.
    pub endpoint: String,
    pub region: String,
    pub access_key: String,
    pub secret_key: String,
}

impl Access {
    pub fn of(lab: &Lab, user: User) -> Self {
        let credentials = user.credentials();
        Self {
            endpoint: lab.endpoint(),
            region: lab.region().to_owned(),
            access_key: credentials.access_key_id,
            secret_key: credentials.secret_access_key,
        }
    }
}

/// A configuration under construction.
#[derive(Clone, Debug)]
pub struct Configuration(String);

impl Configuration {
    /// The provider block, and nothing yet to make.
    pub fn new(access: &Access) -> Self {
        Self::with_provider(access, "")
    }

    /// The provider block with further lines in it.
    pub fn with_provider(access: &Access, arguments: &str) -> Self {
        let Access {
            endpoint,
            region,
            access_key,
            secret_key,
        } = access;
        Self(format!(
            r#"terraform {{
  required_providers {{
    consistent = {{ source = "registry.terraform.io/consistent-db/consistent" }}
  }}
}}

provider "consistent" {{
  region     = "{region}"
  access_key = "{access_key}"
  secret_key = "{secret_key}"
  endpoints {{
    ec2 = "{endpoint}"
    ssm = "{endpoint}"
    sts = "{endpoint}"
  }}
{arguments}}}
"#
        ))
    }

    /// An image of `instance`, `consistent_db_image.<label>`; `arguments` are further lines of the block.
    #[must_use]
    pub fn image(mut self, label: &str, name: &str, instance: &str, arguments: &str) -> Self {
        // Writing to a String does not fail.
        let _ = write!(
            self.0,
            r#"
resource "consistent_db_image" "{label}" {{
  name               = "{name}"
  source_instance_id = "{instance}"
{arguments}
}}
"#
        );
        self
    }

    /// Anything else.
    #[must_use]
    pub fn with(mut self, blocks: &str) -> Self {
        self.0.push_str(blocks);
        self
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_after_the_other() {
        let access = Access {
            endpoint: "http://127.0.0.1:1".into(),
            region: "eu-central-1".into(),
            access_key: "AKIA".into(),
            secret_key: "secret".into(),
        };
        let configuration = Configuration::new(&access)
            .image("orders", "orders-1", "i-1", "  postgresql = {}")
            .with("\noutput \"id\" {\n  value = consistent_db_image.orders.id\n}\n");
        let text = configuration.text();
        assert!(text.contains("  source_instance_id = \"i-1\"\n  postgresql = {}\n}\n"));
        assert_eq!(text.matches("http://127.0.0.1:1").count(), 3);
        assert!(text.ends_with("value = consistent_db_image.orders.id\n}\n"));
    }
}
