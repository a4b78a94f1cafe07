//! Reads what was found in a booted image.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// What the service that should have started the server complained about.
pub(super) fn why_it_failed(service: &str) -> Option<String> {
    let mut lines = service.lines().map(str::trim);
    let complaint = lines.find_map(|line| line.find("Error: ").map(|start| &line[start..]));
    complaint.map(str::to_owned)
}

/// What the server's own checks found in all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    pub count: usize,
    pub first: Option<String>,
}

impl Findings {
    pub(super) fn new(all: Vec<String>) -> Self {
        Self {
            count: all.len(),
            first: all.into_iter().next(),
        }
    }
}

/// What every transaction of the load keeps equal, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums(BTreeMap<String, i64>);

impl Sums {
    /// Reads `name number` lines, at least two.
    pub(super) fn parse(lines: &str) -> Option<Self> {
        let sum = |line: &str| {
            let (name, number) = line.trim().split_once(char::is_whitespace)?;
            Some((name.to_owned(), number.trim().parse().ok()?))
        };
        let sums: BTreeMap<String, i64> = lines.lines().map(sum).collect::<Option<_>>()?;
        (sums.len() > 1).then_some(Self(sums))
    }

    pub fn agree(&self) -> bool {
        let mut numbers = self.0.values();
        let first = numbers.next();
        numbers.all(|number| Some(number) == first)
    }
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sums: Vec<String> = self.0.iter().map(|(n, sum)| format!("{n} {sum}")).collect();
        f.write_str(&sums.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_never_came_to_log_is_explained_by_its_service() {
        let service = "\
Nov 22 16:00:01 host systemd[1]: Starting postgresql@15-main.service - PostgreSQL Cluster 15-main...
Nov 22 16:00:02 host postgresql@15-main[99]: Error: /var/lib/postgresql/15/main is not accessible or does not exist
postgresql@15-main.service: Failed with result 'protocol'.";
        assert_eq!(
            why_it_failed(service).as_deref(),
            Some("Error: /var/lib/postgresql/15/main is not accessible or does not exist")
        );
        assert_eq!(why_it_failed("Starting...\n"), None);
    }

    #[test]
    fn findings_are_counted_and_the_first_is_kept() {
        let findings = Findings::new(vec!["one".into(), "two".into()]);
        assert_eq!(findings.count, 2);
        assert_eq!(findings.first.as_deref(), Some("one"));
        assert_eq!(Findings::new(vec![]), Findings::default());
    }

    #[test]
    fn sums_agree_or_not() {
        let parsed = |lines| Sums::parse(lines).expect("sums");
        assert!(parsed("accounts -5\ntellers -5\n").agree());
        assert!(!parsed("accounts 7\nbranches 7\nhistory\t6\n").agree());
        for lines in [
            "",
            "accounts 7\n",
            "ERROR\nERROR\n",
            "accounts 7\ntellers x\n",
        ] {
            assert_eq!(Sums::parse(lines), None, "{lines}");
        }
    }

    #[test]
    fn sums_that_were_recorded_are_read_again() {
        let recorded = r#"{"accounts":4,"branches":4,"tellers":4,"history":5}"#;
        let sums: Sums = serde_json::from_str(recorded).expect("readable");
        assert_eq!(
            sums.to_string(),
            "accounts 4, branches 4, history 5, tellers 4"
        );
    }
}
