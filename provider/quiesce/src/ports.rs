//! What the proof needs from the outside: one guest that runs scripts, one imager that captures volumes.
//!
//! Each method is a single attempt: no retry, no waiting for a state. Time belongs to the protocol, because only
//! the protocol knows whether writes are held while it waits.

use std::{collections::BTreeMap, fmt, future::Future, time::Duration};

use time::OffsetDateTime;

use crate::{capture::CaptureCall, session::SessionId};

/// Reads documents of the service that runs scripts; touches none.
pub trait Documents: Sync {
    type Error: std::error::Error + Send;

    /// What the service knows of `version` of the document: a number, `$DEFAULT` or `$LATEST`.
    fn describe(
        &self,
        name: &str,
        version: &str,
    ) -> impl Future<Output = Result<DocumentFacts, Self::Error>> + Send;

    /// The content of exactly this version.
    fn content(
        &self,
        name: &str,
        version: &str,
        format: Format,
    ) -> impl Future<Output = Result<String, Self::Error>> + Send;
}

/// One version of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentFacts {
    pub version: u64,
    pub hash: String,
    /// `Sha256`; `Sha1` of documents made long ago.
    pub hash_type: String,
    /// `Active` where it can be run.
    pub status: String,
    /// `Linux`, `Windows`, `MacOS`.
    pub platforms: Vec<String>,
    pub format: Format,
}

/// What a document is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Yaml,
}

/// One instance on which scripts run as root.
pub trait Guest: Send + Sync + 'static {
    /// Runs `script` and waits for its final answer, at most `within` (dispatch and reply included).
    ///
    /// An error says nothing about whether the script ran, runs or will run: only the guest's own report counts.
    fn run(
        &self,
        script: &Script,
        within: Duration,
    ) -> impl Future<Output = Result<Reply, GuestError>> + Send;
}

/// A POSIX sh script, complete: nothing in it is secret, since SSM keeps its text and the image holds its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// What it is for, shown in SSM's command history: `probe`, `arm`, `hold`, `release`, `look`.
    pub purpose: &'static str,
    pub text: String,
    /// The agent kills the script's process group after this long. SSM accepts 5 s to 48 h; out of range silently
    /// becomes an hour (FACTS.md part C, 4), so an adapter rounds up to whole seconds and clamps.
    pub kill_after: Duration,
}

/// What came back, whatever the transport called its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// SSM's command id or its like: what a user looks up.
    pub command_id: String,
    /// The transport's word for the end: `Success`, `Failed`, `TimedOut`, `Cancelled`...
    pub status: String,
    pub exit_code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Why no reply came.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum GuestError {
    /// Certainly not sent: the call itself was refused.
    #[error("the script was not sent: {reason}")]
    NotSent { reason: String, retry: Retry },
    /// Sent or perhaps sent; no final answer within the time given. It may still be running, or run later.
    #[error("no answer within {} ms: {reason}", waited.as_millis())]
    NoAnswer { reason: String, waited: Duration },
}

/// Captures the volumes of one instance.
pub trait Imager: Send + Sync + 'static {
    /// The instance as EC2 sees it now: state and attached EBS volumes.
    fn instance(&self) -> impl Future<Output = Result<Instance, ImagerError>> + Send;

    /// Reads, before anything is held, what [`register`](Imager::register) will have to tell of the instance: by then it
    /// may be gone. Safe to repeat.
    fn prepare(&self, session: &SessionId) -> impl Future<Output = Result<(), ImagerError>> + Send;

    /// Starts the capture. Returns as soon as the service acknowledged it. Everything begun carries the session's
    /// tags from its first moment on, so that `observe` and `discard` find it even if this answer is lost.
    fn begin(
        &self,
        request: &CaptureRequest,
    ) -> impl Future<Output = Result<Begun, ImagerError>> + Send;

    /// Makes the image of completed snapshots ([`CaptureCall::CreateSnapshots`]), like its source in all that `prepare`
    /// read. Safe to repeat: where the session has its image already, that is the answer.
    fn register(
        &self,
        request: &CaptureRequest,
        snapshots: &[ObservedSnapshot],
    ) -> impl Future<Output = Result<ImageId, ImagerError>> + Send;

    /// What exists of the session now.
    fn observe(
        &self,
        session: &SessionId,
    ) -> impl Future<Output = Result<Observation, ImagerError>> + Send;

    /// Removes what exists of the session now - deregisters the image, deletes the snapshots - and returns what is
    /// still left. Safe to repeat; refuses to touch a sealed image.
    fn discard(
        &self,
        session: &SessionId,
    ) -> impl Future<Output = Result<Vec<Leftover>, ImagerError>> + Send;

    /// Sets these tags, first on the snapshots, last on the image: `consistent:state` = `proven` there is what seals it.
    /// Safe to repeat. The same call with `pending` takes the seal back, where nobody heard whether it was set.
    fn seal(
        &self,
        observation: &Observation,
        tags: &BTreeMap<String, String>,
    ) -> impl Future<Output = Result<(), ImagerError>> + Send;

    /// Unsealed sessions that a dead run left behind, which may be discarded: those of this image name whatever their
    /// age (no two images share a name, so a live one would be in our way for good), and those of this instance once
    /// their [`CaptureRequest::expires`] has passed (before, another run may be at work on another image).
    fn leftovers(
        &self,
        image_name: &str,
    ) -> impl Future<Output = Result<Vec<SessionId>, ImagerError>> + Send;
}

/// `ami-...`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageId(pub String);

/// `vol-...`
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct VolumeId(pub String);

/// `snap-...`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId(pub String);

/// An instance and its attached EBS volumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    pub id: String,
    /// EC2's name of the state: `running`, `stopped`...
    pub state: String,
    pub root_device_name: String,
    /// Every attached EBS volume; an image with default mappings includes them all.
    pub volumes: Vec<AttachedVolume>,
    /// What it is billed as, in the service's own words.
    pub billing: String,
    /// What an image of it would lack that is registered of snapshots, in sentences; empty where that makes no difference.
    pub lost_by_registering: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachedVolume {
    pub volume_id: VolumeId,
    /// As the attachment says: `/dev/xvda`, `/dev/sdf`.
    pub device_name: String,
}

/// What to capture, and under which tags.
#[derive(Clone, Debug)]
pub struct CaptureRequest {
    pub session: SessionId,
    pub call: CaptureCall,
    pub name: String,
    pub description: String,
    /// The volumes whose snapshots must be seen; the proof is void without any one of them.
    pub volumes: Vec<VolumeId>,
    /// The user's own tags for the image.
    pub tags: BTreeMap<String, String>,
    /// The user's own tags for the snapshots.
    pub snapshot_tags: BTreeMap<String, String>,
    /// After this instant no live run can own the session: what it left behind may be swept. An adapter puts it into a
    /// tag beside the session's.
    pub expires: OffsetDateTime,
}

/// The answer to a beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// An image is in the making; its snapshots show one by one.
    Image(ImageId),
    /// These snapshots were initiated, all at one instant, and no others; their image is yet to be registered.
    Snapshots(Vec<ObservedSnapshot>),
}

/// An image in the making, as far as it can be seen. Eventually consistent: absent means "not seen yet".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    pub image: Option<ObservedImage>,
    pub snapshots: Vec<ObservedSnapshot>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedImage {
    pub id: ImageId,
    pub state: ImageState,
    /// EC2's reason where the state is a failure.
    pub reason: String,
    /// What its instances are billed as, in the service's own words; it may not be settled before the image is available.
    pub billing: String,
}

/// EC2's image states, as far as they differ for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageState {
    Pending,
    Available,
    /// `failed`, `error`, `invalid`, `deregistered`, `disabled`, `transient`...: it will not become available.
    Failed(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedSnapshot {
    pub id: SnapshotId,
    pub volume_id: VolumeId,
    pub state: SnapshotState,
    pub started_at: Option<OffsetDateTime>,
    pub size_gib: i64,
    pub encrypted: bool,
}

/// EC2's snapshot states, as far as they differ for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotState {
    /// Initiated: the instant is taken, blocks are still being copied.
    Pending,
    Completed,
    /// `error`, `recoverable`, `recovering`...
    Failed(String),
}

impl SnapshotState {
    /// "Resume writes once the snapshot enters the pending state" (EBS user guide, ebs-creating-snapshot).
    pub fn initiated(&self) -> bool {
        matches!(self, Self::Pending | Self::Completed)
    }
}

/// Something of a discarded session that still exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// `ami-...` or `snap-...`
    pub id: String,
    /// Why it is still there, in the service's own words.
    pub reason: String,
}

/// When trying the same call again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not without a change: denied, invalid, gone.
    Never,
    /// After this long, with nothing held: throttled, or 15 s between snapshots of a volume.
    After(Duration),
}

/// A call to the image service that did not succeed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{action}: {message}")]
pub struct ImagerError {
    /// The API action, e.g. `ec2:CreateImage`.
    pub action: &'static str,
    /// The service's error code, e.g. `UnauthorizedOperation`; empty where no answer came.
    pub code: String,
    /// What happened and what the user can do, in one or two sentences.
    pub message: String,
    pub retry: Retry,
    /// True where the service may have done the work although the call failed (time-out, lost connection, 5xx).
    pub maybe_done: bool,
}

macro_rules! displayed {
    ($($id:ident),*) => {$(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
displayed!(ImageId, VolumeId, SnapshotId);
