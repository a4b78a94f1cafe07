//! What tells an image from every other: its account, region and id, as hashicorp/aws identifies what it manages.

use consistent_aws::ec2::images::Image;
use tfplug::{Context, Diagnostic, Model, Result};

use super::{import, model::ImageModel};
use crate::{client::Client, diagnose};

/// An image of one account and region.
#[derive(Clone, Debug, PartialEq, Eq, Model)]
pub(crate) struct ImageIdentity {
    /// The account that owns the image. Left out of an import: whichever the provider works in.
    #[tf(optional)]
    account_id: Option<String>,
    /// The image's region. Left out of an import: the provider's.
    #[tf(optional)]
    region: Option<String>,
    /// The image's id (`ami-...`).
    #[tf(required)]
    id: String,
}

impl ImageIdentity {
    pub(crate) fn of(image: &Image, region: &str) -> Self {
        Self {
            account_id: Some(image.owner_id.clone()),
            region: Some(region.to_owned()),
            id: image.id.clone(),
        }
    }

    /// None as long as EC2 has not described the image.
    pub(super) fn of_state(state: &ImageModel) -> Option<Self> {
        let region = state.arn.known()?.split(':').nth(3)?;
        Some(Self {
            account_id: Some(state.owner_id.known()?.clone()),
            region: Some(region.to_owned()),
            id: state.id.known()?.clone(),
        })
    }
}

pub(super) async fn import(cx: &Context<Client>, identity: &ImageIdentity) -> Result<ImageModel> {
    let client = cx.client()?;
    let region = client.clients.region().await.map_err(diagnose::config)?;
    // EC2 would look for it where it cannot be.
    if let Some(other) = identity.region.as_ref().filter(|it| **it != region) {
        let detail = format!(
            "{} is an image of region {other}, and this provider works in {region}: import it with a provider configured for \
             {other}.",
            identity.id
        );
        return Err(Diagnostic::error("The image is in another region", detail).into());
    }
    let state = import::import(cx, &identity.id).await?;
    let (asked, owner) = (identity.account_id.as_ref(), state.owner_id.known());
    match (asked, owner) {
        (Some(asked), Some(owner)) if asked != owner => {
            let detail = format!(
                "{} belongs to account {owner}, which this provider works in, not to {asked}.",
                identity.id
            );
            Err(Diagnostic::error("The image is in another account", detail).into())
        }
        _ => Ok(state),
    }
}

#[cfg(test)]
mod tests {
    use tfplug::Value;

    use super::*;
    use crate::{
        image::fixtures,
        tags::TagPolicy,
        testing::{self, Aws},
    };

    fn identity(account_id: Option<&str>, region: Option<&str>) -> ImageIdentity {
        ImageIdentity {
            account_id: account_id.map(str::to_owned),
            region: region.map(str::to_owned),
            id: fixtures::IMAGE.to_owned(),
        }
    }

    fn aws() -> Aws {
        Aws::default()
            .on("DescribeImages", fixtures::mapped(&fixtures::carried()))
            .on("DescribeSnapshots", fixtures::completed())
    }

    #[tokio::test]
    async fn what_was_left_out_is_filled_in() {
        let whole = identity(Some("111122223333"), Some("eu-central-1"));
        for asked in [identity(None, None), whole.clone()] {
            let cx = testing::context(aws().client(TagPolicy::default()));
            let state = import(&cx, &asked).await.expect("imported");
            assert_eq!(ImageIdentity::of_state(&state), Some(whole.clone()));
        }
    }

    #[tokio::test]
    async fn an_image_elsewhere_is_not_looked_for_here() {
        let elsewhere = [
            (
                identity(None, Some("us-east-1")),
                "an image of region us-east-1, and this provider works in eu-central-1",
                0,
            ),
            (
                identity(Some("444455556666"), None),
                "belongs to account 111122223333, which this provider works in, not to 444455556666",
                1,
            ),
        ];
        for (asked, said, looks) in elsewhere {
            let aws = aws();
            let cx = testing::context(aws.client(TagPolicy::default()));
            let error = import(&cx, &asked).await.expect_err("refused");
            let told = error.into_iter().next().expect("one");
            assert!(told.detail.contains(said), "{}", told.detail);
            assert_eq!(aws.calls("DescribeImages").len(), looks);
        }
    }

    #[test]
    fn what_ec2_did_not_describe_has_no_identity_yet() {
        let mut state = fixtures::state();
        assert_eq!(ImageIdentity::of_state(&state), None);
        state.arn = Value::from("arn:aws:ec2:eu-central-1::image/ami-0123456789abcdef0");
        assert_eq!(ImageIdentity::of_state(&state), None);
        state.owner_id = "111122223333".into();
        let expected = identity(Some("111122223333"), Some("eu-central-1"));
        assert_eq!(ImageIdentity::of_state(&state), Some(expected));
    }
}
