//! Certificates and proxies, over real connections.

use std::io::Write;

use tempfile::NamedTempFile;

use crate::{
    CallError,
    config::{Clients, Endpoints, Network, Secret, Settings},
    ec2::images,
    server::{Authority, Request, Server, in_environment},
};

/// Nobody resolves this name: only a proxy leads there.
const FAR: &str = "ec2.example.test";

fn no_images(_: &Request) -> (u16, &'static str, String) {
    let none = "<DescribeImagesResponse><imagesSet/></DescribeImagesResponse>";
    (200, "", none.to_owned())
}

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn trusting(bundle: &NamedTempFile) -> Network {
    Network {
        custom_ca_bundle: Some(bundle.path().to_owned()),
        ..Network::default()
    }
}

async fn ask(endpoint: String, network: Network) -> Result<(), CallError> {
    let clients = Clients::new(Settings {
        region: Some("eu-central-1".to_owned()),
        access_key: Some("AKIDBLOCK".to_owned()),
        secret_key: Some(Secret::from("5ecret".to_owned())),
        max_retries: Some(0),
        network,
        endpoints: Endpoints {
            ec2: Some(endpoint),
            ..Endpoints::default()
        },
        ..Settings::default()
    });
    let ec2 = clients.ec2().await.expect("a client");
    images::find(ec2, "ami-1").await.map(drop)
}

#[tokio::test]
async fn only_a_bundle_that_holds_the_authority_lets_its_servers_in() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = Server::tls(&authority, "127.0.0.1", no_images).await;
    let url = format!("https://{}", server.address);

    ask(url.clone(), trusting(&file(&authority.pem())))
        .await
        .expect("trusted");
    let both = file(&format!("{}{}", stranger.pem(), authority.pem()));
    ask(url.clone(), trusting(&both)).await.expect("one of two");

    for network in [trusting(&file(&stranger.pem())), Network::default()] {
        let error = ask(url.clone(), network).await.expect_err("not trusted");
        assert!(
            error.message.contains("invalid peer certificate"),
            "{error}"
        );
        assert!(error.message.contains("`custom_ca_bundle`"), "{error}");
        assert!(!error.maybe_done, "nothing was sent");
    }
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn aws_ca_bundle_names_one_as_well() {
    let bundle = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    if !in_environment(
        "http::tests::aws_ca_bundle_names_one_as_well",
        &[("AWS_CA_BUNDLE", bundle)],
    ) {
        return;
    }
    let error = super::client(&Network::default()).expect_err("no certificate in there");
    assert!(
        error.to_string().contains("holds no certificate"),
        "{error}"
    );
}

#[tokio::test]
async fn insecure_takes_any_certificate_and_speaks_https_all_the_same() {
    let server = Server::tls(&Authority::new(), "someone.else.test", no_images).await;
    let insecure = Network {
        insecure: true,
        ..Network::default()
    };
    let url = format!("https://{}", server.address);
    ask(url, insecure.clone())
        .await
        .expect("no questions asked");
    assert_eq!(server.lines(), ["POST / HTTP/1.1"]);

    let refused = ask("https://127.0.0.1:1".to_owned(), insecure).await;
    let error = refused.expect_err("nobody listens");
    assert!(
        error.message.contains("refused") && !error.maybe_done,
        "{error}"
    );
}

#[tokio::test]
async fn a_proxy_carries_https_with_its_password_and_sees_nothing_inside() {
    let authority = Authority::new();
    let server = Server::tls(&authority, FAR, no_images).await;
    let bundle = file(&authority.pem());
    for insecure in [false, true] {
        let proxy = Server::proxy(&server).await;
        let url = format!("http://user:pa55@{}", proxy.address);
        let network = Network {
            https_proxy: Some(Secret::from(url)),
            insecure,
            ..trusting(&bundle)
        };
        ask(format!("https://{FAR}"), network)
            .await
            .expect("through the proxy");
        assert_eq!(proxy.lines(), [format!("CONNECT {FAR}:443 HTTP/1.1")]);
        let password = "Basic dXNlcjpwYTU1";
        let seen = proxy.requests();
        assert_eq!(seen[0].header("proxy-authorization"), Some(password));
        assert_eq!(seen[0].signer(), None);
    }
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_proxy_gets_plain_requests_whole() {
    let proxy = Server::plain(no_images).await;
    let network = Network {
        http_proxy: Some(Secret::from(proxy.address.to_string())),
        ..Network::default()
    };
    ask(format!("http://{FAR}"), network)
        .await
        .expect("through the proxy");
    assert_eq!(proxy.lines(), [format!("POST http://{FAR}/ HTTP/1.1")]);
}

#[tokio::test]
async fn what_no_proxy_names_is_not_sent_there() {
    let proxy = Server::plain(no_images).await;
    for insecure in [false, true] {
        let network = Network {
            https_proxy: Some(Secret::from(proxy.address.to_string())),
            no_proxy: Some("example.org,example.test".to_owned()),
            insecure,
            ..Network::default()
        };
        let error = ask(format!("https://{FAR}"), network)
            .await
            .expect_err("no such host");
        assert!(
            error
                .message
                .starts_with("no connection to the ec2 endpoint"),
            "{error}"
        );
    }
    assert!(proxy.requests().is_empty());
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_used() {
    let test = "http::tests::a_proxy_of_the_environment_is_used";
    if !in_environment(test, &[("HTTP_PROXY", "http://127.0.0.1:1")]) {
        return;
    }
    let error = ask(format!("http://{FAR}"), Network::default()).await;
    let error = error.expect_err("nobody listens at the proxy's port");
    assert!(error.message.contains("Connection refused"), "{error}");
}
