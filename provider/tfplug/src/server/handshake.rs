//! How Terraform starts a provider: environment variables in, one line on stdout out (hashicorp/go-plugin).

use std::path::PathBuf;

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::listen::Address;

/// Proves that the caller means to start a Terraform provider, not that it may (terraform `internal/plugin6/serve.go`).
const COOKIE_NAME: &str = "TF_PLUGIN_MAGIC_COOKIE";
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";
/// Version of go-plugin's own handshake.
const CORE_VERSION: u32 = 1;
const PROTOCOL_VERSION: u32 = 6;

/// What Terraform asks for when it starts the process.
#[derive(Debug)]
pub(super) struct Invitation {
    pub(super) security: Security,
    /// Where sockets belong; the system's temporary directory if Terraform has no wish.
    pub(super) socket_dir: Option<PathBuf>,
    /// TCP ports to choose from, where there are no unix sockets.
    #[cfg_attr(unix, allow(dead_code, reason = "only listeners on TCP have ports"))]
    pub(super) ports: std::ops::RangeInclusive<u16>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Security {
    /// Mutual TLS: only this very certificate may connect.
    Pinned(CertificateDer<'static>),
    /// Whoever can open the socket.
    Plain,
}

/// Why the process does not serve: what its user reads.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Refusal {
    #[error(
        "This binary is a Terraform provider. It is not meant to be started directly: Terraform does that, when a \
         configuration uses it. To debug it, start it with --debug."
    )]
    NotStartedByTerraform,
    #[error(
        "Terraform offers the plugin protocol versions {0:?}; this provider speaks version {PROTOCOL_VERSION}."
    )]
    NoCommonVersion(String),
    #[error(
        "Terraform sent no certificate (PLUGIN_CLIENT_CERT), so anyone could give orders to this provider. Set \
         TF_DISABLE_PLUGIN_TLS if that is what you want."
    )]
    Unauthenticated,
    #[error("PLUGIN_CLIENT_CERT holds no certificate in PEM form.")]
    MalformedCertificate,
}

impl Invitation {
    /// Reads the environment through `variable`.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Refusal> {
        if variable(COOKIE_NAME).as_deref() != Some(COOKIE) {
            return Err(Refusal::NotStartedByTerraform);
        }
        negotiate(&variable("PLUGIN_PROTOCOL_VERSIONS").unwrap_or_default())?;
        let port = |name: &str| variable(name).and_then(|port| port.parse().ok());
        Ok(Self {
            security: security(&variable)?,
            socket_dir: variable("PLUGIN_UNIX_SOCKET_DIR")
                .filter(|dir| !dir.is_empty())
                .map(PathBuf::from),
            ports: port("PLUGIN_MIN_PORT").unwrap_or(10_000)
                ..=port("PLUGIN_MAX_PORT").unwrap_or(25_000),
        })
    }

    /// Terraform authenticates nobody when it attaches to a running provider: the socket's permissions have to do.
    pub(super) fn for_debugging() -> Self {
        Self {
            security: Security::Plain,
            socket_dir: None,
            ports: 10_000..=25_000,
        }
    }
}

/// Terraform lists what it speaks, in any order.
fn negotiate(offered: &str) -> Result<(), Refusal> {
    let mut versions = offered.split(',').map(|version| version.trim().parse());
    if versions.any(|version| version == Ok(PROTOCOL_VERSION)) {
        return Ok(());
    }
    Err(Refusal::NoCommonVersion(offered.to_owned()))
}

fn security(variable: impl Fn(&str) -> Option<String>) -> Result<Security, Refusal> {
    let given = |name| variable(name).filter(|value| !value.is_empty());
    match (given("PLUGIN_CLIENT_CERT"), given("TF_DISABLE_PLUGIN_TLS")) {
        (Some(pem), _) => CertificateDer::from_pem_slice(pem.as_bytes())
            .map(Security::Pinned)
            .map_err(|_| Refusal::MalformedCertificate),
        (None, Some(_)) => Ok(Security::Plain),
        (None, None) => Err(Refusal::Unauthenticated),
    }
}

/// What Terraform reads from stdout: where to connect, and which certificate to expect there.
pub(super) fn line(address: &Address, certificate: Option<&CertificateDer<'_>>) -> String {
    let Address { network, address } = address;
    let certificate =
        certificate.map_or_else(String::new, |der| BASE64_STANDARD_NO_PAD.encode(der));
    format!("{CORE_VERSION}|{PROTOCOL_VERSION}|{network}|{address}|grpc|{certificate}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation(variables: &[(&str, &str)]) -> Result<Invitation, Refusal> {
        Invitation::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_the_cookie_it_is_somebody_at_a_shell() {
        assert_eq!(invitation(&[]).err(), Some(Refusal::NotStartedByTerraform));
        let wrong = [(COOKIE_NAME, "something else")];
        assert_eq!(
            invitation(&wrong).err(),
            Some(Refusal::NotStartedByTerraform)
        );
    }

    #[test]
    fn versions_come_in_any_order() {
        for offered in ["6,5", "5,6", "6"] {
            let variables = [
                (COOKIE_NAME, COOKIE),
                ("PLUGIN_PROTOCOL_VERSIONS", offered),
                ("TF_DISABLE_PLUGIN_TLS", "1"),
            ];
            assert_eq!(
                invitation(&variables).expect(offered).security,
                Security::Plain
            );
        }
        for offered in ["", "5", "65", "7"] {
            let variables = [(COOKIE_NAME, COOKIE), ("PLUGIN_PROTOCOL_VERSIONS", offered)];
            assert_eq!(
                invitation(&variables).err(),
                Some(Refusal::NoCommonVersion(offered.to_owned()))
            );
        }
    }

    #[test]
    fn plaintext_has_to_be_asked_for() {
        let base = [(COOKIE_NAME, COOKIE), ("PLUGIN_PROTOCOL_VERSIONS", "6")];
        assert_eq!(invitation(&base).err(), Some(Refusal::Unauthenticated));
        let [cookie, versions] = base;
        let empty = [cookie, versions, ("TF_DISABLE_PLUGIN_TLS", "")];
        assert_eq!(invitation(&empty).err(), Some(Refusal::Unauthenticated));
        let garbage = [
            cookie,
            versions,
            ("PLUGIN_CLIENT_CERT", "x"),
            ("TF_DISABLE_PLUGIN_TLS", "1"),
        ];
        assert_eq!(
            invitation(&garbage).err(),
            Some(Refusal::MalformedCertificate)
        );
    }

    #[test]
    fn the_line_has_six_fields_and_no_padding() {
        let address = Address {
            network: "unix",
            address: "/tmp/x/plugin.sock".to_owned(),
        };
        let der = CertificateDer::from(vec![0_u8; 100]);
        let line = line(&address, Some(&der));
        let fields: Vec<_> = line.split('|').collect();
        assert_eq!(
            fields[..5],
            ["1", "6", "unix", "/tmp/x/plugin.sock", "grpc"]
        );
        // go-plugin takes a shorter sixth field for something else.
        assert!(fields[5].len() > 50 && !fields[5].contains('='));
    }
}
