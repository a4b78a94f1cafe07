//! Private state: what a provider keeps beside a resource's state, where users do not see it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as Json;

use crate::{Diagnostic, Result};

/// Named JSON values, stored with the resource and handed to the next call.
///
/// What a plan writes, the apply of that plan reads; what an apply, a read or an import writes, the next one reads.
/// It is not encrypted: it stands in the state file.
#[derive(Debug, Default)]
pub struct Private {
    values: Mutex<BTreeMap<String, Json>>,
}

impl Private {
    /// The value under `key`, if there is one. An error if it does not fit `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let Some(json) = self.values().get(key).cloned() else {
            return Ok(None);
        };
        serde_json::from_value(json).map(Some).map_err(|error| {
            Diagnostic::error(
                "Private state cannot be read",
                format!(
                    "The provider's own value {key:?} in the state file does not fit: {error}."
                ),
            )
            .into()
        })
    }

    /// An error if `value` has no JSON form.
    pub fn set<T: Serialize>(&self, key: &str, value: &T) -> Result<()> {
        let json = serde_json::to_value(value).map_err(|error| {
            Diagnostic::error(
                "Private state cannot be written",
                format!("The provider's own value {key:?} has no JSON form: {error}."),
            )
        })?;
        self.values().insert(key.to_owned(), json);
        Ok(())
    }

    pub fn remove(&self, key: &str) {
        self.values().remove(key);
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        match serde_json::from_slice(bytes) {
            Ok(values) => Ok(Self {
                values: Mutex::new(values),
            }),
            Err(error) => Err(Diagnostic::error(
                "Private state cannot be read",
                format!(
                    "The state file holds private data that this provider did not write: {error}."
                ),
            )
            .into()),
        }
    }

    /// Empty where there is nothing: a resource without private data has none in the state file.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let values = self.values();
        if values.is_empty() {
            return Vec::new();
        }
        // A map with string keys of JSON values always has a JSON form.
        serde_json::to_vec(&*values).unwrap_or_default()
    }

    fn values(&self) -> MutexGuard<'_, BTreeMap<String, Json>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_from_its_bytes() {
        let private = Private::default();
        assert!(private.to_bytes().is_empty());
        private.set("etag", &"abc").expect("set");
        private.set("count", &3).expect("set");
        private.remove("count");
        let read = Private::from_bytes(&private.to_bytes()).expect("own bytes");
        assert_eq!(
            read.get::<String>("etag").expect("a string"),
            Some("abc".to_owned())
        );
        assert_eq!(read.get::<i64>("count").expect("absent"), None);
        assert!(read.get::<i64>("etag").is_err());
    }

    #[test]
    fn foreign_bytes_are_refused() {
        assert!(Private::from_bytes(b"\x80not json").is_err());
        assert!(Private::from_bytes(b"[1]").is_err());
    }
}
