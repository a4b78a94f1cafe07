//! Whether a block of hashicorp/aws fits: its arguments, all of them, with their types.

use std::collections::BTreeMap;

use tfplug::{
    Model, Type,
    schema::{Block, Nesting},
};

use super::ProviderBlock;

/// Paths and types of hashicorp/aws's arguments.
fn of_aws() -> BTreeMap<String, String> {
    let lines = include_str!("../aws-5.100.0.txt").lines();
    let lines = lines.filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once(' '));
    pairs
        .map(|(path, ty)| (path.to_owned(), ty.to_owned()))
        .collect()
}

fn ours(block: &Block, prefix: &str) -> BTreeMap<String, String> {
    let attributes = block.attributes.iter().map(|attribute| {
        let path = format!("{prefix}{}", attribute.name);
        (path, spelled(&attribute.shape.ty()))
    });
    let nested = block.blocks.iter().flat_map(|inner| {
        let prefix = format!("{prefix}{}.", inner.name);
        ours(&inner.block, &prefix)
    });
    attributes.chain(nested).collect()
}

fn spelled(ty: &Type) -> String {
    match ty {
        Type::String => "string".to_owned(),
        Type::Number => "number".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::List(element) => format!("list({})", spelled(element)),
        Type::Set(element) => format!("set({})", spelled(element)),
        Type::Map(element) => format!("map({})", spelled(element)),
        other => panic!("no argument of hashicorp/aws is {other:?}"),
    }
}

#[test]
fn every_argument_of_the_aws_provider_is_taken_and_none_is_made_up() {
    assert_eq!(ours(&ProviderBlock::block(), ""), of_aws());
}

/// In hashicorp/aws all blocks may be repeated, as far as the schema goes. Where more than one means something, so it does here.
#[test]
fn blocks_may_be_repeated_where_that_means_something() {
    let nesting: BTreeMap<_, _> = ProviderBlock::block()
        .blocks
        .into_iter()
        .map(|inner| (inner.name, inner.nesting))
        .collect();
    assert_eq!(nesting["assume_role"], Nesting::List, "a chain");
    assert_eq!(
        nesting["endpoints"],
        Nesting::Set,
        "one URL here, one there"
    );
    for once in [
        "assume_role_with_web_identity",
        "default_tags",
        "ignore_tags",
    ] {
        assert_eq!(nesting[once], Nesting::Single, "{once}");
    }
}
