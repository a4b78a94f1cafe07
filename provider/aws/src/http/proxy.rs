//! Which proxy a request goes through: the provider block's, else the environment's.

use std::fmt;

use aws_smithy_http_client::proxy::ProxyConfig;
use hyper_util::client::proxy::matcher::Matcher;

use crate::config::{ConfigError, Network, Secret};

/// Never reached through a proxy: this machine, and the metadata services of EC2, ECS and EKS, which know their caller
/// by its network address. So does hashicorp/aws.
const NEARBY: &str = "localhost,127.0.0.0/8,::1,169.254.0.0/16,fd00:ec2::254,fd00:ec2::23";

/// The proxies for either kind of URL. A proxy's own URL may hold a password: it is never shown.
pub(super) struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    /// Rules in the form of `NO_PROXY`.
    exempt: String,
}

struct Proxy {
    url: String,
    config: ProxyConfig,
}

impl Proxies {
    /// What the block sets goes before the environment. A block that only names `http_proxy` means it for `https://` as
    /// well, unless the environment has one for that (hashicorp/aws 5.x).
    pub(super) fn of(
        network: &Network,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let first = |names: &[&str]| {
            let mut values = names.iter().filter_map(|name| variable(name));
            values.find(|value| !value.is_empty()).map(Secret::from)
        };
        let own_http = network.http_proxy.clone();
        let http = own_http
            .clone()
            .or_else(|| first(&["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]));
        let https = network
            .https_proxy
            .clone()
            .or_else(|| first(&["HTTPS_PROXY", "https_proxy"]))
            .or(own_http)
            .or_else(|| first(&["ALL_PROXY", "all_proxy"]));
        let exempt = network.no_proxy.clone();
        let exempt =
            exempt.or_else(|| first(&["NO_PROXY", "no_proxy"]).map(|it| it.reveal().to_owned()));
        Ok(Self {
            http: http.map(|url| Proxy::of(&url, "http_proxy")).transpose()?,
            https: https
                .map(|url| Proxy::of(&url, "https_proxy"))
                .transpose()?,
            exempt: rules(exempt.as_deref().unwrap_or_default()),
        })
    }

    pub(super) fn for_http(&self) -> ProxyConfig {
        self.config(self.http.as_ref())
    }

    pub(super) fn for_https(&self) -> ProxyConfig {
        self.config(self.https.as_ref())
    }

    fn config(&self, proxy: Option<&Proxy>) -> ProxyConfig {
        proxy.map_or_else(ProxyConfig::disabled, |proxy| {
            proxy.config.clone().no_proxy(&self.exempt)
        })
    }

    /// The same choice for `https://`, for a connector that is not the SDK's.
    pub(super) fn matcher(&self) -> Matcher {
        let url = self.https.as_ref().map_or("", |proxy| &proxy.url);
        Matcher::builder().https(url).no(&*self.exempt).build()
    }
}

impl Proxy {
    /// `host:port` alone means a proxy that speaks plain HTTP, as with curl.
    fn of(url: &Secret, argument: &'static str) -> Result<Self, ConfigError> {
        let url = match url.reveal() {
            whole if whole.contains("://") => whole.to_owned(),
            host => format!("http://{host}"),
        };
        let config = ProxyConfig::all(url.as_str()).map_err(|_| ConfigError::Proxy { argument })?;
        Ok(Self { url, config })
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies").finish_non_exhaustive()
    }
}

/// `*.example.com` is written for Go's rules; here the star is left out.
fn rules(exempt: &str) -> String {
    let own = exempt
        .split(',')
        .map(str::trim)
        .map(|rule| rule.strip_prefix("*.").unwrap_or(rule));
    own.chain([NEARBY]).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(network: &Network, environment: &[(&str, &str)], url: &str) -> Option<String> {
        let variable = |name: &str| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let proxies = Proxies::of(network, variable).expect("proxies");
        let url: http::Uri = url.parse().expect("a URL");
        let taken = proxies.matcher().intercept(&url);
        taken.map(|proxy| proxy.uri().to_string())
    }

    fn network(http: Option<&str>, https: Option<&str>, no: Option<&str>) -> Network {
        Network {
            http_proxy: http.map(|it| it.to_owned().into()),
            https_proxy: https.map(|it| it.to_owned().into()),
            no_proxy: no.map(str::to_owned),
            ..Network::default()
        }
    }

    const EC2: &str = "https://ec2.eu-central-1.amazonaws.com/";

    #[test]
    fn the_block_goes_before_the_environment() {
        let environment = [("HTTPS_PROXY", "http://environment:1")];
        let of = |network: Network| chosen(&network, &environment, EC2);
        assert_eq!(
            of(network(None, None, None)).as_deref(),
            Some("http://environment:1/")
        );
        assert_eq!(
            of(network(None, Some("http://block:2"), None)).as_deref(),
            Some("http://block:2/")
        );
        // Not the block's, which is for http:// only where https:// has one.
        assert_eq!(
            of(network(Some("http://block:2"), None, None)).as_deref(),
            Some("http://environment:1/")
        );
    }

    #[test]
    fn a_proxy_for_http_alone_serves_both_and_needs_no_scheme() {
        let only_http = network(Some("block:3128"), None, None);
        assert_eq!(
            chosen(&only_http, &[], EC2).as_deref(),
            Some("http://block:3128/")
        );
    }

    #[test]
    fn what_is_exempt_or_near_is_asked_directly() {
        let proxy = Some("http://block:2");
        for (rules, url) in [
            (Some("amazonaws.com"), EC2),
            (Some("*.amazonaws.com, example.org"), EC2),
            (None, "https://localhost:4566/"),
            (None, "https://127.0.0.1:4566/"),
            (None, "https://169.254.169.254/latest/"),
            (None, "https://[fd00:ec2::254]/latest/"),
        ] {
            assert_eq!(
                chosen(&network(None, proxy, rules), &[], url),
                None,
                "{rules:?} {url}"
            );
        }
        let other = network(None, proxy, Some("example.org"));
        assert!(chosen(&other, &[("NO_PROXY", "*")], EC2).is_some());
    }

    #[test]
    fn a_proxy_that_cannot_be_one_is_named_and_not_shown() {
        let wrong = network(None, Some("ftp://user:pa55@proxy"), None);
        let error = Proxies::of(&wrong, |_| None).expect_err("not a proxy");
        assert_eq!(
            error,
            ConfigError::Proxy {
                argument: "https_proxy"
            }
        );
        let right = Proxies::of(
            &network(None, Some("http://user:pa55@proxy:1"), None),
            |_| None,
        );
        assert!(!format!("{error}{right:?}").contains("pa55"));
    }
}
