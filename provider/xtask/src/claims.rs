//! `docs/design/terraform.md`: what is claimed there has a test that shows it, and no RPC of the protocol is left out.

use std::{collections::BTreeSet, fs, path::Path};

use crate::golden;

const PATH: &str = "docs/design/terraform.md";
const PROTOS: &str = "provider/tfplug/proto";
/// Sections whose tables are claims: a subject in the first column, the tests that show it in the last.
const SECTIONS: [&str; 2] = [RPCS, "Behaviours"];
const RPCS: &str = "RPCs";
/// Terraform's own service; what stands in another one is called by both names.
const PROVIDER: &str = "Provider";

pub(crate) fn run() -> Result<(), String> {
    let page = golden::read(PATH)?;
    let rows = rows(&page);
    let folder = golden::root().join("docs/design");
    let mut problems = unlisted(&rows, &rpcs()?);
    problems.extend(rows.iter().flat_map(|row| row.problems(&folder)));
    if problems.is_empty() {
        Ok(())
    } else {
        Err(format!("{PATH}:\n  {}", problems.join("\n  ")))
    }
}

/// One line of a table of claims.
#[derive(Debug, PartialEq, Eq)]
struct Row<'a> {
    section: &'a str,
    subject: &'a str,
    tests: Vec<Test<'a>>,
}

/// `[name](file)`
#[derive(Debug, PartialEq, Eq)]
struct Test<'a> {
    name: &'a str,
    /// From the page's folder.
    file: &'a str,
}

fn rows(page: &str) -> Vec<Row<'_>> {
    let mut section = "";
    let mut rows = Vec::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.trim();
        }
        let is_claim = SECTIONS.contains(&section) && line.starts_with("| ");
        if !is_claim {
            continue;
        }
        let cells: Vec<&str> = line.trim().trim_matches('|').split(" | ").collect();
        rows.push(Row {
            section,
            subject: cells[0].trim().trim_matches('`'),
            tests: tests(cells[cells.len() - 1]),
        });
    }
    // A table's first row names its columns.
    let mut named = BTreeSet::new();
    rows.retain(|row| !named.insert(row.section));
    rows
}

fn tests(cell: &str) -> Vec<Test<'_>> {
    let links = cell.split('[').skip(1).filter_map(|link| {
        let (name, rest) = link.split_once("](")?;
        let (file, _) = rest.split_once(')')?;
        Some(Test { name, file })
    });
    links.collect()
}

impl Row<'_> {
    fn problems(&self, folder: &Path) -> Vec<String> {
        let wrong = |what: &str| format!("{}: {what}", self.subject);
        if self.tests.is_empty() {
            return vec![wrong("no test is named")];
        }
        let missing = self.tests.iter().filter_map(|test| {
            let Test { name, file } = test;
            match fs::read_to_string(folder.join(file)) {
                Err(error) => Some(wrong(&format!("{file}: {error}"))),
                Ok(source) if !holds_test(&source, name) => {
                    Some(wrong(&format!("{file} has no test {name}")))
                }
                Ok(_) => None,
            }
        });
        missing.collect()
    }
}

/// A function with a test's attribute, or one that is listed among the scenarios.
fn holds_test(source: &str, name: &str) -> bool {
    let Some(at) = source.find(&format!("fn {name}(")) else {
        return false;
    };
    let own = source[..at].rsplit("\n\n").next().unwrap_or_default();
    let has_attribute = own.contains("#[test]") || own.contains("#[tokio::test");
    has_attribute || lists_scenario(source, name)
}

fn lists_scenario(source: &str, name: &str) -> bool {
    let lists = source.split("scenarios![").skip(1);
    let mut listed = lists.flat_map(|list| list.split(']').next().unwrap_or_default().split(','));
    listed.any(|scenario| scenario.trim() == name)
}

/// Every RPC of the wire definitions.
fn rpcs() -> Result<BTreeSet<String>, String> {
    let folder = golden::root().join(PROTOS);
    let files = fs::read_dir(&folder).map_err(|error| format!("{PROTOS}: {error}"))?;
    let mut found = BTreeSet::new();
    for file in files {
        let path = file.map_err(|error| error.to_string())?.path();
        let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        found.extend(defined(&text));
    }
    Ok(found)
}

fn defined(proto: &str) -> Vec<String> {
    let mut service = "";
    let mut found = Vec::new();
    for line in proto.lines().map(str::trim) {
        if let Some(begun) = line.strip_prefix("service ") {
            service = begun.trim_end_matches('{').trim();
        }
        let rpc = line.strip_prefix("rpc ").and_then(|it| it.split_once('('));
        found.extend(rpc.map(|(name, _)| match service {
            PROVIDER => name.to_owned(),
            other => format!("{other}.{name}"),
        }));
    }
    found
}

/// RPCs without a row, rows without an RPC, and rows that are there twice.
fn unlisted(rows: &[Row<'_>], rpcs: &BTreeSet<String>) -> Vec<String> {
    let mut listed = BTreeSet::new();
    let mut problems = Vec::new();
    for row in rows.iter().filter(|row| row.section == RPCS) {
        if !listed.insert(row.subject) {
            problems.push(format!("{}: is there twice", row.subject));
        } else if !rpcs.contains(row.subject) {
            problems.push(format!("{}: no such RPC is defined", row.subject));
        }
    }
    let missing = rpcs.iter().filter(|rpc| !listed.contains(rpc.as_str()));
    problems.extend(missing.map(|rpc| format!("{rpc}: has no row")));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Page\n\n| a | b |\n|---|---|\n| `x` | [y](z) |\n\n## RPCs\n\n\
        | RPC | since | test |\n|---|---|---|\n| `Get` | 6.0 | [gets](a.rs), [gets_more](b.rs) |\n| `Set` | 6.1 | none |\n\n\
        ## Behaviours\n\n| behaviour | test |\n|---|---|\n| It stops | [stops](c.rs) |\n";

    #[test]
    fn claims_are_read_from_their_sections_alone() {
        let found = rows(PAGE);
        let subjects: Vec<&str> = found.iter().map(|row| row.subject).collect();
        assert_eq!(subjects, ["Get", "Set", "It stops"]);
        let test = |name, file| Test { name, file };
        let expected = [test("gets", "a.rs"), test("gets_more", "b.rs")];
        assert_eq!(found[0].tests, expected);
        assert_eq!(found[1].problems(Path::new("")), ["Set: no test is named"]);
    }

    #[test]
    fn every_rpc_has_one_row() {
        let proto = "service Provider {\n    // rpc Old(A) returns (B);\n    rpc Get(A) returns (B);\n}\n\
                     service Health {\n    rpc Check(A) returns (stream B);\n}\n";
        let rpcs: BTreeSet<String> = defined(proto).into_iter().collect();
        assert_eq!(
            unlisted(&rows(PAGE), &rpcs),
            ["Set: no such RPC is defined", "Health.Check: has no row"]
        );
        let twice: Vec<Row<'_>> = rows(PAGE).into_iter().chain(rows(PAGE)).collect();
        assert!(unlisted(&twice, &rpcs).contains(&"Get: is there twice".to_owned()));
    }

    #[test]
    fn a_test_is_what_runs_as_one() {
        let source = "#[test]\nfn plain() {}\n\n/// Said.\n#[tokio::test(start_paused = true)]\nasync fn paused() {}\n\n\
                      fn helper() {}\n\nfn all() -> Vec<Scenario> {\n    scenarios![\n        first,\n        second\n    ]\n}\n\n\
                      async fn second(scene: &Scene<'_>) {}\n";
        for test in ["plain", "paused", "second"] {
            assert!(holds_test(source, test), "{test}");
        }
        for none in ["helper", "first", "plai", "all"] {
            assert!(!holds_test(source, none), "{none}");
        }
    }

    #[test]
    fn a_test_that_is_not_there_is_named_with_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("c.rs"), "#[test]\nfn starts() {}\n").expect("a file");
        let page = rows(PAGE);
        assert_eq!(
            page[2].problems(folder.path()),
            ["It stops: c.rs has no test stops"]
        );
        let gone = page[0].problems(folder.path());
        assert_eq!(gone.len(), 2);
        assert!(gone[0].starts_with("Get: a.rs: "), "{gone:?}");
    }
}
