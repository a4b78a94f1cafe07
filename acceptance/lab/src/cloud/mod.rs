//! The control plane: EC2, Systems Manager and STS on one port, on top of volumes and machines that may be real.
//!
//! A request passes `http` (protocols, signatures) and `exchange` (faults, journal) and reaches an action of `ec2`, `ssm` or
//! `sts`. Those change the records of `world` and set the `hypervisor` to work.

mod call;
pub mod clock;
mod control;
mod ec2;
mod error;
mod exchange;
pub mod faults;
mod http;
pub mod hypervisor;
pub mod iam;
mod ids;
pub mod journal;
mod lab;
mod metal;
mod paper;
pub mod settings;
mod ssm;
mod sts;
mod tags;
mod traits;
mod wildcard;
mod world;
mod xml;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub use control::ControlClient;
pub use ec2::ImportedDevice;
pub use error::ApiError;
pub use lab::{Lab, LabConfig, LabError};
pub use metal::Metal;
pub use paper::Paper;

use self::{
    faults::Faults, hypervisor::Hypervisor, iam::identity::Directory, journal::Journal,
    settings::Settings, ssm::Ssm, world::World,
};

/// Every API action that is understood, as `ec2:CreateImage`.
pub fn actions() -> impl Iterator<Item = String> {
    let named = |service: &'static str, actions: &'static [&'static str]| {
        actions
            .iter()
            .map(move |action| format!("{service}:{action}"))
    };
    named("ec2", ec2::ACTIONS)
        .chain(named("ssm", ssm::ACTIONS))
        .chain(named("sts", sts::ACTIONS))
}

/// Everything that the services share.
pub(crate) struct Cloud {
    pub(crate) region: String,
    /// Where the sockets of the instances' agents lie.
    pub(crate) dir: PathBuf,
    pub(crate) hypervisor: Arc<dyn Hypervisor>,
    pub(crate) world: Mutex<World>,
    pub(crate) ssm: Ssm,
    pub(crate) faults: Faults,
    pub(crate) settings: Mutex<Settings>,
    pub(crate) directory: Directory,
    pub(crate) journal: Arc<Journal>,
}

impl Cloud {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(crate) fn settings(&self) -> Settings {
        lock(&self.settings).clone()
    }

    /// The ARN of an EC2 resource that belongs to the account; images and snapshots have none in theirs.
    pub(crate) fn arn(&self, kind: &str, id: &str) -> String {
        let account = match kind {
            "image" | "snapshot" => "",
            _ => iam::ACCOUNT,
        };
        format!("arn:aws:ec2:{}:{account}:{kind}/{id}", self.region)
    }

    pub(crate) fn zone(&self) -> String {
        format!("{}a", self.region)
    }
}

/// Locks whatever a panicking test may have left behind: the records are changed in single steps.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
