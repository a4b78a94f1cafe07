//! The attributes of `consistent_db_image`: names, docs, validators and behaviour in one place.

use std::collections::{BTreeMap, BTreeSet};

use quiesce::plan::{Attempts, MaxHold};
use tfplug::{Model, Value, validate};

use super::{capture, deprecation, engines::Engines, method, names};
use crate::{duration, tags::ConfiguredTags};

/// An image (AMI) of a live database server that is proven consistent, or none.
///
/// While the image's snapshots begin, the database's writes are held on the server itself, over Systems Manager. The
/// image is kept only if the server confirms that writes were held for the whole capture; otherwise it is removed, its
/// snapshots are deleted, and the apply fails and says why. Writes go on after `quiesce.max_hold_seconds` at the latest,
/// whatever happens to Terraform, the network or the agent.
///
/// At least one engine has to be named, e.g. `postgresql = {}`; with several, one hold covers them all. There is a page about
/// each: what it promises, needs and refuses, and every statement that reaches the server. A change of the server, an engine, `quiesce`, `capture`, `triggers` or the name makes a new image; everything else changes in place.
///
/// The [guide](../guides/adopting-images) tells how to import an image, to move one here from `aws_ami_from_instance`, and to
/// replace one without a gap.
#[derive(Clone, Debug, Model)]
pub(crate) struct ImageModel {
    /// The image's name, unique in its account and region: 3 to 128 letters, digits, spaces and `()[]./-'@_`. Either this
    /// or `name_prefix`.
    #[tf(optional, computed, use_state_for_unknown, force_replace, validate = names::image)]
    pub(super) name: Value<String>,
    /// What a name begins with that is unique by what follows: the time and a counter, 26 characters. At most 102
    /// characters. Lets a new image exist beside the one that it replaces.
    #[tf(optional, validate = names::prefix)]
    pub(super) name_prefix: Value<String>,
    /// The image's description: at most 255 ASCII characters.
    #[tf(optional, validate = names::description)]
    pub(super) description: Value<String>,
    /// The EC2 instance on which the database runs. It has to be running, with an online SSM agent; one that was started in the
    /// last ten minutes is waited for.
    #[tf(required, force_replace, validate = names::instance)]
    pub(super) source_instance_id: Value<String>,
    #[tf(flatten)]
    pub(super) engines: Engines,
    /// How writes are held.
    #[tf(optional, default = Quiesce::default())]
    pub(super) quiesce: Value<Quiesce>,
    /// How the volumes are captured. `create_image` (default): one `CreateImage` call without reboot. `create_snapshots`: one
    /// `CreateSnapshots` call for all volumes, which holds writes for the shortest time; the image is registered of the
    /// snapshots when they are complete. It is refused for an instance that is billed for a licence or a product code, which
    /// such an image may lose.
    #[tf(optional, default = "create_image", validate = validate::one_of(capture::WORDS))]
    pub(super) capture: Value<String>,
    /// Any text under any name. A change makes a new image, which bears no more of it than a digest. An imported image has that
    /// digest in its state, as `consistent:digest`, and changes nothing where it is the configuration's.
    #[tf(optional)]
    pub(super) triggers: Value<BTreeMap<String, Value<String>>>,
    /// Tags of the image and its snapshots, over the provider's `default_tags`. At most 37 with those; keys that begin
    /// with `consistent:` hold the proof and cannot be set.
    #[tf(optional)]
    pub(super) tags: ConfiguredTags,
    /// Tags of the snapshots alone, over `tags` and the provider's `default_tags`: at most 37 together. Tags that others
    /// put on the snapshots are left as they are.
    #[tf(optional)]
    pub(super) snapshot_tags: ConfiguredTags,
    /// When EC2 marks the image as deprecated (RFC 3339), within ten years from now. EC2 rounds to the minute.
    #[tf(optional, validate = deprecation::check)]
    pub(super) deprecation_time: Value<String>,
    /// Whether EC2 refuses to deregister the image, whoever asks. A protected image can be destroyed or replaced only after
    /// an apply that switches this off. Default: `false`.
    #[tf(optional, default = false)]
    pub(super) deregistration_protection: Value<bool>,
    /// Whether the protection lasts for 24 hours more once it is switched off. Needs `deregistration_protection`. Default:
    /// `false`.
    #[tf(optional, default = false)]
    pub(super) deregistration_protection_cooldown: Value<bool>,
    /// Whether a destroy, and a replacement, only forgets the image: it and its snapshots stay in the account. Default:
    /// `false`.
    #[tf(optional, default = false)]
    pub(super) skip_destroy: Value<bool>,
    /// How long making, changing and removing the image may take.
    #[tf(optional)]
    pub(super) timeouts: Value<Timeouts>,
    /// The image's id (`ami-...`).
    #[tf(computed, use_state_for_unknown)]
    pub(super) id: Value<String>,
    /// The image's ARN.
    #[tf(computed, use_state_for_unknown)]
    pub(super) arn: Value<String>,
    /// The image's architecture, e.g. `x86_64` or `arm64`.
    #[tf(computed, use_state_for_unknown)]
    pub(super) architecture: Value<String>,
    /// The root device's name, e.g. `/dev/xvda`.
    #[tf(computed, use_state_for_unknown)]
    pub(super) root_device_name: Value<String>,
    /// When the image was made, by EC2's clock (RFC 3339).
    #[tf(computed, use_state_for_unknown)]
    pub(super) creation_date: Value<String>,
    /// The account that owns the image.
    #[tf(computed, use_state_for_unknown)]
    pub(super) owner_id: Value<String>,
    /// The image's tags, the provider's `default_tags` included. Tags of AWS, of the proof and of `ignore_tags` are left
    /// out.
    #[tf(computed)]
    pub(super) tags_all: ConfiguredTags,
    /// `available`. Anything else is a reason to replace the image: EC2's own word (`failed`, `disabled`...), `unproven`
    /// where the tags of the proof were changed, `snapshot-missing`, or `deregistered` where only snapshots are left.
    #[tf(computed, use_state_for_unknown)]
    pub(super) state: Value<String>,
    /// The database server's version; with several engines theirs, separated by spaces, in the order of their names. `-` for
    /// `custom`.
    #[tf(computed, use_state_for_unknown)]
    pub(super) engine_version: Value<String>,
    /// Where in the database's log the image stands, as recorded while writes were held, in the engine's own terms: PostgreSQL's
    /// LSN, a Redis server's append-only file and its size... With several engines theirs, separated by spaces, in the order
    /// of their names. The page about each engine says more.
    #[tf(computed, use_state_for_unknown)]
    pub(super) recovery_point: Value<String>,
    /// The image's snapshots, one for each EBS volume.
    #[tf(computed, use_state_for_unknown)]
    pub(super) snapshots: Value<BTreeSet<Snapshot>>,
    /// Why the image can be trusted.
    #[tf(computed, use_state_for_unknown)]
    pub(super) evidence: Value<Evidence>,
}

/// How writes are held.
#[derive(Clone, Debug, PartialEq, Model)]
pub(crate) struct Quiesce {
    /// `auto` (default): `freeze` where it is safe, else `pause`. `freeze`: every file system with data is frozen. `pause`:
    /// all the server's processes are paused. `stop`: the service is stopped, and started again; the image then starts
    /// without recovery, and clients are disconnected.
    #[tf(optional, default = "auto", validate = validate::one_of(method::WORDS))]
    pub(super) method: Value<String>,
    /// Writes go on after this many seconds at the latest, 5 to 120; a capture that takes longer fails. Default: 60.
    #[tf(optional, default = 60, validate = validate::range(MaxHold::MIN_SECONDS..=MaxHold::MAX_SECONDS))]
    pub(super) max_hold_seconds: Value<u64>,
    /// How often writes may be held, 1 to 10, where EC2 asks for more time between snapshots. Default: 3.
    #[tf(optional, default = 3, validate = validate::range(Attempts::MIN..=Attempts::MAX))]
    pub(super) attempts: Value<u64>,
}

impl Default for Quiesce {
    fn default() -> Self {
        Self {
            method: "auto".into(),
            max_hold_seconds: Value::Known(MaxHold::default().as_duration().as_secs()),
            attempts: Value::Known(Attempts::default().as_u32().into()),
        }
    }
}

/// How long things may take, as Go writes durations: `90s`, `45m`, `1h30m`.
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub(crate) struct Timeouts {
    /// From the first look at the server to the sealed image. What was begun is undone even if that takes longer. Default:
    /// `60m`.
    #[tf(optional, validate = duration::check)]
    pub(super) create: Value<String>,
    /// Default: `10m`.
    #[tf(optional, validate = duration::check)]
    pub(super) update: Value<String>,
    /// Default: `30m`.
    #[tf(optional, validate = duration::check)]
    pub(super) delete: Value<String>,
}

/// A snapshot of one volume.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Model)]
#[allow(clippy::struct_field_names)]
pub(crate) struct Snapshot {
    /// The device under which the image attaches it, e.g. `/dev/sdf`.
    #[tf(computed, use_state_for_unknown)]
    pub(crate) device_name: String,
    /// The volume that it was taken of (`vol-...`).
    #[tf(computed, use_state_for_unknown)]
    pub(crate) volume_id: Option<String>,
    /// The snapshot's id (`snap-...`).
    #[tf(computed, use_state_for_unknown)]
    pub(crate) snapshot_id: String,
    /// The volume's size in GiB.
    #[tf(computed, use_state_for_unknown)]
    pub(crate) size_gib: i64,
    /// Whether it is encrypted.
    #[tf(computed, use_state_for_unknown)]
    pub(crate) encrypted: bool,
}

/// The hold, as the server and EC2 reported it. Of an imported image only what its tags tell is known.
#[derive(Clone, Debug, PartialEq, Model)]
pub(crate) struct Evidence {
    /// The id under which everything of this image is tagged (`consistent:session`).
    #[tf(computed, use_state_for_unknown)]
    pub(super) session_id: String,
    /// How writes were held: `freeze`, `pause` or `stop`.
    #[tf(computed, use_state_for_unknown)]
    pub(super) method: Option<String>,
    /// Every path that the database needs.
    #[tf(computed, use_state_for_unknown)]
    pub(super) data_paths: Option<Vec<String>>,
    /// Every volume of the image.
    #[tf(computed, use_state_for_unknown)]
    pub(super) volumes: Vec<String>,
    /// All writes were held from here on, by the server's clock (RFC 3339).
    #[tf(computed, use_state_for_unknown)]
    pub(super) frozen_at: Option<String>,
    /// Writes went on from here on, by the server's clock (RFC 3339).
    #[tf(computed, use_state_for_unknown)]
    pub(super) released_at: Option<String>,
    /// From the first write held to the last let go, in ms, by the server's monotonic clock.
    #[tf(computed, use_state_for_unknown)]
    pub(super) hold_ms: Option<u64>,
    /// How often writes were held; the last time counted.
    #[tf(computed, use_state_for_unknown)]
    pub(super) attempts: Option<u32>,
    /// When the image was last proven by a restore test (RFC 3339), as its tag `consistent:verified-at` says. This provider makes
    /// none yet: null, unless somebody else does and sets the tag.
    #[tf(computed, use_state_for_unknown)]
    pub(super) verified_at: Option<String>,
    /// The checks that the restore test passed.
    #[tf(computed, use_state_for_unknown)]
    pub(super) checks: Option<Vec<Check>>,
}

/// A check of a restore test.
#[derive(Clone, Debug, PartialEq, Model)]
pub(crate) struct Check {
    /// What was checked.
    #[tf(computed, use_state_for_unknown)]
    pub(super) name: String,
    /// How long it took, in ms.
    #[tf(computed, use_state_for_unknown)]
    pub(super) duration_ms: u64,
}
