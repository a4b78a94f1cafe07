//! What `CreateImage` does after it has answered: the snapshots, volume by volume, then the image's states.

use std::{sync::Arc, time::Duration};

use time::OffsetDateTime;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{images::Request, power};
use crate::cloud::{
    Cloud,
    faults::Effect,
    hypervisor::HypervisorError,
    ids,
    journal::Event,
    settings::{CaptureSettings, Stagger, ms},
    tags::Tags,
    world::{Image, ImageState, Instance, InstanceState, Snapshot, SnapshotState},
};

/// Everything decided when the call was made.
pub(super) struct Plan {
    image: String,
    instance: Instance,
    /// Is the operating system shut down for it, as `CreateImage` does unless told not to?
    reboots: bool,
    volumes: Vec<PlannedSnapshot>,
    settings: CaptureSettings,
    /// The image becomes `failed` for this reason, this long from now.
    failure: Option<(String, Duration)>,
}

#[derive(Clone)]
struct PlannedSnapshot {
    id: String,
    device: String,
    volume: String,
    size_gib: u64,
    description: String,
    tags: Tags,
    /// After the call, or after the shutdown where there is one.
    offset: Duration,
    fails: bool,
}

impl Plan {
    pub(super) fn new(
        image: &Image,
        instance: &Instance,
        request: &Request,
        settings: &CaptureSettings,
        effects: &[Effect],
    ) -> Self {
        let offsets = offsets(&settings.stagger, image.devices.len());
        let included = image
            .devices
            .iter()
            .zip(offsets)
            .filter_map(|(device, offset)| {
                let attached = instance.devices.iter().find(|d| d.name == device.name)?;
                (!omitted(effects, &device.name)).then(|| PlannedSnapshot {
                    id: ids::resource("snap"),
                    device: device.name.clone(),
                    volume: attached.volume.clone(),
                    size_gib: device.size_gib,
                    description: format!(
                        "Created by CreateImage({}) for {}",
                        instance.id, image.id
                    ),
                    tags: request.snapshot_tags.clone(),
                    offset: offset + late(effects, &device.name),
                    fails: fails(effects, &device.name),
                })
            });
        Self {
            volumes: included.collect(),
            image: image.id.clone(),
            instance: instance.clone(),
            reboots: !request.no_reboot && instance.state == InstanceState::Running,
            settings: settings.clone(),
            failure: effects.iter().find_map(|effect| match effect {
                Effect::ImageFails { reason, ms: after } => Some((reason.clone(), ms(*after))),
                _ => None,
            }),
        }
    }

    pub(super) fn volumes(&self) -> impl Iterator<Item = &str> {
        self.volumes.iter().map(|v| v.volume.as_str())
    }

    /// The image as it will be shown: without the devices that are left out.
    pub(super) fn announced(&self, mut image: Image) -> Image {
        image
            .devices
            .retain(|device| self.volumes.iter().any(|v| v.device == device.name));
        image
    }
}

/// When each of `count` volumes is captured.
fn offsets(stagger: &Stagger, count: usize) -> Vec<Duration> {
    match stagger {
        Stagger::Random { max_ms, seed } => {
            let mut random = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
            (0..count).map(|_| ms(random.u64(0..=*max_ms))).collect()
        }
        Stagger::Fixed { ms: list } => {
            let rest = list.last().copied().unwrap_or_default();
            let padded = list.iter().copied().chain(std::iter::repeat(rest));
            padded.take(count).map(ms).collect()
        }
    }
}

fn omitted(effects: &[Effect], device: &str) -> bool {
    effects
        .iter()
        .any(|e| matches!(e, Effect::OmitVolume { device: d } if d == device))
}

fn fails(effects: &[Effect], device: &str) -> bool {
    effects
        .iter()
        .any(|e| matches!(e, Effect::SnapshotFails { device: d } if d == device))
}

fn late(effects: &[Effect], device: &str) -> Duration {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::SnapshotLate {
                device: d,
                ms: late,
            } if d.as_deref().is_none_or(|d| d == device) => Some(ms(*late)),
            _ => None,
        })
        .sum()
}

/// Carries the plan out.
pub(super) async fn run(cloud: Arc<Cloud>, plan: Plan) {
    let plan = Arc::new(plan);
    if let Some((reason, after)) = plan.failure.clone() {
        tokio::spawn(fail_later(cloud.clone(), plan.image.clone(), reason, after));
    }
    let begun = Instant::now();
    let outcome = if plan.reboots {
        // "Shuts down the instance before creating the image, then reboots it" (API reference of CreateImage).
        let captured = async { initiate_all(&cloud, &plan, Instant::now()).await };
        power::off_and_on(&cloud, &plan.instance.id, captured).await
    } else {
        initiate_all(&cloud, &plan, begun).await
    };
    if let Err(error) = outcome {
        tracing::error!(%error, image = plan.image, "capture failed");
        finish(&cloud, &plan.image, ImageState::Failed, &error.to_string());
        return;
    }
    sleep(ms(plan.settings.completes_after_ms)).await;
    let broken = complete(&cloud, &plan);
    if let Some(device) = broken {
        let reason = format!("The snapshot of {device} failed");
        finish(&cloud, &plan.image, ImageState::Failed, &reason);
        return;
    }
    sleep(ms(plan.settings.available_after_ms)).await;
    finish(&cloud, &plan.image, ImageState::Available, "");
}

async fn fail_later(cloud: Arc<Cloud>, image: String, reason: String, after: Duration) {
    sleep(after).await;
    finish(&cloud, &image, ImageState::Failed, &reason);
}

/// Takes every snapshot at its own time.
async fn initiate_all(
    cloud: &Arc<Cloud>,
    plan: &Arc<Plan>,
    begun: Instant,
) -> Result<(), HypervisorError> {
    let mut tasks = JoinSet::new();
    for planned in &plan.volumes {
        tasks.spawn(initiate(
            cloud.clone(),
            plan.clone(),
            planned.clone(),
            begun,
        ));
    }
    tasks.join_all().await.into_iter().collect()
}

async fn initiate(
    cloud: Arc<Cloud>,
    plan: Arc<Plan>,
    planned: PlannedSnapshot,
    begun: Instant,
) -> Result<(), HypervisorError> {
    sleep_until(begun + planned.offset).await;
    if !cloud.world().images.contains_key(&plan.image) {
        return Ok(()); // deregistered meanwhile
    }
    let instant = cloud
        .hypervisor
        .snapshot(&planned.volume, &planned.id)
        .await?;
    cloud.journal.record(Event::Snapshot {
        snapshot: planned.id.clone(),
        volume: planned.volume.clone(),
        began: instant.began,
        taken_at: instant.taken_at,
    });
    let mut world = cloud.world();
    if let Some(image) = world.images.get_mut(&plan.image) {
        let mut devices = image.devices.iter_mut();
        if let Some(device) = devices.find(|d| d.name == planned.device) {
            device.snapshot = Some(planned.id.clone());
        }
    }
    let snapshot = planned.record(Instant::now() + ms(plan.settings.visible_after_ms));
    world.snapshots.insert(planned.id, snapshot);
    Ok(())
}

impl PlannedSnapshot {
    /// `pending` from its first moment: the instant is taken.
    fn record(&self, visible: Instant) -> Snapshot {
        Snapshot {
            id: self.id.clone(),
            volume: self.volume.clone(),
            state: SnapshotState::Pending,
            message: String::new(),
            started: OffsetDateTime::now_utc(),
            size_gib: self.size_gib,
            description: self.description.clone(),
            tags: self.tags.clone(),
            visible,
        }
    }
}

/// Ends the snapshots; returns a device whose snapshot ended in error.
fn complete(cloud: &Cloud, plan: &Plan) -> Option<String> {
    let mut world = cloud.world();
    for planned in &plan.volumes {
        if let Some(snapshot) = world.snapshots.get_mut(&planned.id) {
            end(snapshot, planned.fails);
        }
    }
    let broken = plan.volumes.iter().find(|planned| planned.fails);
    broken.map(|planned| planned.device.clone())
}

pub(super) fn end(snapshot: &mut Snapshot, fails: bool) {
    if fails {
        snapshot.state = SnapshotState::Error;
        "An internal error occurred".clone_into(&mut snapshot.message);
    } else {
        snapshot.state = SnapshotState::Completed;
    }
}

/// The image's last state; nothing where it was deregistered or has failed already.
fn finish(cloud: &Cloud, image: &str, state: ImageState, reason: &str) {
    if let Some(image) = cloud.world().images.get_mut(image)
        && image.state == ImageState::Pending
    {
        image.state = state;
        reason.clone_into(&mut image.reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_stagger_stays_in_its_range_and_repeats_by_its_seed() {
        let stagger = Stagger::Random {
            max_ms: 1_500,
            seed: Some(7),
        };
        let first = offsets(&stagger, 3);
        assert!(first.iter().all(|o| *o <= ms(1_500)));
        assert_eq!(first, offsets(&stagger, 3));
    }

    #[test]
    fn fixed_stagger_repeats_its_last_value() {
        let stagger = Stagger::Fixed { ms: vec![0, 900] };
        assert_eq!(offsets(&stagger, 3), [ms(0), ms(900), ms(900)]);
    }

    #[test]
    fn lateness_strikes_the_named_device_only() {
        let effects = [Effect::SnapshotLate {
            device: Some("/dev/sdf".to_owned()),
            ms: 5,
        }];
        assert_eq!(late(&effects, "/dev/sdf"), ms(5));
        assert_eq!(late(&effects, "/dev/xvda"), ms(0));
    }
}
