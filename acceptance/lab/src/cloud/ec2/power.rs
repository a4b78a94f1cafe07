//! Instances on and off: start, stop, reboot, terminate.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{instances, params::Params, shapes};
use crate::cloud::{
    Cloud,
    call::{Answer, Call},
    error::ApiError,
    hypervisor::{MachineSpec, Outcome},
    iam::Access,
    journal::Event,
    settings::ms,
    world::{Instance, InstanceState, ShutdownBehavior},
};

pub(super) fn start(call: &Call<'_>, params: Params) -> Answer {
    let ids = admitted(call, "StartInstances", params)?;
    let changes = change(
        call.cloud,
        &ids,
        InstanceState::Pending,
        |instance| match instance.state {
            InstanceState::Stopped => Ok(true),
            InstanceState::Running | InstanceState::Pending => Ok(false),
            _ => Err(incorrect(instance)),
        },
    )?;
    for id in changes.begun {
        let cloud = call.cloud.clone();
        tokio::spawn(async move {
            let outcome = boot(&cloud, &id).await;
            settle(&cloud, &id, outcome, InstanceState::Running);
        });
    }
    Ok(changes.shown)
}

pub(super) fn stop(call: &Call<'_>, mut params: Params) -> Answer {
    params.flag("Force")?;
    params.flag("SkipOsShutdown")?;
    let ids = admitted(call, "StopInstances", params)?;
    let changes = change(
        call.cloud,
        &ids,
        InstanceState::Stopping,
        |instance| match instance.state {
            _ if instance.stop_protected => Err(protected(&instance.id, "disableApiStop")),
            InstanceState::Running => Ok(true),
            InstanceState::Stopped | InstanceState::Stopping => Ok(false),
            _ => Err(incorrect(instance)),
        },
    )?;
    for id in changes.begun {
        let cloud = call.cloud.clone();
        tokio::spawn(async move {
            let within = ms(cloud.settings().instances.shutdown_within_ms);
            let outcome = cloud.hypervisor.shutdown(&id, within).await;
            settle(&cloud, &id, outcome, InstanceState::Stopped);
        });
    }
    Ok(changes.shown)
}

pub(super) fn reboot(call: &Call<'_>, params: Params) -> Answer {
    let ids = admitted(call, "RebootInstances", params)?;
    for id in ids {
        tokio::spawn(reboot_now(call.cloud.clone(), id));
    }
    Ok(json!({"return": true}))
}

/// Reboots every instance that runs now, `after` a while.
pub(crate) fn reboot_running(cloud: &Arc<Cloud>, after: Duration) {
    let running: Vec<String> = cloud
        .world()
        .instances
        .values()
        .filter(|instance| instance.state == InstanceState::Running)
        .map(|instance| instance.id.clone())
        .collect();
    for id in running {
        let cloud = cloud.clone();
        tokio::spawn(async move {
            sleep(after).await;
            reboot_now(cloud, id).await;
        });
    }
}

/// Shuts an instance down and starts it again; to EC2 it is `running` all the time.
async fn reboot_now(cloud: Arc<Cloud>, id: String) {
    let within = ms(cloud.settings().instances.shutdown_within_ms);
    noted(&cloud, &id, "rebooting");
    if let Err(error) = cloud.hypervisor.reboot(&id, within).await {
        tracing::error!(%error, instance = id, "reboot failed");
    }
    noted(&cloud, &id, "rebooted");
}

pub(super) fn terminate(call: &Call<'_>, mut params: Params) -> Answer {
    params.flag("Force")?;
    params.flag("SkipOsShutdown")?;
    let ids = admitted(call, "TerminateInstances", params)?;
    let changes = change(
        call.cloud,
        &ids,
        InstanceState::ShuttingDown,
        |instance| match instance.state {
            _ if instance.termination_protected => {
                Err(protected(&instance.id, "disableApiTermination"))
            }
            InstanceState::Terminated | InstanceState::ShuttingDown => Ok(false),
            _ => Ok(true),
        },
    )?;
    for id in changes.begun {
        let cloud = call.cloud.clone();
        tokio::spawn(async move {
            let outcome = dispose(&cloud, &id).await;
            settle(&cloud, &id, outcome, InstanceState::Terminated);
        });
    }
    Ok(changes.shown)
}

/// Ends the machine and deletes the volumes that go with it.
async fn dispose(cloud: &Cloud, id: &str) -> Outcome<()> {
    cloud.hypervisor.terminate(id).await?;
    cloud.ssm.forget(id);
    let doomed: Vec<String> = cloud
        .world()
        .instances
        .get(id)
        .into_iter()
        .flat_map(|instance| &instance.devices)
        .filter(|device| device.delete_on_termination)
        .map(|device| device.volume.clone())
        .collect();
    for volume in doomed {
        cloud.hypervisor.delete_volume(&volume).await?;
        cloud.world().volumes.remove(&volume);
    }
    Ok(())
}

/// Powers an instance on and watches for its end.
pub(super) async fn boot(cloud: &Arc<Cloud>, id: &str) -> Outcome<()> {
    let machine = {
        let world = cloud.world();
        world.instances.get(id).map(|i| machine(cloud, i))
    };
    if let Some(machine) = machine {
        cloud.hypervisor.boot(&machine).await?;
        entered(cloud, id, InstanceState::Running, "");
        tokio::spawn(watch(cloud.clone(), id.to_owned()));
    }
    Ok(())
}

fn machine(cloud: &Cloud, instance: &Instance) -> MachineSpec {
    let mut devices: Vec<(String, String)> = instance
        .devices
        .iter()
        .map(|d| (d.name.clone(), d.volume.clone()))
        .collect();
    devices.sort_by_key(|(name, _)| *name != instance.root_device);
    MachineSpec {
        instance: instance.id.clone(),
        devices,
        agent_socket: cloud.agent_socket(&instance.id),
    }
}

/// Shuts an instance's machine down, does something, and powers it on again.
pub(super) async fn off_and_on(
    cloud: &Arc<Cloud>,
    id: &str,
    between: impl Future<Output = Outcome<()>>,
) -> Outcome<()> {
    let within = ms(cloud.settings().instances.shutdown_within_ms);
    cloud.world().between_boots.insert(id.to_owned());
    let outcome = match cloud.hypervisor.shutdown(id, within).await {
        Ok(()) => between.await.and(boot(cloud, id).await),
        Err(error) => Err(error),
    };
    cloud.world().between_boots.remove(id);
    outcome
}

/// A guest that powers off by itself stops its instance, or terminates it where it was launched so.
async fn watch(cloud: Arc<Cloud>, id: String) {
    cloud.hypervisor.ended(&id).await;
    if cloud.world().between_boots.contains(&id) {
        return;
    }
    let instance = cloud.world().instances.get(&id).cloned();
    let Some(instance) = instance.filter(|i| i.state == InstanceState::Running) else {
        return;
    };
    let reason = "Client.InstanceInitiatedShutdown: Instance initiated shutdown";
    if instance.on_shutdown == ShutdownBehavior::Terminate {
        entered(&cloud, &id, InstanceState::ShuttingDown, reason);
        let outcome = dispose(&cloud, &id).await;
        settle(&cloud, &id, outcome, InstanceState::Terminated);
    } else {
        entered(&cloud, &id, InstanceState::Stopped, reason);
    }
}

fn admitted(call: &Call<'_>, action: &str, mut params: Params) -> Result<Vec<String>, ApiError> {
    let ids = params.list("InstanceId");
    if ids.is_empty() {
        params.require("InstanceId")?;
    }
    let accesses: Vec<Access> = {
        let world = call.cloud.world();
        let on = |id: &String| {
            let instance = instances::find(&world, id)?;
            let arn = call.cloud.arn("instance", id);
            Ok(Access::new(format!("ec2:{action}"), arn).carrying(&instance.tags))
        };
        ids.iter().map(on).collect::<Result<_, ApiError>>()?
    };
    call.admit(params, &accesses)?;
    Ok(ids)
}

/// What a power action changed.
struct Changes {
    /// The instances for which there is something to do.
    begun: Vec<String>,
    shown: Value,
}

/// Moves every instance into `next` for which `begins` says so: all of them or, on an error, none.
fn change(
    cloud: &Cloud,
    ids: &[String],
    next: InstanceState,
    begins: impl Fn(&Instance) -> Result<bool, ApiError>,
) -> Result<Changes, ApiError> {
    let before: Vec<(Instance, bool)> = {
        let world = cloud.world();
        let decide = |id: &String| {
            let instance = instances::find(&world, id)?;
            Ok((instance.clone(), begins(instance)?))
        };
        ids.iter().map(decide).collect::<Result<_, ApiError>>()?
    };
    let shown: Vec<Value> = before
        .iter()
        .map(|(instance, begins)| {
            let current = if *begins { next } else { instance.state };
            json!({
                "instanceId": instance.id,
                "previousState": shapes::state(instance.state),
                "currentState": shapes::state(current),
            })
        })
        .collect();
    let begun = before.into_iter().filter(|(_, begins)| *begins);
    let begun: Vec<String> = begun.map(|(instance, _)| instance.id).collect();
    for id in &begun {
        entered(cloud, id, next, "Client.UserInitiated");
    }
    Ok(Changes {
        begun,
        shown: json!({"instancesSet": shown}),
    })
}

/// A transition that ended well or not.
fn settle(cloud: &Cloud, id: &str, outcome: Outcome<()>, state: InstanceState) {
    match outcome {
        Ok(()) => entered(cloud, id, state, "User initiated"),
        Err(error) => {
            tracing::error!(%error, instance = id, "power action failed");
            let reason = format!("Server.InternalError: {error}");
            entered(cloud, id, InstanceState::Stopped, &reason);
        }
    }
}

/// Notes a new state in the records and in the journal.
pub(super) fn entered(cloud: &Cloud, id: &str, state: InstanceState, reason: &str) {
    if let Some(instance) = cloud.world().instances.get_mut(id) {
        instance.state = state;
        let running = matches!(state, InstanceState::Running | InstanceState::Pending);
        let reason = if running { "" } else { reason };
        reason.clone_into(&mut instance.reason);
    }
    noted(cloud, id, state.shown().0);
}

fn noted(cloud: &Cloud, id: &str, state: &str) {
    cloud.journal.record(Event::Instance {
        instance: id.to_owned(),
        state: state.to_owned(),
    });
}

fn incorrect(instance: &Instance) -> ApiError {
    ApiError::new(
        "IncorrectInstanceState",
        format!(
            "The instance '{}' is not in a state from which this can be done: '{}'.",
            instance.id,
            instance.state.shown().0
        ),
    )
}

fn protected(id: &str, attribute: &str) -> ApiError {
    ApiError::new(
        "OperationNotPermitted",
        format!(
            "The instance '{id}' may not be changed so. Modify its '{attribute}' instance attribute and try again."
        ),
    )
}
