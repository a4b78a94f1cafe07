//! The EC2 half against a service that this project did not write: moto's EC2, over HTTP.
//!
//! Moto differs from EC2 where it matters to the assertions here: an image is `available` at once and has one snapshot,
//! of a volume made up by moto. SSM Run Command answers Success at once and runs nothing. What `moto_server.py` beside
//! this file adds is said there.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, io,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use consistent_aws::{
    config::{Clients, Endpoints, Secret, Settings},
    ec2::{Ec2Imager, images, instances, tags},
    ssm::SsmGuest,
};
use quiesce::{
    ports::{CaptureRequest, Guest, ImageState, Imager, Retry, Script, VolumeId},
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
    an_image_lives_and_dies(&moto.clients("eu-central-1")).await;
    an_unproven_image_is_swept(&moto.clients("eu-west-1")).await;
    tags_change_in_place(&moto.clients("us-east-1")).await;
    a_success_that_ran_nothing_is_a_reply_without_a_report(&moto.clients("us-west-2")).await;
}

/// An instance of moto's own making.
async fn launch(ec2: &aws_sdk_ec2::Client) -> String {
    let images = ec2.describe_images().owners("amazon").send().await.unwrap();
    let image = images.images()[0].image_id().unwrap().to_owned();
    let run = ec2
        .run_instances()
        .image_id(image)
        .min_count(1)
        .max_count(1)
        .send()
        .await
        .unwrap();
    run.instances()[0].instance_id().unwrap().to_owned()
}

fn request(
    session: &SessionId,
    name: &str,
    volumes: Vec<VolumeId>,
    expires_in: time::Duration,
) -> CaptureRequest {
    CaptureRequest {
        session: session.clone(),
        name: name.to_owned(),
        description: "of a test".to_owned(),
        volumes,
        tags: BTreeMap::from([("team".to_owned(), "db & Söhne".to_owned())]),
        snapshot_tags: BTreeMap::new(),
        expires: OffsetDateTime::now_utc() + expires_in,
    }
}

const AN_HOUR: time::Duration = time::Duration::hours(1);

async fn an_image_lives_and_dies(clients: &Clients) {
    let ec2 = clients.ec2().await.unwrap();
    let instance_id = launch(ec2).await;
    let imager = Ec2Imager::new(ec2, &instance_id);

    let instance = imager.instance().await.unwrap();
    assert_eq!(
        (instance.state.as_str(), instance.volumes.len()),
        ("running", 1),
        "{instance:?}"
    );
    assert!(
        instances::describe(ec2, &instance_id)
            .await
            .unwrap()
            .ebs_backed
    );
    let missing = Ec2Imager::new(ec2, "i-0123456789abcdef0")
        .instance()
        .await
        .unwrap_err();
    assert_eq!(
        (missing.code.as_str(), missing.retry),
        ("InvalidInstanceID.NotFound", Retry::Never)
    );

    let session = SessionId::random();
    assert!(images::named(ec2, "orders").await.unwrap().is_none());
    let volumes = instance
        .volumes
        .into_iter()
        .map(|it| it.volume_id)
        .collect();
    let id = imager
        .begin(&request(&session, "orders", volumes, AN_HOUR))
        .await
        .unwrap();
    assert_eq!(
        images::named(ec2, "orders").await.unwrap().map(|it| it.id),
        Some(id.0.clone())
    );

    let observed = imager.observe(&session).await.unwrap();
    let image = observed.image.clone().unwrap();
    assert_eq!((&image.id, &image.state), (&id, &ImageState::Available));
    assert_eq!(observed.snapshots.len(), 1, "{observed:?}");
    assert!(observed.snapshots[0].state.initiated());
    assert!(
        imager
            .observe(&SessionId::random())
            .await
            .unwrap()
            .image
            .is_none()
    );

    let marks = |state: &str| {
        let pairs = [("consistent:method", "freeze"), (tags::STATE, state)];
        pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    };
    imager.seal(&observed, &marks(tags::PROVEN)).await.unwrap();
    imager.seal(&observed, &marks(tags::PENDING)).await.unwrap();
    assert_eq!(
        imager.leftovers("orders").await.unwrap().len(),
        1,
        "taken back"
    );
    imager.seal(&observed, &marks(tags::PROVEN)).await.unwrap();
    let sealed = images::find(ec2, &id.0).await.unwrap().unwrap();
    assert!(sealed.is_proven());
    for (key, value) in [
        ("team", "db & Söhne"),
        ("consistent:method", "freeze"),
        (tags::SOURCE_INSTANCE, instance_id.as_str()),
        (tags::EXPIRES, tags::NEVER),
    ] {
        assert_eq!(
            sealed.tags.get(key).map(String::as_str),
            Some(value),
            "{key}"
        );
    }
    let left = imager.discard(&session).await.unwrap();
    assert_eq!(
        left.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(),
        [id.0.as_str()]
    );

    let snapshot = sealed.snapshots[0].snapshot_id.clone();
    let exist = async || {
        images::existing_snapshots(ec2, std::slice::from_ref(&snapshot))
            .await
            .unwrap()
    };
    assert!(exist().await.contains_key(&snapshot));
    assert_eq!(images::destroy(ec2, &id.0, &[]).await.unwrap(), []);
    assert!(images::find(ec2, &id.0).await.unwrap().is_none());
    assert!(exist().await.is_empty());
    assert_eq!(
        images::destroy(ec2, &id.0, &[snapshot]).await.unwrap(),
        [],
        "safe to repeat"
    );
}

async fn an_unproven_image_is_swept(clients: &Clients) {
    let ec2 = clients.ec2().await.unwrap();
    let imager = Ec2Imager::new(ec2, launch(ec2).await);
    let (dead, live) = (SessionId::random(), SessionId::random());
    let image = imager
        .begin(&request(&dead, "dead", Vec::new(), -AN_HOUR))
        .await
        .unwrap();
    imager
        .begin(&request(&live, "live", Vec::new(), AN_HOUR))
        .await
        .unwrap();

    let elsewhere = Ec2Imager::new(ec2, launch(ec2).await);
    assert_eq!(
        imager.leftovers("other").await.unwrap(),
        [dead.clone()],
        "of the instance"
    );
    assert_eq!(
        elsewhere.leftovers("dead").await.unwrap(),
        [dead.clone()],
        "of the name"
    );
    assert_eq!(elsewhere.leftovers("other").await.unwrap(), []);

    let snapshots = imager.observe(&dead).await.unwrap().snapshots;
    assert_eq!(snapshots.len(), 1);
    assert_eq!(elsewhere.discard(&dead).await.unwrap(), []);
    assert_eq!(
        elsewhere.discard(&dead).await.unwrap(),
        [],
        "safe to repeat"
    );
    assert!(images::find(ec2, &image.0).await.unwrap().is_none());
    let ids = [snapshots[0].id.0.clone()];
    assert!(
        images::existing_snapshots(ec2, &ids)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(imager.leftovers("dead").await.unwrap(), []);
    assert!(
        imager.observe(&live).await.unwrap().image.is_some(),
        "a live run's image is not touched"
    );
}

async fn tags_change_in_place(clients: &Clients) {
    let ec2 = clients.ec2().await.unwrap();
    let imager = Ec2Imager::new(ec2, launch(ec2).await);
    let id = imager
        .begin(&request(
            &SessionId::random(),
            "orders",
            Vec::new(),
            AN_HOUR,
        ))
        .await
        .unwrap()
        .0;
    let ids = [id.clone()];
    let added = BTreeMap::from([("env".to_owned(), "dev".to_owned())]);
    images::set_tags(ec2, &ids, &added).await.unwrap();
    images::remove_tags(ec2, &ids, &BTreeSet::from(["team".to_owned()]))
        .await
        .unwrap();
    let tags = images::find(ec2, &id).await.unwrap().unwrap().tags;
    assert_eq!(tags.get("env").map(String::as_str), Some("dev"));
    assert!(
        !tags.contains_key("team") && tags.contains_key("consistent:session"),
        "{tags:?}"
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
