//! The hypervisor that makes it all real: [`crate::host`], by EC2's ids.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
    time::Duration,
};

use async_trait::async_trait;

use super::{
    ec2::ImportedDevice,
    hypervisor::{Hypervisor, HypervisorError, Instant, MachineSpec, Outcome},
    ids, lock,
};
use crate::host::{
    AgentLink, Attachment, BootSpec, DiskIdentity, GoldenImage, Host, HostError, Machine,
    SnapshotFile, VolumeFile,
};

/// Knows which file is which volume.
pub struct Metal {
    host: Host,
    region: String,
    volumes: Mutex<HashMap<String, VolumeFile>>,
    snapshots: Mutex<HashMap<String, SnapshotFile>>,
    machines: Mutex<HashMap<String, Machine>>,
}

impl Metal {
    pub fn new(host: Host, region: &str) -> Self {
        Self {
            host,
            region: region.to_owned(),
            volumes: Mutex::default(),
            snapshots: Mutex::default(),
            machines: Mutex::default(),
        }
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The machine under an instance that has been booted.
    pub fn machine(&self, instance: &str) -> Option<Machine> {
        lock(&self.machines).get(instance).cloned()
    }

    /// Gives a built server's snapshots ids of EC2's kind.
    pub fn import(&self, image: GoldenImage) -> Vec<ImportedDevice> {
        let devices = image.devices.into_iter();
        devices
            .map(|device| {
                let id = ids::resource("snap");
                lock(&self.snapshots).insert(id.clone(), device.snapshot);
                ImportedDevice {
                    name: device.device_name,
                    snapshot: id,
                    size_gib: device.size_gib,
                }
            })
            .collect()
    }

    fn volume(&self, id: &str) -> Outcome<VolumeFile> {
        lock(&self.volumes)
            .get(id)
            .cloned()
            .ok_or_else(|| missing(id))
    }

    fn running(&self, instance: &str) -> Outcome<Machine> {
        self.machine(instance).ok_or_else(|| missing(instance))
    }

    fn attachment(&self, device: &(String, String)) -> Outcome<Attachment> {
        let (name, volume) = device;
        Ok(Attachment {
            device_name: name.clone(),
            identity: DiskIdentity::Ebs {
                volume_id: volume.clone(),
            },
            volume: self.volume(volume)?,
        })
    }
}

#[async_trait]
impl Hypervisor for Metal {
    async fn create_volume(&self, volume: &str, from: &str, size_gib: u64) -> Outcome<()> {
        let snapshot = lock(&self.snapshots).get(from).cloned();
        let snapshot = snapshot.ok_or_else(|| missing(from))?;
        let file = self
            .host
            .volume_from_snapshot(&snapshot, Some(size_gib))
            .await?;
        lock(&self.volumes).insert(volume.to_owned(), file);
        Ok(())
    }

    async fn delete_volume(&self, volume: &str) -> Outcome<()> {
        self.host.delete_volume(&self.volume(volume)?)?;
        lock(&self.volumes).remove(volume);
        Ok(())
    }

    async fn snapshot(&self, volume: &str, snapshot: &str) -> Outcome<Instant> {
        let taken = self.host.snapshot(&self.volume(volume)?).await?;
        let instant = instant(&taken);
        lock(&self.snapshots).insert(snapshot.to_owned(), taken);
        Ok(instant)
    }

    async fn snapshot_at_once(
        &self,
        instance: &str,
        pairs: &[(String, String)],
    ) -> Outcome<Vec<Instant>> {
        let machine = self.running(instance)?;
        let volumes = pairs.iter().map(|(volume, _)| self.volume(volume));
        let volumes: Vec<VolumeFile> = volumes.collect::<Outcome<_>>()?;
        let taken = self.host.snapshot_at_once(&machine, &volumes).await?;
        let instants = taken.iter().map(instant).collect();
        let ids = pairs.iter().map(|(_, snapshot)| snapshot.clone());
        lock(&self.snapshots).extend(ids.zip(taken));
        Ok(instants)
    }

    async fn delete_snapshot(&self, snapshot: &str) -> Outcome<()> {
        let file = lock(&self.snapshots).remove(snapshot);
        let file = file.ok_or_else(|| missing(snapshot))?;
        Ok(self.host.delete_snapshot(&file)?)
    }

    async fn boot(&self, machine: &MachineSpec) -> Outcome<()> {
        let attachments = machine.devices.iter().map(|d| self.attachment(d));
        let mut attachments: Vec<Attachment> = attachments.collect::<Outcome<_>>()?;
        if attachments.is_empty() {
            return Err(missing("a root device"));
        }
        let spec = BootSpec {
            name: machine.instance.clone(),
            root: attachments.remove(0),
            data: attachments,
            agent: Some(AgentLink {
                socket: machine.agent_socket.clone(),
                environment: BTreeMap::from([("AWS_REGION".to_owned(), self.region.clone())]),
            }),
        };
        let booted = self.host.boot(spec).await?;
        lock(&self.machines).insert(machine.instance.clone(), booted);
        Ok(())
    }

    async fn shutdown(&self, instance: &str, within: Duration) -> Outcome<()> {
        let machine = self.running(instance)?;
        if let Err(error) = machine.shutdown(within).await {
            tracing::warn!(%error, instance, "no clean shutdown: pulling the plug");
            machine.pull_plug().await?;
        }
        Ok(())
    }

    async fn reboot(&self, instance: &str, within: Duration) -> Outcome<()> {
        Ok(self.running(instance)?.reboot(within).await?)
    }

    async fn ended(&self, instance: &str) {
        if let Some(machine) = self.machine(instance) {
            machine.stopped().await;
        }
    }

    async fn terminate(&self, instance: &str) -> Outcome<()> {
        // One that never came to boot has nothing to end.
        if let Some(machine) = self.machine(instance) {
            machine.terminate().await?;
        }
        Ok(())
    }
}

impl From<HostError> for HypervisorError {
    fn from(error: HostError) -> Self {
        Self(error.to_string())
    }
}

fn missing(id: &str) -> HypervisorError {
    HypervisorError(format!("no such thing: {id}"))
}

fn instant(taken: &SnapshotFile) -> Instant {
    Instant {
        began: taken.began,
        taken_at: taken.taken_at,
    }
}
