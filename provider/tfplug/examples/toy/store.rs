//! Where toys are kept: one JSON file each.

use std::{fs, io::ErrorKind, path::PathBuf};

use serde::{Serialize, de::DeserializeOwned};
use tfplug::{Diagnostic, Result};

pub(crate) struct Store {
    directory: PathBuf,
}

impl Store {
    pub(crate) fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    pub(crate) fn put(&self, id: &str, toy: &impl Serialize) -> Result<()> {
        let json = serde_json::to_vec(toy).map_err(|error| broken(id, &error))?;
        fs::write(self.path(id), json).map_err(|error| broken(id, &error).into())
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, id: &str) -> Result<Option<T>> {
        match fs::read(self.path(id)) {
            Ok(json) => serde_json::from_slice(&json)
                .map(Some)
                .map_err(|error| broken(id, &error).into()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(broken(id, &error).into()),
        }
    }

    /// What lies there, in order.
    pub(crate) fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let entries = fs::read_dir(&self.directory).map_err(|error| broken(prefix, &error))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
        names.sort();
        Ok(names)
    }

    pub(crate) fn remove(&self, id: &str) -> Result<()> {
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(broken(id, &error).into()),
            _ => Ok(()),
        }
    }

    fn path(&self, id: &str) -> PathBuf {
        self.directory.join(id)
    }
}

fn broken(id: &str, error: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic::error("The toy box is broken", format!("{id}: {error}."))
}
