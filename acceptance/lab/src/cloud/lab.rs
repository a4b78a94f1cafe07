//! A lab as a value: what tests and the demo start, drive and take down.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{Notify, broadcast::error::RecvError},
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    Cloud, Metal, Paper, control, ec2,
    ec2::ImportedDevice,
    error::ApiError,
    exchange::{self, Request},
    faults::{Fault, Faults},
    http,
    hypervisor::Hypervisor,
    iam::{
        Policy, PolicyError,
        identity::{Directory, User},
    },
    ids,
    journal::{Event, Journal},
    lock,
    settings::Settings,
    ssm::Ssm,
};
use crate::host::{
    Host, HostConfig, HostError, Layout, Machine, ServerSpec,
    witness::{EventKind, Hold},
};

/// Where a lab lives and what it listens on.
#[derive(Clone, Debug)]
pub struct LabConfig {
    /// The lab's own directory: journal, control socket, agents' sockets.
    pub dir: PathBuf,
    /// On 127.0.0.1; 0 takes any free port.
    pub port: u16,
    pub region: String,
    pub settings: Settings,
}

impl LabConfig {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            port: 0,
            region: "eu-central-1".to_owned(),
            settings: Settings::default(),
        }
    }
}

/// Why a lab could not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Host(#[from] HostError),
    /// The instance did not come up.
    #[error("{instance} is not {what} after {} s", waited.as_secs())]
    NotReady {
        instance: String,
        what: &'static str,
        waited: Duration,
    },
    /// Asked of a lab on paper.
    #[error("there are no machines on paper")]
    OnPaper,
}

/// A running lab. Dropping it stops the services; [`Lab::close`] also ends the machines.
pub struct Lab {
    cloud: Arc<Cloud>,
    metal: Option<Arc<Metal>>,
    paper: Option<Arc<Paper>>,
    address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
    down: Arc<Notify>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Lab {
    /// Starts a lab with real volumes and machines. Needs root.
    pub async fn start(config: LabConfig, host: HostConfig) -> Result<Self, LabError> {
        let metal = Arc::new(Metal::new(Host::open(host).await?, &config.region));
        let mut lab = Self::serve(config, metal.clone()).await?;
        lab.tasks.push(tokio::spawn(witness(
            metal.clone(),
            lab.cloud.journal.clone(),
        )));
        lab.metal = Some(metal);
        Ok(lab)
    }

    /// Starts a lab whose machines exist on paper only: for tests of the protocols.
    pub async fn on_paper(config: LabConfig) -> Result<Self, LabError> {
        let paper = Arc::new(Paper::default());
        let mut lab = Self::serve(config, paper.clone()).await?;
        lab.paper = Some(paper);
        Ok(lab)
    }

    async fn serve(config: LabConfig, hypervisor: Arc<dyn Hypervisor>) -> Result<Self, LabError> {
        std::fs::create_dir_all(&config.dir)?;
        let cloud = Arc::new(Cloud {
            journal: Arc::new(Journal::open(&config.dir.join("journal.jsonl"))?),
            directory: Directory::new()?,
            region: config.region,
            dir: config.dir,
            hypervisor,
            world: Mutex::default(),
            ssm: Ssm::default(),
            faults: Faults::default(),
            settings: Mutex::new(config.settings),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).await?;
        let address = listener.local_addr()?;
        let down = Arc::new(Notify::new());
        let control = control::listen(&cloud.dir)?;
        Ok(Self {
            address,
            tasks: vec![
                tokio::spawn(http::serve(cloud.clone(), listener)),
                tokio::spawn(control::serve(cloud.clone(), control, down.clone())),
            ],
            cloud,
            metal: None,
            paper: None,
            down,
        })
    }

    /// The endpoint of every service.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn region(&self) -> &str {
        &self.cloud.region
    }

    /// The environment variables with which AWS SDKs, terraform and the AWS CLI use this lab as `user`.
    pub fn environment(&self, user: User) -> Vec<(&'static str, String)> {
        let credentials = user.credentials();
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_REGION", self.cloud.region.clone()),
            ("AWS_DEFAULT_REGION", self.cloud.region.clone()),
            ("AWS_ACCESS_KEY_ID", credentials.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// Makes a call as `user` without a client in between: faults, permissions and journal apply, protocols and
    /// signatures do not.
    ///
    /// `action` is `<service>:<Action>`. `input` is the JSON protocol's, or for EC2 and STS an object of the query
    /// protocol's parameters: `{"ImageId.1": "ami-..."}`. The answer has the names of the wire.
    pub async fn call(&self, user: User, action: &str, input: Value) -> Result<Value, ApiError> {
        let request = Request::named(action, input)?;
        let principal = self.cloud.directory.user(user);
        let answer = exchange::run(&self.cloud, request, Ok(principal), &ids::uuid()).await;
        answer.unwrap_or_else(|| Err(ApiError::new("Dropped", "the connection was dropped")))
    }

    /// Puts a fault in force and returns its number.
    pub fn fault(&self, fault: Fault) -> u64 {
        self.cloud.faults.add(fault)
    }

    /// Lifts one fault; false where there was none of this number.
    pub fn lift(&self, fault: u64) -> bool {
        self.cloud.faults.lift(fault)
    }

    pub fn clear_faults(&self) {
        self.cloud.faults.clear();
    }

    pub fn settings(&self) -> Settings {
        self.cloud.settings()
    }

    /// Changes settings; what runs already keeps those it began with.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut lock(&self.cloud.settings));
    }

    /// Replaces the instance role's policy, for agents that connect from now on.
    pub fn set_instance_policy(&self, policy: Policy) {
        self.cloud.directory.set_instance_policy(policy);
    }

    pub fn journal(&self) -> &Journal {
        &self.cloud.journal
    }

    /// How long writes of an instance were held, as the kernel saw it.
    pub async fn holds(&self, instance: &str) -> Result<Vec<Hold>, LabError> {
        let metal = self.metal.as_ref().ok_or(LabError::OnPaper)?;
        metal.host().witness().settle().await?;
        Ok(metal.host().witness().holds(instance))
    }

    /// The machine under an instance.
    pub fn machine(&self, instance: &str) -> Option<Machine> {
        self.metal.as_ref()?.machine(instance)
    }

    pub fn host(&self) -> Option<&Host> {
        self.metal.as_ref().map(|metal| metal.host())
    }

    /// Files a built server as an AMI of this account and returns its id.
    pub async fn golden_image(
        &self,
        layout: Layout,
        server: &ServerSpec,
    ) -> Result<String, LabError> {
        let metal = self.metal.as_ref().ok_or(LabError::OnPaper)?;
        let devices = metal.import(metal.host().golden(layout, server).await?);
        let name = format!("lab-{}-{}", layout.name(), ids::hex(8));
        Ok(ec2::import(&self.cloud, &name, &devices))
    }

    /// Files an AMI with these devices (name, GiB) on paper and returns its id. The first one is the root.
    pub fn paper_image(&self, name: &str, devices: &[(&str, u64)]) -> Result<String, LabError> {
        let paper = self.paper.as_ref().ok_or(LabError::OnPaper)?;
        let devices = devices.iter().map(|(device, size_gib)| {
            let snapshot = ids::resource("snap");
            paper.import_snapshot(&snapshot);
            ImportedDevice {
                name: (*device).to_owned(),
                snapshot,
                size_gib: *size_gib,
            }
        });
        let devices: Vec<ImportedDevice> = devices.collect();
        Ok(ec2::import(&self.cloud, name, &devices))
    }

    /// Launches an instance from an image, as `RunInstances` does, and returns its id at once.
    pub fn launch(&self, image: &str, name: &str) -> Result<String, LabError> {
        Ok(ec2::launch(&self.cloud, image, name)?)
    }

    /// Waits until an instance's operating system has started and its agent is online.
    pub async fn ready(&self, instance: &str, within: Duration) -> Result<(), LabError> {
        let begun = Instant::now();
        let not_ready = |what| LabError::NotReady {
            instance: instance.to_owned(),
            what,
            waited: within,
        };
        while begun.elapsed() < within {
            if self.cloud.ssm.is_online(instance) {
                let Some(machine) = self.machine(instance) else {
                    return Ok(()); // on paper an agent is all there is
                };
                let left = within.saturating_sub(begun.elapsed());
                return Ok(machine.booted(left).await?);
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err(not_ready("online"))
    }

    /// Waits until somebody asks for the end over the control socket.
    pub async fn asked_down(&self) {
        self.down.notified().await;
    }

    /// Ends every machine and leaves nothing behind but the directory with the journal.
    pub async fn close(mut self) -> Result<(), LabError> {
        self.tasks.drain(..).for_each(|task| task.abort());
        self.cloud.ssm.forget_all();
        if let Some(metal) = self.metal.take() {
            metal.host().clone().close().await?;
        }
        Ok(())
    }
}

/// Copies what the witness sees into the journal.
async fn witness(metal: Arc<Metal>, journal: Arc<Journal>) {
    let mut events = metal.host().witness().subscribe();
    loop {
        match events.recv().await {
            // What happens elsewhere on this machine is not the lab's.
            Ok(what) if what.instance.is_some() || matches!(what.kind, EventKind::Lost { .. }) => {
                journal.record_at(what.at, Event::Witness { what });
            }
            Ok(_) => {}
            Err(RecvError::Lagged(lost)) => {
                tracing::error!(lost, "the journal missed events of the witness");
            }
            Err(RecvError::Closed) => return,
        }
    }
}
