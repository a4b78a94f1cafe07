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
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{
        faults::{Call, Event, Fault, Rule},
        reply, scene,
        trial::{Profile, World},
    };

    /// The scene, with the probe's report changed.
    fn survey(change: impl FnOnce(&mut Value)) -> Survey {
        let session = SessionId::random();
        let mut report = scene::probe_report(session.as_str(), scene::BOOT_ID, 1_000);
        change(&mut report);
        let report = report::read(&reply(&report.to_string()), &session).expect("a sound report");
        let now = Instant::now();
        let exchange = Exchange {
            sent: now,
            received: now,
            uptime: Duration::ZERO,
        };
        Survey {
            instance: scene::instance(),
            exchange,
            report,
        }
    }

    fn codes(survey: &Survey, choice: Choice) -> Vec<String> {
        let problems = survey
            .assess(&scene::engines(), choice, CaptureCall::CreateImage)
            .problems;
        problems
            .iter()
            .map(|problem| problem.code.to_string())
            .collect()
    }

    #[test]
    fn configuration_on_the_root_volume_does_not_keep_the_data_from_being_frozen() {
        let survey = survey(|_| {});
        let readiness = survey.assess(&scene::engines(), Choice::Auto, CaptureCall::CreateImage);
        assert!(readiness.ready());
        assert_eq!(readiness.method, Some(Method::Freeze));
        assert_eq!(
            readiness.data_volumes.len(),
            3,
            "but its volume has to be in the image"
        );
        let mounts: Vec<String> = survey
            .mounts_to_hold()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            mounts,
            [scene::MOUNTS[1], scene::MOUNTS[0]],
            "inner mounts first"
        );
    }

    #[test]
    fn every_obstacle_is_named_at_once() {
        let broken = survey(|report| {
            report["mounts"][0]["leaves"] = json!([]);
            report["mounts"][0]["freezable"] = json!(false);
            report["mounts"][1]["leaves"][0]["volume_id"] = json!("vol-0fffffffffffffff0");
            report["servers"][0]["engine"] = json!("mysql");
        });
        let expected = [
            "no_server",
            "no_volume",
            "volume_not_in_image",
            "unsafe_freeze",
        ];
        assert_eq!(codes(&broken, Choice::Exactly(Method::Freeze)), expected);
        assert_eq!(codes(&broken, Choice::Auto), expected[..3]);
    }

    #[test]
    fn a_hold_in_progress_is_named_with_the_end_of_its_patience() {
        let held = survey(|report| {
            report["hold_in_progress"] = json!({
                "session": "00112233445566778899aabbccddeeff", "method": "freeze", "held_for_ms": 9_000,
                "fires_in_ms": 51_000,
            });
        });
        let readiness = held.assess(&scene::engines(), Choice::Auto, CaptureCall::CreateImage);
        let [problem] = readiness.problems.as_slice() else {
            panic!("one problem")
        };
        assert!(
            problem.message.contains("00112233445566778899aabbccddeeff")
                && problem.message.contains("9 s")
        );
        assert!(problem.hint.contains("52 s"));
    }

    #[test]
    fn what_registering_would_lose_is_refused_where_it_would_be_registered() {
        let mut bound = survey(|_| {});
        bound.instance.lost_by_registering = vec!["i-1 is billed for its licence".to_owned()];
        let codes = |call| {
            let readiness = bound.assess(&scene::engines(), Choice::Auto, call);
            let problems = readiness.problems.into_iter();
            problems.map(|it| it.code.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(codes(CaptureCall::CreateSnapshots), ["not_registrable"]);
        assert!(codes(CaptureCall::CreateImage).is_empty());
    }

    #[test]
    fn a_refusing_guests_own_reasons_stand_alone() {
        let refused = survey(|report| {
            report["outcome"] = json!("refused");
            report["problems"] =
                json!([{"code": "fsync_off", "message": "fsync is off", "hint": "turn it on"}]);
            report["mounts"] = json!([]);
        });
        assert_eq!(codes(&refused, Choice::Auto), ["fsync_off"]);
    }

    #[tokio::test(start_paused = true)]
    async fn inspecting_touches_nothing() {
        let detached = Fault::Meanwhile(Event::VolumeDetached);
        for (fault, ready) in [(None, true), (Some(detached), false)] {
            let rule = fault.map(|fault| Rule {
                call: Call::Instance,
                from: 0,
                times: 1,
                fault,
            });
            let world = World::new(Profile::quick(), rule.as_slice());
            let engines = scene::engines();
            let readiness = inspect(
                &world.guest,
                &world.imager,
                &engines,
                Choice::Auto,
                CaptureCall::CreateSnapshots,
                &world.stop,
            )
            .await;
            assert_eq!(readiness.expect("an answer").ready(), ready);
            let made: Vec<Call> = world.faults.counts().into_keys().collect();
            assert_eq!(made, [Call::Probe, Call::Instance]);
        }
    }
}
