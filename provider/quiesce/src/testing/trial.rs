//! One run under faults, judged by what guest and service really did - not by what the run says of itself.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use time::OffsetDateTime;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    faults::{Faults, Rule},
    guest::{FakeGuest, GuestPace, Interval},
    imager::{FakeImager, Image, ServicePace},
    scene,
};
use crate::{
    Failure, Plan, Proof,
    capture::CaptureCall,
    error::{Cause, Database, ImageFate},
    method::{Choice, Method},
    plan::{Attempts, ImagePlan, MaxHold},
    session::SessionId,
};

/// The longest that writes may be held beyond what was allowed.
const MARGIN: Duration = Duration::from_secs(2);

/// After this long nothing late appears any more, and every switch has fired.
const AFTERWARDS: Duration = Duration::from_mins(20);

/// The world of a trial.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    pub guest: GuestPace,
    pub service: ServicePace,
    pub max_hold_seconds: u64,
    pub capture: CaptureCall,
}

/// A guest, a service, and what goes wrong with them.
pub struct World {
    pub guest: FakeGuest,
    pub imager: FakeImager,
    pub faults: Faults,
    pub stop: CancellationToken,
    profile: Profile,
}

/// What came of a run.
pub struct Trial {
    pub outcome: Result<Proof, Failure>,
    pub world: World,
    returned: Instant,
    /// The wall clock as the run returned: simulated time does not move it.
    returned_at: OffsetDateTime,
}

impl Profile {
    /// Everything near and quick: MGS, an idle region.
    pub fn quick() -> Self {
        let ms = Duration::from_millis;
        Self {
            guest: GuestPace {
                dispatch: ms(60),
                answer: ms(10),
                flush: ms(200),
            },
            service: ServicePace {
                latency: ms(40),
                stagger: ms(30),
                lag: ms(50),
                copy: ms(20_000),
            },
            max_hold_seconds: 60,
            capture: CaptureCall::CreateImage,
        }
    }

    /// MDS (FACTS.md part C, 1), a busy region, a long checkpoint.
    pub fn slow() -> Self {
        let ms = Duration::from_millis;
        Self {
            guest: GuestPace {
                dispatch: ms(2_400),
                answer: ms(700),
                flush: ms(40_000),
            },
            service: ServicePace {
                latency: ms(900),
                stagger: ms(700),
                lag: ms(1_500),
                copy: ms(300_000),
            },
            max_hold_seconds: 20,
            capture: CaptureCall::CreateImage,
        }
    }

    #[must_use]
    pub fn capturing(self, capture: CaptureCall) -> Self {
        Self { capture, ..self }
    }
}

/// A plan for the scene's image.
pub fn plan(max_hold_seconds: u64) -> Plan {
    Plan {
        image: ImagePlan {
            name: "orders-2026-11-22".to_owned(),
            ..ImagePlan::default()
        },
        engines: scene::engines(),
        method: Choice::Exactly(Method::Freeze),
        capture: CaptureCall::default(),
        max_hold: MaxHold::from_seconds(max_hold_seconds).expect("in range"),
        attempts: Attempts::default(),
        within: Duration::from_mins(40),
        spent: Duration::ZERO,
    }
}

impl World {
    pub fn new(profile: Profile, rules: &[Rule]) -> Self {
        let (faults, stop) = (Faults::new(rules), CancellationToken::new());
        let guest = FakeGuest::new(profile.guest, faults.clone(), stop.clone());
        let imager = FakeImager::new(profile.service, faults.clone(), stop.clone(), guest.clone());
        Self {
            guest,
            imager,
            faults,
            stop,
            profile,
        }
    }

    /// A run in this world.
    pub fn execute(
        &self,
        stop: CancellationToken,
    ) -> impl Future<Output = Result<Proof, Failure>> + use<> {
        let (guest, imager) = (Arc::new(self.guest.clone()), Arc::new(self.imager.clone()));
        let plan = Plan {
            capture: self.profile.capture,
            ..plan(self.profile.max_hold_seconds)
        };
        plan.execute(guest, imager, stop)
    }

    /// Every hold is over, and none lasted longer than was allowed.
    pub fn judge_holds(&self) -> Result<(), String> {
        let allowed = Duration::from_secs(self.profile.max_hold_seconds);
        for interval in self.guest.intervals() {
            let held = interval.ended.ok_or("frozen for ever")? - interval.began;
            if held > allowed + MARGIN {
                return Err(format!("held for {held:?}, {allowed:?} were allowed"));
            }
        }
        Ok(())
    }

    /// Another run without faults succeeds, unless a data volume is gone, and leaves nothing of the run before.
    pub async fn judge_next_run(&self) -> Result<(), String> {
        self.faults.clear();
        self.imager.recover();
        if let Err(failure) = self.execute(CancellationToken::new()).await {
            let Cause::Refused { problems } = &failure.cause else {
                return Err(format!("the next run fails: {failure}"));
            };
            if problems
                .iter()
                .any(|problem| &*problem.code != "volume_not_in_image")
            {
                return Err(format!("the next run is refused: {failure}"));
            }
            return Ok(());
        }
        let sealed = self.sealed().map(|image| image.session);
        let foreign = |session: &SessionId| sealed.as_ref().is_none_or(|sealed| sealed != session);
        let images = self
            .imager
            .images()
            .into_iter()
            .any(|image| foreign(&image.session));
        if images
            || self
                .imager
                .snapshots()
                .iter()
                .any(|snapshot| foreign(&snapshot.session))
        {
            return Err("the next run does not clean up".to_owned());
        }
        Ok(())
    }

    pub fn sealed(&self) -> Option<Image> {
        self.imager.images().into_iter().find(Image::sealed)
    }
}

impl Trial {
    /// Runs once under `rules`.
    pub async fn run(profile: Profile, rules: &[Rule]) -> Self {
        Self::with_stop(profile, rules, |_| {}).await
    }

    /// The same; `arrange` gets what stops the run.
    pub async fn with_stop(
        profile: Profile,
        rules: &[Rule],
        arrange: impl FnOnce(CancellationToken),
    ) -> Self {
        let world = World::new(profile, rules);
        arrange(world.stop.clone());
        let outcome = world.execute(world.stop.clone()).await;
        let (returned, returned_at) = (Instant::now(), OffsetDateTime::now_utc());
        Self {
            outcome,
            world,
            returned,
            returned_at,
        }
    }

    /// Lets time pass, then names the first promise that was not kept.
    ///
    /// `strictly`: not even what the service made long after the run may be left until the next one.
    pub async fn judge(self, strictly: bool) -> Result<(), String> {
        self.judge_database_now()?;
        sleep(AFTERWARDS).await;
        self.world.judge_holds()?;
        match &self.outcome {
            Ok(proof) => self.judge_proof(proof),
            Err(failure) => self.judge_failure(failure, strictly).await,
        }
    }

    /// What the run says of the database is true as it returns.
    fn judge_database_now(&self) -> Result<(), String> {
        let open = self
            .world
            .guest
            .intervals()
            .iter()
            .any(|interval| interval.ended.is_none());
        match self.outcome.as_ref().err().map(|failure| &failure.database) {
            Some(Database::LetsGoBy(_)) => Ok(()),
            _ if open => Err("writes are still held as the run returns".to_owned()),
            _ => Ok(()),
        }
    }

    /// An image that is called proven is whole, and each of its instants lies in one unbroken hold.
    fn judge_proof(&self, proof: &Proof) -> Result<(), String> {
        let image = self.world.sealed().ok_or("no sealed image")?;
        if image.id != proof.image || self.world.imager.images().len() != 1 {
            return Err("another image is sealed, or more than one exists".to_owned());
        }
        let session = proof.evidence.session_id.to_string();
        let holds: Vec<Interval> = self
            .world
            .guest
            .intervals()
            .into_iter()
            .filter(|i| i.session == session)
            .collect();
        let [hold] = holds.as_slice() else {
            return Err(format!("{} holds", holds.len()));
        };
        let ended = hold.ended.ok_or("frozen for ever")?;
        let snapshots = self.world.imager.snapshots();
        let captured: BTreeSet<&str> = snapshots.iter().map(|s| s.volume_id.0.as_str()).collect();
        let complete = scene::VOLUMES[1..]
            .iter()
            .all(|(data, _)| captured.contains(data));
        let told: BTreeSet<&str> = proof
            .evidence
            .volumes
            .iter()
            .map(|volume| volume.0.as_str())
            .collect();
        if !complete
            || captured != told
            || snapshots.len() != told.len()
            || proof.snapshots.len() != told.len()
        {
            return Err(format!("captured {captured:?}, told {told:?}"));
        }
        if let Some(outside) = snapshots
            .iter()
            .find(|s| s.taken < hold.held || s.taken > ended)
        {
            return Err(format!(
                "{} was captured outside the hold",
                outside.volume_id
            ));
        }
        if self.world.profile.capture == CaptureCall::CreateSnapshots {
            let instants: BTreeSet<Instant> = snapshots.iter().map(|s| s.taken).collect();
            if instants.len() != 1 || image.begun < ended {
                return Err("not all at one instant, or registered in the hold".to_owned());
            }
        }
        if image.billing != scene::BILLING {
            return Err("the image is billed otherwise than its source".to_owned());
        }
        let measured = ended - hold.began;
        if measured.abs_diff(proof.evidence.hold) > Duration::from_millis(1) {
            return Err(format!(
                "a hold of {measured:?} is told as {:?}",
                proof.evidence.hold
            ));
        }
        Ok(())
    }

    /// Without a proof nothing is left, or the failure says what, and the next run removes it.
    async fn judge_failure(&self, failure: &Failure, strictly: bool) -> Result<(), String> {
        self.judge_promised_time(failure)?;
        let session = failure.session.to_string();
        let held = self
            .world
            .guest
            .intervals()
            .iter()
            .any(|interval| interval.session == session);
        if held && failure.database == Database::NeverHeld {
            return Err("writes were held, and the run said never".to_owned());
        }
        let until = if strictly {
            Instant::now()
        } else {
            self.returned
        };
        let images = self
            .world
            .imager
            .images()
            .iter()
            .filter(|image| image.begun <= until)
            .count();
        let snapshots = self
            .world
            .imager
            .snapshots()
            .iter()
            .filter(|s| s.taken <= until)
            .count();
        let admitted = matches!(failure.image, ImageFate::Left { .. });
        if images + snapshots > 0 && !admitted {
            return Err(format!(
                "{images} images and {snapshots} snapshots are left, and nobody says so"
            ));
        }
        if self.world.sealed().is_some() {
            // Complete and proven, but nobody could be told: only a service that never answers gets here.
            return if admitted {
                Ok(())
            } else {
                Err("a sealed image is left".to_owned())
            };
        }
        self.world.judge_next_run().await
    }

    /// Where the guest never confirmed the release, writes went on by the time that the failure names.
    fn judge_promised_time(&self, failure: &Failure) -> Result<(), String> {
        let Database::LetsGoBy(by) = failure.database else {
            return Ok(());
        };
        let by = self.returned + (by - self.returned_at).try_into().unwrap_or(Duration::ZERO);
        let late = |interval: &Interval| interval.ended.is_none_or(|ended| ended > by + MARGIN);
        if self.world.guest.intervals().iter().any(late) {
            return Err("let go later than the run said".to_owned());
        }
        Ok(())
    }
}
