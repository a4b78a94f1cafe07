//! Changing in place: tags, description, deprecation, protection. Timeouts and `skip_destroy` only live in the state.

use std::collections::BTreeSet;

use consistent_aws::ec2::images;
use tfplug::{Context, Diagnostic, Result};
use tracing::info;

use super::{
    model::ImageModel,
    needed,
    private::{INPUTS_UNKNOWN, REPLACES},
    record,
    settings::Settings,
    snapshot_tags,
    timeouts::{Unfinished, Work},
};
use crate::{
    client::Client,
    diagnose,
    tags::{self, Tags},
};

pub(super) async fn update(
    cx: &Context<Client>,
    prior: &ImageModel,
    planned: ImageModel,
) -> Result<ImageModel> {
    let client = cx.client()?;
    let changing = Box::pin(change(&client, prior, &planned));
    Work::Update
        .within_limit(&planned, cx.stop(), changing)
        .await
        .map_err(unfinished)??;
    // From now on the state knows how the image is configured.
    cx.private().remove(INPUTS_UNKNOWN);
    cx.private().remove(REPLACES);
    Ok(planned)
}

fn unfinished(Unfinished(why): Unfinished) -> Diagnostic {
    let detail = format!(
        "Changing the image did not come to its end: {why}. The next plan shows what is left to do."
    );
    Diagnostic::error("The image is not changed yet", detail)
}

async fn change(client: &Client, prior: &ImageModel, planned: &ImageModel) -> Result<()> {
    let id = needed(&prior.id, "id")?;
    // A tag may be ignored since this state was written: it is none of ours any more.
    let of_image = |model: &ImageModel| {
        let found = tags::known(&model.tags_all).unwrap_or_default();
        let mut all = client.tags.managed(&found);
        all.extend(record::tags(model));
        all
    };
    let of_snapshots = |model: &ImageModel| {
        snapshot_tags::managed(&client.tags, &model.tags_all, &model.snapshot_tags)
    };
    let image = Change::between(&of_image(prior), &of_image(planned));
    let snapshots = Change::between(&of_snapshots(prior), &of_snapshots(planned));
    image.carry_out(client, std::slice::from_ref(id)).await?;
    snapshots.carry_out(client, &prior.snapshot_ids()).await?;
    let (before, after) = (Settings::from(prior), Settings::from(planned));
    before.become_in(&after, &client.clients, id).await
}

/// What leads from one set of tags to another.
#[derive(Debug, Default, PartialEq, Eq)]
struct Change {
    set: Tags,
    removed: BTreeSet<String>,
}

impl Change {
    fn between(before: &Tags, after: &Tags) -> Self {
        let set = after
            .iter()
            .filter(|(key, value)| before.get(*key) != Some(*value));
        let removed = before.keys().filter(|key| !after.contains_key(*key));
        Self {
            set: set
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            removed: removed.cloned().collect(),
        }
    }

    async fn carry_out(&self, client: &Client, resources: &[String]) -> Result<()> {
        if *self == Self::default() {
            return Ok(());
        }
        let ec2 = client.clients.ec2().await.map_err(diagnose::config)?;
        let set = images::set_tags(ec2, resources, &self.set).await;
        set.map_err(diagnose::call)?;
        let removed = images::remove_tags(ec2, resources, &self.removed).await;
        removed.map_err(diagnose::call)?;
        info!(
            ?resources,
            set = self.set.len(),
            removed = self.removed.len(),
            "tags changed"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tfplug::Value;

    use super::*;
    use crate::{
        image::{fixtures, model::Timeouts},
        tags::TagPolicy,
        testing::{self, Aws},
    };

    const DONE: &str = "<return>true</return>";

    async fn updated(aws: &Aws, edit: impl FnOnce(&mut ImageModel, &mut ImageModel)) -> ImageModel {
        let (mut prior, mut planned) = (fixtures::state(), fixtures::state());
        edit(&mut prior, &mut planned);
        let cx = testing::context(aws.client(TagPolicy::default()));
        cx.private().set(INPUTS_UNKNOWN, &true).expect("set");
        let done = update(&cx, &prior, planned).await.expect("updated");
        let unknown: Option<bool> = cx.private().get(INPUTS_UNKNOWN).expect("read");
        assert_eq!(unknown, None);
        done
    }

    fn one(key: &str, value: &str) -> tags::ConfiguredTags {
        tags::shown([(key.to_owned(), value.to_owned())].into())
    }

    #[tokio::test]
    async fn image_and_snapshots_are_tagged_alike() {
        let aws = Aws::default().on("CreateTags", DONE).on("DeleteTags", DONE);
        updated(&aws, |prior, planned| {
            prior.tags_all = one("Old", "");
            planned.tags_all = one("New", "1");
        })
        .await;
        for (action, tag) in [("CreateTags", "Key=New"), ("DeleteTags", "Key=Old")] {
            let calls = aws.calls(action);
            assert!(calls.iter().all(|call| call.contains(tag)), "{calls:?}");
            for resource in [fixtures::IMAGE, "snap-1"] {
                assert!(
                    calls.iter().any(|call| call.contains(resource)),
                    "{calls:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn snapshots_have_tags_of_their_own_over_the_images() {
        let aws = Aws::default().on("CreateTags", DONE);
        updated(&aws, |prior, planned| {
            (prior.tags_all, planned.tags_all) = (one("Team", "dba"), one("Team", "dba"));
            planned.snapshot_tags = one("Team", "backup");
        })
        .await;
        let calls = aws.calls("CreateTags");
        let [call] = calls.as_slice() else {
            panic!("{calls:?}")
        };
        assert!(
            call.contains("snap-1") && call.contains("Value=backup"),
            "{call}"
        );
    }

    #[tokio::test]
    async fn a_tag_that_is_ignored_by_now_is_not_removed() {
        let aws = Aws::default();
        let mut prior = fixtures::state();
        let found = ["Scanned", "cost/centre"].map(|key| (key.to_owned(), "1".to_owned()));
        prior.tags_all = tags::shown(found.into());
        let policy = TagPolicy {
            ignored_keys: ["Scanned".to_owned()].into(),
            ignored_prefixes: ["cost/".to_owned()].into(),
            ..TagPolicy::default()
        };
        let cx = testing::context(aws.client(policy));
        update(&cx, &prior, fixtures::state())
            .await
            .expect("updated");
        assert!(aws.calls("DeleteTags").is_empty());
    }

    #[tokio::test]
    async fn what_is_taken_off_the_snapshots_gives_way_to_the_images() {
        let aws = Aws::default().on("CreateTags", DONE);
        updated(&aws, |prior, planned| {
            (prior.tags_all, planned.tags_all) = (one("Team", "dba"), one("Team", "dba"));
            prior.snapshot_tags = one("Team", "backup");
        })
        .await;
        assert!(aws.calls("CreateTags")[0].contains("Value=dba"));
    }

    #[tokio::test]
    async fn settings_change_one_by_one() {
        let actions = [
            "ModifyImageAttribute",
            "DisableImageDeprecation",
            "EnableImageDeregistrationProtection",
        ];
        let aws = actions
            .iter()
            .fold(Aws::default(), |aws, action| aws.on(action, DONE));
        let after = updated(&aws, |prior, planned| {
            prior.deprecation_time = "2031-01-31T00:00:00Z".into();
            planned.description = "new".into();
            planned.deregistration_protection = true.into();
            planned.deregistration_protection_cooldown = true.into();
        })
        .await;
        assert_eq!(after.description, "new".into());
        assert!(actions.iter().all(|action| aws.calls(action).len() == 1));
        assert!(aws.calls(actions[2])[0].contains("WithCooldown=true"));
    }

    #[tokio::test]
    async fn what_only_terraform_keeps_changes_the_record_for_an_import() {
        let aws = Aws::default().on("CreateTags", DONE);
        updated(&aws, |_, planned| {
            planned.timeouts = Value::Known(Timeouts {
                delete: "2h".into(),
                ..Timeouts::default()
            });
        })
        .await;
        let calls = aws.calls("CreateTags");
        let [call] = calls.as_slice() else {
            panic!("{calls:?}")
        };
        assert!(
            call.contains("consistent%3Aconfiguration") && !call.contains("snap-1"),
            "{call}"
        );
    }

    #[tokio::test]
    async fn nothing_new_needs_no_call() {
        let aws = Aws::default();
        updated(&aws, |_, _| {}).await;
        assert!(aws.calls("CreateTags").is_empty());
    }

    #[tokio::test]
    async fn a_stop_and_the_timeout_end_it_and_say_so() {
        let cx = testing::context(Aws::default().client(TagPolicy::default()));
        cx.stop().cancel();
        let (prior, mut planned) = (fixtures::state(), fixtures::state());
        planned.description = "new".into();
        let error = update(&cx, &prior, planned).await.expect_err("stopped");
        let told = error.iter().next().expect("one");
        assert_eq!(told.summary, "The image is not changed yet");
    }

    #[test]
    fn only_what_differs_is_touched() {
        let tags = |pairs: &[(&str, &str)]| -> Tags {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        let (before, after) = (
            tags(&[("a", "1"), ("b", "2"), ("c", "3")]),
            tags(&[("a", "1"), ("b", "9"), ("d", "")]),
        );
        let change = Change::between(&before, &after);
        assert_eq!(change.set, tags(&[("b", "9"), ("d", "")]));
        assert_eq!(change.removed, ["c".to_owned()].into());
        assert_eq!(Change::between(&after, &after), Change::default());
    }
}
