//! `guest-lint`: what can be said of the scripts without running them.

use std::{path::PathBuf, process::Command, time::Duration};

use quiesce::{
    engines::{ENGINES, Options},
    method::Method,
    script,
    session::SessionId,
};

#[test]
fn shellcheck_finds_nothing_in_the_files() {
    let root = env!("CARGO_MANIFEST_DIR");
    let listed = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).expect("a directory");
        entries.map(|entry| entry.expect("an entry").path())
    };
    let engines = listed(format!("{root}/src/engines").into()).filter(|it| it.is_dir());
    let folders: Vec<PathBuf> = engines.chain([format!("{root}/guest").into()]).collect();
    let mut files: Vec<PathBuf> = folders.into_iter().flat_map(listed).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sh"));
    assert!(files.len() > 10);
    let output = Command::new("shellcheck").args(&files).output();
    let output = output.expect("shellcheck is installed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// The scripts of one session, and the look at it.
fn rendered(engines: &[Options], method: Method) -> [String; 5] {
    let session = SessionId::random();
    let hold = script::Hold {
        session: &session,
        engines,
        boot_id: "boot",
        start_before: Duration::from_secs(1),
        method,
        max_hold: Duration::from_mins(1),
        mounts: &["/data".into()],
    };
    [
        script::probe(&session, engines),
        script::arm(&hold, Duration::from_mins(1)),
        script::hold(&hold),
        script::release(&session, engines, "boot"),
        script::look(&session),
    ]
    .map(|script| script.text)
}

#[test]
fn a_script_fits_into_a_command_and_holds_nothing_that_ssm_interprets() {
    let all = || ENGINES.iter().map(|engine| Options::new(engine));
    // Any two of them; more may be refused as too long (consistent_aws::ssm).
    let pairs = all().flat_map(|one| all().map(move |other| vec![one.clone(), other]));
    let methods = [Method::Freeze, Method::Pause, Method::Stop];
    for (engines, method) in pairs.flat_map(|pair| methods.map(|method| (pair.clone(), method))) {
        for text in rendered(&engines, method) {
            // SSM documents, with their parameters, are limited to 64 KiB; a stop is asked for with few options, if at all.
            let longest = if method == Method::Stop { 63 } else { 62 };
            let names: Vec<_> = engines.iter().map(Options::name).collect();
            let length = text.len();
            assert!(
                length < longest * 1024,
                "{names:?}, {method}: {length} bytes"
            );
            assert!(!text.contains("{{"), "SSM would look for a parameter");
            assert!(!text.contains('\r'));
        }
    }
}
