//! Walks a planned value along its schema, beside the configuration and the prior state at the same place.

use crate::{
    AttributePath, Cty,
    schema::{Attribute, Block, Nesting, Shape},
};

/// One attribute, wherever it stands.
pub(crate) struct Site<'a> {
    pub(crate) attribute: &'a Attribute,
    /// `None` where the enclosing object did not exist.
    pub(crate) prior: Option<&'a Cty>,
    pub(crate) config: &'a Cty,
    pub(crate) planned: &'a mut Cty,
    pub(crate) path: &'a AttributePath,
}

/// The same object three times: as it was, as configured, as planned.
struct Views<'a> {
    prior: Option<&'a Cty>,
    config: &'a Cty,
    planned: &'a mut Cty,
}

/// Visits every attribute of every known object in `planned`, outer ones first. What stands in an object that the
/// configuration leaves unknown is not visited.
pub(crate) fn walk(
    block: &Block,
    prior: &Cty,
    config: &Cty,
    planned: &mut Cty,
    visit: &mut dyn FnMut(Site<'_>),
) {
    let views = Views {
        prior: Some(prior).filter(|prior| !prior.is_null()),
        config,
        planned,
    };
    object(block, views, &AttributePath::default(), visit);
}

fn object(block: &Block, views: Views<'_>, path: &AttributePath, visit: &mut dyn FnMut(Site<'_>)) {
    let Views {
        prior,
        config: configured,
        planned,
    } = views;
    let Cty::Map(fields) = planned else {
        return;
    };
    if configured.is_unknown() {
        return;
    }
    let prior = prior.filter(|prior| matches!(prior, Cty::Map(_)));
    for attribute in &block.attributes {
        let path = path.clone().attribute(&attribute.name);
        let planned = fields.entry(attribute.name.clone()).or_insert(Cty::Null);
        let prior = prior.map(|prior| prior.attribute(&attribute.name));
        let config = configured.attribute(&attribute.name);
        visit(Site {
            attribute,
            prior,
            config,
            planned,
            path: &path,
        });
        if let Shape::Nested(nesting, inner) = &attribute.shape {
            let views = Views {
                prior,
                config,
                planned,
            };
            nested(*nesting, inner, views, &path, visit);
        }
    }
    for inner in &block.blocks {
        if let Some(planned) = fields.get_mut(&inner.name) {
            let views = Views {
                prior: prior.map(|prior| prior.attribute(&inner.name)),
                config: configured.attribute(&inner.name),
                planned,
            };
            let path = path.clone().attribute(&inner.name);
            nested(inner.nesting, &inner.block, views, &path, visit);
        }
    }
}

fn nested(
    nesting: Nesting,
    block: &Block,
    views: Views<'_>,
    path: &AttributePath,
    visit: &mut dyn FnMut(Site<'_>),
) {
    if views.config.is_unknown() {
        return;
    }
    match (nesting, &mut *views.planned) {
        (Nesting::Single, Cty::Map(_)) => object(block, views, path, visit),
        (Nesting::Map, Cty::Map(entries)) => {
            for (key, planned) in entries {
                let inner = Views {
                    prior: views.prior.map(|prior| prior.attribute(key)),
                    config: views.config.attribute(key),
                    planned,
                };
                object(block, inner, &path.clone().key(key), visit);
            }
        }
        (Nesting::List, Cty::Seq(elements)) => {
            for (index, planned) in elements.iter_mut().enumerate() {
                let inner = Views {
                    prior: views.prior.and_then(|prior| element(prior, index)),
                    config: element(views.config, index).unwrap_or(&Cty::Null),
                    planned,
                };
                object(block, inner, &path.clone().index(index as u64), visit);
            }
        }
        (Nesting::Set, Cty::Seq(elements)) => {
            for planned in elements.iter_mut() {
                let inner = Views {
                    prior: views.prior.and_then(|prior| counterpart(prior, planned)),
                    config: configured(views.config, planned).unwrap_or(&Cty::Null),
                    planned,
                };
                object(block, inner, path, visit);
            }
            *views.planned = Cty::set(std::mem::take(elements));
        }
        _ => {}
    }
}

fn element(sequence: &Cty, index: usize) -> Option<&Cty> {
    match sequence {
        Cty::Seq(elements) => elements.get(index),
        _ => None,
    }
}

/// The prior element that a planned set element stems from: Terraform proposes it unchanged where it matches, and
/// what became unknown since can have been anything.
fn counterpart<'a>(set: &'a Cty, planned: &Cty) -> Option<&'a Cty> {
    match set {
        Cty::Seq(elements) => elements.iter().find(|element| stems(planned, element)),
        _ => None,
    }
}

fn stems(planned: &Cty, prior: &Cty) -> bool {
    match (planned, prior) {
        (Cty::Unknown(_), _) => true,
        (Cty::Map(planned), Cty::Map(prior)) => {
            let absent = &Cty::Null;
            let mut fields = planned.iter();
            fields.all(|(name, planned)| stems(planned, prior.get(name).unwrap_or(absent)))
        }
        _ => planned == prior,
    }
}

/// The configured element that a planned set element stems from: everything configured is in the plan as it is.
fn configured<'a>(set: &'a Cty, planned: &Cty) -> Option<&'a Cty> {
    match set {
        Cty::Seq(elements) => elements.iter().find(|element| covers(planned, element)),
        _ => None,
    }
}

/// True if `planned` holds everything that `config` sets.
fn covers(planned: &Cty, config: &Cty) -> bool {
    match (planned, config) {
        (_, Cty::Null) => true,
        (Cty::Map(planned), Cty::Map(config)) => config.iter().all(|(name, config)| {
            planned
                .get(name)
                .map_or(config.is_null(), |planned| covers(planned, config))
        }),
        (Cty::Seq(planned), Cty::Seq(config)) => {
            planned.len() == config.len()
                && planned
                    .iter()
                    .zip(config)
                    .all(|(planned, config)| covers(planned, config))
        }
        _ => planned == config,
    }
}
