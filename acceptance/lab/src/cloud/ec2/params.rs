//! The parameters of an EC2 query request: `Filter.1.Value.2=...`.
//!
//! Reading a parameter takes it out; what nobody took is refused, as EC2 does. A client can therefore rely on
//! the lab to do what it asked for, or to say that it does not.

use std::{collections::BTreeMap, fmt::Display, str::FromStr};

use crate::cloud::error::ApiError;

/// What is left to read of a request, or of one numbered group within it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    /// Parses a form-encoded body. `Action` and `Version` are the envelope, not parameters.
    pub(crate) fn parse(body: &[u8]) -> Result<(String, Self), ApiError> {
        let mut params: BTreeMap<String, String> = serde_urlencoded::from_bytes(body)
            .map_err(|e| ApiError::new("MalformedQueryString", e.to_string()))?;
        params.remove("Version");
        let action = params.remove("Action").ok_or_else(|| {
            ApiError::new(
                "MissingAction",
                "The request must contain the parameter Action",
            )
        })?;
        Ok((action, Self(params)))
    }

    /// Parameters from names and values.
    pub(crate) fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// All of them, one a line.
    pub(crate) fn text(&self) -> String {
        let lines = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"));
        lines.collect()
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    pub(crate) fn require(&mut self, name: &str) -> Result<String, ApiError> {
        self.take(name).filter(|v| !v.is_empty()).ok_or_else(|| {
            ApiError::new(
                "MissingParameter",
                format!("The request must contain the parameter {name}"),
            )
        })
    }

    /// A number or a boolean.
    pub(crate) fn parsed<T>(&mut self, name: &str) -> Result<Option<T>, ApiError>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.take(name)
            .map(|text| {
                text.parse().map_err(|e| {
                    ApiError::invalid_value(format!("Invalid value '{text}' for {name}: {e}"))
                })
            })
            .transpose()
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, ApiError> {
        Ok(self.parsed(name)?.unwrap_or(false))
    }

    /// Takes a parameter that can have one value only on the machines of the lab; any other is refused.
    pub(crate) fn only(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        match self.take(name) {
            Some(other) if !other.is_empty() && other != value => Err(ApiError::invalid_value(
                format!("Invalid value '{other}' for {name}: here it is {value}"),
            )),
            _ => Ok(()),
        }
    }

    /// `name.1`, `name.2`... in numeric order.
    pub(crate) fn list(&mut self, name: &str) -> Vec<String> {
        self.groups(name)
            .into_iter()
            .filter_map(|mut group| group.take(""))
            .collect()
    }

    /// `name.1.Field`, `name.2.Field`...: the fields of each numbered group. A plain `name.1` is a field without a name.
    pub(crate) fn groups(&mut self, name: &str) -> Vec<Self> {
        let mut groups: BTreeMap<u32, Self> = BTreeMap::new();
        let prefix = format!("{name}.");
        self.0.retain(|key, value| {
            let numbered = key.strip_prefix(&prefix).and_then(|rest| {
                let (number, field) = rest.split_once('.').unwrap_or((rest, ""));
                Some((number.parse().ok()?, field))
            });
            let Some((number, field)) = numbered else {
                return true;
            };
            let group = groups.entry(number).or_default();
            group.0.insert(field.to_owned(), std::mem::take(value));
            false
        });
        groups.into_values().collect()
    }

    /// Refuses what was not read.
    pub(crate) fn finish(&self) -> Result<(), ApiError> {
        self.0.keys().next().map_or(Ok(()), |name| {
            Err(ApiError::new(
                "UnknownParameter",
                format!("The parameter {name} is not recognized"),
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        Params::parse(query.as_bytes()).unwrap().1
    }

    #[test]
    fn lists_and_groups_keep_numeric_order() {
        let mut p = params("Action=A&Id.10=c&Id.2=b&Id.1=a&Tag.1.Key=k&Tag.1.Value=v");
        assert_eq!(p.list("Id"), ["a", "b", "c"]);
        let mut tags = p.groups("Tag");
        assert_eq!(tags[0].take("Key").as_deref(), Some("k"));
        assert_eq!(tags.len(), 1);
        assert_eq!(p.finish(), Ok(()));
    }

    #[test]
    fn what_nobody_read_is_refused() {
        let mut p = params("Action=A&Name=x&Nmae=y");
        assert_eq!(p.take("Name").as_deref(), Some("x"));
        assert_eq!(p.finish().unwrap_err().code, "UnknownParameter");
    }

    #[test]
    fn a_bad_number_names_itself() {
        let error = params("Action=A&MaxResults=many").parsed::<u32>("MaxResults");
        assert!(error.unwrap_err().message.contains("many"));
    }
}
