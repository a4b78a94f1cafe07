//! One HTTP client for all of AWS: connection pools and TLS are shared, and made by the first request.

mod insecure;
mod proxy;
mod trust;

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aws_smithy_http_client::{
    ConnectorBuilder,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{
        HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector, http_client_fn,
    },
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};

use self::{insecure::Insecure, proxy::Proxies};
use crate::config::{ConfigError, Network};

/// Connect and read time-out: a connector bakes them in, so there is one for each pair in use.
type Timeouts = (Option<Duration>, Option<Duration>);

/// HTTPS by rustls over aws-lc, with the certificates and proxies of `network`, else those of the system and the
/// environment. Reads the file with the certificates.
pub(crate) fn client(network: &Network) -> Result<SharedHttpClient, ConfigError> {
    let plan = Plan {
        proxies: Proxies::of(network, |name| std::env::var(name).ok())?,
        trust: trust::context(network, |name| std::env::var(name).ok())?,
    };
    let connectors: Mutex<HashMap<Timeouts, SharedHttpConnector>> = Mutex::default();
    Ok(http_client_fn(move |settings, components| {
        let timeouts = (settings.connect_timeout(), settings.read_timeout());
        connectors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(timeouts)
            .or_insert_with(|| SharedHttpConnector::new(plan.connector(settings, components)))
            .clone()
    }))
}

/// How connections are made.
struct Plan {
    proxies: Proxies,
    /// None where no certificate is looked at.
    trust: Option<TlsContext>,
}

impl Plan {
    fn connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> ByScheme {
        let sdk = |trust: &TlsContext, proxy: ProxyConfig| {
            let mut builder = ConnectorBuilder::default()
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .tls_context(trust.clone())
                .connector_settings(settings.clone())
                .proxy_config(proxy);
            builder.set_sleep_impl(components.sleep_impl());
            SharedHttpConnector::new(builder.build())
        };
        let nobody = trust::nobody();
        let plain = self.trust.as_ref().unwrap_or(&nobody);
        ByScheme {
            http: sdk(plain, self.proxies.for_http()),
            https: match &self.trust {
                Some(trust) => sdk(trust, self.proxies.for_https()),
                None => SharedHttpConnector::new(Insecure::new(settings, &self.proxies)),
            },
        }
    }
}

/// The SDK's connector knows one proxy; a provider block can name one for `http://` and another for `https://`.
#[derive(Debug)]
struct ByScheme {
    http: SharedHttpConnector,
    https: SharedHttpConnector,
}

impl HttpConnector for ByScheme {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if request.uri().starts_with("https:") {
            self.https.call(request)
        } else {
            self.http.call(request)
        }
    }
}

#[cfg(test)]
mod tests;
