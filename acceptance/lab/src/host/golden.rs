//! Images that are built once and kept in the cache: root file systems and the servers made of them. Cached by a hash of
//! the recipe, so that whoever changes a recipe need not think of the cache.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{
    Host,
    error::{Context, Result},
    rootfs::{self, RootFs},
    store::{SnapshotFile, Store},
    text::hex,
};

/// What an AMI is made of: its devices, the root first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldenImage {
    pub devices: Vec<GoldenDevice>,
}

/// One mapping of an AMI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldenDevice {
    /// EC2's name: `/dev/xvda`, `/dev/sdf`...
    pub device_name: String,
    pub size_gib: u64,
    pub snapshot: SnapshotFile,
}

impl Host {
    /// A root file system, without a database. Takes a minute when it is not in the cache.
    pub async fn base_image(&self, root: &RootFs) -> Result<GoldenImage> {
        let cache = Cache::open(&self.0.config.cache)?;
        let entry = cache.entry("base", &[&rootfs::recipe(root)]);
        let _lock = entry.lock().await?;
        if !entry.exists() {
            let building = cache.building()?;
            rootfs::build(building.path(), root).await?;
            entry.keep(building)?;
        }
        entry.load(&self.0.store).await
    }
}

/// The cache's directory.
pub(super) struct Cache(PathBuf);

/// One image in the cache: a directory with a file for each device and a list of them.
pub(super) struct Entry(PathBuf);

#[derive(Serialize, Deserialize)]
pub(super) struct Listed {
    pub(super) device_name: String,
    pub(super) size_gib: u64,
    pub(super) file: String,
}

const LIST: &str = "devices.json";

impl Cache {
    pub(super) fn open(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).context(|| dir.display().to_string())?;
        Ok(Self(dir.to_owned()))
    }

    /// Where an image of this recipe is or will be.
    pub(super) fn entry(&self, name: &str, recipe: &[&str]) -> Entry {
        let mut hash = Sha256::new();
        for part in recipe {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let key = hex(&hash.finalize()[..8]);
        Entry(self.0.join(format!("{name}-{key}")))
    }

    /// A directory that is gone if the building is not finished.
    pub(super) fn building(&self) -> Result<TempDir> {
        let building = tempfile::Builder::new()
            .prefix("building-")
            .tempdir_in(&self.0);
        building.context(|| "making room in the cache".to_owned())
    }
}

impl Entry {
    /// Takes over what was built.
    pub(super) fn keep(&self, building: TempDir) -> Result<()> {
        // The directory has a new name and a new owner.
        fs::rename(building.keep(), &self.0).context(|| self.0.display().to_string())
    }

    /// One builder of an image at a time, whichever lab it works for.
    pub(super) async fn lock(&self) -> Result<File> {
        let file = self.0.with_extension("lock");
        let locked = tokio::task::spawn_blocking(move || {
            let opened = File::create(file)?;
            flock(&opened, FlockOperation::LockExclusive)?;
            Ok::<_, std::io::Error>(opened)
        });
        let locked = locked.await.map_err(std::io::Error::other).flatten();
        locked.context(|| "locking the cache".to_owned())
    }

    pub(super) fn exists(&self) -> bool {
        self.0.join(LIST).exists()
    }

    /// Brings the image into a store.
    pub(super) async fn load(&self, store: &Store) -> Result<GoldenImage> {
        let list = self.0.join(LIST);
        let text = fs::read(&list).context(|| list.display().to_string())?;
        let listed: Vec<Listed> =
            serde_json::from_slice(&text).context(|| list.display().to_string())?;
        let mut devices = Vec::new();
        for device in listed {
            devices.push(GoldenDevice {
                snapshot: store.import(&self.0.join(&device.file)).await?,
                device_name: device.device_name,
                size_gib: device.size_gib,
            });
        }
        Ok(GoldenImage { devices })
    }
}

/// Finishes an image under construction.
pub(super) fn write_list(dir: &Path, devices: &[Listed]) -> Result<()> {
    let list = dir.join(LIST);
    let text = serde_json::to_vec_pretty(devices).context(|| LIST.to_owned())?;
    fs::write(&list, text).context(|| list.display().to_string())
}
