//! Wrong configurations, one a file, and beside each what terraform says of it. `UPDATE_GOLDEN=1` writes what it says now.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    thread,
};

use serde_json::Value;

use crate::support::Terraform;

/// At a time: terraform and the provider start for each.
const AT_ONCE: usize = 4;

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wrong");
    let cases = with_extension(&folder, "tf");
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let problems = problems(&cases);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let golden = with_extension(&folder, "txt");
    let stems = |files: &[PathBuf]| -> BTreeSet<PathBuf> {
        files.iter().map(|it| it.with_extension("")).collect()
    };
    assert_eq!(stems(&golden), stems(&cases), "each has its golden file");
}

fn problems(cases: &[PathBuf]) -> Vec<String> {
    let of_all = |part: &[PathBuf]| -> Vec<String> {
        part.iter().filter_map(|case| problem(case)).collect()
    };
    thread::scope(|scope| {
        let parts = cases.chunks(cases.len().div_ceil(AT_ONCE));
        let running: Vec<_> = parts
            .map(|part| scope.spawn(move || of_all(part)))
            .collect();
        let ended = running.into_iter().map(|it| it.join().expect("no panic"));
        ended.flatten().collect()
    })
}

fn with_extension(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|it| it.expect("an entry").path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|it| it.extension().is_some_and(|it| it == extension))
        .collect();
    paths.sort();
    paths
}

/// How what terraform says of a configuration differs from what it is to say.
fn problem(case: &Path) -> Option<String> {
    let configuration = fs::read_to_string(case).expect("a configuration");
    let answer = Terraform::new(&configuration).json(&["validate", "-json"]);
    let name = case.display();
    if answer["valid"] == true {
        return Some(format!("{name} passes"));
    }
    let said = said(&answer);
    let golden = case.with_extension("txt");
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &said).expect("written");
        return None;
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    (said != expected).then(|| format!("{name}: expected\n{expected}\nfound\n{said}"))
}

/// Summary, place and detail of each error, in the order of their places.
fn said(answer: &Value) -> String {
    let errors = answer["diagnostics"]
        .as_array()
        .expect("diagnostics")
        .iter();
    let errors = errors.filter(|it| it["severity"] == "error");
    let mut told: Vec<(u64, String)> = errors
        .map(|it| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let place = text(&it["snippet"]["code"]);
            let (summary, detail) = (text(&it["summary"]), text(&it["detail"]));
            let line = it["range"]["start"]["line"].as_u64().unwrap_or_default();
            (line, format!("{summary}\n  {}\n{detail}\n", place.trim()))
        })
        .collect();
    told.sort();
    let told: Vec<String> = told.into_iter().map(|(_, text)| text).collect();
    told.join("\n")
}
