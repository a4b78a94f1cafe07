//! Functions: calls that were right stay right, and mean what they meant.

use serde_json::Value;

use super::entries;

pub(super) fn all(old: &Value, new: &Value, found: &mut Vec<String>) {
    for (name, old) in entries(old) {
        let mut miss = |what: String| found.push(format!("function {name}: {what}"));
        match new.get(name) {
            Some(new) => function(old, new, &mut miss),
            None => miss("is gone".to_owned()),
        }
    }
}

fn function(old: &Value, new: &Value, miss: &mut impl FnMut(String)) {
    let returned = "return_type";
    if old[returned] != new[returned] {
        miss(format!(
            "returned {} and returns {}",
            old[returned], new[returned]
        ));
    }
    let (before, now) = (parameters(old), parameters(new));
    if before.len() != now.len() {
        miss(format!(
            "has {} parameters, not {}",
            now.len(),
            before.len()
        ));
        return;
    }
    for (number, (old, new)) in (1..).zip(before.iter().zip(now)) {
        parameter(&format!("parameter {number}"), old, new, miss);
    }
    let further = "variadic_parameter";
    match (old.get(further), new.get(further)) {
        (Some(old), Some(new)) => parameter("the last parameter", old, new, miss),
        (Some(_), None) => miss("takes no further arguments any more".to_owned()),
        (None, _) => {}
    }
}

fn parameters(function: &Value) -> &[Value] {
    function["parameters"].as_array().map_or(&[], Vec::as_slice)
}

fn parameter(which: &str, old: &Value, new: &Value, miss: &mut impl FnMut(String)) {
    if old["type"] != new["type"] {
        miss(format!(
            "{which} was {} and is {}",
            old["type"], new["type"]
        ));
    }
    if old["is_nullable"] == true && new["is_nullable"] != true {
        miss(format!("{which} may not be null any more"));
    }
}
