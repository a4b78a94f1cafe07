//! The read-only look before anything is touched: what the guest says, what EC2 says, and whether both fit together.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    capture::CaptureCall,
    clock::Exchange,
    engines::Options,
    error::Cause,
    method::{Choice, Method},
    patience::Patience,
    ports::{Guest, Imager, Instance, VolumeId},
    report::{
        self, HoldInProgress, Mount, MountPoint, Probe, ProbeOutcome, Problem, Report, Server,
    },
    script,
    session::SessionId,
    text::Text,
    volumes,
};

/// How long the guest may take to answer the probe, agent included.
const PROBE_PATIENCE: Duration = Duration::from_secs(90);

/// How long EC2 may take to describe the instance, throttling included.
const INSTANCE_PATIENCE: Duration = Duration::from_mins(1);

/// Would a run succeed now, as far as can be known without touching anything?
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Readiness {
    pub instance: Instance,
    /// What the choice of method comes to here.
    pub method: Option<Method>,
    pub servers: Vec<Server>,
    pub mounts: Vec<Mount>,
    /// The volumes that the data lives on.
    pub data_volumes: BTreeSet<VolumeId>,
    pub hold_in_progress: Option<HoldInProgress>,
    /// Everything that a run would refuse.
    pub problems: Vec<Problem>,
    pub warnings: Vec<Text>,
}

impl Readiness {
    pub fn ready(&self) -> bool {
        self.problems.is_empty()
    }

    /// The instance's volumes below a mount; those of a device that is none of them are missing.
    pub fn volumes_below(&self, mount: &Mount) -> BTreeSet<VolumeId> {
        let attached = mount
            .leaves
            .iter()
            .filter_map(|leaf| volumes::attached(leaf, &self.instance));
        attached.map(|volume| volume.volume_id.clone()).collect()
    }
}

/// Asks guest and service what a run would meet now. Touches nothing.
pub async fn inspect<G: Guest, I: Imager>(
    guest: &G,
    imager: &I,
    engines: &[Options],
    choice: Choice,
    call: CaptureCall,
    stop: &CancellationToken,
) -> Result<Readiness, Cause> {
    let looker = Looker {
        guest,
        imager,
        engines,
        stop,
    };
    let instance = looker.instance().await?;
    if let Some(problem) = not_running(&instance) {
        return Ok(Readiness::of_dead_instance(instance, problem));
    }
    let session = SessionId::random();
    let survey = looker.survey(&session, instance).await?;
    Ok(survey.assess(engines, choice, call))
}

impl Readiness {
    fn of_dead_instance(instance: Instance, problem: Problem) -> Self {
        Self {
            instance,
            method: None,
            servers: Vec::new(),
            mounts: Vec::new(),
            data_volumes: BTreeSet::new(),
            hold_in_progress: None,
            problems: vec![problem],
            warnings: Vec::new(),
        }
    }
}

/// Who looks, at what, until when.
pub(crate) struct Looker<'a, G, I> {
    pub(crate) guest: &'a G,
    pub(crate) imager: &'a I,
    pub(crate) engines: &'a [Options],
    pub(crate) stop: &'a CancellationToken,
}

/// What both sides say.
#[derive(Clone, Debug)]
pub(crate) struct Survey {
    pub(crate) instance: Instance,
    pub(crate) exchange: Exchange,
    pub(crate) report: Report<Probe>,
}

impl<G: Guest, I: Imager> Looker<'_, G, I> {
    pub(crate) async fn instance(&self) -> Result<Instance, Cause> {
        let patience = self.patience("the description of the instance", INSTANCE_PATIENCE);
        patience.repeat(|_| self.imager.instance()).await
    }

    pub(crate) async fn survey(
        &self,
        session: &SessionId,
        instance: Instance,
    ) -> Result<Survey, Cause> {
        let patience = self.patience("the guest's answer to the probe", PROBE_PATIENCE);
        let script = script::probe(session, self.engines);
        let script = &script;
        let ask = |within| async move {
            let sent = Instant::now();
            let reply = self.guest.run(script, within).await?;
            Ok::<_, crate::ports::GuestError>((sent, Instant::now(), reply))
        };
        let (sent, received, reply) = patience.repeat(ask).await?;
        let report = report::read::<Probe>(&reply, session)?;
        let exchange = Exchange {
            sent,
            received,
            uptime: report.uptime,
        };
        Ok(Survey {
            instance,
            exchange,
            report,
        })
    }

    /// What registering an image will need.
    pub(crate) async fn prepare(&self, session: &SessionId) -> Result<(), Cause> {
        let patience = self.patience("the description of the instance", INSTANCE_PATIENCE);
        patience.repeat(|_| self.imager.prepare(session)).await
    }

    fn patience(&self, waited_for: &'static str, limit: Duration) -> Patience {
        Patience {
            waited_for,
            until: Instant::now() + limit,
            limit,
            stop: self.stop.clone(),
        }
    }
}

impl Survey {
    pub(crate) fn assess(
        &self,
        engines: &[Options],
        choice: Choice,
        call: CaptureCall,
    ) -> Readiness {
        let probe = &self.report.body;
        let mut problems = probe.problems.clone();
        if call == CaptureCall::CreateSnapshots {
            let lost = self.instance.lost_by_registering.iter();
            problems.extend(lost.map(|it| not_registrable(it)));
        }
        let mut data_volumes = BTreeSet::new();
        let mut method = None;
        // What a refusing guest saw may be half of the picture: its own reasons are the ones to read.
        if probe.outcome == ProbeOutcome::Ready {
            problems.extend(probe.hold_in_progress.as_ref().map(held_already));
            problems.extend(
                engines
                    .iter()
                    .filter_map(|engine| without_server(engine, probe)),
            );
            data_volumes = collect(volumes::data_volumes(probe, &self.instance), &mut problems)
                .unwrap_or_default();
            method = collect(choice.settle(probe), &mut problems);
        }
        Readiness {
            instance: self.instance.clone(),
            method,
            servers: probe.servers.clone(),
            mounts: probe.mounts.clone(),
            data_volumes,
            hold_in_progress: probe.hold_in_progress.clone(),
            problems,
            warnings: self.report.warnings.clone(),
        }
    }

    /// The mounts to hold, inner ones first: a file system in a file of another must be frozen before that one.
    pub(crate) fn mounts_to_hold(&self) -> Vec<MountPoint> {
        let data = self.report.body.mounts.iter().filter(|mount| mount.data);
        let mut mounts: Vec<MountPoint> = data.map(|mount| mount.mount_point.clone()).collect();
        mounts.sort_by(|a, b| b.depth().cmp(&a.depth()).then_with(|| a.cmp(b)));
        mounts
    }

    /// Engine to version.
    pub(crate) fn engines(&self) -> BTreeMap<Text, Text> {
        let servers = self.report.body.servers.iter();
        servers
            .map(|server| (server.engine.clone(), server.version.clone()))
            .collect()
    }

    /// Every path that a server needs, sorted.
    pub(crate) fn data_paths(&self) -> Vec<Text> {
        let paths = self
            .report
            .body
            .servers
            .iter()
            .flat_map(|server| &server.paths);
        let paths: BTreeSet<Text> = paths.map(|needed| needed.path.clone()).collect();
        paths.into_iter().collect()
    }
}

/// Why nothing can be asked of this instance.
pub(crate) fn not_running(instance: &Instance) -> Option<Problem> {
    (instance.state != "running").then(|| {
        Problem::new(
            "instance_not_running",
            &format!(
                "instance {} is {}, not running",
                instance.id, instance.state
            ),
            "start the instance; of a stopped one an ordinary image is consistent",
        )
    })
}

/// An image that is not like its source is no image of it.
fn not_registrable(lost: &str) -> Problem {
    Problem::new(
        "not_registrable",
        lost,
        "set capture to \"create_image\": it makes an image like its source",
    )
}

fn held_already(hold: &HoldInProgress) -> Problem {
    Problem::new(
        "hold_in_progress",
        &format!(
            "session {} has held writes on this server ({}) for {} s",
            hold.session,
            hold.method,
            hold.held_for.as_secs()
        ),
        &format!(
            "apply again once it is over: its switch lets go in {} s at the latest",
            hold.fires_in.as_secs() + 1
        ),
    )
}

fn without_server(engine: &Options, probe: &Probe) -> Option<Problem> {
    let found = probe
        .servers
        .iter()
        .any(|server| &*server.engine == engine.name());
    (!found).then(|| {
        Problem::new(
            "no_server",
            &format!("no running {} server was found", engine.name()),
            "start it, or remove it from the configuration",
        )
    })
}

fn collect<T>(result: Result<T, Vec<Problem>>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|found| problems.extend(found)).ok()
}

#[cfg(test)]
mod tests;
