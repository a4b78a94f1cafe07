//! A hypervisor that only keeps the books: for tests of the protocol, in milliseconds and without root.

use std::{collections::BTreeSet, sync::Mutex, time::Duration};

use async_trait::async_trait;

use super::{
    hypervisor::{Hypervisor, HypervisorError, Instant, MachineSpec, Outcome},
    lock,
};
use crate::host::Monotonic;

/// Knows what exists, and refuses what real volumes would refuse.
#[derive(Default)]
pub struct Paper(Mutex<Books>);

#[derive(Default)]
struct Books {
    volumes: BTreeSet<String>,
    snapshots: BTreeSet<String>,
    running: BTreeSet<String>,
}

impl Paper {
    /// Files a snapshot whose content came from elsewhere.
    pub fn import_snapshot(&self, snapshot: &str) {
        lock(&self.0).snapshots.insert(snapshot.to_owned());
    }
}

#[async_trait]
impl Hypervisor for Paper {
    async fn create_volume(&self, volume: &str, from: &str, _: u64) -> Outcome<()> {
        let mut books = lock(&self.0);
        known(&books.snapshots, from)?;
        books.volumes.insert(volume.to_owned());
        Ok(())
    }

    async fn delete_volume(&self, volume: &str) -> Outcome<()> {
        strike(&mut lock(&self.0).volumes, volume)
    }

    async fn snapshot(&self, volume: &str, snapshot: &str) -> Outcome<Instant> {
        let mut books = lock(&self.0);
        known(&books.volumes, volume)?;
        books.snapshots.insert(snapshot.to_owned());
        Ok(now())
    }

    async fn snapshot_at_once(&self, _: &str, pairs: &[(String, String)]) -> Outcome<Vec<Instant>> {
        let mut books = lock(&self.0);
        for (volume, snapshot) in pairs {
            known(&books.volumes, volume)?;
            books.snapshots.insert(snapshot.clone());
        }
        Ok(vec![now(); pairs.len()])
    }

    async fn delete_snapshot(&self, snapshot: &str) -> Outcome<()> {
        strike(&mut lock(&self.0).snapshots, snapshot)
    }

    async fn boot(&self, machine: &MachineSpec) -> Outcome<()> {
        let mut books = lock(&self.0);
        for (_, volume) in &machine.devices {
            known(&books.volumes, volume)?;
        }
        books.running.insert(machine.instance.clone());
        Ok(())
    }

    async fn shutdown(&self, instance: &str, _: Duration) -> Outcome<()> {
        strike(&mut lock(&self.0).running, instance)
    }

    async fn reboot(&self, instance: &str, _: Duration) -> Outcome<()> {
        known(&lock(&self.0).running, instance)
    }

    async fn ended(&self, _: &str) {
        std::future::pending::<()>().await;
    }

    async fn terminate(&self, instance: &str) -> Outcome<()> {
        lock(&self.0).running.remove(instance);
        Ok(())
    }
}

fn now() -> Instant {
    let now = Monotonic::now();
    Instant {
        began: now,
        taken_at: now,
    }
}

fn known(ids: &BTreeSet<String>, id: &str) -> Outcome<()> {
    if ids.contains(id) {
        Ok(())
    } else {
        Err(HypervisorError(format!("no such thing: {id}")))
    }
}

fn strike(ids: &mut BTreeSet<String>, id: &str) -> Outcome<()> {
    known(ids, id)?;
    ids.remove(id);
    Ok(())
}
