//! `toy_thing`: a resource that can be changed, replaced, imported, moved, upgraded, listed, and that fails on demand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tfplug::{
    Context, Create, Diagnostic, Failure, Model, MoveSource, Plan, Resource, Result, Update, Value,
    async_trait, validate,
};

use crate::store::Store;

/// A thing.
#[derive(Clone, Debug, Model)]
#[tf(version = 2)]
pub(crate) struct Thing {
    /// The thing's name, which is its id as well.
    #[tf(required, force_replace, validate = validate::length(2..=30))]
    name: Value<String>,
    /// How big it is.
    #[tf(optional, default = "medium", validate = validate::one_of(&["small", "medium", "large"]))]
    size: Value<String>,
    /// Labels.
    #[tf(optional)]
    labels: Value<BTreeMap<String, String>>,
    /// Given by the user or else by the provider.
    #[tf(optional, computed)]
    colour: Value<String>,
    /// Never stored.
    #[tf(optional, write_only)]
    secret: Option<String>,
    /// How to fail: `plan`, `early`, `late`, `half`, `panic`, `update`, `delete`, or `warn` to succeed with a warning.
    #[tf(optional)]
    fail: Option<String>,
    /// The id.
    #[tf(computed, use_state_for_unknown)]
    id: Value<String>,
    /// How often it was written.
    #[tf(computed)]
    revision: Value<i64>,
    /// How many characters the secret had.
    #[tf(computed)]
    secret_length: Value<i64>,
}

/// What tells a thing from all others.
#[derive(Clone, Debug, Model)]
#[tf(version = 1)]
pub(crate) struct ThingIdentity {
    /// The thing's name.
    #[tf(required)]
    name: String,
    /// `thing`.
    #[tf(optional)]
    kind: Option<String>,
}

impl ThingIdentity {
    pub(crate) fn of(name: String) -> Self {
        let kind = Some("thing".to_owned());
        Self { name, kind }
    }
}

impl Thing {
    pub(crate) fn colour(&self) -> Option<&String> {
        self.colour.known()
    }
}

/// What lies in the file.
#[derive(Serialize, Deserialize)]
struct Stored {
    size: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    colour: Option<String>,
    revision: i64,
}

pub(crate) struct ThingResource;

impl ThingResource {
    /// What lies in the box under a name.
    pub(crate) fn stored(store: &Store, name: &str) -> Result<Option<Thing>> {
        let stored: Option<Stored> = store.get(name)?;
        Ok(stored.map(|stored| Thing {
            name: name.into(),
            size: stored.size.into(),
            labels: stored.labels.into(),
            colour: stored.colour.into(),
            secret: None,
            fail: None,
            id: name.into(),
            revision: stored.revision.into(),
            secret_length: Value::Known(0),
        }))
    }

    /// Writes the planned thing and says what it became.
    fn write(
        store: &Store,
        mut thing: Thing,
        secret: Option<String>,
        revision: i64,
    ) -> Result<Thing> {
        let name = thing.name.known().cloned().unwrap_or_default();
        let colour = thing
            .colour
            .into_known()
            .unwrap_or_else(|| "grey".to_owned());
        thing.colour = Value::Known(colour);
        thing.revision = Value::Known(revision);
        thing.secret_length = secret
            .map_or(0, |secret| i64::try_from(secret.len()).unwrap_or(i64::MAX))
            .into();
        thing.id = Value::Known(name.clone());
        let stored = Stored {
            size: thing.size.known().cloned(),
            labels: thing.labels.known().cloned(),
            colour: thing.colour.known().cloned(),
            revision,
        };
        store.put(&name, &stored)?;
        Ok(thing)
    }
}

fn asked_to_fail() -> Diagnostic {
    Diagnostic::error("The thing broke", "As the configuration asked for.").at("fail")
}

#[async_trait]
impl Resource for ThingResource {
    type Client = Store;
    type Model = Thing;
    type Identity = ThingIdentity;
    const NAME: &'static str = "toy_thing";

    async fn validate(&self, _cx: &Context<Store>, config: Thing) -> Result<()> {
        if config.name.known() == config.colour.known() && config.name.known().is_some() {
            return Err(
                Diagnostic::error("Confusing", "Name and colour are the same.")
                    .at("colour")
                    .into(),
            );
        }
        Ok(())
    }

    async fn plan(&self, cx: &Context<Store>, plan: &mut Plan<Thing>) -> Result<()> {
        cx.private().set("planned_with", &plan.planned.fail)?;
        if plan.config.fail.as_deref() == Some("plan") {
            return Err(asked_to_fail().into());
        }
        // A thing whose file says "broken" has to be made anew.
        if let Some(prior) = &plan.prior
            && prior
                .colour
                .known()
                .is_some_and(|colour| colour == "broken")
        {
            plan.planned.colour = Value::Unknown;
            plan.replace("colour");
        }
        Ok(())
    }

    async fn plan_destroy(&self, _cx: &Context<Store>, prior: Thing) -> Result<()> {
        if prior.fail.as_deref() == Some("plan_destroy") {
            return Err(Diagnostic::error("Protected", "It may not be destroyed.").into());
        }
        Ok(())
    }

    async fn create(
        &self,
        cx: &Context<Store>,
        request: Create<Thing>,
    ) -> Result<Thing, Failure<Thing>> {
        let store = cx.client()?;
        let Create { planned, config } = request;
        match planned.fail.as_deref() {
            Some("early") => return Err(asked_to_fail().into()),
            Some("late") => {
                let thing = Self::write(&store, planned, config.secret, 1)?;
                return Err(Failure::from(asked_to_fail()).keeping(thing));
            }
            // What is not known yet is left unknown.
            Some("half") => return Err(Failure::from(asked_to_fail()).keeping(planned)),
            Some("panic") => panic!("the toy fell off the table"),
            Some("warn") => cx.warn(Diagnostic::warning("Wobbly", "It may fall over.").at("fail")),
            _ => {}
        }
        let planned_with: Option<Option<String>> = cx.private().get("planned_with")?;
        assert_eq!(
            planned_with,
            Some(planned.fail.clone()),
            "private data of the plan"
        );
        cx.private().set("made", &true)?;
        Ok(Self::write(&store, planned, config.secret, 1)?)
    }

    async fn read(&self, cx: &Context<Store>, mut state: Thing) -> Result<Option<Thing>> {
        let name = state.name.known().cloned().unwrap_or_default();
        let Some(stored) = cx.client()?.get::<Stored>(&name)? else {
            return Ok(None);
        };
        let read: i64 = cx.private().get("reads")?.unwrap_or(0);
        cx.private().set("reads", &(read + 1))?;
        state.size = stored.size.into();
        state.labels = stored.labels.into();
        state.colour = stored.colour.into();
        state.revision = stored.revision.into();
        Ok(Some(state))
    }

    async fn update(
        &self,
        cx: &Context<Store>,
        request: Update<Thing>,
    ) -> Result<Thing, Failure<Thing>> {
        if request.planned.fail.as_deref() == Some("update") {
            return Err(asked_to_fail().into());
        }
        assert_eq!(
            cx.private().get::<bool>("made")?,
            Some(true),
            "private data of the creation"
        );
        let revision = request.prior.revision.known().copied().unwrap_or(0) + 1;
        Ok(Self::write(
            &*cx.client()?,
            request.planned,
            request.config.secret,
            revision,
        )?)
    }

    async fn delete(&self, cx: &Context<Store>, state: Thing) -> Result<(), Failure<Thing>> {
        if state.fail.as_deref() == Some("delete") {
            return Err(asked_to_fail().into());
        }
        Ok(cx
            .client()?
            .remove(state.name.known().map_or("", String::as_str))?)
    }

    async fn import(&self, cx: &Context<Store>, id: String) -> Result<Thing> {
        let Some(thing) = Self::stored(&*cx.client()?, &id)? else {
            return Err(Diagnostic::error("No such thing", format!("There is no {id:?}.")).into());
        };
        cx.private().set("made", &true)?;
        Ok(thing)
    }

    fn identity(&self, thing: &Thing) -> Option<ThingIdentity> {
        thing.id.known().cloned().map(ThingIdentity::of)
    }

    async fn import_by_identity(
        &self,
        cx: &Context<Store>,
        identity: ThingIdentity,
    ) -> Result<Thing> {
        if let Some(other) = identity.kind.filter(|kind| kind != "thing") {
            let detail = format!("There are things only, not {other:?}.");
            return Err(Diagnostic::error("No such kind", detail).into());
        }
        self.import(cx, identity.name).await
    }

    /// Grey is what a thing is when nobody says.
    fn configuration(&self, mut imported: Thing) -> Result<Thing> {
        if imported.colour.known().is_some_and(|it| it == "grey") {
            imported.colour = Value::Null;
        }
        Ok(imported)
    }

    /// Version 0 called the name `title`.
    fn upgrade_identity(
        &self,
        _from: i64,
        mut identity: serde_json::Value,
    ) -> Result<serde_json::Value> {
        identity["name"] = identity["title"].take();
        Ok(identity)
    }

    /// Version 1 called the size `scale`.
    fn upgrade(&self, from: i64, mut state: serde_json::Value) -> Result<serde_json::Value> {
        if from != 1 {
            return Err(
                Diagnostic::error("Too old", format!("Nobody knows version {from}.")).into(),
            );
        }
        state["size"] = state["scale"].take();
        Ok(state)
    }

    async fn move_state(&self, _cx: &Context<Store>, source: MoveSource) -> Result<Option<Thing>> {
        if source.type_name != "terraform_data" {
            return Ok(None);
        }
        let name = source.state["input"]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        Ok(Some(Thing {
            id: Value::Known(name.clone()),
            name: Value::Known(name),
            size: Value::from("medium"),
            labels: Value::Null,
            colour: Value::from("grey"),
            secret: None,
            fail: None,
            revision: Value::Known(1),
            secret_length: Value::Known(0),
        }))
    }
}
