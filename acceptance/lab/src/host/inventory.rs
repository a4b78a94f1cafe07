//! Which instance a device number or a cgroup belongs to: how the witness knows whom it saw.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::disk::Disk;

/// A volume's place in an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) instance: String,
    /// EC2's name of the attachment, e.g. `/dev/sdf`.
    pub(super) device_name: String,
}

#[derive(Debug)]
pub(super) struct Inventory {
    /// The lab's cgroup as the kernel's paths begin: `/lab-1a2b3c4d/`.
    cgroup_prefix: String,
    seats: Mutex<HashMap<(u32, u32), Seat>>,
}

impl Inventory {
    /// `lab` is the name of the lab's cgroup below the root of the hierarchy.
    pub(super) fn new(lab: &str) -> Self {
        Self {
            cgroup_prefix: format!("/{lab}/"),
            seats: Mutex::default(),
        }
    }

    pub(super) fn add(&self, instance: &str, disks: &[Disk]) {
        self.seats().extend(disks.iter().map(|disk| {
            let seat = Seat {
                instance: instance.to_owned(),
                device_name: disk.attachment.device_name.clone(),
            };
            ((disk.device.major, disk.device.minor), seat)
        }));
    }

    pub(super) fn remove(&self, disks: &[Disk]) {
        let mut seats = self.seats();
        for disk in disks {
            seats.remove(&(disk.device.major, disk.device.minor));
        }
    }

    pub(super) fn seat(&self, major: u32, minor: u32) -> Option<Seat> {
        self.seats().get(&(major, minor)).cloned()
    }

    /// The instance, and the rest of the path as the instance itself sees it.
    pub(super) fn cgroup<'a>(&self, path: &'a str) -> Option<(&'a str, &'a str)> {
        let below = path.strip_prefix(&self.cgroup_prefix)?;
        let end = below.find('/').unwrap_or(below.len());
        Some(below.split_at(end))
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<(u32, u32), Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_names_its_instance() {
        let inventory = Inventory::new("lab-1a2b");
        let service = "/lab-1a2b/i-07/system.slice/postgresql.service";
        let expected = ("i-07", "/system.slice/postgresql.service");
        assert_eq!(inventory.cgroup(service), Some(expected));
        assert_eq!(inventory.cgroup("/lab-1a2b/i-07"), Some(("i-07", "")));
        assert_eq!(inventory.cgroup("/lab-1a2b5/i-07"), None);
    }
}
