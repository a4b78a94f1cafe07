//! What Terraform may expect of a plan: the rules that every resource shares, before its own `plan` has a say.
//!
//! Core proposes the configuration with the prior values of what it leaves out. To that come defaults, unknown
//! values where a change may alter a computed attribute, and the attributes whose change needs a new object.

use crate::{
    AttributePath, Cty, Number,
    schema::{Attribute, Block, Flag, Mode},
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

/// Takes out what no configuration can hold.
pub(crate) fn null_read_only(block: &Block, value: &mut Cty) {
    walk(block, &Cty::Null, &Cty::Null, value, &mut |site| {
        if site.attribute.mode == Mode::Computed {
            *site.planned = Cty::Null;
        }
    });
}

/// Takes out what need not be said, or should not: defaults, and what is deprecated.
pub(crate) fn null_needless(block: &Block, value: &mut Cty) {
    walk(block, &Cty::Null, &Cty::Null, value, &mut |site| {
        let attribute = site.attribute;
        let is_default = attribute.default.as_ref() == Some(&*site.planned);
        let is_old = attribute.is(Flag::Deprecated) && attribute.mode != Mode::Required;
        if is_default || is_old {
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
    let rounded = Number::from_f64(exact.to_f64()).as_ref() == Some(&number);
    if rounded && !whole {
        exact.clone()
    } else {
        number
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Model, Refinement, Value};

    /// A thing.
    #[derive(Model)]
    struct Thing {
        #[tf(required, force_replace)]
        name: Value<String>,
        #[tf(optional, default = "m")]
        size: Value<String>,
        #[tf(computed, use_state_for_unknown)]
        id: Value<String>,
        #[tf(computed)]
        revision: Value<i64>,
        #[tf(optional, write_only)]
        secret: Value<String>,
        #[tf(optional)]
        parts: Value<BTreeSet<Part>>,
    }

    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Model)]
    struct Part {
        #[tf(required)]
        number: Value<i64>,
        #[tf(computed, use_state_for_unknown)]
        serial: Value<String>,
    }

    fn part(number: i64, serial: Value<String>) -> Part {
        Part {
            number: Value::Known(number),
            serial,
        }
    }

    fn configured(name: &str) -> Thing {
        Thing {
            name: Value::from(name),
            size: Value::Null,
            id: Value::Null,
            revision: Value::Null,
            secret: Value::from("s"),
            parts: Value::Null,
        }
    }

    fn made(name: &str) -> Thing {
        Thing {
            size: Value::from("m"),
            id: Value::from("id-1"),
            revision: Value::Known(1),
            secret: Value::Null,
            ..configured(name)
        }
    }

    fn planned(prior: &Cty, config: Thing, proposed: Thing) -> Outline {
        outline(
            &Thing::block(),
            prior,
            &config.into_cty(),
            proposed.into_cty(),
        )
    }

    #[test]
    fn a_creation_knows_what_is_configured_and_nothing_else() {
        let outline = planned(&Cty::Null, configured("a"), configured("a"));
        assert_eq!(
            *outline.planned.attribute("size"),
            Cty::String("m".to_owned())
        );
        assert_eq!(*outline.planned.attribute("secret"), Cty::Null);
        assert!(
            outline.planned.attribute("id").is_unknown()
                && outline.planned.attribute("revision").is_unknown()
        );
        assert!(outline.replace.is_empty(), "there is nothing to replace");
    }

    #[test]
    fn nothing_new_is_nothing_to_do() {
        let proposed = Thing {
            secret: Value::from("s"),
            ..made("a")
        };
        let outline = planned(&made("a").into_cty(), configured("a"), proposed);
        assert_eq!(outline.planned, made("a").into_cty());
    }

    #[test]
    fn a_change_makes_computed_values_unknown_but_for_those_that_stay() {
        let config = Thing {
            size: Value::from("l"),
            ..configured("a")
        };
        let outline = planned(
            &made("a").into_cty(),
            config,
            Thing {
                size: Value::from("l"),
                ..made("a")
            },
        );
        assert_eq!(
            *outline.planned.attribute("id"),
            Cty::String("id-1".to_owned())
        );
        assert!(outline.planned.attribute("revision").is_unknown());
        assert!(outline.replace.is_empty());
    }

    #[test]
    fn a_forcing_attribute_is_named_even_where_its_new_value_is_unknown() {
        for name in [Value::from("b"), Value::Unknown] {
            let config = Thing {
                name: name.clone(),
                ..configured("a")
            };
            let outline = planned(&made("a").into_cty(), config, Thing { name, ..made("a") });
            assert_eq!(outline.replace, [AttributePath::new("name")]);
        }
    }

    #[test]
    fn elements_of_sets_find_their_configuration() {
        let set = |parts: &[Part]| Value::Known(parts.iter().cloned().collect());
        let kept = part(1, Value::from("s-1"));
        let prior = Thing {
            parts: set(std::slice::from_ref(&kept)),
            ..made("a")
        };
        let config = Thing {
            parts: set(&[part(1, Value::Null), part(2, Value::Null)]),
            ..configured("a")
        };
        // Core proposes the prior element where the configuration matches it.
        let proposed = Thing {
            parts: set(&[kept.clone(), part(2, Value::Null)]),
            ..made("a")
        };
        let outline = planned(&prior.into_cty(), config, proposed);
        let expected = Thing {
            parts: set(&[kept, part(2, Value::Unknown)]),
            ..made("a")
        };
        assert_eq!(
            outline.planned.attribute("parts"),
            expected.into_cty().attribute("parts")
        );
    }

    #[test]
    fn what_a_struct_cannot_carry_is_put_back() {
        let refined = Cty::Unknown(Some(Box::new(Refinement {
            null: Some(false),
            ..Refinement::default()
        })));
        assert_eq!(restore(&refined, Cty::UNKNOWN), refined);
        let number = |text: &str| Cty::Number(text.parse().expect("a number"));
        let exact = number("0.12345678901234567890123");
        assert_eq!(restore(&exact, number("0.12345678901234568")), exact);
        assert_eq!(restore(&exact, number("0.5")), number("0.5"));
        let (odd, even) = (number("9007199254740993"), number("9007199254740992"));
        assert_eq!(
            restore(&odd, even.clone()),
            even,
            "integers differ even where their floats do not"
        );
    }
}
