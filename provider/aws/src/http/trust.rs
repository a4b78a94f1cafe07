//! Which certificates a TLS connection trusts: the system's, or those of `custom_ca_bundle` and none else.

use std::path::{Path, PathBuf};

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::config::{ConfigError, Network};

/// None where `insecure` says that no certificate is to be looked at.
pub(super) fn context(
    network: &Network,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<TlsContext>, ConfigError> {
    if network.insecure {
        tracing::warn!("insecure = true: certificates of AWS endpoints are not checked");
        return Ok(None);
    }
    let from_environment = || {
        let path = variable("AWS_CA_BUNDLE").filter(|path| !path.is_empty());
        path.map(PathBuf::from)
    };
    match network.custom_ca_bundle.clone().or_else(from_environment) {
        Some(path) => bundle(&path).map(Some),
        None => Ok(Some(TlsContext::default())),
    }
}

/// Trusts nobody: for connections that have no TLS.
pub(super) fn nobody() -> TlsContext {
    built(TrustStore::empty())
}

fn bundle(path: &Path) -> Result<TlsContext, ConfigError> {
    let wrong = |why: String| ConfigError::CaBundle {
        path: path.to_owned(),
        why,
    };
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    // The SDK would panic over a certificate that it cannot read.
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| wrong(format!("it is not PEM: {error}")))?;
    if certificates.is_empty() {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    let mut roots = RootCertStore::empty();
    for (position, certificate) in certificates.into_iter().enumerate() {
        let position = position + 1;
        roots
            .add(certificate)
            .map_err(|error| wrong(format!("its certificate {position} is unusable: {error}")))?;
    }
    Ok(built(TrustStore::empty().with_pem_certificate(pem)))
}

fn built(store: TrustStore) -> TlsContext {
    let context = TlsContext::builder().with_trust_store(store).build();
    context.expect("a trust store alone contradicts nothing")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn verdict(text: &str) -> String {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        let network = Network {
            custom_ca_bundle: Some(file.path().to_owned()),
            ..Network::default()
        };
        match context(&network, |_| None) {
            Ok(_) => String::new(),
            Err(ConfigError::CaBundle { why, .. }) => why,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn what_is_no_bundle_is_an_error_and_not_a_panic() {
        assert_eq!(verdict("nothing here"), "it holds no certificate");
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(
            verdict(broken).starts_with("its certificate 1 is unusable"),
            "{}",
            verdict(broken)
        );
        assert!(verdict("-----BEGIN CERTIFICATE-----\n*\n").starts_with("it is not PEM"));
    }

    #[test]
    fn the_environment_names_a_bundle_where_the_block_does_not() {
        let variable = |name: &str| (name == "AWS_CA_BUNDLE").then(|| "/no/such.pem".to_owned());
        let error = context(&Network::default(), variable).expect_err("no such file");
        assert!(error.to_string().contains("/no/such.pem"), "{error}");
    }
}
