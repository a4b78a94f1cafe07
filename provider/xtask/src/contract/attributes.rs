//! Attributes and blocks: what a configuration may set, and what it may read.

use serde_json::Value;

use super::entries;

/// A block with everything in it.
pub(super) fn block(place: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    let mut within = Comparison { place, found };
    within.block("", old, new);
}

/// What resources are imported by.
pub(super) fn identities(old: &Value, new: &Value, found: &mut Vec<String>) {
    for (name, old) in entries(old) {
        let place = format!("identity of {name}");
        let Some(new) = new.get(name) else {
            found.push(format!("{place}: is gone"));
            continue;
        };
        let mut within = Comparison {
            place: &place,
            found,
        };
        for (name, old) in entries(&old["attributes"]) {
            let Some(new) = new["attributes"].get(name) else {
                within.miss(name, "is gone");
                continue;
            };
            within.same_type(name, old, new);
            if is(new, "required_for_import") && !is(old, "required_for_import") {
                within.miss(name, "is required now");
            }
        }
    }
}

/// One resource, say, as it was and as it is.
struct Comparison<'a> {
    place: &'a str,
    found: &'a mut Vec<String>,
}

impl Comparison<'_> {
    fn miss(&mut self, path: &str, what: &str) {
        self.found.push(format!("{}: {path} {what}", self.place));
    }

    fn block(&mut self, path: &str, old: &Value, new: &Value) {
        self.attributes(path, old, new);
        let (old, new) = (&old["block_types"], &new["block_types"]);
        for (name, old) in entries(old) {
            let path = below(path, name);
            match new.get(name) {
                Some(new) => self.nested_block(&path, old, new),
                None => self.miss(&path, "is gone"),
            }
        }
        for (name, added) in added(old, new) {
            if number(added, "min_items") > Some(0) {
                self.miss(&below(path, name), "is new and required");
            }
        }
    }

    fn nested_block(&mut self, path: &str, old: &Value, new: &Value) {
        self.same_nesting(path, old, new);
        let least = |of: &Value| number(of, "min_items").unwrap_or(0);
        if least(new) > least(old) {
            let what = format!(
                "has to stand {} times at least, not {}",
                least(new),
                least(old)
            );
            self.miss(path, &what);
        }
        // Without a number, or with 0, there is no limit.
        let most = |of: &Value| {
            number(of, "max_items")
                .filter(|most| *most > 0)
                .unwrap_or(u64::MAX)
        };
        if most(new) < most(old) {
            let before = if most(old) == u64::MAX {
                "any number".to_owned()
            } else {
                most(old).to_string()
            };
            self.miss(
                path,
                &format!("may stand {} times at most, not {before}", most(new)),
            );
        }
        self.block(path, &old["block"], &new["block"]);
    }

    fn attributes(&mut self, path: &str, old: &Value, new: &Value) {
        let (old, new) = (&old["attributes"], &new["attributes"]);
        for (name, old) in entries(old) {
            let path = below(path, name);
            match new.get(name) {
                Some(new) => self.attribute(&path, old, new),
                None => self.miss(&path, "is gone"),
            }
        }
        for (name, added) in added(old, new) {
            if is(added, "required") {
                self.miss(&below(path, name), "is new and required");
            }
        }
    }

    fn attribute(&mut self, path: &str, old: &Value, new: &Value) {
        let settable = |of: &Value| is(of, "optional") || is(of, "required");
        for (broken, what) in [
            (
                is(new, "required") && is(old, "optional"),
                "is required now",
            ),
            (settable(old) && !settable(new), "cannot be set any more"),
            // Where it is required now, that says it all.
            (
                is(old, "computed") && !is(new, "computed") && !is(new, "required"),
                "is not computed any more",
            ),
            (is(new, "required") && !settable(old), "has to be set now"),
            (
                is(new, "sensitive") && !is(old, "sensitive"),
                "is sensitive now: outputs of it fail",
            ),
            (
                is(new, "write_only") && !is(old, "write_only"),
                "is write-only now: it reads as null",
            ),
        ] {
            if broken {
                self.miss(path, what);
            }
        }
        self.same_type(path, old, new);
        let nested = "nested_type";
        if let (Some(old), Some(new)) = (old.get(nested), new.get(nested)) {
            self.same_nesting(path, old, new);
            self.attributes(path, old, new);
        }
    }

    fn same_type(&mut self, path: &str, old: &Value, new: &Value) {
        if old.get("type") != new.get("type") {
            let ty = |of: &Value| of.get("type").map_or("nested".to_owned(), Value::to_string);
            self.miss(path, &format!("was {} and is {}", ty(old), ty(new)));
        }
    }

    fn same_nesting(&mut self, path: &str, old: &Value, new: &Value) {
        let mode = "nesting_mode";
        if old[mode] != new[mode] {
            self.miss(
                path,
                &format!("was nested as {} and is as {}", old[mode], new[mode]),
            );
        }
    }
}

fn added<'a>(old: &'a Value, new: &'a Value) -> impl Iterator<Item = (&'a String, &'a Value)> {
    entries(new).filter(|(name, _)| old.get(name.as_str()).is_none())
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn is(value: &Value, flag: &str) -> bool {
    value[flag] == true
}

fn number(value: &Value, name: &str) -> Option<u64> {
    value[name].as_u64()
}
