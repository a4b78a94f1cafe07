//! A client of the toy provider that says what a test wants it to say.

use std::io::Read;

use rmp::Marker;
use serde_json::{Map, Value as Json, json};
use tonic::transport::{Channel, Endpoint};

use crate::{
    transport::{COOKIE, Started, VERSIONS},
    workspace::Workspace,
};

/// The messages, compiled from the same definitions as the server's.
#[allow(clippy::pedantic, dead_code, unreachable_pub)]
pub(crate) mod proto {
    tonic::include_proto!("tfplugin6");

    pub(crate) mod go_plugin {
        tonic::include_proto!("plugin");
    }

    pub(crate) mod health {
        tonic::include_proto!("grpc.health.v1");
    }
}

pub(crate) use proto::provider_client::ProviderClient;
use proto::{ClientCapabilities, DynamicValue, ResourceIdentityData, configure_provider};

/// The toy provider, started as Terraform does it, on a box of its own.
pub(crate) struct Wire {
    _process: Started,
    pub(crate) workspace: Workspace,
    pub(crate) channel: Channel,
    pub(crate) provider: ProviderClient<Channel>,
}

impl Wire {
    /// Not configured yet.
    pub(crate) async fn bare() -> Self {
        let process = Started::with(&[COOKIE, VERSIONS, ("TF_DISABLE_PLUGIN_TLS", "1")]);
        let endpoint = Endpoint::from_shared(format!("unix:{}", process.socket)).unwrap();
        let channel = endpoint.connect().await.unwrap();
        Self {
            _process: process,
            workspace: Workspace::new(""),
            provider: ProviderClient::new(channel.clone()),
            channel,
        }
    }

    pub(crate) async fn new() -> Self {
        let mut wire = Self::bare().await;
        let directory = wire.workspace.path("box").display().to_string();
        let request = configure_provider::Request {
            terraform_version: "1.16.0".to_owned(),
            config: value(&json!({ "directory": directory })),
            client_capabilities: Some(capabilities()),
        };
        let answer = wire.provider.configure_provider(request).await.unwrap();
        assert_eq!(answer.into_inner().diagnostics, []);
        wire
    }

    /// Puts a thing into the box.
    pub(crate) fn put(&self, name: &str, colour: &str) {
        let stored = json!({ "size": "medium", "labels": null, "colour": colour, "revision": 3 });
        std::fs::write(self.workspace.toy(name), stored.to_string()).unwrap();
    }
}

/// Those of Terraform 1.16.
pub(crate) fn capabilities() -> ClientCapabilities {
    ClientCapabilities {
        deferral_allowed: false,
        write_only_attributes_allowed: true,
        store_planned_private: true,
        computed_blocks_allowed: true,
    }
}

/// The wire's second form, which every server has to read.
#[allow(clippy::unnecessary_wraps, reason = "as messages hold it")]
pub(crate) fn value(json: &Json) -> Option<DynamicValue> {
    Some(DynamicValue {
        msgpack: Vec::new(),
        json: json.to_string().into_bytes(),
    })
}

#[allow(clippy::unnecessary_wraps, reason = "as messages hold it")]
pub(crate) fn identity(json: &Json) -> Option<ResourceIdentityData> {
    let identity_data = value(json);
    Some(ResourceIdentityData { identity_data })
}

/// A thing's attributes, all of them, with these set.
pub(crate) fn thing(set: Json) -> Json {
    let mut thing = json!({
        "name": null, "size": null, "labels": null, "colour": null, "secret": null, "fail": null, "id": null,
        "revision": null, "secret_length": null,
    });
    let Json::Object(set) = set else {
        panic!("an object")
    };
    thing.as_object_mut().unwrap().extend(set);
    thing
}

/// An answer, which is msgpack always, with numbers as texts; `"?"` where it is unknown.
#[track_caller]
pub(crate) fn read(answer: Option<DynamicValue>) -> Json {
    let answer = answer.expect("a value");
    assert!(
        answer.json.is_empty(),
        "Terraform does not read JSON in every answer"
    );
    let mut bytes = answer.msgpack.as_slice();
    let json = decoded(&mut bytes);
    assert!(bytes.is_empty(), "{} bytes are left", bytes.len());
    json
}

#[track_caller]
pub(crate) fn read_identity(answer: Option<ResourceIdentityData>) -> Json {
    read(answer.expect("an identity").identity_data)
}

fn decoded(bytes: &mut &[u8]) -> Json {
    let mut peeked = *bytes;
    match rmp::decode::read_marker(&mut peeked).unwrap() {
        Marker::Null => {
            *bytes = peeked;
            Json::Null
        }
        Marker::True | Marker::False => rmp::decode::read_bool(bytes).unwrap().into(),
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => text(bytes).into(),
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
            let length = rmp::decode::read_array_len(bytes).unwrap();
            (0..length).map(|_| decoded(bytes)).collect()
        }
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
            let length = rmp::decode::read_map_len(bytes).unwrap();
            let entries = (0..length).map(|_| (text(bytes), decoded(bytes)));
            Json::Object(entries.collect::<Map<_, _>>())
        }
        Marker::F32 | Marker::F64 => rmp::decode::read_f64(bytes).unwrap().into(),
        Marker::FixExt1 | Marker::FixExt2 | Marker::Ext8 => {
            let meta = rmp::decode::read_ext_meta(bytes).unwrap();
            *bytes = &bytes[meta.size as usize..];
            "?".into()
        }
        _ => rmp::decode::read_int::<i64, _>(bytes).unwrap().into(),
    }
}

fn text(bytes: &mut &[u8]) -> String {
    let length = rmp::decode::read_str_len(bytes).unwrap();
    let mut text = vec![0; length as usize];
    bytes.read_exact(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}
