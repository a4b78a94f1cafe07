//! The provider block's endpoints: of three services that are used here, and of the others that hashicorp/aws knows.

use std::collections::BTreeMap;

use consistent_aws::config as aws;
use tfplug::{
    Cty, DecodeError, Field, Fields, Model, Validate,
    schema::{Attribute, Block, Mode, Nesting, Shape},
};

use super::values;

/// The argument list of hashicorp/aws, to which the names of the services belong.
const ARGUMENTS_OF_AWS: &str = include_str!("aws-5.100.0.txt");

/// What is used here, and as what it is described.
const USED: [(&str, &str); 3] = [
    ("ec2", "EC2's endpoint."),
    ("ssm", "The endpoint of Systems Manager."),
    ("sts", "The endpoint of the Security Token Service."),
];

/// URLs by service. Blocks may be repeated, as in hashicorp/aws; the last URL of a service counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Endpoints(BTreeMap<String, String>);

impl Endpoints {
    /// Of all blocks together.
    pub(super) fn merged(blocks: impl IntoIterator<Item = Self>) -> Self {
        Self(blocks.into_iter().flat_map(|block| block.0).collect())
    }

    /// Services whose endpoint nothing here ever calls.
    pub(super) fn unused(&self) -> impl Iterator<Item = &str> {
        let services = self.0.keys().map(String::as_str);
        services.filter(|name| USED.iter().all(|(used, _)| used != name))
    }

    pub(super) fn settings(mut self) -> aws::Endpoints {
        aws::Endpoints {
            ec2: self.0.remove("ec2"),
            ssm: self.0.remove("ssm"),
            sts: self.0.remove("sts"),
        }
    }
}

/// The names of the services of hashicorp/aws, in its order.
fn services() -> impl Iterator<Item = &'static str> {
    let arguments = ARGUMENTS_OF_AWS.lines();
    let named = arguments.filter_map(|line| line.strip_prefix("endpoints."));
    named.filter_map(|line| line.split_whitespace().next())
}

fn description(service: &str) -> &'static str {
    let used = USED.iter().find(|(used, _)| *used == service);
    used.map_or(
        "Without effect: this service is not used here.",
        |(_, it)| it,
    )
}

impl Model for Endpoints {
    fn block() -> Block {
        let about = "Endpoint URLs in place of AWS's own. `AWS_ENDPOINT_URL_EC2` and its like work as well. The block takes \
                     every service that hashicorp/aws 5.x does.";
        services().fold(Block::new(about), |block, service| {
            let attribute =
                Attribute::new::<Option<String>>(service, description(service), Mode::Optional);
            // Blocks that may be repeated have no address: the message has to name the service.
            let url = move |text: &str| {
                values::url(text).map_err(|wrong| format!("`{service}`: {wrong}"))
            };
            block.attribute(attribute.validate::<Option<String>>(values::unless_empty(url)))
        })
    }

    /// An empty URL counts as none.
    fn from_fields(mut fields: Fields) -> Result<Self, DecodeError> {
        let mut urls = BTreeMap::new();
        for service in services() {
            let url: Option<String> = fields.take(service)?;
            if let Some(url) = values::set(url) {
                urls.insert(service.to_owned(), url);
            }
        }
        Ok(Self(urls))
    }

    fn into_fields(mut self) -> Fields {
        services().fold(Fields::default(), |fields, service| {
            fields.with(service, self.0.remove(service))
        })
    }
}

impl Field for Endpoints {
    type Checked = Self;

    fn shape() -> Shape {
        Shape::Nested(Nesting::Single, <Self as Model>::block())
    }

    fn decode(cty: Cty) -> Result<Self, DecodeError> {
        Self::from_cty(cty)
    }

    fn encode(self) -> Cty {
        self.into_cty()
    }

    fn check(known: Cty, validator: &dyn Validate<Self>) -> Result<(), String> {
        Self::from_cty(known).map_or(Ok(()), |endpoints| validator.validate(&endpoints))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(urls: &[(&str, &str)]) -> Endpoints {
        let fields = urls
            .iter()
            .fold(Fields::default(), |fields, (service, url)| {
                fields.with(service, Some((*url).to_owned()))
            });
        Endpoints::from_fields(fields).expect("endpoints")
    }

    #[test]
    fn every_service_is_taken_and_three_are_used() {
        assert_eq!(services().count(), 303);
        for (service, _) in USED {
            assert!(services().any(|known| known == service), "{service}");
        }
        let endpoints = of(&[
            ("ec2", "http://e"),
            ("iam", "http://i"),
            ("s3", "http://s"),
            ("rds", ""),
        ]);
        assert_eq!(endpoints.unused().collect::<Vec<_>>(), ["iam", "s3"]);
        assert_eq!(endpoints.settings().ec2.as_deref(), Some("http://e"));
    }

    #[test]
    fn several_blocks_are_one() {
        let merged = Endpoints::merged([of(&[("ec2", "http://e")]), of(&[("sts", "http://t")])]);
        let settings = merged.settings();
        assert_eq!(settings.ec2.as_deref(), Some("http://e"));
        assert_eq!(settings.sts.as_deref(), Some("http://t"));
        assert_eq!(settings.ssm, None);
    }
}
