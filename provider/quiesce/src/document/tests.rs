//! What is made of documents: those that the agent would run are run as it would, all others are refused with their reason.

use std::io::Read as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::read::GzDecoder;
use serde_json::json;

use super::*;
use crate::{engines::Engine, ports::Format};

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// In the shape of what Data Lifecycle Manager's users write.
const WRITTEN: &str = r#"
schemaVersion: '2.2'
description: Freeze and thaw
parameters:
  executionId:
    type: String
    default: None
    allowedPattern: ^(None|[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12})$
  command:
    type: String
    default: 'dry-run'
    allowedValues:
    - pre-script
    - post-script
    - dry-run
  level:
    type: Integer
    default: 3
    allowedValues: [3, 4]
mainSteps:
- action: aws:runPowerShellScript
  name: not_here
  precondition:
    StringEquals: [platformType, Windows]
  inputs:
    runCommand: ["exit 1"]
- action: aws:runShellScript
  name: here
  precondition:
    StringEquals: [platformType, Linux]
  inputs:
    timeoutSeconds: 5
    workingDirectory: /srv/it's
    runCommand:
    - |
      #!/bin/bash -e
      echo {{command}} {{ executionId }} {{  level }}
      docker ps --format '{{.Names}} {{{command}}}'
    - echo done
"#;

/// One document, whatever is asked for.
struct Shelf {
    text: String,
    facts: DocumentFacts,
}

impl Shelf {
    fn yaml(text: &str) -> Self {
        let facts = DocumentFacts {
            version: 7,
            hash: HASH.to_owned(),
            hash_type: "Sha256".to_owned(),
            status: "Active".to_owned(),
            platforms: vec!["Windows".to_owned(), "Linux".to_owned()],
            format: Format::Yaml,
        };
        Self {
            text: text.to_owned(),
            facts,
        }
    }

    fn json(content: &serde_json::Value) -> Self {
        let mut shelf = Self::yaml(&content.to_string());
        shelf.facts.format = Format::Json;
        shelf
    }
}

impl Documents for Shelf {
    type Error = std::convert::Infallible;

    async fn describe(&self, _name: &str, _version: &str) -> Result<DocumentFacts, Self::Error> {
        Ok(self.facts.clone())
    }

    async fn content(&self, _: &str, version: &str, format: Format) -> Result<String, Self::Error> {
        assert_eq!((version, format), ("7", self.facts.format));
        Ok(self.text.clone())
    }
}

fn options(parameters: &str) -> Options {
    let engine = Engine::named("ssm_document").expect("an engine of ours");
    let told = [
        ("name", "freeze-orders"),
        ("hash", HASH),
        ("parameters", parameters),
        ("command_timeout", "20"),
    ];
    let options = Options::new(engine);
    told.into_iter().fold(options, |options, (name, value)| {
        options.with(name, value).expect("a valid option")
    })
}

async fn read(shelf: &Shelf, parameters: &str) -> Result<Options, String> {
    let read = resolve(shelf, options(parameters)).await;
    read.map_err(|error| error.to_string())
}

fn session() -> SessionId {
    "0123456789abcdef0123456789abcdef"
        .parse()
        .expect("a session id")
}

fn text_of(options: &Options) -> String {
    let packed = options
        .document()
        .expect("a document")
        .packed(&session(), "<command>");
    let packed = BASE64_STANDARD.decode(packed).expect("base64");
    let mut text = String::new();
    GzDecoder::new(&*packed)
        .read_to_string(&mut text)
        .expect("gzip");
    text
}

#[tokio::test]
async fn a_document_becomes_what_the_agent_would_run() {
    let read = read(&Shelf::yaml(WRITTEN), "{}").await.expect("resolved");
    assert_eq!(
        text_of(&read),
        "#!/bin/bash -e\necho <command> 01234567-89ab-4def-a123-456789abcdef 3\n\
         docker ps --format '{{.Names}} {<command>}'\n\necho done\n"
    );
    let document = read.document().expect("a document");
    assert_eq!(
        document.command_line(),
        r"cd '/srv/it'\''s' && exec '/bin/bash' '-e'"
    );
    assert_eq!(read.told("version"), Some("7"));
    assert_eq!(
        read.told("command_timeout"),
        Some("5"),
        "the document's own limit is shorter"
    );
}

/// One step of schema 2.2 with these lines, beside the two parameters that are always there.
fn content(lines: &serde_json::Value, parameters: &serde_json::Value) -> serde_json::Value {
    let mut all = json!({
        "command": { "type": "String", "allowedValues": ["pre-script", "post-script", "dry-run"] },
    });
    let more = parameters.as_object().expect("an object").clone();
    all.as_object_mut().expect("an object").extend(more);
    json!({
        "schemaVersion": "2.2",
        "parameters": all,
        "mainSteps": [{ "action": "aws:runShellScript", "name": "run", "inputs": { "runCommand": lines } }],
    })
}

#[tokio::test]
async fn the_older_schema_is_understood_and_a_shell_is_the_default() {
    let mut old = content(&json!(["x"]), &json!({}));
    let members = old.as_object_mut().expect("an object");
    members.remove("mainSteps");
    members.insert("schemaVersion".to_owned(), json!("1.2"));
    let properties = json!([{ "id": "0.aws:runShellScript", "runCommand": ["echo {{ command }}"], "timeoutSeconds": "1" }]);
    members.insert(
        "runtimeConfig".to_owned(),
        json!({ "aws:runShellScript": { "properties": properties } }),
    );
    let read = read(&Shelf::json(&old), "{}").await.expect("resolved");
    assert_eq!(text_of(&read), "echo <command>\n");
    assert_eq!(
        read.document().expect("a document").command_line(),
        "exec '/bin/sh'"
    );
    // The agent takes an hour for a second.
    assert_eq!(read.told("command_timeout"), Some("20"));
}

#[tokio::test]
async fn values_are_those_that_the_user_gives_and_the_document_takes() {
    let declared =
        json!({ "user": { "type": "String", "allowedPattern": "^[a-z]+$", "maxChars": 8 } });
    let shelf = Shelf::json(&content(&json!(["echo {{ user }}"]), &declared));
    let given = read(&shelf, r#"{"user":"postgres"}"#)
        .await
        .expect("resolved");
    assert_eq!(text_of(&given), "echo postgres\n");
    for (parameters, reason) in [
        (
            "{}",
            r#"its parameter "user" has no default: set it in `parameters`"#,
        ),
        (
            r#"{"user":"Postgres"}"#,
            r#"its parameter "user" does not take "Postgres""#,
        ),
        (
            r#"{"user":"postgresql"}"#,
            r#"its parameter "user" does not take "postgresql""#,
        ),
        (r#"{"user":"a$1"}"#, "which the agent would interpret"),
        (
            r#"{"user":"a","other":"b"}"#,
            r#"it declares no parameter "other""#,
        ),
        (
            r#"{"user":"a","command":"pre-script"}"#,
            "is set by the provider itself",
        ),
    ] {
        let refused = read(&shelf, parameters).await.expect_err(parameters);
        assert!(refused.contains(reason), "{refused}");
        assert!(refused.starts_with("document freeze-orders: "), "{refused}");
    }
}

#[tokio::test]
async fn what_the_agent_would_do_otherwise_is_refused() {
    let line = |line: &str| content(&json!([line]), &json!({}));
    let with = |member: &str, value: serde_json::Value| {
        let mut content = line("true");
        content["mainSteps"][0][member] = value;
        content
    };
    let list = json!({ "list": { "type": "StringList", "default": ["a"] } });
    let env =
        json!({ "env": { "type": "String", "default": "a", "interpolationType": "ENV_VAR" } });
    let pattern = json!({ "a": { "type": "String", "default": "a", "allowedPattern": "(?=a)" } });
    let twice = {
        let mut content = line("true");
        let step = content["mainSteps"][0].clone();
        content["mainSteps"]
            .as_array_mut()
            .expect("steps")
            .push(step);
        content
    };
    let narrow = {
        let mut content = line("true");
        content["parameters"]["command"]["allowedValues"] = json!(["pre-script"]);
        content
    };
    for (content, reason) in [
        (line("echo {{ssm:secret}}"), r#"it refers to "ssm:secret""#),
        (
            line("echo {{ nope }}"),
            r#"a parameter "nope" that it does not declare"#,
        ),
        (
            content(&json!(["echo {{ list }}"]), &list),
            "is a StringList, which cannot stand in a text",
        ),
        (content(&json!(["true"]), &env), "interpolationType"),
        (content(&json!(["true"]), &pattern), "allowedPattern"),
        (
            with("onFailure", json!("successAndExit")),
            r#"it has "onFailure""#,
        ),
        (
            with("action", json!("aws:runDocument")),
            "is aws:runDocument",
        ),
        (
            with(
                "precondition",
                json!({ "StringEquals": ["platformType", "Windows"] }),
            ),
            "no step of it would run on Linux",
        ),
        (
            with(
                "precondition",
                json!({ "BinaryEquals": ["platformType", "Linux"] }),
            ),
            "only StringEquals is understood",
        ),
        (with("inputs", json!({})), r#"it lacks "runCommand""#),
        (twice, "several steps of it would run on Linux"),
        (
            narrow,
            r#"its parameter "command" does not take "post-script""#,
        ),
        (
            json!({ "schemaVersion": "0.3" }),
            "it declares no parameter",
        ),
        (json!("nothing"), "its content cannot be read"),
    ] {
        let refused = read(&Shelf::json(&content), "{}").await.expect_err(reason);
        assert!(refused.contains(reason), "{refused}");
    }
}

#[tokio::test]
async fn another_text_than_the_pinned_one_is_not_even_read() {
    let mut shelf = Shelf::yaml("{");
    shelf.facts.hash = HASH.replace('e', "f");
    let refused = read(&shelf, "{}").await.expect_err("another hash");
    assert!(
        refused.contains(HASH) && refused.contains(&shelf.facts.hash),
        "{refused}"
    );
    assert!(refused.contains("version 7"), "{refused}");
    for (change, reason) in [
        (
            (|facts| facts.status = "Updating".to_owned()) as fn(&mut DocumentFacts),
            "it is Updating",
        ),
        (
            |facts| facts.platforms = vec!["Windows".to_owned()],
            "not made for Linux",
        ),
        (
            |facts| facts.hash_type = "Sha1".to_owned(),
            "only Sha256 pins it",
        ),
    ] {
        let mut shelf = Shelf::yaml(WRITTEN);
        change(&mut shelf.facts);
        let refused = read(&shelf, "{}").await.expect_err(reason);
        assert!(refused.contains(reason), "{refused}");
    }
}

#[tokio::test]
async fn other_engines_are_left_as_they_are() {
    let engine = Engine::named("custom").expect("an engine of ours");
    let custom = Options::new(engine).with("paths", "/srv").expect("paths");
    let same = resolve(&Shelf::yaml("{"), custom)
        .await
        .expect("nothing to read");
    assert!(same.document().is_none());
}
