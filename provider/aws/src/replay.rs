//! For tests: answers the SDK's requests from a script, by action, and keeps what was asked.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;

/// How the service reacts to one request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Http(u16, String),
    /// The connection breaks after the request was sent.
    Lost,
    /// Nothing ever comes back.
    Silence,
}

/// One request as it went out.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `CreateImage`, `SendCommand`...; the path, where a service names its actions by that.
    pub(crate) action: String,
    pub(crate) uri: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Asked {
    /// A parameter of a query request, decoded.
    pub(crate) fn param(&self, name: &str) -> Option<String> {
        self.body
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| decoded(key) == name)
            .map(|(_, value)| decoded(value))
    }

    fn path(&self) -> String {
        let behind_host = self.uri.splitn(4, '/').nth(3).unwrap_or_default();
        let path = behind_host.split('?').next().unwrap_or_default();
        format!("/{path}")
    }

    /// The access key that signed it.
    pub(crate) fn signer(&self) -> Option<&str> {
        let (_, credential) = self
            .headers
            .get("authorization")?
            .split_once("Credential=")?;
        credential.split('/').next()
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            let digits = std::str::from_utf8(&digits).unwrap().to_owned();
            bytes.push(u8::from_str_radix(&digits, 16).unwrap());
        } else {
            bytes.push(if byte == b'+' { b' ' } else { byte });
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// A service that follows a script. What the script does not foresee is answered with the error `Unscripted`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replay(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    script: HashMap<String, VecDeque<Answer>>,
    asked: Vec<Asked>,
}

impl Replay {
    /// The next answer to `action`.
    pub(crate) fn then(self, action: &str, answer: Answer) -> Self {
        let mut state = self.0.lock().unwrap();
        state
            .script
            .entry(action.to_owned())
            .or_default()
            .push_back(answer);
        drop(state);
        self
    }

    pub(crate) fn ok(self, action: &str, body: impl Into<String>) -> Self {
        self.then(action, Answer::Http(200, body.into()))
    }

    /// EC2's form of an error.
    pub(crate) fn ec2_error(self, action: &str, status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
             <RequestID>r</RequestID></Response>"
        );
        self.then(action, Answer::Http(status, body))
    }

    /// SSM's form of an error.
    pub(crate) fn ssm_error(self, action: &str, status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "__type": code, "message": message });
        self.then(action, Answer::Http(status, body.to_string()))
    }

    /// STS's form of an error.
    pub(crate) fn sts_error(self, action: &str, status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>r</RequestId></ErrorResponse>"
        );
        self.then(action, Answer::Http(status, body))
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.0.lock().unwrap().asked.clone()
    }

    pub(crate) fn actions(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.action).collect()
    }

    /// The only request of `action`.
    pub(crate) fn only(&self, action: &str) -> Asked {
        let mut all: Vec<_> = self
            .asked()
            .into_iter()
            .filter(|it| it.action == action)
            .collect();
        assert_eq!(all.len(), 1, "{action} was asked {} times", all.len());
        all.remove(0)
    }

    /// An EC2 client with the SDK's retries on, so that a test sees where they are off.
    pub(crate) fn ec2(&self) -> aws_sdk_ec2::Client {
        let config = aws_sdk_ec2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("AKIDTEST", "secret", None, None, "test"))
            .http_client(self.clone());
        aws_sdk_ec2::Client::from_conf(config.build())
    }

    /// An SSM client with the SDK's retries on.
    pub(crate) fn ssm(&self) -> aws_sdk_ssm::Client {
        let config = aws_sdk_ssm::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("AKIDTEST", "secret", None, None, "test"))
            .http_client(self.clone());
        aws_sdk_ssm::Client::from_conf(config.build())
    }

    fn answer(&self, asked: Asked) -> Answer {
        let mut state = self.0.lock().unwrap();
        let answer = state
            .script
            .get_mut(&asked.action)
            .and_then(VecDeque::pop_front);
        state.asked.push(asked);
        answer.unwrap_or_else(|| Answer::Http(400, unscripted()))
    }
}

fn unscripted() -> String {
    "<Response><Errors><Error><Code>Unscripted</Code></Error></Errors></Response>".to_owned()
}

impl HttpClient for Replay {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Replay {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.answer(asked(&request));
        HttpConnectorFuture::new(async move {
            match answer {
                Answer::Http(status, body) => Ok(HttpResponse::new(
                    status.try_into().unwrap(),
                    SdkBody::from(body),
                )),
                Answer::Lost => Err(ConnectorError::io("connection reset by peer".into())),
                Answer::Silence => std::future::pending().await,
            }
        })
    }
}

fn asked(request: &HttpRequest) -> Asked {
    let body = String::from_utf8(request.body().bytes().unwrap_or_default().to_vec()).unwrap();
    let headers: HashMap<_, _> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut asked = Asked {
        action: String::new(),
        uri: request.uri().to_owned(),
        headers,
        body,
    };
    asked.action = match asked.headers.get("x-amz-target") {
        Some(target) => target.rsplit('.').next().unwrap_or_default().to_owned(),
        None => asked.param("Action").unwrap_or_else(|| asked.path()),
    };
    asked
}
