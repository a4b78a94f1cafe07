//! Where the programs under test are: terraform on the PATH, ours beside the running test.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::Error;

/// Cargo's name of the provider's binary, which is also the name that terraform looks for.
pub const PROVIDER: &str = "terraform-provider-consistent";

/// `terraform`, or `tofu` where that is what is there.
pub fn terraform() -> Result<PathBuf, Error> {
    let path = env::var_os("PATH").unwrap_or_default();
    ["terraform", "tofu"]
        .into_iter()
        .find_map(|name| on_path(&path, name))
        .ok_or_else(|| {
            Error::Missing(
                "neither terraform nor tofu is on the PATH: install one, \
                 https://developer.hashicorp.com/terraform/install"
                    .into(),
            )
        })
}

fn on_path(path: &std::ffi::OsStr, name: &str) -> Option<PathBuf> {
    env::split_paths(path)
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

/// The directory that holds the provider's binary: Cargo puts all of a workspace's binaries into one.
pub fn provider_directory() -> Result<PathBuf, Error> {
    built(PROVIDER)
}

/// The lab's own program: its guard, and the agent in its instances.
pub fn lab() -> Result<PathBuf, Error> {
    built("lab").map(|directory| directory.join("lab"))
}

/// The directory with the program of this package.
fn built(package: &str) -> Result<PathBuf, Error> {
    let myself = env::current_exe().map_err(Error::io("the path of this program"))?;
    beside(&myself, package).ok_or_else(|| {
        Error::Missing(format!(
            "{package} is not built: cargo build --package {package}"
        ))
    })
}

/// Binaries stand in `target/<profile>`, tests one level below in `deps`.
fn beside(program: &Path, name: &str) -> Option<PathBuf> {
    program
        .ancestors()
        .skip(1)
        .take(2)
        .find(|directory| directory.join(name).is_file())
        .map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_first_directory_of_the_path_that_has_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let [empty, first, second] = ["empty", "first", "second"].map(|n| directory.path().join(n));
        for directory in [&empty, &first, &second] {
            fs::create_dir(directory).expect("made");
        }
        fs::write(first.join("tofu"), "").expect("written");
        fs::write(second.join("tofu"), "").expect("written");
        let path = env::join_paths([&empty, &first, &second]).expect("no colon in it");
        assert_eq!(on_path(&path, "tofu"), Some(first.join("tofu")));
        assert_eq!(on_path(&path, "terraform"), None);
    }

    #[test]
    fn beside_a_binary_and_above_a_test() {
        let target = tempfile::tempdir().expect("a directory");
        fs::create_dir(target.path().join("deps")).expect("made");
        fs::write(target.path().join(PROVIDER), "").expect("written");
        for program in ["demo", "deps/kills-0123"] {
            assert_eq!(
                beside(&target.path().join(program), PROVIDER).as_deref(),
                Some(target.path())
            );
        }
        assert_eq!(beside(Path::new("/nowhere/deps/demo"), PROVIDER), None);
    }
}
