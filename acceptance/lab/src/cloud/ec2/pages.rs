//! `MaxResults` and `NextToken`.

use super::params::Params;
use crate::cloud::error::ApiError;

/// Which part of a list a request asks for.
pub(crate) struct Page {
    start: usize,
    length: usize,
}

impl Page {
    /// Reads `MaxResults` (1 to 1000) and `NextToken`.
    pub(crate) fn of(params: &mut Params) -> Result<Self, ApiError> {
        let length = params.parsed("MaxResults")?.unwrap_or(1000);
        let token = params.take("NextToken");
        Self::new(length, token.as_deref())
    }

    pub(crate) fn new(length: usize, token: Option<&str>) -> Result<Self, ApiError> {
        if !(1..=1000).contains(&length) {
            return Err(ApiError::invalid_value(format!(
                "Value ( {length} ) for parameter maxResults is invalid. Expecting a value between 1 and 1000."
            )));
        }
        let start = token.map_or(Ok(0), decode)?;
        Ok(Self { start, length })
    }

    /// Cuts the page out of the whole list, and returns the token of the next one, if any.
    pub(crate) fn cut<T>(&self, items: Vec<T>) -> (Vec<T>, Option<String>) {
        let end = self.start + self.length;
        let token = (items.len() > end).then(|| encode(end));
        let page = items.into_iter().skip(self.start).take(self.length);
        (page.collect(), token)
    }
}

/// Opaque on purpose: clients that compute with a token break here as they would on AWS.
fn encode(start: usize) -> String {
    format!("eyJ{:016x}", start ^ 0x5a5a_5a5a)
}

fn decode(token: &str) -> Result<usize, ApiError> {
    token
        .strip_prefix("eyJ")
        .and_then(|hex| usize::from_str_radix(hex, 16).ok())
        .map(|start| start ^ 0x5a5a_5a5a)
        .ok_or_else(|| {
            ApiError::new(
                "InvalidNextToken",
                format!("The token '{token}' is invalid"),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<Page, ApiError> {
        Page::of(&mut Params::parse(format!("Action=A&{query}").as_bytes())?.1)
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let (first, token) = page("MaxResults=2").unwrap().cut(vec![1, 2, 3]);
        let next = format!("MaxResults=2&NextToken={}", token.unwrap());
        assert_eq!(first, [1, 2]);
        assert_eq!(page(&next).unwrap().cut(vec![1, 2, 3]), (vec![3], None));
    }

    #[test]
    fn a_token_that_was_not_given_out_is_refused() {
        assert_eq!(page("NextToken=2").err().unwrap().code, "InvalidNextToken");
    }
}
