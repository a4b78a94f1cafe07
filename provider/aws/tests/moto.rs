//! The EC2 half against a service that this project did not write: moto's EC2, over HTTP.
//!
//! Moto differs from EC2 where it matters to the assertions here: an image is `available` at once and has one snapshot,
//! of a volume made up by moto. SSM Run Command answers Success at once and runs nothing. What `moto_server.py` beside
//! this file adds is said there. Moto registers an image without its tags and mappings: that half is tested in the lab only.

#![expect(clippy::unwrap_used, reason = "a scenario fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, io,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use aws_sdk_ec2::Client;
use consistent_aws::{
    config::{Clients, Endpoints, Secret, Settings},
    ec2::{Ec2Imager, images, instances, tags},
    ssm::SsmGuest,
};
use quiesce::{
    capture::CaptureCall,
    ports::{
        Begun, CaptureRequest, Guest, ImageState, Imager, Observation, ObservedSnapshot, Retry,
        Script,
    },
    session::SessionId,
};
use time::OffsetDateTime;

/// A moto server of this test's own, gone with it.
struct Moto {
    server: Child,
    url: String,
}

impl Moto {
    /// The server of the Python that `MOTO_PYTHON` names, else of `python3`; a test without it fails and says so.
    async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let python = env::var("MOTO_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let server = Command::new(&python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/moto_server.py"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            // Loading its default images takes seconds a region and serves no one here.
            .env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{python} does not start: {error}"));
        let mut moto = Self {
            server,
            url: format!("http://127.0.0.1:{port}"),
        };
        moto.await_start(port).await;
        moto
    }

    async fn await_start(&mut self, port: u16) {
        let started = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_err()
        {
            if let Some(status) = self.server.try_wait().unwrap() {
                panic!(
                    "moto's server ended with {status}: is it installed? (pip install 'moto[server,ec2,ssm]')"
                );
            }
            assert!(
                started.elapsed() < Duration::from_mins(1),
                "moto's server does not listen"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Each scenario has a region of its own, and so sees nothing of the others.
    fn clients(&self, region: &str) -> Clients {
        let url = Some(self.url.clone());
        Clients::new(Settings {
            region: Some(region.to_owned()),
            access_key: Some("AKIDMOTO".to_owned()),
            secret_key: Some(Secret::from("secret".to_owned())),
            endpoints: Endpoints {
                ec2: url.clone(),
                ssm: url.clone(),
                sts: url,
            },
            allowed_account_ids: vec!["123456789012".to_owned()],
            ..Settings::default()
        })
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let gone = self
            .server
            .kill()
            .and_then(|()| self.server.wait().map(drop));
        if let Err(error) = gone {
            assert_eq!(
                error.kind(),
                io::ErrorKind::InvalidInput,
                "moto's server stays behind: {error}"
            );
        }
    }
}

#[tokio::test]
async fn against_moto() {
    let moto = Moto::start().await;
    an_instance_is_described(&moto.clients("eu-central-1")).await;
    a_proven_image_stays_until_it_is_destroyed(&moto.clients("eu-west-1")).await;
    an_unproven_image_is_swept(&moto.clients("eu-west-2")).await;
    snapshots_without_an_image_are_swept(&moto.clients("us-east-2")).await;
    tags_change_in_place(&moto.clients("us-east-1")).await;
    a_success_that_ran_nothing_is_a_reply_without_a_report(&moto.clients("us-west-2")).await;
}

/// An instance of moto's own making: its image needs not exist.
async fn launch(ec2: &Client) -> String {
    let run = ec2.run_instances().image_id("ami-0123456789abcdef0");
    let run = run.min_count(1).max_count(1).send().await.unwrap();
    run.instances()[0].instance_id().unwrap().to_owned()
}

async fn an_instance_is_described(clients: &Clients) {
    let ec2 = clients.ec2().await.unwrap();
    let id = launch(ec2).await;
    let facts = instances::describe(ec2, &id).await.unwrap();
    assert!(facts.ebs_backed && !facts.is_windows, "{facts:?}");
    let instance = Ec2Imager::new(ec2, &id).instance().await.unwrap();
    assert_eq!(
        (instance.state.as_str(), instance.volumes.len()),
        ("running", 1),
        "{instance:?}"
    );

    let nobody = Ec2Imager::new(ec2, "i-0123456789abcdef0");
    let error = nobody.instance().await.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.retry),
        ("InvalidInstanceID.NotFound", Retry::Never)
    );
}

/// An image in the making of an instance of its own.
struct Making<'a> {
    ec2: &'a Client,
    imager: Ec2Imager,
    instance_id: String,
    session: SessionId,
    image: String,
}

async fn begin<'a>(ec2: &'a Client, name: &str, expires_in: time::Duration) -> Making<'a> {
    let instance_id = launch(ec2).await;
    let imager = Ec2Imager::new(ec2, &instance_id);
    let volumes = imager.instance().await.unwrap().volumes;
    let session = SessionId::random();
    let request = CaptureRequest {
        volumes: volumes.into_iter().map(|it| it.volume_id).collect(),
        tags: BTreeMap::from([("team".to_owned(), "db & Söhne".to_owned())]),
        ..request(&session, CaptureCall::CreateImage, name, expires_in)
    };
    let Begun::Image(image) = imager.begin(&request).await.unwrap() else {
        panic!("no image")
    };
    Making {
        ec2,
        imager,
        instance_id,
        session,
        image: image.0,
    }
}

fn request(
    session: &SessionId,
    call: CaptureCall,
    name: &str,
    expires_in: time::Duration,
) -> CaptureRequest {
    CaptureRequest {
        session: session.clone(),
        call,
        name: name.to_owned(),
        description: "of a test".to_owned(),
        volumes: Vec::new(),
        tags: BTreeMap::new(),
        snapshot_tags: BTreeMap::new(),
        expires: OffsetDateTime::now_utc() + expires_in,
    }
}

const AN_HOUR: time::Duration = time::Duration::hours(1);

impl Making<'_> {
    async fn image(&self) -> Option<images::Image> {
        images::find(self.ec2, &self.image).await.unwrap()
    }

    async fn mark(&self, state: &str) {
        let marks = [("consistent:method", "freeze"), (tags::STATE, state)];
        let marks = marks
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        let seen = self.imager.observe(&self.session).await.unwrap();
        self.imager.seal(&seen, &marks).await.unwrap();
    }

    async fn left_by_discard(&self) -> Vec<String> {
        let left = self.imager.discard(&self.session).await.unwrap();
        left.into_iter().map(|it| it.id).collect()
    }
}

async fn exist(ec2: &Client, snapshots: &[String]) -> bool {
    !images::existing_snapshots(ec2, snapshots)
        .await
        .unwrap()
        .is_empty()
}

async fn a_proven_image_stays_until_it_is_destroyed(clients: &Clients) {
    let ec2 = clients.ec2().await.unwrap();
    assert!(
        images::named(ec2, "orders").await.unwrap().is_none(),
        "the name is free"
    );
    let making = begin(ec2, "orders", AN_HOUR).await;
    let named = images::named(ec2, "orders").await.unwrap();
    assert_eq!(named.map(|it| it.id).as_ref(), Some(&making.image));

    let seen = making.imager.observe(&making.session).await.unwrap();
    assert_eq!(seen.image.map(|it| it.state), Some(ImageState::Available));
    assert_eq!(seen.snapshots.len(), 1);
    assert!(seen.snapshots[0].state.initiated());
    let stranger = making.imager.observe(&SessionId::random()).await.unwrap();
    assert_eq!(stranger, Observation::default());

    making.mark(tags::PROVEN).await;
    making.mark(tags::PENDING).await;
    assert!(!making.image().await.unwrap().is_proven(), "taken back");
    making.mark(tags::PROVEN).await;
    let sealed = making.image().await.unwrap();
    for (key, value) in [
        ("team", "db & Söhne"),
        ("consistent:method", "freeze"),
        (tags::SOURCE_INSTANCE, making.instance_id.as_str()),
        (tags::EXPIRES, tags::NEVER),
    ] {
        assert_eq!(
            sealed.tags.get(key).map(String::as_str),
            Some(value),
            "{key}"
        );
    }
    assert_eq!(making.left_by_discard().await, [making.image.as_str()]);
    assert_eq!(making.imager.leftovers("orders").await.unwrap(), []);

    let snapshots = [sealed.snapshots[0].snapshot_id.clone()];
    assert!(exist(ec2, &snapshots).await);
    for _ in ["at first", "again"] {
        assert_eq!(
            images::destroy(ec2, &making.image, &snapshots)
                .await
                .unwrap(),
            []
        );
        assert!(making.image().await.is_none());
        assert!(!exist(ec2, &snapshots).await);
    }
}

async fn an_unproven_image_is_swept(clients: &Clients) {
    let ec2 = clients.ec2().await.unwrap();
    let dead = begin(ec2, "dead", -AN_HOUR).await;
    let live = begin(ec2, "live", AN_HOUR).await;
    let left = async |of: &Making<'_>, name| of.imager.leftovers(name).await.unwrap();
    assert_eq!(
        left(&dead, "other").await,
        std::slice::from_ref(&dead.session),
        "of the instance, past its time"
    );
    assert_eq!(
        left(&live, "other").await,
        [],
        "of the instance, within its time"
    );
    assert_eq!(left(&dead, "live").await.len(), 2, "of the name as well");

    let snapshot = dead
        .imager
        .observe(&dead.session)
        .await
        .unwrap()
        .snapshots
        .remove(0)
        .id
        .0;
    let sweeper = Making {
        session: dead.session.clone(),
        image: dead.image.clone(),
        ..begin(ec2, "sweeper", AN_HOUR).await
    };
    for _ in ["at first", "again"] {
        assert_eq!(sweeper.left_by_discard().await, Vec::<String>::new());
        assert!(sweeper.image().await.is_none());
        assert!(!exist(ec2, std::slice::from_ref(&snapshot)).await);
    }
    assert_eq!(left(&dead, "dead").await, []);
    assert!(
        live.image().await.is_some(),
        "a live run's image is not touched"
    );
}

/// What is left of a run that died before it registered its image.
async fn snapshots_without_an_image_are_swept(clients: &Clients) {
    let ec2 = clients.ec2().await.unwrap();
    let imager = Ec2Imager::new(ec2, launch(ec2).await);
    let session = SessionId::random();
    imager.prepare(&session).await.unwrap();
    let request = request(&session, CaptureCall::CreateSnapshots, "orders", AN_HOUR);
    let Begun::Snapshots(told) = imager.begin(&request).await.unwrap() else {
        panic!("no snapshots")
    };
    let seen = imager.observe(&session).await.unwrap();
    assert!(seen.image.is_none());
    let volumes = |them: &[ObservedSnapshot]| -> Vec<(String, String)> {
        let ids = them
            .iter()
            .map(|it| (it.id.0.clone(), it.volume_id.0.clone()));
        ids.collect()
    };
    assert_eq!((told.len(), volumes(&told)), (1, volumes(&seen.snapshots)));
    assert_eq!(
        imager.leftovers("orders").await.unwrap(),
        std::slice::from_ref(&session)
    );
    assert_eq!(imager.discard(&session).await.unwrap(), []);
    assert!(imager.leftovers("orders").await.unwrap().is_empty());
}

async fn tags_change_in_place(clients: &Clients) {
    let ec2 = clients.ec2().await.unwrap();
    let making = begin(ec2, "orders", AN_HOUR).await;
    let ids = [making.image.clone()];
    let added = BTreeMap::from([("env".to_owned(), "dev".to_owned())]);
    images::set_tags(ec2, &ids, &added).await.unwrap();
    let removed = BTreeSet::from(["team".to_owned()]);
    images::remove_tags(ec2, &ids, &removed).await.unwrap();
    let found = making.image().await.unwrap().tags;
    assert_eq!(found.get("env").map(String::as_str), Some("dev"));
    assert!(
        !found.contains_key("team") && found.contains_key(tags::SESSION),
        "{found:?}"
    );
}

/// The adapter reports what it was told; that a report is missing is for the protocol to refuse.
async fn a_success_that_ran_nothing_is_a_reply_without_a_report(clients: &Clients) {
    let instance_id = launch(clients.ec2().await.unwrap()).await;
    let guest = SsmGuest::new(clients.ssm().await.unwrap().clone(), instance_id);
    let script = Script {
        purpose: "probe",
        text: "echo report".to_owned(),
        kill_after: Duration::from_secs(30),
    };
    let reply = guest.run(&script, Duration::from_secs(20)).await.unwrap();
    assert_eq!(
        (reply.status.as_str(), reply.stdout.as_str()),
        ("Success", "")
    );
}
