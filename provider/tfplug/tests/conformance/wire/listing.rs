//! Lists (Terraform 1.14): results stream until there are no more, or nobody wants more.

use serde_json::{Value as Json, json};

use super::client::{
    Wire,
    proto::{
        list_resource::{Event, Request},
        *,
    },
    read, read_identity, value,
};

fn query(config: &Json) -> Request {
    Request {
        type_name: "toy_thing".to_owned(),
        config: value(config),
        include_resource_object: false,
        limit: 100,
    }
}

fn any() -> Json {
    json!({ "colour": null, "prefix": null, "stuck": null })
}

async fn events(wire: &mut Wire, request: Request) -> Vec<Event> {
    let answer = wire.provider.list_resource(request).await.unwrap();
    let mut stream = answer.into_inner();
    let mut events = Vec::new();
    while let Some(event) = stream.message().await.unwrap() {
        events.push(event);
    }
    events
}

async fn box_of_three() -> Wire {
    let wire = Wire::new().await;
    for (name, colour) in [("alpha", "green"), ("beta", "red"), ("gamma", "green")] {
        wire.put(name, colour);
    }
    wire
}

fn names(events: &[Event]) -> Vec<Json> {
    let named = events.iter().filter(|event| event.identity.is_some());
    named
        .map(|event| read_identity(event.identity.clone())["name"].clone())
        .collect()
}

#[tokio::test]
async fn everything_is_found_with_its_identity() {
    let mut wire = box_of_three().await;
    let events = events(&mut wire, query(&any())).await;
    assert_eq!(names(&events), ["alpha", "beta", "gamma"]);
    assert_eq!(events[0].display_name, "the thing alpha");
    assert_eq!(events[0].resource_object, None, "nobody asked for it");
    let last = events.last().unwrap();
    assert_eq!(last.diagnostic[0].summary, "That is all");
    assert_eq!(last.identity, None, "diagnostics stand alone");
}

#[tokio::test]
async fn a_configuration_narrows_it_down() {
    let mut wire = box_of_three().await;
    let green = json!({ "colour": "green", "prefix": null, "stuck": null });
    assert_eq!(
        names(&events(&mut wire, query(&green)).await),
        ["alpha", "gamma"]
    );
    let b = json!({ "colour": null, "prefix": "b", "stuck": null });
    assert_eq!(names(&events(&mut wire, query(&b)).await), ["beta"]);
}

#[tokio::test]
async fn whole_objects_come_on_demand() {
    let mut wire = box_of_three().await;
    let request = Request {
        include_resource_object: true,
        ..query(&any())
    };
    let events = events(&mut wire, request).await;
    let object = read(events[1].resource_object.clone());
    assert_eq!(
        (&object["name"], &object["colour"], &object["secret"]),
        (&json!("beta"), &json!("red"), &json!(null))
    );
}

#[tokio::test]
async fn enough_is_enough() {
    let mut wire = box_of_three().await;
    let two = Request {
        limit: 2,
        ..query(&any())
    };
    let events = events(&mut wire, two).await;
    assert_eq!(names(&events), ["alpha", "beta"]);
    assert_eq!(events.len(), 2, "the rest was not even looked at");
}

#[tokio::test]
async fn what_was_found_before_an_error_is_told() {
    let mut wire = box_of_three().await;
    let stuck = json!({ "colour": null, "prefix": null, "stuck": "beta" });
    let events = events(&mut wire, query(&stuck)).await;
    assert_eq!(names(&events), ["alpha"]);
    assert_eq!(events[1].diagnostic[0].summary, "Stuck");
}

#[tokio::test]
async fn a_reader_that_leaves_does_no_harm() {
    let mut wire = Wire::new().await;
    for number in 0..200 {
        wire.put(&format!("thing-{number:03}"), "grey");
    }
    let answer = wire.provider.list_resource(query(&any())).await.unwrap();
    let mut stream = answer.into_inner();
    assert!(stream.message().await.unwrap().is_some());
    drop(stream);
    let one = json!({ "colour": null, "prefix": "thing-199", "stuck": null });
    assert_eq!(names(&events(&mut wire, query(&one)).await), ["thing-199"]);
}

#[tokio::test]
async fn a_list_that_is_not_there_is_an_error() {
    let mut wire = Wire::new().await;
    let request = Request {
        type_name: "toy_gallery".to_owned(),
        ..query(&any())
    };
    let events = events(&mut wire, request).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].diagnostic[0].summary, "No such list");
}

#[tokio::test]
async fn configurations_are_checked() {
    let mut wire = Wire::bare().await;
    let mut check = async |config: Json| {
        let request = validate_list_resource_config::Request {
            type_name: "toy_thing".to_owned(),
            config: value(&config),
            ..validate_list_resource_config::Request::default()
        };
        let answer = wire.provider.validate_list_resource_config(request).await;
        answer.unwrap().into_inner().diagnostics
    };
    assert_eq!(check(any()).await, []);
    let long = "x".repeat(31);
    let wrong = check(json!({ "colour": "", "prefix": long, "stuck": null })).await;
    let said: Vec<&str> = wrong.iter().map(|it| it.summary.as_str()).collect();
    assert_eq!(said, ["Invalid value for \"prefix\"", "No colour"]);
}
