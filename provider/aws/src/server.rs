//! For tests: servers on this machine - plain, with TLS, and a proxy before them - and tests with an environment of their own.

use std::{
    net::SocketAddr,
    process::Command,
    sync::{Arc, Mutex},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// One request as it came in, without its body.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET /path HTTP/1.1`
    pub(crate) line: String,
    /// Names in lower case, in one text: `name: value` lines.
    pub(crate) head: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The access key that signed it.
    pub(crate) fn signer(&self) -> Option<&str> {
        let (_, credential) = self.header("authorization")?.split_once("Credential=")?;
        credential.split('/').next()
    }
}

/// What a server does with a request: status, further header lines, body.
type Answer = fn(&Request) -> (u16, &'static str, String);

/// A server that is gone with the test's runtime.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) async fn plain(answer: Answer) -> Self {
        let (listener, server) = Self::listen().await;
        let its = server.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(its.clone().serve(connection, answer));
            }
        });
        server
    }

    /// Shows a certificate of `authority` for `name`.
    pub(crate) async fn tls(authority: &Authority, name: &str, answer: Answer) -> Self {
        let (listener, server) = Self::listen().await;
        let (its, acceptor) = (server.clone(), authority.acceptor(name));
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (its, acceptor) = (its.clone(), acceptor.clone());
                tokio::spawn(async move {
                    if let Ok(connection) = acceptor.accept(connection).await {
                        its.serve(connection, answer).await;
                    }
                });
            }
        });
        server
    }

    /// A proxy that leads to `server`, wherever it is asked to go.
    pub(crate) async fn proxy(server: &Self) -> Self {
        let (listener, proxy) = Self::listen().await;
        let (its, destination) = (proxy.clone(), server.address);
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let its = its.clone();
                tokio::spawn(async move {
                    let request = read(&mut BufReader::new(&mut connection)).await?;
                    its.requests.lock().unwrap().push(request);
                    let mut onward = TcpStream::connect(destination).await.ok()?;
                    let opened = connection.write_all(b"HTTP/1.1 200 Opened\r\n\r\n").await;
                    opened.ok()?;
                    tokio::io::copy_bidirectional(&mut connection, &mut onward)
                        .await
                        .ok()
                });
            }
        });
        proxy
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.requests().into_iter().map(|it| it.line).collect()
    }

    async fn listen() -> (TcpListener, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
        };
        (listener, server)
    }

    async fn serve(self, connection: impl AsyncRead + AsyncWrite + Unpin, answer: Answer) {
        let mut connection = BufReader::new(connection);
        while let Some(request) = read(&mut connection).await {
            let (status, headers, body) = answer(&request);
            self.requests.lock().unwrap().push(request);
            let length = body.len();
            let told =
                format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}");
            if connection.write_all(told.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

async fn read(connection: &mut (impl AsyncBufReadExt + Unpin)) -> Option<Request> {
    let (mut line, mut head) = (String::new(), String::new());
    connection
        .read_line(&mut line)
        .await
        .ok()
        .filter(|read| *read > 0)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        connection.read_line(&mut header).await.ok()?;
        let Some((name, value)) = header.trim().split_once(':') else {
            break;
        };
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        if name == "content-length" {
            length = value.parse().ok()?;
        }
        head.extend([name.as_str(), ": ", value, "\n"]);
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.ok()?;
    Some(Request {
        line: line.trim().to_owned(),
        head,
    })
}

/// A certificate authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(parameters, key).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            );
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }
}

/// True in a process of its own with these environment variables and no others of AWS's, where the test goes on; false in the test's first
/// process, once the other one has succeeded. Variables cannot be set in a process that has threads.
pub(crate) fn in_environment(test: &str, variables: &[(&str, &str)]) -> bool {
    const CHILD: &str = "CONSISTENT_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            child.env_remove(name);
        }
    }
    let child = child
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stdout);
    let errors = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{told}{errors}");
    assert!(told.contains("1 passed"), "there is no test {test}: {told}");
    false
}
