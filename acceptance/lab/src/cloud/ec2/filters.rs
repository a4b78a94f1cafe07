//! EC2's `Filter.N`: every filter must match, any of its values may, with `*` and `?` as wildcards.

use super::params::Params;
use crate::cloud::{error::ApiError, tags::Tags, wildcard};

/// Something that Describe calls list.
pub(crate) trait Filterable {
    /// The filters that this kind of resource has, beside `tag:<key>` and `tag-key`.
    const FILTERS: &'static [&'static str];

    /// The values that filter `name`, one of `FILTERS`, is compared with.
    fn values(&self, name: &str) -> Vec<String>;

    fn tags(&self) -> &Tags;
}

pub(crate) struct Filters(Vec<Filter>);

struct Filter {
    name: String,
    values: Vec<String>,
}

impl Filters {
    /// Reads `Filter.N.Name` and `Filter.N.Value.M`; a filter that `T` does not have is an error.
    pub(crate) fn of<T: Filterable>(params: &mut Params) -> Result<Self, ApiError> {
        let read = |mut group: Params| {
            let name = group.require("Name")?;
            let values = group.list("Value");
            group.finish()?;
            let known = name.starts_with("tag:")
                || name == "tag-key"
                || T::FILTERS.contains(&name.as_str());
            if known {
                Ok(Filter { name, values })
            } else {
                Err(ApiError::invalid_value(format!(
                    "The filter '{name}' is invalid"
                )))
            }
        };
        let filters = params.groups("Filter").into_iter().map(read);
        Ok(Self(filters.collect::<Result<_, _>>()?))
    }

    pub(crate) fn keep(&self, item: &impl Filterable) -> bool {
        self.0.iter().all(|filter| filter.matches(item))
    }
}

impl Filter {
    fn matches(&self, item: &impl Filterable) -> bool {
        let actual: Vec<String> = match self.name.strip_prefix("tag:") {
            Some(key) => item.tags().get(key).cloned().into_iter().collect(),
            None if self.name == "tag-key" => item.tags().keys().cloned().collect(),
            None => item.values(&self.name),
        };
        actual
            .iter()
            .any(|a| self.values.iter().any(|v| wildcard::matches(v, a)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing(Tags);

    impl Filterable for Thing {
        const FILTERS: &'static [&'static str] = &["state"];
        fn values(&self, _: &str) -> Vec<String> {
            vec!["pending".to_owned()]
        }
        fn tags(&self) -> &Tags {
            &self.0
        }
    }

    fn keeps(query: &str) -> Result<bool, ApiError> {
        let (_, mut params) = Params::parse(format!("Action=A&{query}").as_bytes())?;
        let thing = Thing([("team".to_owned(), "db".to_owned())].into());
        Ok(Filters::of::<Thing>(&mut params)?.keep(&thing))
    }

    #[test]
    fn values_are_alternatives_and_filters_add_up() {
        let state = "Filter.1.Name=state&Filter.1.Value.1=completed&Filter.1.Value.2=pend*";
        assert_eq!(keeps(state), Ok(true));
        let tag = "Filter.2.Name=tag:team&Filter.2.Value.1=web";
        assert_eq!(keeps(&format!("{state}&{tag}")), Ok(false));
        assert_eq!(
            keeps("Filter.1.Name=tag-key&Filter.1.Value.1=team"),
            Ok(true)
        );
    }

    #[test]
    fn an_unknown_filter_is_an_error() {
        let error = keeps("Filter.1.Name=colour&Filter.1.Value.1=red").unwrap_err();
        assert_eq!(error.code, "InvalidParameterValue");
    }
}
