//! Finds the processes that a terraform command started: what a fault is aimed at.

use std::fs;

use rustix::process::Pid;

use crate::binaries;

/// Running provider processes whose parent is `terraform`.
pub(super) fn providers_of(terraform: Pid) -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter(|pid| is_provider_of(*pid, terraform))
        .collect()
}

fn is_provider_of(pid: Pid, terraform: Pid) -> bool {
    let id = pid.as_raw_nonzero();
    fs::read_to_string(format!("/proc/{id}/stat"))
        .ok()
        .and_then(|stat| parent_of_running(&stat))
        .is_some_and(|parent| parent == terraform.as_raw_nonzero().get())
        && fs::read_link(format!("/proc/{id}/exe"))
            .is_ok_and(|program| program.ends_with(binaries::PROVIDER))
}

/// The parent by `/proc/pid/stat`, whose second field is a name that may hold anything; `None` for a zombie.
fn parent_of_running(stat: &str) -> Option<i32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    (state != "Z").then_some(())?;
    fields.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_pass_for_another_field() {
        assert_eq!(parent_of_running("12 (a) S 99) S 7 12 12 0"), Some(7));
        assert_eq!(parent_of_running("12 (gone) Z 7 12 12 0"), None);
        assert_eq!(parent_of_running("nonsense"), None);
    }
}
