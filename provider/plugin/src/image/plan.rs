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
        (None, Some(client)) => {
            let looking = preflight::problems(&client.clients, &plan.planned);
            Box::pin(looking).await.or_ok(())
        }
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
