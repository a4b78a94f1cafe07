//! Who calls: the provider's name and version, Terraform's, and what `TF_APPEND_USER_AGENT` adds.

use std::env;

use aws_config::{ConfigLoader, FrameworkMetadata};
use aws_sdk_ec2::{
    config::{
        ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextMut,
    },
    error::BoxError,
};

const PROVIDER: &str = "terraform-provider-consistent";

/// Adds `lib/terraform-provider-consistent/<version>` and `lib/Terraform/<version>` to every client's user agent.
pub(super) fn introduce(loader: ConfigLoader, terraform_version: Option<&str>) -> ConfigLoader {
    let products = [
        FrameworkMetadata::new("Terraform", terraform_version.map(str::to_owned)),
        FrameworkMetadata::new(PROVIDER, Some(env!("CARGO_PKG_VERSION"))),
    ];
    // A version that does not fit into a header is left out: it only serves statistics.
    products
        .into_iter()
        .flatten()
        .fold(loader, ConfigLoader::framework_metadata)
}

/// Appends a fixed text to `user-agent`, after signing: that header is no part of a signature.
#[derive(Clone, Debug)]
pub(super) struct Appendix(String);

impl Appendix {
    pub(super) fn from_env() -> Option<Self> {
        env::var("TF_APPEND_USER_AGENT")
            .ok()
            .and_then(|text| Self::new(&text))
    }

    /// None where nothing is left to append, or where it cannot stand in a header.
    fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let printable = text
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if !printable {
            tracing::warn!("TF_APPEND_USER_AGENT is ignored: it holds more than printable ASCII");
        }
        (printable && !text.is_empty()).then(|| Self(text.to_owned()))
    }
}

impl Intercept for Appendix {
    fn name(&self) -> &'static str {
        "TF_APPEND_USER_AGENT"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        let agent = headers.get("user-agent").unwrap_or_default();
        let agent = format!("{agent} {}", self.0);
        headers.insert("user-agent", agent);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_appendix_is_trimmed_and_may_not_break_the_header() {
        assert_eq!(
            Appendix::new(" pipeline/7 ").map(|it| it.0).as_deref(),
            Some("pipeline/7")
        );
        for useless in ["", "  ", "a\r\nx-evil: 1", "naïve"] {
            assert!(Appendix::new(useless).is_none(), "{useless:?}");
        }
    }
}
