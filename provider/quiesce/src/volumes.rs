//! Completeness: every data mount rests on EBS volumes that are attached to the instance, hence part of its image.

use std::collections::BTreeSet;

use crate::{
    ports::{AttachedVolume, Instance, VolumeId},
    report::{Leaf, Mount, Probe, Problem},
};

/// The volumes that the data lives on, or everything that keeps the image from being complete.
pub(crate) fn data_volumes(
    probe: &Probe,
    instance: &Instance,
) -> Result<BTreeSet<VolumeId>, Vec<Problem>> {
    let mut volumes = BTreeSet::new();
    let mut problems = Vec::new();
    for mount in &probe.mounts {
        if mount.leaves.is_empty() {
            problems.push(without_volume(mount));
        }
        for leaf in &mount.leaves {
            match attached(leaf, instance) {
                Some(volume) => drop(volumes.insert(volume.volume_id.clone())),
                None => problems.push(left_out(mount, leaf, instance)),
            }
        }
    }
    if problems.is_empty() {
        Ok(volumes)
    } else {
        Err(problems)
    }
}

/// The attachment behind `leaf`: by the volume id that a Nitro device carries, else by the mapping's device name (Xen).
pub(crate) fn attached<'a>(leaf: &Leaf, instance: &'a Instance) -> Option<&'a AttachedVolume> {
    if let Some(told) = &leaf.volume_id {
        return instance
            .volumes
            .iter()
            .find(|volume| volume.volume_id.0 == **told);
    }
    let named = |name: &str| {
        let mut hits = instance
            .volumes
            .iter()
            .filter(|volume| xen_name(&volume.device_name) == name);
        hits.next().filter(|_| hits.next().is_none())
    };
    let name = xen_name(&leaf.name);
    if !name.starts_with("xvd") {
        return None;
    }
    // A volume mapped as /dev/sda1 may show as the disk xvda, or as xvda1 without a disk above it.
    named(&name)
        .or_else(|| named(&format!("{name}1")))
        .or_else(|| named(without_partition(&name)))
}

/// The kernel's name on Xen for a mapping's name: `/dev/sdf` shows as `xvdf` (EC2 user guide, "Device names").
fn xen_name(device: &str) -> String {
    let name = device.trim_start_matches("/dev/");
    match name.strip_prefix("sd") {
        Some(letters) => format!("xvd{letters}"),
        None => name.to_owned(),
    }
}

fn without_partition(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit())
}

fn without_volume(mount: &Mount) -> Problem {
    Problem::new(
        "no_volume",
        &format!(
            "{} ({}) holds data of the database, but lies on no EBS volume",
            mount.mount_point, mount.fstype
        ),
        "move the data to an EBS volume of this instance: an image contains nothing else",
    )
}

fn left_out(mount: &Mount, leaf: &Leaf, instance: &Instance) -> Problem {
    let device = match &leaf.volume_id {
        Some(volume) => format!("{} ({volume})", leaf.name),
        None => leaf.name.to_string(),
    };
    Problem::new(
        "volume_not_in_image",
        &format!(
            "{} holds data of the database on {device}, which is none of the EBS volumes attached to {}",
            mount.mount_point, instance.id
        ),
        "move the data to an EBS volume of this instance; instance store and foreign volumes are not part of an image",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::scene;

    fn leaf(name: &str, volume_id: Option<&str>) -> Leaf {
        Leaf {
            device: "1:2".into(),
            name: name.into(),
            volume_id: volume_id.map(Into::into),
        }
    }

    fn instance(volumes: &[(&str, &str)]) -> Instance {
        let volume = |&(id, device): &(&str, &str)| AttachedVolume {
            volume_id: VolumeId(id.into()),
            device_name: device.into(),
        };
        Instance {
            id: "i-1".into(),
            root_device_name: "/dev/sda1".into(),
            volumes: volumes.iter().map(volume).collect(),
            ..scene::instance()
        }
    }

    fn probe(leaves: Vec<Leaf>) -> Probe {
        let mut probe = scene::probe();
        probe.mounts.truncate(1);
        probe.mounts[0].leaves = leaves;
        probe
    }

    fn found(name: &str, id: Option<&str>, volumes: &[(&str, &str)]) -> Option<String> {
        attached(&leaf(name, id), &instance(volumes)).map(|volume| volume.volume_id.0.clone())
    }

    #[test]
    fn a_nitro_device_is_known_by_its_serial_number_alone() {
        let volumes = [("vol-0a", "/dev/sda1"), ("vol-0b", "/dev/sdf")];
        assert_eq!(
            found("nvme1n1", Some("vol-0b"), &volumes).as_deref(),
            Some("vol-0b")
        );
        assert_eq!(found("nvme1n1", None, &volumes), None);
        assert_eq!(
            found("sdf", Some("vol-0c"), &volumes),
            None,
            "a name never overrides an id"
        );
    }

    #[test]
    fn a_xen_device_is_known_by_its_mapping() {
        let volumes = [
            ("vol-0a", "/dev/sda1"),
            ("vol-0b", "/dev/sdf"),
            ("vol-0c", "xvdg"),
        ];
        for (name, id) in [
            ("xvda", "vol-0a"),
            ("xvda1", "vol-0a"),
            ("xvdf", "vol-0b"),
            ("xvdf2", "vol-0b"),
            ("xvdg", "vol-0c"),
        ] {
            assert_eq!(found(name, None, &volumes).as_deref(), Some(id), "{name}");
        }
        assert_eq!(found("xvdh", None, &volumes), None);
        assert_eq!(found("loop0", None, &volumes), None);
    }

    #[test]
    fn every_leaf_of_a_striped_mount_counts() {
        let attached = instance(&[("vol-0a", "/dev/sda1"), ("vol-0b", "/dev/sdf")]);
        let both = probe(vec![
            leaf("nvme1n1", Some("vol-0b")),
            leaf("nvme0n1", Some("vol-0a")),
        ]);
        let ids: Vec<_> = data_volumes(&both, &attached)
            .unwrap()
            .into_iter()
            .map(|id| id.0)
            .collect();
        assert_eq!(ids, ["vol-0a", "vol-0b"]);

        let foreign = probe(vec![
            leaf("nvme1n1", Some("vol-0b")),
            leaf("nvme2n1", Some("AWS1234")),
        ]);
        let problems = data_volumes(&foreign, &attached).unwrap_err();
        assert_eq!(&*problems[0].code, "volume_not_in_image");
        assert!(problems[0].message.contains("nvme2n1"));
    }

    #[test]
    fn a_mount_without_a_device_is_refused() {
        let problems = data_volumes(&probe(vec![]), &instance(&[])).unwrap_err();
        assert_eq!(&*problems[0].code, "no_volume");
    }
}
