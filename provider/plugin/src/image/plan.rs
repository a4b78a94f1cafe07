//! Planning: what will be known of the image, whether it has to be replaced, and whether a create can succeed.

use tfplug::{Context, Diagnostic, Plan, Result, Value};
use time::OffsetDateTime;

use super::{
    condition, delete, deprecation,
    model::ImageModel,
    preflight,
    private::{INPUTS_UNKNOWN, REPLACES},
    snapshot_tags, triggers, unique,
};
use crate::{client::Client, tags};

pub(super) async fn plan(cx: &Context<Client>, plan: &mut Plan<ImageModel>) -> Result<()> {
    if let Some(client) = cx.configured() {
        plan_tags(client, plan)?;
    }
    plan_deprecation(plan, OffsetDateTime::now_utc())?;
    let Some(prior) = plan.prior.clone() else {
        return plan_create(cx, plan).await;
    };
    plan_name(plan, &prior);
    plan_inputs(
        plan,
        &prior,
        cx.private().get(INPUTS_UNKNOWN)?.unwrap_or(false),
    );
    if let Some(why) = reason_to_replace(&prior) {
        cx.warn(Diagnostic::warning("The image is replaced", why).at("state"));
        plan.planned.state = Value::Unknown;
        plan.replace("state");
    }
    if let Some(id) = prior.id.known() {
        cx.private().set(REPLACES, id)?;
    }
    if is_replaced(plan, &prior) {
        delete::plan(&prior)?;
    } else if triggers::only_worded(&prior, &plan.planned) {
        plan.planned = prior;
    }
    Ok(())
}

/// By what was asked for here, or by an attribute whose every change asks for it.
fn is_replaced(plan: &Plan<ImageModel>, prior: &ImageModel) -> bool {
    let planned = &plan.planned;
    !plan.replaces().is_empty()
        || planned.name != prior.name
        || planned.source_instance_id != prior.source_instance_id
}

/// A replacement is planned a second time as a create, with what the first time left in private state.
async fn plan_create(cx: &Context<Client>, plan: &Plan<ImageModel>) -> Result<()> {
    let Some(client) = cx.configured() else {
        return Ok(());
    };
    let replaced: Option<String> = cx.private().get(REPLACES)?;
    let problems = preflight::problems(&client.clients, &plan.planned, replaced.as_deref()).await;
    problems.or_ok(())
}

fn plan_tags(client: &Client, plan: &mut Plan<ImageModel>) -> Result<()> {
    let planned = &mut plan.planned;
    let Some(own) = tags::known(&planned.tags) else {
        planned.tags_all = Value::Unknown;
        return Ok(());
    };
    let wanted = client.tags.wanted(&own);
    let particular = tags::known(&planned.snapshot_tags).unwrap_or_default();
    let on_snapshots = snapshot_tags::wanted(client, &own, &particular);
    // Of the two sets the snapshots' is the greater one: blame `tags` only for what they are too many by themselves.
    let problem = tags::too_many(&wanted)
        .or_else(|| tags::too_many(&on_snapshots).map(|it| it.at("snapshot_tags")));
    if let Some(problem) = problem {
        return Err(problem.into());
    }
    planned.tags_all = tags::shown(client.tags.managed(&wanted));
    Ok(())
}

/// The same minute in other words is no change; another one must be one that EC2 takes.
fn plan_deprecation(plan: &mut Plan<ImageModel>, now: OffsetDateTime) -> Result<()> {
    let Value::Known(wanted) = plan.planned.deprecation_time.clone() else {
        return Ok(());
    };
    let recorded = plan
        .prior
        .as_ref()
        .and_then(|it| it.deprecation_time.known());
    match recorded {
        Some(recorded) if deprecation::same(recorded, &wanted) => {
            plan.planned.deprecation_time = recorded.clone().into();
            Ok(())
        }
        _ => deprecation::problem(&wanted, now).map_or(Ok(()), |problem| Err(problem.into())),
    }
}

/// A prefix that the name is not of asks for a new one. One that it is of changes nothing.
fn plan_name(plan: &mut Plan<ImageModel>, prior: &ImageModel) {
    let fits = match (&plan.config.name_prefix, prior.name.known()) {
        (Value::Known(prefix), Some(name)) => unique::is_of(name, prefix),
        (prefix, _) => prefix.is_null(),
    };
    if plan.config.name.is_null() && !fits {
        plan.planned.name = Value::Unknown;
        plan.replace("name");
    }
}

/// A change of what led to the image asks for a new one - unless nobody knows what that was: then the configuration is
/// taken for it.
fn plan_inputs(plan: &mut Plan<ImageModel>, prior: &ImageModel, unknown: bool) {
    if unknown {
        return;
    }
    let planned = &plan.planned;
    let others = [
        ("capture", prior.capture != planned.capture),
        ("quiesce", prior.quiesce != planned.quiesce),
        (triggers::ATTRIBUTE, !triggers::unchanged(prior, planned)),
    ];
    let others = others
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name));
    let changed: Vec<&str> = prior
        .engines
        .differing(&planned.engines)
        .chain(others)
        .collect();
    for attribute in changed {
        plan.replace(attribute);
    }
}

fn reason_to_replace(prior: &ImageModel) -> Option<String> {
    let id = prior.id.known().map_or("The image", String::as_str);
    condition::reason_to_replace(id, prior.state.known()?, prior.session().is_some())
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

    async fn planned(prior: ImageModel, edit: impl FnOnce(&mut ImageModel)) -> Plan<ImageModel> {
        let cx = testing::context(Aws::default().client(TagPolicy::default()));
        let mut config = prior.clone();
        edit(&mut config);
        let mut change = Plan::new(config.clone(), Some(prior), config);
        Box::pin(plan(&cx, &mut change)).await.expect("planned");
        change
    }

    #[tokio::test]
    async fn what_led_to_the_image_makes_a_new_one() {
        let triggers = Value::Known([("build".to_owned(), "43".into())].into());
        let change = planned(fixtures::state(), |it| it.triggers = triggers).await;
        assert_eq!(change.replaces(), ["triggers".into()]);
        let engine = tfplug::Cty::Map([].into());
        let engines = tfplug::Cty::Map([("postgresql".to_owned(), engine)].into());
        let engines = tfplug::Model::from_cty(engines).expect("an engine");
        let change = planned(fixtures::state(), |it| it.engines = engines).await;
        assert_eq!(change.replaces(), ["postgresql".into()]);
    }

    #[tokio::test]
    async fn what_nobody_knows_of_an_import_is_taken_as_configured() {
        let cx = testing::context(Aws::default().client(TagPolicy::default()));
        cx.private().set(INPUTS_UNKNOWN, &true).expect("set");
        let mut change = change(fixtures::state());
        change.planned.triggers = Value::Known([("build".to_owned(), "43".into())].into());
        plan(&cx, &mut change).await.expect("planned");
        assert_eq!(change.replaces(), []);
    }

    #[tokio::test]
    async fn a_protected_image_is_not_planned_to_be_replaced() {
        let mut prior = fixtures::state();
        prior.deregistration_protection = true.into();
        let cx = testing::context(Aws::default().client(TagPolicy::default()));
        let mut change = change(prior);
        change.planned.deregistration_protection = false.into();
        plan(&cx, &mut change).await.expect("in place");
        change.planned.name = "orders-2".into();
        let error = plan(&cx, &mut change).await.expect_err("in its way");
        let told = error.iter().next().expect("one");
        assert_eq!(told.summary, "The image is protected");
    }

    #[tokio::test]
    async fn settings_change_in_place() {
        let change = planned(fixtures::state(), |it| {
            it.description = "new".into();
            it.deprecation_time = "2031-01-31T00:00:00Z".into();
            it.deregistration_protection = true.into();
            it.skip_destroy = true.into();
        })
        .await;
        assert_eq!(change.replaces(), []);
    }

    #[tokio::test]
    async fn the_same_minute_in_other_words_is_no_change() {
        let mut prior = fixtures::state();
        prior.deprecation_time = "2020-01-31T00:00:00Z".into();
        let other = "2020-01-31T01:00:10+01:00";
        let change = planned(prior.clone(), |it| it.deprecation_time = other.into()).await;
        assert_eq!(change.planned.deprecation_time, prior.deprecation_time);
    }

    #[tokio::test]
    async fn a_time_that_ec2_would_refuse_is_refused_with_its_place() {
        let cx = testing::context(Aws::default().client(TagPolicy::default()));
        let mut change = change(fixtures::state());
        change.planned.deprecation_time = "2020-01-31T00:00:00Z".into();
        let error = plan(&cx, &mut change).await.expect_err("in the past");
        assert_eq!(
            error.iter().next().expect("one").path,
            "deprecation_time".into()
        );
    }

    #[tokio::test]
    async fn a_prefix_asks_for_a_new_name_only_where_the_name_is_not_of_it() {
        let mut prior = fixtures::state();
        prior.name = "orders-202611221600012345000000ff".into();
        prior.name_prefix = Value::Null;
        let with = |prefix: &'static str| {
            planned(prior.clone(), move |it| {
                it.name = Value::Null;
                it.name_prefix = prefix.into();
            })
        };
        let (kept, replaced) = (with("orders-").await, with("orders").await);
        assert_eq!(kept.replaces(), []);
        assert_eq!(replaced.replaces(), ["name".into()]);
        assert_eq!(replaced.planned.name, Value::Unknown);
    }

    #[tokio::test]
    async fn too_many_tags_on_the_snapshots_are_not_blamed_on_the_image() {
        let cx = testing::context(with_defaults());
        let many = |count: usize, key: &str| {
            let tags = (0..count).map(|n| (format!("{key}{n}"), String::new()));
            tags::shown(tags.collect())
        };
        let mut change = change(fixtures::state());
        change.planned.tags = many(30, "a");
        change.planned.snapshot_tags = many(7, "b");
        let error = plan(&cx, &mut change).await.expect_err("too many");
        assert_eq!(
            error.iter().next().expect("one").path,
            "snapshot_tags".into()
        );
    }

    #[tokio::test]
    async fn a_moved_image_is_replaced_because_nobody_proved_it() {
        let cx = testing::context(Aws::default().client(TagPolicy::default()));
        let mut prior = fixtures::state();
        (prior.state, prior.evidence) = ("unproven".into(), Value::Null);
        let mut change = change(prior);
        plan(&cx, &mut change).await.expect("planned");
        assert_eq!(change.replaces(), ["state".into()]);
        let warnings = cx.take_warnings();
        let told = warnings.iter().next().expect("a warning");
        assert!(told.detail.contains("was not made by this provider"));
        assert_eq!(told.path, "state".into());
        let replaced: Option<String> = cx.private().get(REPLACES).expect("read");
        assert_eq!(replaced.as_deref(), Some(fixtures::IMAGE));
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
