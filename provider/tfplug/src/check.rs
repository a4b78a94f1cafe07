//! Finds mistakes in schemas that Terraform would refuse at run time, or that would fail at the first apply.

use crate::{
    Type,
    schema::{Attribute, Block, Flag, Mode, Nesting, Shape},
};

/// Arguments that Terraform itself gives a meaning in resource and data blocks.
const RESERVED: [&str; 7] = [
    "connection",
    "count",
    "depends_on",
    "for_each",
    "lifecycle",
    "provider",
    "provisioner",
];

/// Where in the schema, and what is known there.
struct Place<'a> {
    name: String,
    /// Everything inside is unknown together with what is around it.
    computed: bool,
    in_set: bool,
    problems: &'a mut Vec<String>,
}

pub(crate) fn resource(name: &str, block: &Block, problems: &mut Vec<String>) {
    problems.extend(reserved(name, block));
    self::block(name, block, problems);
}

pub(crate) fn data_source(name: &str, block: &Block, problems: &mut Vec<String>) {
    let stored = block
        .attributes
        .iter()
        .filter(|attribute| attribute.is(Flag::WriteOnly));
    problems.extend(stored.map(|attribute| {
        format!(
            "{name}.{}: a data source has no write-only attributes",
            attribute.name
        )
    }));
    problems.extend(reserved(name, block));
    self::block(name, block, problems);
}

/// What core takes as an identity: nothing that has to be looked into (`loadschemas/plugins.go` in hashicorp/terraform).
pub(crate) fn identity(name: &str, block: &Block, problems: &mut Vec<String>) {
    let name = format!("{name}'s identity");
    problems.extend(
        block
            .blocks
            .iter()
            .map(|inner| format!("{name}.{}: an identity has no blocks", inner.name)),
    );
    for attribute in &block.attributes {
        let place = format!("{name}.{}", attribute.name);
        if !matches!(attribute.mode, Mode::Required | Mode::Optional) {
            problems.push(format!(
                "{place}: an import has to give it (required) or may leave it out (optional)"
            ));
        }
        if !is_plain(&attribute.shape.ty()) {
            problems.push(format!(
                "{place}: an identity is made of texts, numbers, bools, and lists of them"
            ));
        }
    }
    self::block(&name, block, problems);
}

fn is_plain(ty: &Type) -> bool {
    match ty {
        Type::String | Type::Number | Type::Bool => true,
        Type::List(element) => !matches!(**element, Type::List(_)) && is_plain(element),
        _ => false,
    }
}

/// A list's configuration is all that there is of it: nothing is stored, nothing computed.
pub(crate) fn list(name: &str, block: &Block, problems: &mut Vec<String>) {
    let name = format!("list {name}");
    let wrong = block.attributes.iter().filter(|attribute| {
        let computed = attribute.is_computed() && attribute.default.is_none();
        computed || attribute.is(Flag::WriteOnly)
    });
    problems.extend(wrong.map(|attribute| {
        format!(
            "{name}.{}: a list has neither computed nor write-only attributes",
            attribute.name
        )
    }));
    self::block(&name, block, problems);
}

fn reserved(name: &str, block: &Block) -> Vec<String> {
    let attributes = block.attributes.iter().map(|attribute| &attribute.name);
    let names = attributes.chain(block.blocks.iter().map(|inner| &inner.name));
    let reserved = names.filter(|inner| RESERVED.contains(&inner.as_str()));
    reserved
        .map(|inner| format!("{name}.{inner}: Terraform reserves this name"))
        .collect()
}

pub(crate) fn block(name: &str, block: &Block, problems: &mut Vec<String>) {
    let place = Place {
        name: name.to_owned(),
        computed: false,
        in_set: false,
        problems,
    };
    place.object(block);
}

impl Place<'_> {
    fn object(mut self, block: &Block) {
        let mut seen = Vec::new();
        let attributes = block.attributes.iter().map(|attribute| &attribute.name);
        for name in attributes.chain(block.blocks.iter().map(|inner| &inner.name)) {
            if !is_identifier(name) {
                self.report(
                    name,
                    "a name is made of lower-case letters, digits and underscores",
                );
            }
            if seen.contains(&name) {
                self.report(name, "is there twice");
            }
            seen.push(name);
        }
        for attribute in &block.attributes {
            self.attribute(attribute);
        }
        for inner in &block.blocks {
            let in_set = self.in_set || inner.nesting == Nesting::Set;
            if matches!(inner.nesting, Nesting::List | Nesting::Set | Nesting::Map)
                && inner.block.ty().has_dynamic()
            {
                self.report(
                    &inner.name,
                    "repeated blocks cannot hold values of any type: use a nested attribute",
                );
            }
            self.inside(&inner.name, false, in_set).object(&inner.block);
        }
    }

    fn attribute(&mut self, attribute: &Attribute) {
        let name = &attribute.name;
        // One with a default is never unknown by itself.
        let unknown = attribute.is_computed() && attribute.default.is_none() && !self.computed;
        if unknown && !attribute.holds_unknown {
            self.report(
                name,
                "a computed attribute is unknown while planning: its type has to be Value<_>",
            );
        }
        if attribute.is(Flag::WriteOnly) && self.in_set {
            self.report(name, "sets cannot hold write-only attributes");
        }
        if set_of_dynamic(&attribute.shape.ty()) {
            self.report(name, "sets cannot hold values of any type");
        }
        if let Shape::Nested(nesting, block) = &attribute.shape {
            if !block.blocks.is_empty() {
                self.report(name, "a nested attribute cannot hold blocks");
            }
            let computed = self.computed || attribute.mode == Mode::Computed;
            let in_set = self.in_set || *nesting == Nesting::Set;
            self.inside(name, computed, in_set).object(block);
        }
    }

    fn inside(&mut self, name: &str, computed: bool, in_set: bool) -> Place<'_> {
        Place {
            name: format!("{}.{name}", self.name),
            computed,
            in_set,
            problems: self.problems,
        }
    }

    fn report(&mut self, name: &str, problem: &str) {
        self.problems
            .push(format!("{}.{name}: {problem}", self.name));
    }
}

fn is_identifier(name: &str) -> bool {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(letters)
}

fn set_of_dynamic(ty: &Type) -> bool {
    match ty {
        Type::Set(element) => element.has_dynamic(),
        Type::List(element) | Type::Map(element) => set_of_dynamic(element),
        Type::Object(attributes) => attributes.values().any(set_of_dynamic),
        Type::Tuple(elements) => elements.iter().any(set_of_dynamic),
        Type::String | Type::Number | Type::Bool | Type::Dynamic => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Dynamic, Model, Value};

    fn problems<M: Model>() -> Vec<String> {
        let mut problems = Vec::new();
        resource("toy", &M::block(), &mut problems);
        problems
    }

    /// An object that only the provider fills.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Model)]
    struct Inner {
        #[tf(computed)]
        plain: String,
    }

    #[derive(Model)]
    struct Good {
        #[tf(computed)]
        inner: Value<Inner>,
        #[tf(computed)]
        many: Value<BTreeSet<Inner>>,
    }

    #[derive(Model)]
    struct Bad {
        #[tf(computed)]
        id: Option<String>,
        #[tf(optional)]
        count: Option<i64>,
        #[tf(optional, name = "Upper")]
        upper: Option<String>,
        #[tf(optional)]
        any: Option<BTreeSet<Dynamic>>,
        #[tf(optional, computed)]
        inner: Value<Inner>,
    }

    /// An identity that core would refuse, and a list that nobody could fill.
    #[derive(Model)]
    struct Wrong {
        #[tf(required)]
        id: String,
        #[tf(optional)]
        zones: Option<Vec<String>>,
        #[tf(optional)]
        tags: Option<BTreeSet<String>>,
        #[tf(computed)]
        made: Value<String>,
    }

    #[test]
    fn identities_are_flat_and_lists_compute_nothing() {
        let (mut of_identity, mut of_list) = (Vec::new(), Vec::new());
        identity("toy", &Wrong::block(), &mut of_identity);
        list("toy", &Wrong::block(), &mut of_list);
        let expected = [
            "toy's identity.tags: an identity is made of texts",
            "toy's identity.made: an import has to give it",
        ];
        assert_eq!(of_identity.len(), expected.len(), "{of_identity:#?}");
        for (problem, expected) in of_identity.iter().zip(expected) {
            assert!(problem.starts_with(expected), "{problem}");
        }
        assert_eq!(
            of_list,
            ["list toy.made: a list has neither computed nor write-only attributes"]
        );
    }

    #[test]
    fn plain_fields_are_fine_inside_computed_objects() {
        assert_eq!(problems::<Good>(), Vec::<String>::new());
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let problems = problems::<Bad>();
        for expected in [
            "toy.id: a computed",
            "toy.count: Terraform",
            "toy.Upper: a name",
            "toy.any: sets",
            "toy.inner.plain: a computed",
        ] {
            assert!(
                problems.iter().any(|problem| problem.starts_with(expected)),
                "{expected} in {problems:#?}"
            );
        }
        assert_eq!(problems.len(), 5);
    }
}
