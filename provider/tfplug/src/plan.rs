//! What Terraform may expect of a plan: the rules that every resource shares, before its own `plan` has a say.
//!
//! Core proposes the configuration with the prior values of what it leaves out. To that come defaults, unknown
//! values where a change may alter a computed attribute, and the attributes whose change needs a new object.

use crate::{
    AttributePath, Cty, Number,
    schema::{Attribute, Block, Flag},
    walk::walk,
};

/// The plan by the schema's rules alone.
#[derive(Debug)]
pub(crate) struct Outline {
    pub(crate) planned: Cty,
    pub(crate) replace: Vec<AttributePath>,
}

/// Plans a creation or a change. `config` is as the user wrote it, without defaults.
pub(crate) fn outline(block: &Block, prior: &Cty, config: &Cty, proposed: Cty) -> Outline {
    let mut planned = proposed;
    set_defaults(block, prior, config, &mut planned);
    null_write_only(block, &mut planned);
    let mut replace = Vec::new();
    if planned != *prior {
        let config = with_defaults(block, config);
        mark_computed(block, prior, &config, &mut planned);
        keep_prior(block, prior, &config, &mut planned);
        replace = replacements(block, prior, &config, &mut planned);
    }
    Outline { planned, replace }
}

/// The configuration with its defaults filled in.
pub(crate) fn with_defaults(block: &Block, config: &Cty) -> Cty {
    let mut filled = config.clone();
    set_defaults(block, &Cty::Null, config, &mut filled);
    filled
}

/// Nothing write-only may reach a plan or a state.
pub(crate) fn null_write_only(block: &Block, value: &mut Cty) {
    walk(block, &Cty::Null, &Cty::Null, value, &mut |site| {
        if site.attribute.is(Flag::WriteOnly) {
            *site.planned = Cty::Null;
        }
    });
}

/// Once a resource's own plan made a change where there was none, every other computed value may change with it.
pub(crate) fn mark_untouched(block: &Block, prior: &Cty, config: &Cty, planned: &mut Cty) {
    walk(block, prior, config, planned, &mut |site| {
        let untouched = site.prior == Some(&*site.planned) && site.config.is_null();
        if untouched && site.attribute.is_computed() && !site.attribute.is(Flag::UseStateForUnknown)
        {
            *site.planned = Cty::UNKNOWN;
        }
    });
}

/// Puts back what a typed struct cannot carry: refinements of unknown values, and digits that an `f64` has no room
/// for. `new` is `old` after it went through a struct; what really changed stays changed.
pub(crate) fn restore(old: &Cty, new: Cty) -> Cty {
    match (old, new) {
        (Cty::Unknown(Some(_)), Cty::Unknown(None)) => old.clone(),
        (Cty::Number(exact), Cty::Number(number)) => Cty::Number(restore_digits(exact, number)),
        (Cty::Seq(old), Cty::Seq(new)) => {
            let mut old = old.iter();
            let restored = new.into_iter().map(|new| match old.next() {
                Some(old) => restore(old, new),
                None => new,
            });
            Cty::Seq(restored.collect())
        }
        (Cty::Map(old), Cty::Map(new)) => {
            let restored = new.into_iter().map(|(key, new)| match old.get(&key) {
                Some(old) => (key, restore(old, new)),
                None => (key, new),
            });
            Cty::Map(restored.collect())
        }
        (_, new) => new,
    }
}

/// Makes every unknown value null and says where they were: state has no place for them.
pub(crate) fn settle_unknown(value: &mut Cty) -> Vec<AttributePath> {
    let mut found = Vec::new();
    settle(value, AttributePath::default(), &mut found);
    found
}

fn settle(value: &mut Cty, path: AttributePath, found: &mut Vec<AttributePath>) {
    match value {
        Cty::Unknown(_) => {
            *value = Cty::Null;
            found.push(path);
        }
        Cty::Seq(elements) => {
            for (index, element) in elements.iter_mut().enumerate() {
                settle(element, path.clone().index(index as u64), found);
            }
        }
        Cty::Map(entries) => {
            for (name, entry) in entries {
                settle(entry, path.clone().attribute(name), found);
            }
        }
        Cty::Dynamic(inner) => settle(&mut inner.1, path, found),
        Cty::Null | Cty::Bool(_) | Cty::Number(_) | Cty::String(_) => {}
    }
}

fn restore_digits(exact: &Number, number: Number) -> Number {
    let whole = exact.to_i64().is_some() || exact.to_u64().is_some();
    let float = number.to_f64();
    let rounded =
        !whole && exact.to_f64() == float && Number::from_f64(float).as_ref() == Some(&number);
    if rounded { exact.clone() } else { number }
}

fn set_defaults(block: &Block, prior: &Cty, config: &Cty, planned: &mut Cty) {
    walk(block, prior, config, planned, &mut |site| {
        if let (Some(default), Cty::Null) = (&site.attribute.default, site.config) {
            site.planned.clone_from(default);
        }
    });
}

fn mark_computed(block: &Block, prior: &Cty, config: &Cty, planned: &mut Cty) {
    walk(block, prior, config, planned, &mut |site| {
        if site.attribute.is_computed() && site.config.is_null() {
            *site.planned = Cty::UNKNOWN;
        }
    });
}

fn keep_prior(block: &Block, prior: &Cty, config: &Cty, planned: &mut Cty) {
    walk(block, prior, config, planned, &mut |site| {
        let wanted = site.attribute.is(Flag::UseStateForUnknown) && site.config.is_null();
        match site.prior {
            // A null may be there only because an older provider did not know the attribute.
            Some(prior) if wanted && site.planned.is_unknown() && !prior.is_null() => {
                site.planned.clone_from(prior);
            }
            _ => {}
        }
    });
}

fn replacements(block: &Block, prior: &Cty, config: &Cty, planned: &mut Cty) -> Vec<AttributePath> {
    let mut paths = Vec::new();
    if prior.is_null() {
        return paths;
    }
    walk(block, prior, config, planned, &mut |site| {
        let changed = site.prior.unwrap_or(&Cty::Null) != site.planned;
        let by_user = !(site.config.is_null() && site.planned.is_unknown());
        if site.attribute.is(Flag::ForceReplace) && changed && by_user && !paths.contains(site.path)
        {
            paths.push(site.path.clone());
        }
    });
    paths
}

/// Visits the known, non-null values of a configuration.
pub(crate) fn visit_configured(
    block: &Block,
    config: &Cty,
    visit: &mut dyn FnMut(&Attribute, &Cty, &AttributePath),
) {
    let mut walked = config.clone();
    walk(block, &Cty::Null, config, &mut walked, &mut |site| {
        if !site.planned.is_null() && !site.planned.is_unknown() {
            visit(site.attribute, site.planned, site.path);
        }
    });
}
