//! AWS for tests: a server that answers each action with what the test wants, over HTTP as the real one does.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use consistent_aws::config::{Clients, Endpoints, Settings};
use tfplug::{CancellationToken, Context, Tasks};

use crate::{client::Client, tags::TagPolicy};

/// HTTP status and body.
type Answer = (u16, String);

/// The actions that are SSM's; all others are EC2's.
const OF_SSM: [&str; 5] = [
    "DescribeDocument",
    "DescribeInstanceInformation",
    "GetCommandInvocation",
    "GetDocument",
    "SendCommand",
];

/// In an answer: the session of the script that was sent last.
pub(crate) const SESSION_ASKED: &str = "@session@";

/// A server with an answer for each action (`DescribeImages`...); the last one is repeated.
#[derive(Clone, Default)]
pub(crate) struct Aws {
    answers: Arc<Mutex<BTreeMap<&'static str, Vec<Answer>>>>,
    calls: Arc<Mutex<Vec<(String, String)>>>,
}

impl Aws {
    /// Answers `action` with this, after what it was to be answered with before: what stands in EC2's XML answer, or
    /// SSM's JSON.
    pub(crate) fn on(self, action: &'static str, body: impl Into<String>) -> Self {
        let body = body.into();
        let is_json = OF_SSM.contains(&action);
        let xml = || format!("<{action}Response>{body}</{action}Response>");
        let body = if is_json { body.clone() } else { xml() };
        self.answering(action, (200, body))
    }

    /// Answers `action` with an error.
    pub(crate) fn refusing(self, action: &'static str, code: &str, message: &str) -> Self {
        let json = || format!(r#"{{"__type": "{code}", "message": "{message}"}}"#);
        let xml = || {
            let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
            format!("<Response><Errors>{error}</Errors><RequestID>r</RequestID></Response>")
        };
        let is_json = OF_SSM.contains(&action);
        self.answering(action, (400, if is_json { json() } else { xml() }))
    }

    fn answering(self, action: &'static str, answer: Answer) -> Self {
        let mut answers = self.answers.lock().expect("answers");
        answers.entry(action).or_default().push(answer);
        drop(answers);
        self
    }

    /// The bodies of the calls of this action so far.
    pub(crate) fn calls(&self, action: &str) -> Vec<String> {
        let calls = self.calls.lock().expect("calls");
        let of_action = calls.iter().filter(|(name, _)| name == action);
        of_action.map(|(_, body)| body.clone()).collect()
    }

    /// A provider configured to use this server, which listens from now on.
    pub(crate) fn client(&self, tags: TagPolicy) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let aws = self.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let aws = aws.clone();
                thread::spawn(move || aws.serve(connection));
            }
        });
        Client {
            tags,
            clients: Clients::new(Settings {
                region: Some("eu-central-1".to_owned()),
                access_key: Some("AKIDTEST".to_owned()),
                secret_key: Some("secret".to_owned().into()),
                max_retries: Some(0),
                endpoints: Endpoints {
                    ec2: Some(url.clone()),
                    ssm: Some(url.clone()),
                    sts: Some(url),
                },
                ..Settings::default()
            }),
        }
    }

    /// Answers the requests of one connection.
    fn serve(&self, mut connection: TcpStream) {
        let mut reader = BufReader::new(connection.try_clone().expect("the same connection"));
        while let Some((action, body)) = request(&mut reader) {
            let (status, answer) = self.answer(&action);
            self.calls.lock().expect("calls").push((action, body));
            let answer = answer.replace(SESSION_ASKED, &self.session_asked());
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            if connection
                .write_all(format!("{head}{answer}").as_bytes())
                .is_err()
            {
                return;
            }
        }
    }

    fn session_asked(&self) -> String {
        let sent = self.calls("SendCommand").pop().unwrap_or_default();
        let (_, session) = sent.split_once("CDB_SESSION='").unwrap_or_default();
        session.split('\'').next().unwrap_or_default().to_owned()
    }

    fn answer(&self, action: &str) -> Answer {
        let mut answers = self.answers.lock().expect("answers");
        match answers.get_mut(action) {
            Some(several) if several.len() > 1 => several.remove(0),
            Some(one) => one[0].clone(),
            None => (500, format!("no answer for {action}")),
        }
    }
}

/// The surroundings of a call, with a configured client.
pub(crate) fn context(client: Client) -> Context<Client> {
    Context::new(
        Some(Arc::new(client)),
        CancellationToken::new(),
        Tasks::default(),
    )
}

/// The next request's action and body; None at the connection's end.
fn request(reader: &mut impl BufRead) -> Option<(String, String)> {
    let (mut length, mut target) = (0, None);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "x-amz-target" => target = value.trim().split('.').next_back().map(str::to_owned),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    let in_body = || {
        body.split('&')
            .find_map(|pair| pair.strip_prefix("Action="))
    };
    let action = target.or_else(|| in_body().map(str::to_owned))?;
    Some((action, body))
}
