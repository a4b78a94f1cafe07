//! Reads msgpack along a type. What comes in may be anything: lengths are believed only as far as there are bytes.

use std::collections::BTreeMap;

use rmp::Marker;

use super::{MAX_DEPTH, REFINED, refinement};
use crate::{Cty, Number, Type};

/// Bytes that are no value of the type.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum MsgpackError {
    #[error("the value ends too early")]
    Truncated,
    #[error("{0} bytes follow the value")]
    Trailing(usize),
    #[error("nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    #[error("expected {0}, found {1}")]
    Mismatch(&'static str, String),
}

/// Reads one value of type `ty`, and nothing after it.
pub(crate) fn decode(bytes: &[u8], ty: &Type) -> Result<Cty, MsgpackError> {
    let mut reader = Reader { bytes, depth: 0 };
    let value = reader.value(ty)?;
    reader.finish()?;
    Ok(value)
}

pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, depth: 0 }
    }

    pub(super) fn finish(&self) -> Result<(), MsgpackError> {
        match self.bytes.len() {
            0 => Ok(()),
            left => Err(MsgpackError::Trailing(left)),
        }
    }

    fn value(&mut self, ty: &Type) -> Result<Cty, MsgpackError> {
        self.deeper(|reader| match reader.marker()? {
            Marker::Null => Ok(Cty::Null),
            marker => match reader.extension(marker)? {
                Some(unknown) => Ok(unknown),
                None => reader.known(marker, ty),
            },
        })
    }

    fn known(&mut self, marker: Marker, ty: &Type) -> Result<Cty, MsgpackError> {
        match ty {
            Type::String => self.text(marker).map(|text| Cty::String(text.to_owned())),
            Type::Number => self.number_after(marker).map(Cty::Number),
            Type::Bool => boolean(marker).map(Cty::Bool),
            Type::Dynamic => self.dynamic(marker),
            Type::List(element) => self.sequence(marker, element).map(Cty::Seq),
            Type::Set(element) => self.sequence(marker, element).map(Cty::set),
            Type::Map(element) => self.map(marker, element),
            Type::Object(attributes) => self.object(marker, attributes),
            Type::Tuple(elements) => self.tuple(marker, elements),
        }
    }

    /// The payload-carrying unknown values; `None` if `marker` is no extension.
    fn extension(&mut self, marker: Marker) -> Result<Option<Cty>, MsgpackError> {
        let length = match marker {
            Marker::FixExt1 => 1,
            Marker::FixExt2 => 2,
            Marker::FixExt4 => 4,
            Marker::FixExt8 => 8,
            Marker::FixExt16 => 16,
            Marker::Ext8 => self.length(1)?,
            Marker::Ext16 => self.length(2)?,
            Marker::Ext32 => self.length(4)?,
            _ => return Ok(None),
        };
        let kind = i8::from_be_bytes([self.byte()?]);
        let payload = self.take(length)?;
        if kind != REFINED {
            return Ok(Some(Cty::UNKNOWN));
        }
        let refinement = refinement::decode(payload)?;
        Ok(Some(Cty::Unknown(refinement.map(Box::new))))
    }

    fn dynamic(&mut self, marker: Marker) -> Result<Cty, MsgpackError> {
        if self.array_length(marker)? != 2 {
            return Err(mismatch("a pair of type and value", marker));
        }
        let marker = self.marker()?;
        let spelled = self.binary(marker)?;
        let ty = serde_json::from_slice(spelled)
            .ok()
            .and_then(|json| Type::from_json(&json).ok())
            .ok_or_else(|| mismatch("a type", marker))?;
        let value = self.value(&ty)?;
        Ok(Cty::Dynamic(Box::new((ty, value))))
    }

    fn sequence(&mut self, marker: Marker, element: &Type) -> Result<Vec<Cty>, MsgpackError> {
        let length = self.array_length(marker)?;
        let mut elements = Vec::with_capacity(length.min(self.bytes.len()));
        for _ in 0..length {
            elements.push(self.value(element)?);
        }
        Ok(elements)
    }

    fn tuple(&mut self, marker: Marker, types: &[Type]) -> Result<Cty, MsgpackError> {
        if self.array_length(marker)? != types.len() {
            return Err(mismatch("a tuple of another length", marker));
        }
        let elements: Result<_, _> = types.iter().map(|ty| self.value(ty)).collect();
        elements.map(Cty::Seq)
    }

    fn map(&mut self, marker: Marker, element: &Type) -> Result<Cty, MsgpackError> {
        let mut entries = BTreeMap::new();
        for _ in 0..self.map_length(marker)? {
            let key = self.key()?;
            entries.insert(key, self.value(element)?);
        }
        Ok(Cty::Map(entries))
    }

    fn object(
        &mut self,
        marker: Marker,
        attributes: &BTreeMap<String, Type>,
    ) -> Result<Cty, MsgpackError> {
        let mut entries = BTreeMap::new();
        for _ in 0..self.map_length(marker)? {
            let name = self.key()?;
            let ty = attributes.get(&name).ok_or_else(|| {
                MsgpackError::Mismatch("an attribute of the schema", format!("{name:?}"))
            })?;
            entries.insert(name, self.value(ty)?);
        }
        for name in attributes.keys() {
            entries.entry(name.clone()).or_insert(Cty::Null);
        }
        Ok(Cty::Map(entries))
    }

    fn key(&mut self) -> Result<String, MsgpackError> {
        let marker = self.marker()?;
        self.text(marker).map(str::to_owned)
    }

    /// A number, marker included.
    pub(super) fn number(&mut self) -> Result<Number, MsgpackError> {
        let marker = self.marker()?;
        self.number_after(marker)
    }

    fn number_after(&mut self, marker: Marker) -> Result<Number, MsgpackError> {
        let number = match marker {
            Marker::FixPos(value) => Number::from(u64::from(value)),
            Marker::FixNeg(value) => Number::from(i64::from(value)),
            Marker::U8 => Number::from(self.unsigned(1)?),
            Marker::U16 => Number::from(self.unsigned(2)?),
            Marker::U32 => Number::from(self.unsigned(4)?),
            Marker::U64 => Number::from(self.unsigned(8)?),
            Marker::I8 => Number::from(i64::from(i8::from_be_bytes(self.array()?))),
            Marker::I16 => Number::from(i64::from(i16::from_be_bytes(self.array()?))),
            Marker::I32 => Number::from(i64::from(i32::from_be_bytes(self.array()?))),
            Marker::I64 => Number::from(i64::from_be_bytes(self.array()?)),
            Marker::F32 => finite(marker, f64::from(f32::from_be_bytes(self.array()?)))?,
            Marker::F64 => finite(marker, f64::from_be_bytes(self.array()?))?,
            _ => {
                let text = self
                    .text(marker)
                    .map_err(|_| mismatch("a number", marker))?;
                text.parse().map_err(|_| mismatch("a number", marker))?
            }
        };
        Ok(number)
    }

    /// A bool, marker included.
    pub(super) fn boolean(&mut self) -> Result<bool, MsgpackError> {
        boolean(self.marker()?)
    }

    pub(super) fn text_with_marker(&mut self) -> Result<&'a str, MsgpackError> {
        let marker = self.marker()?;
        self.text(marker)
    }

    fn text(&mut self, marker: Marker) -> Result<&'a str, MsgpackError> {
        let length = match marker {
            Marker::FixStr(length) => usize::from(length),
            Marker::Str8 => self.length(1)?,
            Marker::Str16 => self.length(2)?,
            Marker::Str32 => self.length(4)?,
            _ => return Err(mismatch("a string", marker)),
        };
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes)
            .map_err(|_| MsgpackError::Mismatch("UTF-8", "other bytes".to_owned()))
    }

    fn binary(&mut self, marker: Marker) -> Result<&'a [u8], MsgpackError> {
        let length = match marker {
            Marker::Bin8 => self.length(1)?,
            Marker::Bin16 => self.length(2)?,
            Marker::Bin32 => self.length(4)?,
            // Some encoders know no binary type.
            _ => return self.text(marker).map(str::as_bytes),
        };
        self.take(length)
    }

    pub(super) fn array_length(&mut self, marker: Marker) -> Result<usize, MsgpackError> {
        match marker {
            Marker::FixArray(length) => Ok(usize::from(length)),
            Marker::Array16 => self.length(2),
            Marker::Array32 => self.length(4),
            _ => Err(mismatch("a sequence", marker)),
        }
    }

    pub(super) fn map_length(&mut self, marker: Marker) -> Result<usize, MsgpackError> {
        match marker {
            Marker::FixMap(length) => Ok(usize::from(length)),
            Marker::Map16 => self.length(2),
            Marker::Map32 => self.length(4),
            _ => Err(mismatch("a map", marker)),
        }
    }

    /// Reads over one value of any kind.
    pub(super) fn skip(&mut self) -> Result<(), MsgpackError> {
        self.deeper(|reader| {
            let marker = reader.marker()?;
            if reader.extension(marker)?.is_some() {
                return Ok(());
            }
            match marker {
                Marker::Null | Marker::True | Marker::False => Ok(()),
                Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                    let length = reader.array_length(marker)?;
                    (0..length).try_for_each(|_| reader.skip())
                }
                Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                    let length = reader.map_length(marker)?;
                    (0..length).try_for_each(|_| reader.skip().and_then(|()| reader.skip()))
                }
                Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => reader.binary(marker).map(drop),
                Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                    reader.text(marker).map(drop)
                }
                _ => reader.number_after(marker).map(drop),
            }
        })
    }

    pub(super) fn marker(&mut self) -> Result<Marker, MsgpackError> {
        self.byte().map(Marker::from_u8)
    }

    fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, MsgpackError>,
    ) -> Result<T, MsgpackError> {
        if self.depth >= MAX_DEPTH {
            return Err(MsgpackError::TooDeep);
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn length(&mut self, bytes: usize) -> Result<usize, MsgpackError> {
        let length = self.unsigned(bytes)?;
        usize::try_from(length).map_err(|_| MsgpackError::Truncated)
    }

    fn unsigned(&mut self, bytes: usize) -> Result<u64, MsgpackError> {
        let bytes = self.take(bytes)?;
        Ok(bytes
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn byte(&mut self) -> Result<u8, MsgpackError> {
        self.array().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], MsgpackError> {
        let (array, rest) = self
            .bytes
            .split_first_chunk()
            .ok_or(MsgpackError::Truncated)?;
        self.bytes = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], MsgpackError> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(length)
            .ok_or(MsgpackError::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }
}

fn finite(marker: Marker, float: f64) -> Result<Number, MsgpackError> {
    Number::from_f64_exact(float).ok_or_else(|| mismatch("a finite number", marker))
}

fn boolean(marker: Marker) -> Result<bool, MsgpackError> {
    match marker {
        Marker::True => Ok(true),
        Marker::False => Ok(false),
        _ => Err(mismatch("a bool", marker)),
    }
}

pub(super) fn mismatch(expected: &'static str, marker: Marker) -> MsgpackError {
    MsgpackError::Mismatch(expected, format!("{marker:?}"))
}
