//! `#[tf(flatten)]`: the attributes of one struct among those of another.

use std::collections::BTreeMap;

use tfplug::{Cty, Model};

#[derive(Debug, PartialEq, Model)]
struct Address {
    /// Where.
    #[tf(required)]
    host: String,
}

#[derive(Debug, PartialEq, Model)]
struct Server {
    #[tf(flatten)]
    address: Address,
    /// How many at once.
    #[tf(optional)]
    limit: Option<i64>,
}

#[test]
fn a_flattened_struct_stands_in_its_owner() {
    let attributes = Server::block().attributes.into_iter();
    let names: Vec<String> = attributes.map(|it| it.name).collect();
    assert_eq!(names, ["host", "limit"]);
    let server = || Server {
        address: Address {
            host: "db".to_owned(),
        },
        limit: Some(3),
    };
    let Cty::Map(fields) = server().into_cty() else {
        panic!("no object");
    };
    assert_eq!(fields["host"], Cty::String("db".to_owned()));
    assert_eq!(Server::from_cty(Cty::Map(fields)), Ok(server()));
}

#[test]
fn what_a_flattened_struct_lacks_has_its_place() {
    let error = Server::from_cty(Cty::Map(BTreeMap::new())).expect_err("no host");
    assert_eq!(error.path().to_string(), "host");
}
