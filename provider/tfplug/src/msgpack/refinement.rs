//! What is certain about an unknown value, as the payload of an extension: a map with numbered keys.

use super::{
    decode::{MsgpackError, Reader, mismatch},
    encode::Writer,
};
use crate::{Bound, Refinement};

/// Keys of the payload (object-wire-format.md).
mod key {
    pub(super) const NULL: u64 = 1;
    pub(super) const PREFIX: u64 = 2;
    pub(super) const LOWER: u64 = 3;
    pub(super) const UPPER: u64 = 4;
    pub(super) const MIN_LENGTH: u64 = 5;
    pub(super) const MAX_LENGTH: u64 = 6;
}

/// `None` where nothing of it is understood.
pub(super) fn decode(payload: &[u8]) -> Result<Option<Refinement>, MsgpackError> {
    let mut reader = Reader::new(payload);
    let mut refinement = Refinement::default();
    let marker = reader.marker()?;
    for _ in 0..reader.map_length(marker)? {
        match reader.number()?.to_u64() {
            Some(key::NULL) => refinement.null = Some(reader.boolean()?),
            Some(key::PREFIX) => refinement.prefix = Some(reader.text_with_marker()?.to_owned()),
            Some(key::LOWER) => refinement.lower = Some(bound(&mut reader)?),
            Some(key::UPPER) => refinement.upper = Some(bound(&mut reader)?),
            Some(key::MIN_LENGTH) => refinement.min_length = reader.number()?.to_u64(),
            Some(key::MAX_LENGTH) => refinement.max_length = reader.number()?.to_u64(),
            _ => reader.skip()?,
        }
    }
    reader.finish()?;
    Ok((refinement != Refinement::default()).then_some(refinement))
}

fn bound(reader: &mut Reader<'_>) -> Result<Bound, MsgpackError> {
    let marker = reader.marker()?;
    if reader.array_length(marker)? != 2 {
        return Err(mismatch("a bound", marker));
    }
    Ok(Bound {
        number: reader.number()?,
        inclusive: reader.boolean()?,
    })
}

pub(super) fn encode(refinement: &Refinement) -> Vec<u8> {
    let Refinement {
        null,
        prefix,
        lower,
        upper,
        min_length,
        max_length,
    } = refinement;
    let mut entries = Entries::default();
    if let Some(null) = null {
        entries.add(key::NULL).boolean(*null);
    }
    if let Some(prefix) = prefix {
        entries.add(key::PREFIX).text(prefix);
    }
    for (key, bound) in [(key::LOWER, lower), (key::UPPER, upper)] {
        if let Some(bound) = bound {
            let out = entries.add(key);
            out.array_length(2);
            out.number(&bound.number);
            out.boolean(bound.inclusive);
        }
    }
    for (key, length) in [(key::MIN_LENGTH, min_length), (key::MAX_LENGTH, max_length)] {
        if let Some(length) = length {
            entries.add(key).unsigned(*length);
        }
    }
    entries.into_map()
}

/// The entries of the map, counted while they are written.
#[derive(Default)]
struct Entries {
    out: Writer,
    count: usize,
}

impl Entries {
    /// Where to write the value of `key`.
    fn add(&mut self, key: u64) -> &mut Writer {
        self.count += 1;
        self.out.unsigned(key);
        &mut self.out
    }

    fn into_map(self) -> Vec<u8> {
        let mut map = Writer::default();
        map.map_length(self.count);
        map.0.extend(self.out.0);
        map.0
    }
}
