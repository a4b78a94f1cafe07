//! RPCs that no Terraform asks this provider for, or none that is at hand: each has a proper answer.

use serde_json::json;
use tokio_stream::StreamExt as _;

use super::client::{
    Wire, capabilities,
    proto::{
        Diagnostic, RawState, go_plugin, health,
        invoke_action::{self, event},
        *,
    },
    read, read_identity, thing, value,
};

/// The only thing said, and what it is about.
#[track_caller]
fn says(diagnostics: &[Diagnostic], words: &str) {
    assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
    let said = format!("{}: {}", diagnostics[0].summary, diagnostics[0].detail);
    assert!(said.contains(words), "{said}");
}

#[tokio::test]
async fn metadata_names_everything() {
    let mut wire = Wire::bare().await;
    let answer = wire.provider.get_metadata(get_metadata::Request {});
    let told = answer.await.unwrap().into_inner();
    let resources: Vec<_> = told.resources.iter().map(|it| &it.type_name).collect();
    assert_eq!(resources, ["toy_gallery", "toy_sleeper", "toy_thing"]);
    assert_eq!(told.data_sources[0].type_name, "toy_shelf");
    assert_eq!(told.list_resources[0].type_name, "toy_thing");
    let functions: Vec<_> = told.functions.iter().map(|it| &it.name).collect();
    assert_eq!(functions, ["describe", "join"]);
    let able = told.server_capabilities.unwrap();
    assert!(able.plan_destroy && able.move_resource_state && able.generate_resource_config);
}

#[tokio::test]
async fn functions_can_be_asked_for_alone() {
    let mut wire = Wire::bare().await;
    let answer = wire.provider.get_functions(get_functions::Request {});
    let functions = answer.await.unwrap().into_inner().functions;
    assert_eq!(functions["join"].summary, "Joins texts");
    assert!(functions["join"].variadic_parameter.is_some());
}

#[tokio::test]
async fn an_unknown_type_is_an_error_and_no_crash() {
    let mut wire = Wire::new().await;
    let request = read_resource::Request {
        type_name: "toy_unicorn".to_owned(),
        ..read_resource::Request::default()
    };
    let answer = wire.provider.read_resource(request).await.unwrap();
    says(
        &answer.into_inner().diagnostics,
        "no resource \"toy_unicorn\"",
    );
}

#[tokio::test]
async fn a_terraform_that_would_store_it_gets_no_write_only_value() {
    let mut wire = Wire::bare().await;
    let mut ask = async |secret: serde_json::Value, write_only_attributes_allowed| {
        let request = validate_resource_config::Request {
            type_name: "toy_thing".to_owned(),
            config: value(&thing(json!({ "name": "alpha", "secret": secret }))),
            client_capabilities: Some(ClientCapabilities {
                write_only_attributes_allowed,
                ..capabilities()
            }),
        };
        let answer = wire.provider.validate_resource_config(request).await;
        answer.unwrap().into_inner().diagnostics
    };
    says(
        &ask(json!("x"), false).await,
        "\"secret\" must not be stored",
    );
    assert_eq!(ask(json!("x"), true).await, []);
    assert_eq!(ask(json!(null), false).await, []);
}

#[tokio::test]
async fn ephemeral_resources_are_not_offered() {
    let mut wire = Wire::bare().await;
    let name = || "toy_dream".to_owned();
    let expected = "no ephemeral resource \"toy_dream\"";
    let request = validate_ephemeral_resource_config::Request {
        type_name: name(),
        ..validate_ephemeral_resource_config::Request::default()
    };
    let provider = &mut wire.provider;
    let answer = provider.validate_ephemeral_resource_config(request).await;
    says(&answer.unwrap().into_inner().diagnostics, expected);
    let request = open_ephemeral_resource::Request {
        type_name: name(),
        ..open_ephemeral_resource::Request::default()
    };
    let answer = provider.open_ephemeral_resource(request).await;
    says(&answer.unwrap().into_inner().diagnostics, expected);
    let request = renew_ephemeral_resource::Request {
        type_name: name(),
        private: None,
    };
    let answer = provider.renew_ephemeral_resource(request).await;
    says(&answer.unwrap().into_inner().diagnostics, expected);
    let request = close_ephemeral_resource::Request {
        type_name: name(),
        private: None,
    };
    let answer = provider.close_ephemeral_resource(request).await;
    says(&answer.unwrap().into_inner().diagnostics, expected);
}

#[tokio::test]
async fn actions_are_not_offered() {
    let mut wire = Wire::bare().await;
    let expected = "no action \"toy_throw\"";
    let request = validate_action_config::Request {
        type_name: "toy_throw".to_owned(),
        config: None,
    };
    let answer = wire.provider.validate_action_config(request).await;
    says(&answer.unwrap().into_inner().diagnostics, expected);
    let request = plan_action::Request {
        action_type: "toy_throw".to_owned(),
        ..plan_action::Request::default()
    };
    let answer = wire.provider.plan_action(request).await;
    says(&answer.unwrap().into_inner().diagnostics, expected);
    let request = invoke_action::Request {
        action_type: "toy_throw".to_owned(),
        ..invoke_action::Request::default()
    };
    let mut events = wire
        .provider
        .invoke_action(request)
        .await
        .unwrap()
        .into_inner();
    let first = events.message().await.unwrap().unwrap();
    let Some(event::Type::Completed(completed)) = first.r#type else {
        panic!("{first:?}")
    };
    says(&completed.diagnostics, expected);
    assert_eq!(events.message().await.unwrap(), None, "that is its end");
}

#[tokio::test]
async fn state_stores_are_not_offered() {
    let mut wire = Wire::bare().await;
    let expected = "no state store \"toy_drawer\"";
    let (type_name, state_id) = ("toy_drawer".to_owned(), "default".to_owned());
    let request = validate_state_store::Request {
        type_name: type_name.clone(),
        config: None,
    };
    let answer = wire.provider.validate_state_store_config(request).await;
    says(&answer.unwrap().into_inner().diagnostics, expected);
    let request = configure_state_store::Request {
        type_name: type_name.clone(),
        ..configure_state_store::Request::default()
    };
    let answer = wire.provider.configure_state_store(request).await;
    says(&answer.unwrap().into_inner().diagnostics, expected);
    let request = lock_state::Request {
        type_name: type_name.clone(),
        state_id: state_id.clone(),
        operation: "plan".to_owned(),
    };
    let answer = wire.provider.lock_state(request).await;
    says(&answer.unwrap().into_inner().diagnostics, expected);
    let request = unlock_state::Request {
        type_name: type_name.clone(),
        state_id: state_id.clone(),
        lock_id: "1".to_owned(),
    };
    let answer = wire.provider.unlock_state(request).await;
    says(&answer.unwrap().into_inner().diagnostics, expected);
    let request = get_states::Request {
        type_name: type_name.clone(),
    };
    let answer = wire.provider.get_states(request).await;
    says(&answer.unwrap().into_inner().diagnostics, expected);
    let request = delete_state::Request {
        type_name,
        state_id,
    };
    let answer = wire.provider.delete_state(request).await;
    says(&answer.unwrap().into_inner().diagnostics, expected);
}

#[tokio::test]
async fn state_does_not_flow_either_way() {
    let mut wire = Wire::bare().await;
    let expected = "no state store \"toy_drawer\"";
    let (type_name, state_id) = ("toy_drawer".to_owned(), "default".to_owned());
    let request = read_state_bytes::Request {
        type_name: type_name.clone(),
        state_id: state_id.clone(),
    };
    let answer = wire.provider.read_state_bytes(request).await;
    let mut chunks = answer.unwrap().into_inner();
    let first = chunks.message().await.unwrap().unwrap();
    says(&first.diagnostics, expected);
    assert_eq!(chunks.message().await.unwrap(), None, "that is its end");
    let chunk = write_state_bytes::RequestChunk {
        meta: Some(RequestChunkMeta {
            type_name,
            state_id,
        }),
        bytes: b"{}".to_vec(),
        total_length: 2,
        range: Some(StateRange { start: 0, end: 2 }),
    };
    let answer = wire.provider.write_state_bytes(tokio_stream::once(chunk));
    says(&answer.await.unwrap().into_inner().diagnostics, expected);
}

#[tokio::test]
async fn what_go_plugin_asks_for_is_there() {
    let wire = Wire::bare().await;
    let mut health = health::health_client::HealthClient::new(wire.channel.clone());
    let mut ask = async |service: &str| {
        let service = service.to_owned();
        let answer = health.check(health::HealthCheckRequest { service }).await;
        answer.map(|it| it.into_inner().status)
    };
    let serving = health::health_check_response::ServingStatus::Serving as i32;
    assert_eq!(ask("plugin").await.unwrap(), serving);
    let unknown = ask("unicorn").await.unwrap_err();
    assert_eq!(unknown.code(), tonic::Code::NotFound);
    let request = health::HealthCheckRequest {
        service: "plugin".to_owned(),
    };
    let mut watched = health.watch(request).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status, serving);

    let broker = go_plugin::grpc_broker_client::GrpcBrokerClient::new(wire.channel.clone());
    let stdio = go_plugin::grpc_stdio_client::GrpcStdioClient::new(wire.channel.clone());
    let (mut broker, mut stdio) = (broker, stdio);
    let mut connections = broker
        .start_stream(tokio_stream::pending::<go_plugin::ConnInfo>())
        .await
        .unwrap()
        .into_inner();
    let mut output = stdio.stream_stdio(()).await.unwrap().into_inner();

    let mut controller =
        go_plugin::grpc_controller_client::GrpcControllerClient::new(wire.channel.clone());
    controller.shutdown(go_plugin::Empty {}).await.unwrap();
    // Both were open until now, and say nothing.
    assert!(matches!(connections.next().await, None | Some(Err(_))));
    assert!(matches!(output.next().await, None | Some(Err(_))));
}

#[tokio::test]
async fn a_moved_thing_has_an_identity() {
    let mut wire = Wire::new().await;
    let request = move_resource_state::Request {
        source_provider_address: "terraform.io/builtin/terraform".to_owned(),
        source_type_name: "terraform_data".to_owned(),
        source_state: Some(RawState {
            json: json!({ "input": { "value": "alpha" } })
                .to_string()
                .into_bytes(),
            ..RawState::default()
        }),
        target_type_name: "toy_thing".to_owned(),
        ..move_resource_state::Request::default()
    };
    let answer = wire.provider.move_resource_state(request).await.unwrap();
    let answer = answer.into_inner();
    assert_eq!(answer.diagnostics, []);
    assert_eq!(read(answer.target_state)["name"], "alpha");
    let expected = json!({ "name": "alpha", "kind": "thing" });
    assert_eq!(read_identity(answer.target_identity), expected);
}
