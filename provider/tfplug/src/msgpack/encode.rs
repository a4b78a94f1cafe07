//! Writes msgpack along a type, in the most compact form that loses nothing.

use rmp::Marker;

use super::{REFINED, refinement};
use crate::{Cty, Number, Refinement, Type};

/// Writes `value`, which is of type `ty`. Attributes of an object that are missing are written as null.
pub(crate) fn encode(value: &Cty, ty: &Type) -> Vec<u8> {
    let mut out = Writer::default();
    out.value(value, ty);
    out.0
}

#[derive(Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    fn value(&mut self, value: &Cty, ty: &Type) {
        match (value, ty) {
            (Cty::Unknown(refinement), _) => self.unknown(refinement.as_deref()),
            (Cty::Bool(value), _) => self.boolean(*value),
            (Cty::Number(number), _) => self.number(number),
            (Cty::String(text), _) => self.text(text),
            (Cty::Dynamic(inner), _) => self.dynamic(&inner.1, &inner.0),
            (Cty::Seq(elements), Type::Tuple(types)) => {
                self.array_length(elements.len());
                for (element, ty) in elements.iter().zip(types) {
                    self.value(element, ty);
                }
            }
            (Cty::Seq(elements), Type::List(ty) | Type::Set(ty)) => {
                self.array_length(elements.len());
                for element in elements {
                    self.value(element, ty);
                }
            }
            (Cty::Map(entries), Type::Object(attributes)) => {
                self.map_length(attributes.len());
                for (name, ty) in attributes {
                    self.text(name);
                    self.value(entries.get(name).unwrap_or(&Cty::Null), ty);
                }
            }
            (Cty::Map(entries), Type::Map(ty)) => {
                self.map_length(entries.len());
                for (key, entry) in entries {
                    self.text(key);
                    self.value(entry, ty);
                }
            }
            // A null; or no value of this type: a field's shape and its encoding come from one implementation of `Field`: they agree, or it is wrong
            // and Terraform reports a null where a value was planned.
            (Cty::Null | Cty::Seq(_) | Cty::Map(_), _) => self.marker(Marker::Null),
        }
    }

    fn unknown(&mut self, refinement: Option<&Refinement>) {
        let Some(refinement) = refinement.filter(|it| **it != Refinement::default()) else {
            self.marker(Marker::FixExt1);
            self.0.extend([0, 0]);
            return;
        };
        let payload = refinement::encode(refinement);
        let wide = [Marker::Ext8, Marker::Ext16, Marker::Ext32];
        self.header(None, wide, payload.len());
        self.0.extend(REFINED.to_be_bytes());
        self.0.extend(payload);
    }

    fn dynamic(&mut self, value: &Cty, ty: &Type) {
        let spelled = ty.to_json().to_string();
        self.array_length(2);
        self.header(
            None,
            [Marker::Bin8, Marker::Bin16, Marker::Bin32],
            spelled.len(),
        );
        self.0.extend(spelled.as_bytes());
        self.value(value, ty);
    }

    /// Decimal text, which is exact for whatever a [`Number`] is. Integers too, though msgpack has forms of its own for
    /// them: Terraform reads text as it reads its state file, with a precision of 512 bits, and takes a number that it
    /// has with 64 bits for another one when it asks whether a refresh has changed anything (1.11, `reflect.DeepEqual`
    /// in internal/states; cty's `ParseNumberVal` beside `NumberIntVal`).
    pub(super) fn number(&mut self, number: &Number) {
        self.text(&number.to_string());
    }

    pub(super) fn unsigned(&mut self, value: u64) {
        let bytes = value.to_be_bytes();
        match value {
            0..=0x7f => self.0.push(bytes[7]),
            0x80..=0xff => self.tagged(Marker::U8, &bytes[7..]),
            0x100..=0xffff => self.tagged(Marker::U16, &bytes[6..]),
            0x1_0000..=0xffff_ffff => self.tagged(Marker::U32, &bytes[4..]),
            _ => self.tagged(Marker::U64, &bytes),
        }
    }

    pub(super) fn boolean(&mut self, value: bool) {
        self.marker(if value { Marker::True } else { Marker::False });
    }

    pub(super) fn text(&mut self, text: &str) {
        let fix = u8::try_from(text.len()).ok().filter(|length| *length < 32);
        let wide = [Marker::Str8, Marker::Str16, Marker::Str32];
        self.header(fix.map(Marker::FixStr), wide, text.len());
        self.0.extend(text.as_bytes());
    }

    pub(super) fn array_length(&mut self, length: usize) {
        let fix = u8::try_from(length).ok().filter(|length| *length < 16);
        // There is no array with an 8-bit length.
        let wide = [Marker::Array16, Marker::Array16, Marker::Array32];
        self.header(fix.map(Marker::FixArray), wide, length);
    }

    pub(super) fn map_length(&mut self, length: usize) {
        let fix = u8::try_from(length).ok().filter(|length| *length < 16);
        let wide = [Marker::Map16, Marker::Map16, Marker::Map32];
        self.header(fix.map(Marker::FixMap), wide, length);
    }

    /// A marker that holds the length itself, or else the narrowest of three that are followed by 1, 2 or 4 bytes.
    fn header(&mut self, fix: Option<Marker>, wide: [Marker; 3], length: usize) {
        if let Some(marker) = fix {
            return self.marker(marker);
        }
        // Messages end at 256 MiB, so 32 bits hold every length.
        let bytes = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        let [narrow, medium, widest] = wide;
        if length <= 0xff && narrow != medium {
            self.tagged(narrow, &bytes[3..]);
        } else if length <= 0xffff {
            self.tagged(medium, &bytes[2..]);
        } else {
            self.tagged(widest, &bytes);
        }
    }

    fn tagged(&mut self, marker: Marker, bytes: &[u8]) {
        self.marker(marker);
        self.0.extend(bytes);
    }

    fn marker(&mut self, marker: Marker) {
        self.0.push(marker.to_u8());
    }
}
