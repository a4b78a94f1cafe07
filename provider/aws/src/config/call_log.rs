//! A line in the log for every call of AWS's APIs, with the request id that AWS's support asks for. Neither parameters nor
//! answers stand there: they hold tags, scripts and tokens.

use std::time::Instant;

use aws_sdk_ec2::config::{
    ConfigBag, Intercept, RuntimeComponents,
    interceptors::{BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef},
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{orchestrator::Metadata, retries::RequestAttempts},
};
use aws_smithy_types::config_bag::{Storable, StoreReplace};

/// The header that carries it, by service: the query protocol's and SSM's, and S3's, which proxies imitate.
const REQUEST_IDS: [&str; 2] = ["x-amzn-requestid", "x-amz-request-id"];

/// Logs each attempt of a call when it ends, however it does.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallLog;

/// When the attempt under way began.
#[derive(Clone, Copy, Debug)]
struct Began(Instant);

impl Storable for Began {
    type Storer = StoreReplace<Self>;
}

impl Intercept for CallLog {
    fn name(&self) -> &'static str {
        "CallLog"
    }

    fn read_before_attempt(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Began(Instant::now()));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        let request_id = answer.and_then(|answer| {
            let headers = answer.headers();
            REQUEST_IDS.iter().find_map(|name| headers.get(*name))
        });
        tracing::debug!(
            call = config.load::<Metadata>().map(action),
            status = answer.map(|answer| answer.status().as_u16()),
            request_id,
            attempt = config
                .load::<RequestAttempts>()
                .map(RequestAttempts::attempts),
            ms = config.load::<Began>().map(elapsed_ms),
            "called AWS"
        );
        Ok(())
    }
}

/// As in a policy: `ec2:CreateImage`.
fn action(of: &Metadata) -> String {
    format!("{}:{}", of.service().to_lowercase(), of.name())
}

fn elapsed_ms(began: &Began) -> u64 {
    u64::try_from(began.0.elapsed().as_millis()).unwrap_or(u64::MAX)
}
