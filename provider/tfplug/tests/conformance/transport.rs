//! Who may connect, and how: the handshake and TLS as a stranger meets them, without Terraform between.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write},
    os::unix::{fs::PermissionsExt as _, net::UnixStream, process::ExitStatusExt as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P521_SHA512,
};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{aws_lc_rs, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
};

use crate::workspace::toy;

pub(crate) const COOKIE: (&str, &str) = (
    "TF_PLUGIN_MAGIC_COOKIE",
    "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
);
pub(crate) const VERSIONS: (&str, &str) = ("PLUGIN_PROTOCOL_VERSIONS", "5,6");
/// What an HTTP/2 client says first: the preface and empty SETTINGS.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// The type of a SETTINGS frame, the first that a server sends.
const SETTINGS: u8 = 4;

/// A key and its certificate.
struct Identity {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl Identity {
    /// As go-plugin makes it for Terraform: on P-521, self-signed, and marked as a CA.
    fn terraform() -> Self {
        Self::new(KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).unwrap())
    }

    fn new(key: KeyPair) -> Self {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate: certificate.der().clone(),
            pem: certificate.pem(),
            key,
        }
    }
}

/// A provider started as Terraform does it.
pub(crate) struct Started {
    process: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) socket: String,
    certificate: CertificateDer<'static>,
    _directory: tempfile::TempDir,
}

impl Started {
    fn expecting(client: &Identity) -> Self {
        Self::with(&[COOKIE, VERSIONS, ("PLUGIN_CLIENT_CERT", &client.pem)])
    }

    pub(crate) fn with(environment: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut process = command(environment)
            .env("PLUGIN_UNIX_SOCKET_DIR", directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let fields: Vec<_> = line.trim_end().split('|').collect();
        assert_eq!(
            (fields[0], fields[1], fields[2], fields[4]),
            ("1", "6", "unix", "grpc"),
            "{line}"
        );
        assert!(Path::new(fields[3]).starts_with(directory.path()));
        Self {
            socket: fields[3].to_owned(),
            certificate: BASE64_STANDARD_NO_PAD.decode(fields[5]).unwrap().into(),
            process,
            stdout,
            _directory: directory,
        }
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    /// True if the server speaks HTTP/2 to a client with this identity.
    fn admits(&self, client: Option<&Identity>) -> bool {
        let verifier = Arc::new(Pinned(self.certificate.clone()));
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match client {
            Some(client) => {
                let key = PrivateKeyDer::Pkcs8(client.key.serialize_der().into());
                config
                    .with_client_auth_cert(vec![client.certificate.clone()], key)
                    .unwrap()
            }
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        speaks_http2(StreamOwned::new(connection, self.connect()))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// With TLS 1.3 a refused client learns of it from the first answer.
fn speaks_http2(mut stream: impl std::io::Read + Write) -> bool {
    let mut header = [0; 9];
    let answered = stream
        .write_all(PREFACE)
        .and_then(|()| stream.read_exact(&mut header));
    answered.is_ok() && header[3] == SETTINGS
}

fn command(environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(toy());
    for name in [
        "TF_DISABLE_PLUGIN_TLS",
        "PLUGIN_CLIENT_CERT",
        "PLUGIN_PROTOCOL_VERSIONS",
        COOKIE.0,
    ] {
        command.env_remove(name);
    }
    command
        .envs(environment.iter().copied())
        .stdin(Stdio::null());
    command
}

#[track_caller]
fn refuses(environment: &[(&str, &str)], why: &str) {
    let output = command(environment).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(why), "{stderr}");
}

#[test]
fn does_not_start_for_just_anybody() {
    refuses(&[], "It is not meant to be started directly");
    refuses(
        &[(COOKIE.0, "wrong"), VERSIONS],
        "It is not meant to be started directly",
    );
    refuses(
        &[COOKIE, ("PLUGIN_PROTOCOL_VERSIONS", "4,5")],
        "this provider speaks version 6",
    );
    refuses(&[COOKIE, VERSIONS], "PLUGIN_CLIENT_CERT");
    refuses(
        &[COOKIE, VERSIONS, ("PLUGIN_CLIENT_CERT", "garbage")],
        "no certificate in PEM form",
    );
}

#[test]
fn only_the_pinned_certificate_gets_in() {
    let terraform = Identity::terraform();
    let provider = Started::expecting(&terraform);
    assert!(provider.admits(Some(&terraform)));
    assert!(
        !provider.admits(Some(&Identity::terraform())),
        "another certificate of the same kind"
    );
    assert!(!provider.admits(None), "no certificate");
    assert!(!speaks_http2(provider.connect()), "no TLS");
    assert!(
        provider.admits(Some(&terraform)),
        "refused clients do no harm"
    );
}

#[test]
fn the_certificate_alone_is_not_enough() {
    let terraform = Identity::terraform();
    let provider = Started::expecting(&terraform);
    // Certificates are no secret: whoever shows one has to prove that it holds its key.
    let thief = Identity {
        certificate: terraform.certificate.clone(),
        pem: terraform.pem.clone(),
        key: KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).unwrap(),
    };
    assert!(!admits_forged(&provider, &thief));
    assert!(provider.admits(Some(&terraform)));
}

/// rustls itself checks that key and certificate belong together, so a forger has to leave that out.
fn admits_forged(provider: &Started, thief: &Identity) -> bool {
    let aws = aws_lc_rs::default_provider();
    let key = aws
        .key_provider
        .load_private_key(PrivateKeyDer::Pkcs8(thief.key.serialize_der().into()))
        .unwrap();
    let forged = Arc::new(rustls::sign::CertifiedKey::new(
        vec![thief.certificate.clone()],
        key,
    ));
    let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(forged));
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned(provider.certificate.clone())))
        .with_client_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    speaks_http2(StreamOwned::new(connection, provider.connect()))
}

#[test]
fn other_curves_work_as_well() {
    let client = Identity::new(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap());
    assert!(Started::expecting(&client).admits(Some(&client)));
}

#[test]
fn a_client_that_hangs_in_its_handshake_blocks_nobody() {
    let terraform = Identity::terraform();
    let provider = Started::expecting(&terraform);
    let silent: Vec<_> = (0..20).map(|_| provider.connect()).collect();
    assert!(provider.admits(Some(&terraform)));
    drop(silent);
}

#[test]
fn the_socket_is_private_and_removed_in_the_end() {
    let provider = Started::with(&[COOKIE, VERSIONS, ("TF_DISABLE_PLUGIN_TLS", "1")]);
    let socket = Path::new(&provider.socket);
    let directory = socket.parent().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(directory), mode(socket)), (0o700, 0o600));
    assert!(provider.certificate.is_empty());
    assert!(speaks_http2(provider.connect()));
    crate::workspace::signal("TERM", i64::from(provider.process.id()));
    crate::workspace::eventually("it removes its socket", || !directory.exists());
}

#[test]
fn stdout_holds_the_handshake_and_nothing_else() {
    let mut provider = Started::with(&[
        COOKIE,
        VERSIONS,
        ("TF_DISABLE_PLUGIN_TLS", "1"),
        ("TF_LOG", "TRACE"),
    ]);
    assert!(speaks_http2(provider.connect()));
    crate::workspace::signal("TERM", i64::from(provider.process.id()));
    let status = provider.process.wait().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(0), None));
    let mut rest = String::new();
    provider.stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

/// Accepts exactly the certificate of the handshake line.
#[derive(Debug)]
struct Pinned(CertificateDer<'static>);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.0 {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::General("another server".to_owned()))
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &aws_lc_rs::default_provider().signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
