//! The service's end of the agents' connections: one unix socket per instance.

use std::{
    collections::{BTreeMap, VecDeque},
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{Ssm, delivery};
use crate::{
    agent::{
        Transport,
        wire::{FromAgent, Message, ToAgent},
    },
    cloud::{Cloud, clock::epoch, journal::Event, lock},
};

/// What the service keeps for one instance's agent.
pub(super) struct Link {
    instance: String,
    socket: PathBuf,
    state: Mutex<LinkState>,
    /// Rung when there is something to send, or a reason to hang up.
    bell: Notify,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct LinkState {
    outbox: VecDeque<Message>,
    /// Handed out, not acknowledged: repeated on the next connection.
    handed_out: Vec<Message>,
    connected: bool,
    /// Last heard of; `None` before the agent has ever registered.
    seen: Option<(Instant, OffsetDateTime)>,
    about: BTreeMap<String, String>,
    version: String,
    /// No service for the agent until then.
    offline_until: Option<Instant>,
}

impl LinkState {
    fn is_offline(&self) -> bool {
        self.offline_until
            .is_some_and(|until| Instant::now() < until)
    }
}

impl Cloud {
    /// Where the service listens for this instance's agent.
    pub(crate) fn agent_socket(&self, instance: &str) -> PathBuf {
        self.dir.join("agents").join(format!("{instance}.sock"))
    }

    /// Opens the socket on which this instance's agent finds the service.
    pub(crate) fn listen(self: &Arc<Self>, instance: &str) -> io::Result<()> {
        let socket = self.agent_socket(instance);
        fs::create_dir_all(self.dir.join("agents"))?;
        let listener = UnixListener::bind(&socket)?;
        let link = Arc::new(Link {
            instance: instance.to_owned(),
            socket,
            state: Mutex::default(),
            bell: Notify::new(),
            accepting: Mutex::default(),
        });
        let task = tokio::spawn(accept(self.clone(), link.clone(), listener));
        *lock(&link.accepting) = Some(task);
        lock(&self.ssm.links).insert(instance.to_owned(), link);
        Ok(())
    }
}

impl Ssm {
    /// An instance is gone, and its agent with it.
    pub(crate) fn forget(&self, instance: &str) {
        if let Some(link) = lock(&self.links).remove(instance) {
            if let Some(task) = lock(&link.accepting).take() {
                task.abort();
            }
            // The socket may have gone with the lab's directory.
            let _ = fs::remove_file(&link.socket);
        }
    }

    pub(crate) fn forget_all(&self) {
        let instances: Vec<String> = lock(&self.links).keys().cloned().collect();
        for instance in &instances {
            self.forget(instance);
        }
    }

    pub(crate) fn is_online(&self, instance: &str) -> bool {
        let link = lock(&self.links).get(instance).cloned();
        link.is_some_and(|link| lock(&link.state).connected)
    }

    /// After `after`, every agent loses its connection, and finds no service for `gone`.
    pub(crate) fn disconnect_all(&self, after: Duration, gone: Duration) {
        let links: Vec<Arc<Link>> = lock(&self.links).values().cloned().collect();
        tokio::spawn(async move {
            sleep(after).await;
            for link in links {
                lock(&link.state).offline_until = Some(Instant::now() + gone);
                link.bell.notify_one();
            }
        });
    }

    pub(super) fn enqueue(&self, instance: &str, message: Message) {
        if let Some(link) = lock(&self.links).get(instance) {
            lock(&link.state).outbox.push_back(message);
            link.bell.notify_one();
        }
    }

    /// Takes back what was not handed out yet.
    pub(super) fn withdraw(&self, instance: &str, command: &str) {
        if let Some(link) = lock(&self.links).get(instance) {
            lock(&link.state).outbox.retain(|m| m.command != command);
        }
    }
}

impl Link {
    pub(super) fn is_registered(&self) -> bool {
        lock(&self.state).seen.is_some()
    }

    /// The entry of `DescribeInstanceInformation`, once the agent has registered.
    pub(super) fn information(&self, lost_after: Duration) -> Option<Value> {
        let state = lock(&self.state);
        let (seen, seen_at) = state.seen?;
        let online = state.connected || seen.elapsed() < lost_after;
        let last_ping = if state.connected {
            OffsetDateTime::now_utc()
        } else {
            seen_at
        };
        Some(json!({
            "InstanceId": self.instance,
            "PingStatus": if online { "Online" } else { "ConnectionLost" },
            "LastPingDateTime": epoch(last_ping),
            "AgentVersion": state.version,
            "IsLatestVersion": false,
            "PlatformType": "Linux",
            "PlatformName": state.about.get("name"),
            "PlatformVersion": state.about.get("version"),
            "ResourceType": "EC2Instance",
            "ComputerName": state.about.get("host"),
        }))
    }

    fn registered(&self, version: String, about: BTreeMap<String, String>) {
        let mut state = lock(&self.state);
        state.connected = true;
        state.seen = Some((Instant::now(), OffsetDateTime::now_utc()));
        state.version = version;
        state.about = about;
        // What the last connection did not acknowledge comes again.
        let again = std::mem::take(&mut state.handed_out);
        for message in again.into_iter().rev() {
            state.outbox.push_front(message);
        }
    }

    fn lost(&self) {
        let mut state = lock(&self.state);
        if !std::mem::take(&mut state.connected) {
            return; // it never got as far as registering
        }
        state.seen = Some((Instant::now(), OffsetDateTime::now_utc()));
    }

    fn next_message(&self) -> Option<Message> {
        let mut state = lock(&self.state);
        let message = state.outbox.pop_front()?;
        state.handed_out.push(message.clone());
        Some(message)
    }

    fn acknowledged(&self, message: &str) -> Option<Message> {
        let mut state = lock(&self.state);
        let index = state.handed_out.iter().position(|m| m.id == message)?;
        Some(state.handed_out.remove(index))
    }
}

async fn accept(cloud: Arc<Cloud>, link: Arc<Link>, listener: UnixListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        if lock(&link.state).is_offline() {
            continue; // dropping the stream is all the service that there is
        }
        // One agent per instance: a second connection means that the first one is dead.
        let outcome = converse(&cloud, &link, stream).await;
        link.lost();
        note(
            &cloud,
            &link,
            &match outcome {
                Ok(()) => "disconnected".to_owned(),
                Err(error) => format!("disconnected: {error}"),
            },
        );
    }
}

fn note(cloud: &Cloud, link: &Link, what: &str) {
    cloud.journal.record(Event::Agent {
        instance: link.instance.clone(),
        what: what.to_owned(),
    });
}

/// One connection, from hello to its end.
async fn converse(cloud: &Arc<Cloud>, link: &Link, stream: UnixStream) -> io::Result<()> {
    let (read, write) = stream.into_split();
    let mut connection = Connection {
        lines: BufReader::new(read).lines(),
        write,
    };
    let Some(FromAgent::Hello { version, platform }) = connection.hear().await? else {
        return Err(io::Error::other("no hello"));
    };
    let settings = cloud.settings().agent;
    permitted(cloud, settings.transport)?;
    let transport = settings.transport;
    link.registered(version, platform);
    note(cloud, link, "connected");
    let welcome = ToAgent::Welcome {
        instance: link.instance.clone(),
        region: cloud.region.clone(),
        settings,
    };
    connection.say(&welcome).await?;
    exchange(cloud, link, connection, transport).await
}

/// Messages out, acknowledgements and replies in, until the connection is lost.
async fn exchange(
    cloud: &Arc<Cloud>,
    link: &Link,
    mut connection: Connection,
    transport: Transport,
) -> io::Result<()> {
    // MGS pushes; MDS waits to be asked, for one message at a time.
    let mut wanted = transport == Transport::Mgs;
    while !lock(&link.state).is_offline() {
        if wanted && let Some(message) = link.next_message() {
            wanted = transport == Transport::Mgs;
            delivery::note(cloud, &message.command, &link.instance, "delivered");
            connection.say(&ToAgent::Message(message)).await?;
            continue;
        }
        tokio::select! {
            () = link.bell.notified() => {}
            heard = connection.hear() => match heard? {
                None => return Ok(()),
                Some(FromAgent::Poll) => wanted = true,
                Some(heard) => react(cloud, link, &mut connection, heard).await?,
            },
        }
    }
    Ok(())
}

async fn react(
    cloud: &Arc<Cloud>,
    link: &Link,
    connection: &mut Connection,
    heard: FromAgent,
) -> io::Result<()> {
    match heard {
        FromAgent::Acknowledge { message } => {
            if let Some(message) = link.acknowledged(&message) {
                delivery::acknowledged(cloud, &message.command, &link.instance);
            }
            Ok(())
        }
        FromAgent::Reply(reply) => {
            let message = reply.message.clone();
            delivery::replied(cloud, &link.instance, reply);
            connection.say(&ToAgent::Received { message }).await
        }
        FromAgent::Hello { .. } | FromAgent::Poll => Err(io::Error::other("out of order")),
    }
}

/// Does the instance role let an agent register and receive commands by this transport?
fn permitted(cloud: &Cloud, transport: Transport) -> io::Result<()> {
    let needed: &[&str] = match transport {
        Transport::Mgs => &[
            "ssm:UpdateInstanceInformation",
            "ssmmessages:CreateControlChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenDataChannel",
        ],
        Transport::Mds => &[
            "ssm:UpdateInstanceInformation",
            "ec2messages:GetEndpoint",
            "ec2messages:GetMessages",
            "ec2messages:AcknowledgeMessage",
            "ec2messages:SendReply",
            "ec2messages:FailMessage",
            "ec2messages:DeleteMessage",
        ],
    };
    let denied = needed
        .iter()
        .find(|action| !cloud.directory.instance_may(action));
    denied.map_or(Ok(()), |action| {
        Err(io::Error::other(format!(
            "the instance role does not allow {action}"
        )))
    })
}

struct Connection {
    lines: Lines<BufReader<OwnedReadHalf>>,
    write: OwnedWriteHalf,
}

impl Connection {
    /// The next line; `None` at the end. Cancel safe.
    async fn hear(&mut self) -> io::Result<Option<FromAgent>> {
        let line = self.lines.next_line().await?;
        line.map(|line| serde_json::from_str(&line).map_err(io::Error::from))
            .transpose()
    }

    async fn say(&mut self, what: &ToAgent) -> io::Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        self.write.write_all(&line).await
    }
}
