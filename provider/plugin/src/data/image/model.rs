//! The attributes of `data.consistent_db_image`.

use std::collections::BTreeSet;

use tfplug::{Model, Value};

use super::wanted;
use crate::{
    duration,
    image::{model::Snapshot, names},
    tags::ConfiguredTags,
};

/// An image (AMI) that `consistent_db_image` made and proved, of the provider's own account and region.
///
/// Only images are found whose proof is complete, that are available in EC2 and whose snapshots all exist. Arguments narrow
/// the search down; all of them have to be met. If no image is left that is an error, which lists the images that came
/// nearest and says why each was passed over; if several are left, it is one as well unless `most_recent` is set.
#[derive(Clone, Debug, Model)]
pub(crate) struct ImageQuery {
    /// The instance that the image was taken of.
    #[tf(optional, computed, validate = names::instance)]
    pub(super) source_instance_id: Value<String>,
    /// A database engine on the image, e.g. `postgresql`. Left out, it reads as all of them, separated by spaces.
    #[tf(optional, computed, validate = wanted::engine)]
    pub(super) engine: Value<String>,
    /// A regular expression that the image's name matches somewhere; `^` and `$` tie it to the name's ends. Without
    /// look-around and Unicode classes.
    #[tf(optional, validate = wanted::pattern)]
    pub(super) name_regex: Value<String>,
    /// Tags that the image has, each with this very value. Left out, it reads as `tags_all`.
    #[tf(optional, computed)]
    pub(super) tags: ConfiguredTags,
    /// How old the image may be at most when it is looked for, by EC2's time of its making: a duration like `36h` or
    /// `90m`.
    #[tf(optional, validate = duration::check)]
    pub(super) max_age: Value<String>,
    /// Whether a restore test of the image has to have passed, as its tag `consistent:verified-at` says; this provider makes
    /// none yet. Default: `false`, with or without.
    #[tf(optional)]
    pub(super) verified: Value<bool>,
    /// Whether the newest is taken where several images match. Default: `false`, which makes that an error.
    #[tf(optional)]
    pub(super) most_recent: Value<bool>,
    /// The image's id (`ami-...`).
    #[tf(computed)]
    pub(super) id: Value<String>,
    /// The image's ARN.
    #[tf(computed)]
    pub(super) arn: Value<String>,
    /// The image's name.
    #[tf(computed)]
    pub(super) name: Value<String>,
    /// The image's description; empty where it has none.
    #[tf(computed)]
    pub(super) description: Value<String>,
    /// The image's architecture, e.g. `x86_64` or `arm64`.
    #[tf(computed)]
    pub(super) architecture: Value<String>,
    /// The root device's name, e.g. `/dev/xvda`.
    #[tf(computed)]
    pub(super) root_device_name: Value<String>,
    /// When the image was made, by EC2's clock (RFC 3339).
    #[tf(computed)]
    pub(super) creation_date: Value<String>,
    /// The account that owns the image.
    #[tf(computed)]
    pub(super) owner_id: Value<String>,
    /// All the image's tags but those of AWS, of the proof and of the provider's `ignore_tags`.
    #[tf(computed)]
    pub(super) tags_all: ConfiguredTags,
    /// The database server's version; with several engines theirs, separated by spaces, in the order of their names.
    #[tf(computed)]
    pub(super) engine_version: Value<String>,
    /// What the image certainly holds, in the engine's own terms (an LSN, a GTID set...), as far as a tag can: 256 characters,
    /// with `_` for what it cannot. With several engines theirs, separated by spaces, in the order of their names.
    #[tf(computed)]
    pub(super) recovery_point: Value<String>,
    /// How writes were held: `freeze`, `pause` or `stop`.
    #[tf(computed)]
    pub(super) method: Value<String>,
    /// How long writes were held, in ms.
    #[tf(computed)]
    pub(super) hold_ms: Value<u64>,
    /// The id under which everything of this image is tagged (`consistent:session`).
    #[tf(computed)]
    pub(super) session_id: Value<String>,
    /// When a restore test of the image last passed (RFC 3339); null where none was made.
    #[tf(computed)]
    pub(super) verified_at: Value<String>,
    /// The image's snapshots, one for each EBS volume.
    #[tf(computed)]
    pub(super) snapshots: Value<BTreeSet<Snapshot>>,
}
