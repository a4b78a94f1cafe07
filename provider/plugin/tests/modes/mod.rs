//! The other two ways in which Terraform speaks to a provider: without TLS, and to one that runs already.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use crate::support::{Moto, PROVIDER, Terraform};

/// One image imported, and the same found: every kind of call that needs no database.
fn configuration(moto: &Moto) -> String {
    let (provider, proven, linux) = (moto.provider_block(), moto.id("proven"), moto.id("linux"));
    format!(
        r#"{provider}
import {{
  to = consistent_db_image.orders
  id = "{proven}"
}}
resource "consistent_db_image" "orders" {{
  name               = "orders-1"
  description        = "Of the orders"
  source_instance_id = "{linux}"
  postgresql         = {{}}
  quiesce            = {{ max_hold_seconds = 30 }}
  triggers           = {{ release = "2026.11" }}
  tags               = {{ Name = "orders", Team = "dba" }}
  timeouts           = {{ create = "90m" }}
}}
data "consistent_db_image" "orders" {{
  name_regex = "^orders-1$"
}}
"#
    )
}

fn imports_and_is_content(terraform: &Terraform, variable: (&str, &str)) {
    let applied = terraform.run_with(&["apply", "-auto-approve"], &[variable]);
    let imported = "1 imported, 0 added, 0 changed, 0 destroyed";
    assert!(applied.text.contains(imported), "{}", applied.text);
    let plan = terraform.run_with(&["plan", "-detailed-exitcode"], &[variable]);
    assert!(plan.success, "{}", plan.text);
}

#[test]
fn without_tls_where_terraform_was_told_so() {
    let terraform = Terraform::new(&configuration(Moto::shared()));
    imports_and_is_content(&terraform, ("TF_DISABLE_PLUGIN_TLS", "1"));
}

/// Does not outlive its test, however that ends.
struct Debugged(Child);

impl Drop for Debugged {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The provider in debug mode, and what it says to put into the environment.
fn debugged() -> (Debugged, String) {
    let started = Command::new(PROVIDER)
        .arg("--debug")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut provider = Debugged(started.expect("the provider starts"));
    let printed = provider.0.stdout.take().expect("its output");
    let mut line = String::new();
    BufReader::new(printed)
        .read_line(&mut line)
        .expect("a line");
    let value = line.trim().strip_prefix("TF_REATTACH_PROVIDERS='");
    let value = value
        .and_then(|it| it.strip_suffix('\''))
        .expect("a variable");
    (provider, value.to_owned())
}

#[test]
fn terraform_attaches_to_a_provider_that_runs_already_and_leaves_it_running() {
    let (mut provider, reattach) = debugged();
    let terraform = Terraform::new(&configuration(Moto::shared()));
    terraform.lose_provider();
    let lost = terraform.run(&["plan"]);
    assert!(!lost.success, "there is another provider: {}", lost.text);
    imports_and_is_content(&terraform, ("TF_REATTACH_PROVIDERS", &reattach));

    assert!(
        provider.0.try_wait().expect("a process").is_none(),
        "it goes on"
    );
    let interrupt = ["-INT", &provider.0.id().to_string()];
    let sent = Command::new("kill").args(interrupt).status();
    assert!(sent.expect("kill starts").success());
    assert!(provider.0.wait().expect("it ends").success());
}
