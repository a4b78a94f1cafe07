//! The rows of the benchmark: every database, every method on every layout on which it is safe.

use std::fmt;

use lab::{
    engines::{ENGINES, Engine},
    host::Layout,
};
use serde::{Deserialize, Serialize};

use crate::offer::offers;

/// How the image is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// `CreateImage` with `NoReboot`, by hand.
    Plain,
    Freeze,
    /// The same with `CreateSnapshots`, which captures all volumes at one instant.
    FreezeSnapshots,
    Pause,
    Stop,
}

impl Method {
    const ALL: [Self; 5] = [
        Self::Plain,
        Self::Freeze,
        Self::FreezeSnapshots,
        Self::Pause,
        Self::Stop,
    ];

    /// As `quiesce.method` spells it; `None` for the image that is not ours.
    pub fn quiesce(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Freeze | Self::FreezeSnapshots => Some("freeze"),
            Self::Pause => Some("pause"),
            Self::Stop => Some("stop"),
        }
    }

    /// As `capture` spells it; it makes no difference to the image that is not ours.
    pub fn capture(self) -> &'static str {
        match self {
            Self::FreezeSnapshots => "create_snapshots",
            _ => "create_image",
        }
    }

    /// Whether the row is worth its time: what a capture costs does not depend on the file systems.
    fn stands_on(self, layout: Layout) -> bool {
        match self {
            Self::Freeze => freezable(layout),
            Self::FreezeSnapshots => layout == Layout::TwoExt4,
            Self::Plain | Self::Pause | Self::Stop => true,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FreezeSnapshots => "freeze-snapshots",
            other => other.quiesce().unwrap_or("plain"),
        })
    }
}

/// For people.
pub(super) fn title(layout: Layout) -> &'static str {
    match layout {
        Layout::TwoExt4 => "data and logs on two volumes, ext4",
        Layout::TwoXfs => "data and logs on two volumes, xfs",
        Layout::Tablespace => "data, logs and a tablespace on three volumes",
        Layout::SharedVar => "data on a /var of its own, shared with the agent",
        Layout::AllOnRoot => "everything on the root volume",
    }
}

/// Whether its data mounts can be frozen without stalling the agent that has to thaw them.
fn freezable(layout: Layout) -> bool {
    !matches!(layout, Layout::SharedVar | Layout::AllOnRoot)
}

/// Its name is `layout/method` for PostgreSQL, `engine/layout/method` for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Rounds of the time when there was only one database do not name it.
    #[serde(
        with = "by_name",
        default = "by_name::first",
        skip_serializing_if = "by_name::is_first"
    )]
    pub engine: &'static Engine,
    pub layout: Layout,
    pub method: Method,
}

/// Databases by their names in a record.
mod by_name {
    use super::{Deserialize, ENGINES, Engine};
    use serde::{Deserializer, Serializer, de::Error};

    pub(super) fn first() -> &'static Engine {
        ENGINES[0]
    }

    // As serde calls it.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(super) fn is_first(engine: &&'static Engine) -> bool {
        *engine == first()
    }

    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(super) fn serialize<S: Serializer>(
        engine: &&'static Engine,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(engine.name)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<&'static Engine, D::Error> {
        let name = String::deserialize(deserializer)?;
        Engine::named(&name).ok_or_else(|| D::Error::custom(format!("no database {name}")))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !by_name::is_first(&self.engine) {
            write!(f, "{}/", self.engine.name)?;
        }
        write!(f, "{}/{}", self.layout.name(), self.method)
    }
}

/// Every row whose name contains `filter`, in the order of the table. Methods of ours stand there for the databases that
/// the provider has.
pub fn rows(filter: &str) -> Vec<Row> {
    let mut all = Vec::new();
    for engine in ENGINES {
        for layout in engine.layouts {
            all.extend(Method::ALL.map(|method| Row {
                engine,
                layout: *layout,
                method,
            }));
        }
    }
    all.retain(|row| row.method.stands_on(row.layout));
    all.retain(|row| row.method == Method::Plain || offers(row.engine));
    all.retain(|row| row.to_string().contains(filter));
    all
}

#[cfg(test)]
mod tests {
    use lab::engines::POSTGRESQL;

    use super::*;

    #[test]
    fn freeze_stands_only_where_it_is_safe() {
        let of_postgresql = |filter| {
            let mut rows = rows(filter);
            rows.retain(|row| *row.engine == POSTGRESQL);
            rows.len()
        };
        assert_eq!(of_postgresql(""), 5 * 4 - 2 + 1);
        assert_eq!(of_postgresql("freeze"), 3 + 1);
        assert_eq!(of_postgresql("on-root/"), 3);
    }

    #[test]
    fn one_row_by_its_name() {
        let mut found = rows("two-xfs/pause");
        found.truncate(1);
        let expected = Row {
            engine: &POSTGRESQL,
            layout: Layout::TwoXfs,
            method: Method::Pause,
        };
        assert_eq!(found, [expected]);
        assert_eq!(rows("no such row"), []);
    }

    #[test]
    fn a_record_names_every_database_but_the_first() {
        for row in rows("") {
            let recorded = serde_json::to_string(&row).expect("text");
            let named = recorded.contains(row.engine.name);
            assert_eq!(named, *row.engine != POSTGRESQL, "{recorded}");
            assert_eq!(serde_json::from_str::<Row>(&recorded).expect("read"), row);
        }
        let old = r#"{"layout":"two-xfs","method":"pause"}"#;
        let row: Row = serde_json::from_str(old).expect("readable");
        assert_eq!(row.to_string(), "two-xfs/pause");
    }
}
