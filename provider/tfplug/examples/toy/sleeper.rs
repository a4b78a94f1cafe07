//! `toy_sleeper`: holds something for a while, and releases it whatever happens.

use std::time::Duration;

use tfplug::{
    CancellationToken, Context, Create, Diagnostic, Failure, Model, Resource, Result, Value,
    async_trait,
};

use crate::store::Store;

/// A sleeper. While it is created the file `<name>.held` exists.
#[derive(Clone, Debug, Model)]
pub(crate) struct Sleeper {
    /// The sleeper's name.
    #[tf(required, force_replace)]
    name: String,
    /// How long to hold, in ms.
    #[tf(required, force_replace)]
    hold_ms: u64,
    /// How long releasing takes, in ms.
    #[tf(required, force_replace)]
    release_ms: u64,
    /// The id.
    #[tf(computed, use_state_for_unknown)]
    id: Value<String>,
}

/// How a hold ended.
#[derive(PartialEq, Eq)]
enum Hold {
    Completed,
    Stopped,
}

pub(crate) struct SleeperResource;

impl SleeperResource {
    async fn hold(store: &Store, sleeper: &Sleeper, stop: &CancellationToken) -> Result<Hold> {
        let marker = format!("{}.held", sleeper.name);
        store.put(&marker, &true)?;
        tracing::info!(name = sleeper.name, "holding");
        let hold = tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(sleeper.hold_ms)) => Hold::Completed,
            () = stop.cancelled() => Hold::Stopped,
        };
        tokio::time::sleep(Duration::from_millis(sleeper.release_ms)).await;
        store.remove(&marker)?;
        store.put(&format!("{}.released", sleeper.name), &true)?;
        Ok(hold)
    }
}

#[async_trait]
impl Resource for SleeperResource {
    type Client = Store;
    type Model = Sleeper;
    type Identity = ();
    const NAME: &'static str = "toy_sleeper";

    async fn create(
        &self,
        cx: &Context<Store>,
        request: Create<Sleeper>,
    ) -> Result<Sleeper, Failure<Sleeper>> {
        let mut sleeper = request.planned;
        let store = cx.client()?;
        if Self::hold(&store, &sleeper, cx.stop()).await? == Hold::Stopped {
            return Err(
                Diagnostic::error("Stopped", "The hold was released before its time.").into(),
            );
        }
        sleeper.id = Value::Known(sleeper.name.clone());
        Ok(sleeper)
    }

    async fn read(&self, _cx: &Context<Store>, state: Sleeper) -> Result<Option<Sleeper>> {
        Ok(Some(state))
    }

    async fn delete(&self, _cx: &Context<Store>, _state: Sleeper) -> Result<(), Failure<Sleeper>> {
        Ok(())
    }
}
