//! Where in a configuration or state something stands: what Terraform turns into a source line.

use std::fmt;

use crate::wire;

/// A path from the top of a configuration to an attribute or an element.
///
/// A `&str` converts into the path of a top-level attribute. Elements of sets have no address in the protocol:
/// a path ends at the set.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributePath {
    steps: Vec<Step>,
}

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    Attribute(String),
    Key(String),
    Index(u64),
}

impl AttributePath {
    /// The path of a top-level attribute or block.
    pub fn new(attribute: impl Into<String>) -> Self {
        Self::default().attribute(attribute)
    }

    /// Down to an attribute of the object here.
    #[must_use]
    pub fn attribute(self, name: impl Into<String>) -> Self {
        self.step(Step::Attribute(name.into()))
    }

    /// Down to an element of the map here.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        self.step(Step::Key(key.into()))
    }

    /// Down to an element of the list here, counted from zero.
    #[must_use]
    pub fn index(self, index: u64) -> Self {
        self.step(Step::Index(index))
    }

    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// True at the top: the resource as a whole.
    pub fn is_root(&self) -> bool {
        self.steps.is_empty()
    }

    pub(crate) fn to_wire(&self) -> wire::AttributePath {
        use wire::attribute_path::{Step as WireStep, step::Selector};
        let steps = self.steps.iter().map(|step| {
            let selector = match step {
                Step::Attribute(name) => Selector::AttributeName(name.clone()),
                Step::Key(key) => Selector::ElementKeyString(key.clone()),
                Step::Index(index) => {
                    Selector::ElementKeyInt(i64::try_from(*index).unwrap_or(i64::MAX))
                }
            };
            WireStep {
                selector: Some(selector),
            }
        });
        wire::AttributePath {
            steps: steps.collect(),
        }
    }
}

impl FromIterator<Step> for AttributePath {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        Self {
            steps: steps.into_iter().collect(),
        }
    }
}

impl From<&str> for AttributePath {
    fn from(attribute: &str) -> Self {
        Self::new(attribute)
    }
}

/// As an expression in Terraform's language: `quiesce.method`, `disks[0].name`, `tags["a"]`.
impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.steps.iter().enumerate() {
            match step {
                Step::Attribute(name) if position == 0 => f.write_str(name)?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_an_expression() {
        let path = AttributePath::new("disks")
            .index(1)
            .attribute("tags")
            .key("a b");
        assert_eq!(path.to_string(), "disks[1].tags[\"a b\"]");
        assert!(AttributePath::default().is_root());
    }
}
