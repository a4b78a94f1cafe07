//! Takes down whatever a lab left on the machine, whoever died: everything is found in the kernel's own tables, by the
//! lab's directory, and nothing that could have been lost with a process is needed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    cgroup::Cgroup,
    error::{Context, HostError, Result},
    guard,
    loopdev::{self, LoopDevice},
    mounts,
    text::hex,
    tool::Tool,
    witness::tracefs,
};

/// What was found and is gone now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub processes: usize,
    pub mounts: usize,
    pub loop_devices: usize,
}

/// The name of the cgroup and of the trace instance of the lab in `dir`.
pub(super) fn lab_name(dir: &Path) -> String {
    let digest = Sha256::digest(dir.as_os_str().as_encoded_bytes());
    format!("lab-{}", hex(&digest[..4]))
}

/// The lab's cgroup: below the root of cgroup v2, beside whatever manages the machine's own.
pub(super) async fn lab_cgroup(dir: &Path) -> Result<PathBuf> {
    let root = mounts::cgroup2_root().await?;
    let missing = || HostError::Kernel("cgroup v2 is not mounted".to_owned());
    Ok(root.ok_or_else(missing)?.join(lab_name(dir)))
}

/// Thaws, kills, unmounts, detaches: in this order, because nothing frozen can be killed and nothing in use unmounted.
pub(super) async fn sweep(dir: &Path) -> Result<Swept> {
    let cgroup = Cgroup::existing(lab_cgroup(dir).await?);
    let devices = LoopDevice::below(dir)?;
    let processes = end_processes(&cgroup, &devices).await?;
    let mut swept = Swept {
        processes,
        ..Swept::default()
    };
    guard::dismiss_orphan(dir)?;
    tracefs::remove_instances(dir, &lab_name(dir)).await?;
    // Volumes lie in the store, the store in the directory: the inner ones first.
    let volumes = LoopDevice::below(&dir.join("store"))?;
    for volume in &volumes {
        volume.detach().await?;
    }
    for mount_point in mounts::mounts_below(dir).await? {
        Tool::new("umount").arg(&mount_point).run().await?;
        swept.mounts += 1;
    }
    let stores = LoopDevice::below(dir)?;
    for store in &stores {
        store.detach_when_unused().await?;
    }
    swept.loop_devices = volumes.len() + stores.len();
    let image = dir.join("store.xfs");
    if image.exists() {
        fs::remove_file(&image).context(|| image.display().to_string())?;
    }
    Ok(swept)
}

async fn end_processes(cgroup: &Cgroup, devices: &[LoopDevice]) -> Result<usize> {
    if !cgroup.exists() {
        return Ok(0);
    }
    let processes = cgroup.processes();
    // One process per mount namespace would do; asking them all needs no bookkeeping.
    for pid in one_per_mount_namespace(&processes) {
        loopdev::thaw_mounts_of(pid, devices).await;
    }
    cgroup.thaw_all();
    cgroup.kill().await?;
    cgroup.remove()?;
    Ok(processes.len())
}

/// One process of every mount namespace among `processes`.
pub(super) fn one_per_mount_namespace(processes: &[u32]) -> Vec<u32> {
    let mut namespaces = Vec::new();
    let mut first = Vec::new();
    for &pid in processes {
        let Ok(namespace) = fs::read_link(format!("/proc/{pid}/ns/mnt")) else {
            continue;
        };
        if !namespaces.contains(&namespace) {
            namespaces.push(namespace);
            first.push(pid);
        }
    }
    first
}
