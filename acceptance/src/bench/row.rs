//! The rows of the benchmark: every method on every layout on which it is safe.

use std::fmt;

use lab::host::Layout;
use serde::{Deserialize, Serialize};

/// How the image is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// `CreateImage` with `NoReboot`, by hand.
    Plain,
    Freeze,
    Pause,
    Stop,
}

impl Method {
    const ALL: [Self; 4] = [Self::Plain, Self::Freeze, Self::Pause, Self::Stop];

    /// As `quiesce.method` spells it; `None` for the image that is not ours.
    pub fn quiesce(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Freeze => Some("freeze"),
            Self::Pause => Some("pause"),
            Self::Stop => Some("stop"),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.quiesce().unwrap_or("plain"))
    }
}

/// For people.
pub(super) fn title(layout: Layout) -> &'static str {
    match layout {
        Layout::TwoExt4 => "data and WAL on two volumes, ext4",
        Layout::TwoXfs => "data and WAL on two volumes, xfs",
        Layout::Tablespace => "data, WAL and a tablespace on three volumes",
        Layout::SharedVar => "data on a /var of its own, shared with the agent",
        Layout::AllOnRoot => "everything on the root volume",
    }
}

/// Whether its data mounts can be frozen without stalling the agent that has to thaw them.
fn freezable(layout: Layout) -> bool {
    !matches!(layout, Layout::SharedVar | Layout::AllOnRoot)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub layout: Layout,
    pub method: Method,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.layout.name(), self.method)
    }
}

/// Every row whose name `layout/method` contains `filter`, in the order of the table.
pub fn rows(filter: &str) -> Vec<Row> {
    let all = Layout::ALL
        .into_iter()
        .flat_map(|layout| Method::ALL.map(|method| Row { layout, method }));
    all.filter(|row| row.method != Method::Freeze || freezable(row.layout))
        .filter(|row| row.to_string().contains(filter))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freeze_stands_only_where_it_is_safe() {
        let all = rows("");
        assert_eq!(all.len(), 5 * 4 - 2);
        assert_eq!(rows("freeze").len(), 3);
        assert_eq!(rows("on-root/").len(), 3);
    }

    #[test]
    fn one_row_by_its_name() {
        let found = rows("two-xfs/pause");
        let expected = Row {
            layout: Layout::TwoXfs,
            method: Method::Pause,
        };
        assert_eq!(found, [expected]);
        assert_eq!(rows("no such row"), []);
    }
}
