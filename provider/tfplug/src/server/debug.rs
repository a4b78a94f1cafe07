//! Debug mode: what a user sets for Terraform to attach to a provider that runs already.

use serde_json::json;

use super::listen::Address;

/// The environment variable, ready to be pasted into a shell.
pub(super) fn instructions(provider: &str, address: &Address) -> String {
    let reattach = json!({
        provider: {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": std::process::id(),
            // Terraform must neither kill nor restart it.
            "Test": true,
            "Addr": { "Network": address.network, "String": address.address },
        }
    });
    format!("TF_REATTACH_PROVIDERS='{reattach}'")
}
