//! What the tests of the control plane share: a lab on paper, an agent beside it, clients that are not ours.

use std::{path::Path, process::Stdio};

use lab::cloud::{Lab, LabConfig, iam::User, settings::Stagger};
use tokio::process::Command;

/// A lab on paper with one instance of two volumes, and quick about everything.
pub(crate) async fn two_volumes(dir: &Path) -> (Lab, String) {
    let lab = Lab::on_paper(LabConfig::new(dir)).await.unwrap();
    lab.configure(|settings| {
        settings.capture.stagger = Stagger::Fixed { ms: vec![0, 100] };
        settings.capture.completes_after_ms = 200;
        settings.capture.available_after_ms = 100;
    });
    let image = lab
        .paper_image("base", &[("/dev/xvda", 8), ("/dev/sdf", 20)])
        .unwrap();
    let instance = lab.launch(&image, "db-1").unwrap();
    (lab, instance)
}

/// Runs a program with the lab's environment for `user`; fails with its output where it does not succeed.
pub(crate) async fn client(lab: &Lab, user: User, command: &mut Command) -> String {
    let output = command
        .envs(lab.environment(user))
        .env("AWS_PAGER", "")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap_or_else(|error| {
            panic!("{command:?} does not start ({error}): run acceptance/install.sh")
        });
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}\n{stdout}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

/// Runs one of the Python scripts beside this file.
pub(crate) async fn python(lab: &Lab, user: User, script: &str, arguments: &[&str]) -> String {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cloud/python");
    let mut command = Command::new("python3");
    command.arg("-B").arg(scripts.join(script)).args(arguments);
    client(lab, user, &mut command).await
}
