//! Whether a lab is really gone: looks for it in the kernel's own lists, without asking the lab.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Loop devices, mounts (in whatever mount namespace) and processes that still belong to the lab in `directory`.
pub fn of(directory: &Path) -> Vec<String> {
    let mut found = loop_devices(directory);
    for process in numbered("/proc") {
        if is_of(&process, directory) {
            found.push(format!("process {}", process.display()));
        }
        found.extend(mounts(&process, directory));
    }
    found.sort();
    found.dedup();
    found
}

fn loop_devices(directory: &Path) -> Vec<String> {
    entries(Path::new("/sys/block"))
        .into_iter()
        .filter(|device| {
            let backing = fs::read_to_string(device.join("loop/backing_file"));
            backing.is_ok_and(|file| Path::new(file.trim()).starts_with(directory))
        })
        .map(|device| format!("loop device {}", device.display()))
        .collect()
}

/// What a process sees mounted from the lab: a namespace lives as long as a process in it.
fn mounts(process: &Path, directory: &Path) -> Vec<String> {
    let table = fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
    let place = directory.to_string_lossy();
    table
        .lines()
        .filter(|line| line.contains(&*place))
        .map(|line| format!("mount {line}"))
        .collect()
}

/// Whether it was started for the lab, or works in its directory.
fn is_of(process: &Path, directory: &Path) -> bool {
    let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
    let mut arguments = arguments.split(|byte| *byte == 0);
    let named = arguments.any(|argument| argument == directory.as_os_str().as_encoded_bytes());
    named || fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory))
}

fn numbered(directory: &str) -> Vec<PathBuf> {
    let mut all = entries(Path::new(directory));
    all.retain(|path| {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        name.iter().all(u8::is_ascii_digit)
    });
    all
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(directory).into_iter().flatten().flatten();
    read.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_in_the_directory_is_found_until_it_ends() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().canonicalize().expect("it exists");
        assert_eq!(of(&place), Vec::<String>::new());
        let mut sleeper = Command::new("sleep")
            .arg("60")
            .current_dir(&place)
            .stdin(Stdio::null())
            .spawn()
            .expect("started");
        let found = of(&place);
        sleeper.kill().expect("killed");
        sleeper.wait().expect("ended");
        assert_eq!(found, [format!("process /proc/{}", sleeper.id())]);
        assert_eq!(of(&place), Vec::<String>::new());
    }
}
