//! The proof, in the attributes that show it.

use std::collections::{BTreeMap, BTreeSet};

use quiesce::{
    Proof,
    evidence::{self, ProvenSnapshot},
    text::Text,
};
use tfplug::Value;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use super::model::{Evidence, ImageModel, Snapshot};

impl ImageModel {
    pub(super) fn take_proof(&mut self, proof: &Proof) {
        self.id = Value::Known(proof.image.0.clone());
        self.engine_version = Value::Known(joined(&proof.engines));
        self.recovery_point = Value::Known(joined(&proof.recovery_points));
        self.snapshots = Value::Known(
            proof
                .snapshots
                .iter()
                .map(snapshot)
                .collect::<BTreeSet<_>>(),
        );
        self.evidence = Value::Known(shown(&proof.evidence));
    }
}

/// One word for each engine, in the order of their names: as in the image's own tags.
fn joined(by_engine: &BTreeMap<Text, Text>) -> String {
    let words: Vec<&str> = by_engine.values().map(|word| &**word).collect();
    words.join(" ")
}

fn snapshot(proven: &ProvenSnapshot) -> Snapshot {
    Snapshot {
        device_name: proven.device_name.clone(),
        volume_id: Some(proven.volume_id.0.clone()),
        snapshot_id: proven.id.0.clone(),
        size_gib: proven.size_gib,
        encrypted: proven.encrypted,
    }
}

fn shown(evidence: &evidence::Evidence) -> Evidence {
    Evidence {
        session_id: evidence.session_id.to_string(),
        method: Some(evidence.method.to_string()),
        data_paths: Some(evidence.data_paths.iter().map(Text::to_string).collect()),
        volumes: evidence.volumes.iter().map(ToString::to_string).collect(),
        frozen_at: Some(rfc3339(evidence.frozen_at)),
        released_at: Some(rfc3339(evidence.released_at)),
        hold_ms: u64::try_from(evidence.hold.as_millis()).ok(),
        attempts: Some(evidence.attempts),
        verified_at: None,
        checks: Some(Vec::new()),
    }
}

/// In UTC and whole milliseconds: the guest's clock says no more.
fn rfc3339(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    let at = at.replace_millisecond(at.millisecond()).unwrap_or(at);
    at.format(&Rfc3339)
        .unwrap_or_else(|_beyond_year_9999| at.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use quiesce::{method::Method, ports::VolumeId, session::SessionId};
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_evidence_is_shown_in_utc_and_milliseconds() {
        let evidence = evidence::Evidence {
            session_id: SessionId::random(),
            method: Method::Pause,
            data_paths: vec!["/var/lib/postgresql/15/main".into()],
            volumes: vec![VolumeId("vol-1".to_owned())],
            frozen_at: datetime!(2026-11-22 17:00:00.123456 +1),
            released_at: datetime!(2026-11-22 16:00:01 UTC),
            hold: Duration::from_micros(877_900),
            attempts: 2,
        };
        let shown = shown(&evidence);
        assert_eq!(shown.frozen_at.as_deref(), Some("2026-11-22T16:00:00.123Z"));
        assert_eq!(shown.released_at.as_deref(), Some("2026-11-22T16:00:01Z"));
        assert_eq!((shown.hold_ms, shown.attempts), (Some(877), Some(2)));
        assert_eq!(
            (shown.method.as_deref(), shown.volumes),
            (Some("pause"), vec!["vol-1".to_owned()])
        );
    }

    #[test]
    fn several_engines_share_an_attribute_in_the_order_of_their_names() {
        let versions = [("redis", "8.2"), ("postgresql", "15.14")];
        let versions = versions.map(|(name, version)| (Text::from(name), Text::from(version)));
        assert_eq!(joined(&versions.into()), "15.14 8.2");
    }
}
