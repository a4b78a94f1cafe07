//! Planning: what `tags_all` will be, whether the image has to be replaced, and whether a create can succeed.

use tfplug::{Context, Diagnostic, Plan, Result, Value};

use super::{condition, model::ImageModel, preflight};
use crate::{client::Client, tags};

pub(super) async fn plan(cx: &Context<Client>, plan: &mut Plan<ImageModel>) -> Result<()> {
    if let Some(client) = cx.configured() {
        plan_tags(client, plan)?;
    }
    match (&plan.prior, cx.configured()) {
        (Some(prior), _) => {
            if let Some(why) = reason_to_replace(prior) {
                cx.warn(Diagnostic::warning("The image is replaced", why));
                plan.planned.state = Value::Unknown;
                plan.replace("state");
            }
            Ok(())
        }
        // A replacement is planned a second time as a create: its checks run then.
        (None, Some(client)) => preflight::problems(&client.clients, &plan.planned)
            .await
            .or_ok(()),
        (None, None) => Ok(()),
    }
}

fn plan_tags(client: &Client, plan: &mut Plan<ImageModel>) -> Result<()> {
    let Some(own) = tags::known(&plan.planned.tags) else {
        plan.planned.tags_all = Value::Unknown;
        return Ok(());
    };
    let wanted = client.tags.wanted(&own);
    if let Some(problem) = tags::too_many(&wanted) {
        return Err(problem.into());
    }
    plan.planned.tags_all = tags::shown(client.tags.managed(&wanted));
    Ok(())
}

fn reason_to_replace(prior: &ImageModel) -> Option<String> {
    let id = prior.id.known().map_or("The image", String::as_str);
    condition::reason_to_replace(id, prior.state.known()?)
}

#[cfg(test)]
mod tests {
    use tfplug::Severity;

    use super::*;
    use crate::{
        image::fixtures,
        tags::TagPolicy,
        testing::{self, Aws},
    };

    fn with_defaults() -> Client {
        let defaults = [("Team".to_owned(), "dba".to_owned())].into();
        Aws::default().client(TagPolicy {
            defaults,
            ..TagPolicy::default()
        })
    }

    fn change(prior: ImageModel) -> Plan<ImageModel> {
        Plan::new(prior.clone(), Some(prior.clone()), prior)
    }

    #[tokio::test]
    async fn tags_all_is_known_as_soon_as_the_tags_are() {
        let cx = testing::context(with_defaults());
        let mut change = change(fixtures::state());
        change.planned.tags = tags::shown([("Name".to_owned(), "a".to_owned())].into());
        plan(&cx, &mut change).await.expect("planned");
        let all = tags::known(&change.planned.tags_all).expect("known");
        assert_eq!(all.into_keys().collect::<Vec<_>>(), ["Name", "Team"]);

        change.planned.tags = Value::Known([("Name".to_owned(), Value::Unknown)].into());
        plan(&cx, &mut change).await.expect("planned");
        assert_eq!(change.planned.tags_all, Value::Unknown);
    }

    #[tokio::test]
    async fn a_sound_image_stays() {
        let cx = testing::context(Aws::default().client(TagPolicy::default()));
        let mut change = change(fixtures::state());
        plan(&cx, &mut change).await.expect("planned");
        assert_eq!(change.replaces(), []);
        assert_eq!(change.planned.state, "available".into());
        assert!(cx.take_warnings().is_empty());
    }

    #[tokio::test]
    async fn an_image_that_lost_its_proof_is_replaced_and_the_plan_says_why() {
        let cx = testing::context(Aws::default().client(TagPolicy::default()));
        let mut prior = fixtures::state();
        prior.state = "unproven".into();
        let mut change = change(prior);
        plan(&cx, &mut change).await.expect("planned");
        assert_eq!(change.replaces(), ["state".into()]);
        assert_eq!(change.planned.state, Value::Unknown);
        let warnings = cx.take_warnings();
        let told = warnings.iter().next().expect("a warning");
        assert_eq!(told.severity, Severity::Warning);
        assert!(
            told.detail
                .starts_with("ami-0123456789abcdef0 no longer carries"),
            "{}",
            told.detail
        );
    }

    #[tokio::test]
    async fn without_a_configured_provider_nothing_is_asked() {
        let cx = Context::new(
            None,
            tfplug::CancellationToken::new(),
            tfplug::Tasks::default(),
        );
        let planned = fixtures::planned();
        let mut create = Plan::new(planned.clone(), None, planned);
        plan(&cx, &mut create).await.expect("planned");
    }
}
