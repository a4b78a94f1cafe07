//! Identities (Terraform 1.12), and configurations made of state (Terraform 1.14).

use serde_json::{Value as Json, json};

use super::client::{
    Wire, identity,
    proto::{RawState, *},
    read, read_identity, thing, value,
};

const TYPE: &str = "toy_thing";

fn alpha() -> Json {
    json!({ "name": "alpha", "kind": "thing" })
}

/// What an apply left of the thing `alpha`.
fn made() -> Json {
    thing(json!({
        "name": "alpha", "size": "medium", "colour": "green", "id": "alpha", "revision": 3, "secret_length": 0,
    }))
}

#[tokio::test]
async fn the_schema_says_what_an_import_needs() {
    let mut wire = Wire::bare().await;
    let request = get_resource_identity_schemas::Request {};
    let answer = wire.provider.get_resource_identity_schemas(request).await;
    let schemas = answer.unwrap().into_inner().identity_schemas;
    assert_eq!(schemas.len(), 1, "the other resources have none");
    let schema = &schemas[TYPE];
    assert_eq!(schema.version, 1);
    let [name, kind] = schema.identity_attributes.as_slice() else {
        panic!("{schema:?}")
    };
    assert_eq!((&*name.name, &*name.r#type), ("name", &b"\"string\""[..]));
    assert_eq!(name.description, "The thing's name.");
    assert!(name.required_for_import && !name.optional_for_import);
    assert!(!kind.required_for_import && kind.optional_for_import);
}

#[tokio::test]
async fn a_new_object_gets_its_identity_when_it_is_made() {
    let mut wire = Wire::new().await;
    let config = thing(json!({ "name": "alpha" }));
    let request = plan_resource_change::Request {
        type_name: TYPE.to_owned(),
        proposed_new_state: value(&config),
        config: value(&config),
        ..plan_resource_change::Request::default()
    };
    let planned = wire.provider.plan_resource_change(request).await.unwrap();
    let planned = planned.into_inner();
    assert_eq!(planned.diagnostics, []);
    assert_eq!(planned.planned_identity, None, "nobody knows it yet");

    let request = apply_resource_change::Request {
        type_name: TYPE.to_owned(),
        planned_state: planned.planned_state,
        planned_private: planned.planned_private,
        config: value(&config),
        ..apply_resource_change::Request::default()
    };
    let made = wire.provider.apply_resource_change(request).await.unwrap();
    let made = made.into_inner();
    assert_eq!(made.diagnostics, []);
    assert_eq!(read(made.new_state)["colour"], "grey");
    assert_eq!(read_identity(made.new_identity), alpha());
}

#[tokio::test]
async fn a_change_keeps_the_identity_and_a_replacement_does_not() {
    let mut wire = Wire::new().await;
    let mut plan = async |prior: Option<Json>, identity: Option<Json>| {
        let config = thing(json!({ "name": "alpha", "size": "large" }));
        let request = plan_resource_change::Request {
            type_name: TYPE.to_owned(),
            prior_state: prior.as_ref().and_then(value),
            prior_identity: identity.as_ref().and_then(super::client::identity),
            proposed_new_state: value(&thing(json!({
                "name": "alpha", "size": "large", "colour": "green", "id": "alpha", "revision": 3, "secret_length": 0,
            }))),
            config: value(&config),
            ..plan_resource_change::Request::default()
        };
        let planned = wire.provider.plan_resource_change(request).await;
        planned.unwrap().into_inner().planned_identity
    };
    let kept = plan(Some(made()), Some(alpha())).await;
    assert_eq!(read_identity(kept), alpha());
    let first_seen = plan(Some(made()), None).await;
    assert_eq!(
        read_identity(first_seen),
        alpha(),
        "of state from before identities"
    );
    // The second half of a replacement is planned from nothing, but with the old identity.
    assert_eq!(plan(None, Some(alpha())).await, None);
}

#[tokio::test]
async fn a_refresh_tells_the_identity_and_notices_another() {
    let mut wire = Wire::new().await;
    wire.put("alpha", "green");
    let mut refresh = async |known: Option<Json>| {
        let request = read_resource::Request {
            type_name: TYPE.to_owned(),
            current_state: value(&made()),
            current_identity: known.as_ref().and_then(identity),
            ..read_resource::Request::default()
        };
        wire.provider
            .read_resource(request)
            .await
            .unwrap()
            .into_inner()
    };
    for known in [
        None,
        Some(alpha()),
        Some(json!({ "name": null, "kind": null })),
        Some(json!({ "name": "alpha", "kind": null })),
    ] {
        let told = refresh(known).await;
        assert_eq!(told.diagnostics, []);
        assert_eq!(read_identity(told.new_identity), alpha());
    }
    let other = refresh(Some(json!({ "name": "beta", "kind": "thing" }))).await;
    assert_eq!(
        other.diagnostics[0].summary,
        "The object's identity changed"
    );
}

#[tokio::test]
async fn an_object_that_is_gone_has_none() {
    let mut wire = Wire::new().await;
    let request = read_resource::Request {
        type_name: TYPE.to_owned(),
        current_state: value(&made()),
        current_identity: identity(&alpha()),
        ..read_resource::Request::default()
    };
    let told = wire.provider.read_resource(request).await.unwrap();
    let told = told.into_inner();
    assert_eq!(read(told.new_state), json!(null));
    assert_eq!(told.new_identity, None);

    let request = apply_resource_change::Request {
        type_name: TYPE.to_owned(),
        prior_state: value(&made()),
        planned_identity: identity(&alpha()),
        ..apply_resource_change::Request::default()
    };
    let gone = wire.provider.apply_resource_change(request).await.unwrap();
    let gone = gone.into_inner();
    assert_eq!((gone.diagnostics, gone.new_identity), (vec![], None));
}

#[tokio::test]
async fn an_import_by_identity_needs_no_more_than_it_says() {
    let mut wire = Wire::new().await;
    wire.put("alpha", "green");
    let mut import = async |by: Json| {
        let request = import_resource_state::Request {
            type_name: TYPE.to_owned(),
            identity: identity(&by),
            ..import_resource_state::Request::default()
        };
        let answer = wire.provider.import_resource_state(request).await;
        answer.unwrap().into_inner()
    };
    for by in [alpha(), json!({ "name": "alpha", "kind": null })] {
        let mut imported = import(by).await.imported_resources;
        let imported = imported.pop().unwrap();
        let state = read(imported.state);
        assert_eq!(
            (&state["colour"], &state["revision"]),
            (&json!("green"), &json!("3"))
        );
        assert_eq!(read_identity(imported.identity), alpha());
    }
    let refused = import(json!({ "name": "alpha", "kind": "unicorn" })).await;
    assert_eq!(refused.diagnostics[0].summary, "No such kind");
    assert!(refused.imported_resources.is_empty());
}

#[tokio::test]
async fn an_import_by_id_tells_the_identity_as_well() {
    let mut wire = Wire::new().await;
    wire.put("alpha", "green");
    let request = import_resource_state::Request {
        type_name: TYPE.to_owned(),
        id: "alpha".to_owned(),
        ..import_resource_state::Request::default()
    };
    let answer = wire.provider.import_resource_state(request).await.unwrap();
    let imported = answer.into_inner().imported_resources.pop().unwrap();
    assert_eq!(read_identity(imported.identity), alpha());
}

#[tokio::test]
async fn a_resource_without_identity_says_so() {
    let mut wire = Wire::new().await;
    let request = import_resource_state::Request {
        type_name: "toy_sleeper".to_owned(),
        id: "x".to_owned(),
        identity: identity(&alpha()),
        ..import_resource_state::Request::default()
    };
    let answer = wire.provider.import_resource_state(request).await.unwrap();
    let refused = answer.into_inner().diagnostics;
    assert_eq!(refused[0].summary, "Import is not supported");
}

#[tokio::test]
async fn an_identity_of_an_older_version_is_upgraded() {
    let mut wire = Wire::bare().await;
    let mut upgrade = async |version: i64, stored: &str| {
        let request = upgrade_resource_identity::Request {
            type_name: TYPE.to_owned(),
            version,
            raw_identity: Some(RawState {
                json: stored.as_bytes().to_vec(),
                ..RawState::default()
            }),
        };
        let answer = wire.provider.upgrade_resource_identity(request).await;
        let answer = answer.unwrap().into_inner();
        assert_eq!(answer.diagnostics, []);
        answer.upgraded_identity
    };
    let old = upgrade(0, r#"{ "title": "alpha", "kind": "thing" }"#).await;
    assert_eq!(read_identity(old), alpha());
    let current = upgrade(1, &alpha().to_string()).await;
    assert_eq!(read_identity(current), alpha());
    assert_eq!(upgrade(0, "").await, None, "of nothing is made nothing");
}

#[tokio::test]
async fn a_configuration_is_made_of_what_was_found() {
    let mut wire = Wire::bare().await;
    let mut configure = async |found: Json| {
        let request = generate_resource_config::Request {
            type_name: TYPE.to_owned(),
            state: value(&found),
        };
        let answer = wire.provider.generate_resource_config(request).await;
        let answer = answer.unwrap().into_inner();
        assert_eq!(answer.diagnostics, []);
        read(answer.config)
    };
    let green = thing(json!({ "name": "alpha", "colour": "green" }));
    assert_eq!(
        configure(made()).await,
        green,
        "without what is default or read-only"
    );
    let mut grey = made();
    grey["colour"] = json!("grey");
    grey["size"] = json!("large");
    let expected = thing(json!({ "name": "alpha", "size": "large" }));
    assert_eq!(
        configure(grey).await,
        expected,
        "and without what the resource leaves out"
    );
    assert_eq!(
        configure(json!(null)).await,
        json!(null),
        "of nothing is made nothing"
    );
}
