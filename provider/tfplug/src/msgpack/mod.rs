//! Values in msgpack: how Terraform sends and wants them (docs/plugin-protocol/object-wire-format.md).

mod decode;
mod encode;
mod refinement;

pub(crate) use decode::decode;
pub(crate) use encode::encode;

/// Deeper values are refused before they exhaust the stack.
const MAX_DEPTH: usize = 100;
/// The extension type of unknown values that carry refinements; every other one is a plain unknown value.
const REFINED: i8 = 12;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::{Bound, Cty, Number, Refinement, Type};

    fn round_trip(value: &Cty, ty: &Type) -> Cty {
        decode(&encode(value, ty), ty).expect("own encoding")
    }

    /// A type and a value of it.
    fn typed_value() -> impl Strategy<Value = (Type, Cty)> {
        let number = prop_oneof![
            any::<i64>().prop_map(Number::from),
            any::<u64>().prop_map(Number::from),
            "-?[0-9]{1,60}\\.[0-9]{1,30}".prop_map(|text| text.parse().expect("a number")),
        ];
        let leaf = prop_oneof![
            ".{0,20}".prop_map(|text| (Type::String, Cty::String(text))),
            number.prop_map(|number| (Type::Number, Cty::Number(number))),
            any::<bool>().prop_map(|b| (Type::Bool, Cty::Bool(b))),
            Just((Type::String, Cty::Null)),
            Just((Type::Bool, Cty::UNKNOWN)),
            ".{1,9}".prop_map(|prefix| {
                let refinement = Refinement {
                    null: Some(false),
                    prefix: Some(prefix),
                    ..Refinement::default()
                };
                (Type::String, Cty::Unknown(Some(Box::new(refinement))))
            }),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(|pairs| {
                    let (types, values) = pairs.into_iter().unzip();
                    (Type::Tuple(types), Cty::Seq(values))
                }),
                prop::collection::btree_map("[a-z]{1,5}", inner.clone(), 0..5).prop_map(|pairs| {
                    let types = pairs
                        .iter()
                        .map(|(k, (t, _))| (k.clone(), t.clone()))
                        .collect();
                    let values = pairs.into_iter().map(|(k, (_, v))| (k, v)).collect();
                    (Type::Object(types), Cty::Map(values))
                }),
                (inner.clone(), 0..4_usize).prop_map(|((ty, value), count)| {
                    (Type::list(ty), Cty::Seq(vec![value; count]))
                }),
                inner
                    .clone()
                    .prop_map(|(ty, value)| (Type::set(ty), Cty::set(vec![value]))),
                inner.clone().prop_map(|(ty, value)| {
                    (
                        Type::map(ty),
                        Cty::Map(BTreeMap::from([("k".to_owned(), value)])),
                    )
                }),
                inner.prop_map(|(ty, value)| (Type::Dynamic, Cty::Dynamic(Box::new((ty, value))))),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_survive((ty, value) in typed_value()) {
            prop_assert_eq!(round_trip(&value, &ty), value);
        }

        #[test]
        fn hostile_bytes_never_panic((ty, _) in typed_value(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes, &ty);
        }

        #[test]
        fn cut_or_garbled_values_never_panic(
            (ty, value) in typed_value(),
            cut in any::<prop::sample::Index>(),
            flip in any::<prop::sample::Index>(),
            bits in 1..=255_u8,
        ) {
            let bytes = encode(&value, &ty);
            let cut = cut.index(bytes.len());
            prop_assert!(decode(&bytes[..cut], &ty).is_err());
            let mut garbled = bytes.clone();
            let flip = flip.index(bytes.len());
            garbled[flip] ^= bits;
            let _ = decode(&garbled, &ty);
        }
    }

    #[test]
    fn reads_what_terraform_sends() {
        // {"name": "a", "size": 5, "ratio": "0.1", "id": unknown}
        let bytes = b"\x84\xa4name\xa1a\xa4size\x05\xa5ratio\xa30.1\xa2id\xd4\x00\x00";
        let ty = Type::Object(BTreeMap::from([
            ("name".to_owned(), Type::String),
            ("size".to_owned(), Type::Number),
            ("ratio".to_owned(), Type::Number),
            ("id".to_owned(), Type::String),
        ]));
        let value = decode(bytes, &ty).expect("valid");
        assert_eq!(*value.attribute("name"), Cty::String("a".to_owned()));
        assert_eq!(*value.attribute("size"), Cty::Number(5_i64.into()));
        assert_eq!(
            *value.attribute("ratio"),
            Cty::Number("0.1".parse().expect("a number"))
        );
        assert_eq!(*value.attribute("id"), Cty::UNKNOWN);
    }

    #[test]
    fn refinements_survive_and_unknown_ones_are_read_over() {
        let bound = |number: i64, inclusive| {
            Some(Bound {
                number: number.into(),
                inclusive,
            })
        };
        let refined = Cty::Unknown(Some(Box::new(Refinement {
            null: Some(false),
            prefix: None,
            lower: bound(1, true),
            upper: bound(9, false),
            min_length: Some(2),
            max_length: Some(7),
        })));
        assert_eq!(round_trip(&refined, &Type::Number), refined);
        // {1: false, 99: [nil, {"x": 1}]}
        let bytes = b"\xc7\x09\x0c\x82\x01\xc2\x63\x92\xc0\x81\xa1x\x01";
        let value = decode(&bytes[..], &Type::String);
        assert!(value.is_err(), "its length is wrong: {value:?}");
        let bytes = b"\xc7\x0a\x0c\x82\x01\xc2\x63\x92\xc0\x81\xa1x\x01";
        let not_null = Refinement {
            null: Some(false),
            ..Refinement::default()
        };
        assert_eq!(
            decode(bytes, &Type::String).expect("valid"),
            Cty::Unknown(Some(Box::new(not_null)))
        );
        // An extension of the future is still an unknown value.
        assert_eq!(
            decode(b"\xd4\x2a\xff", &Type::Bool).expect("valid"),
            Cty::UNKNOWN
        );
    }

    #[test]
    fn lengths_that_lie_allocate_nothing() {
        for bytes in [
            &b"\xdd\xff\xff\xff\xff"[..],
            b"\xdf\xff\xff\xff\xff",
            b"\xdb\xff\xff\xff\xff",
            b"\xc9\xff\xff\xff\xff\x0c",
        ] {
            assert!(decode(bytes, &Type::Dynamic).is_err());
            assert!(decode(bytes, &Type::list(Type::String)).is_err());
            assert!(decode(bytes, &Type::map(Type::String)).is_err());
        }
    }

    #[test]
    fn depth_is_bounded() {
        let mut bomb = Vec::new();
        for _ in 0..10_000 {
            bomb.extend(b"\x92\xc4\x09\"dynamic\"");
        }
        bomb.push(0xc0);
        assert!(matches!(
            decode(&bomb, &Type::Dynamic),
            Err(super::decode::MsgpackError::TooDeep)
        ));
    }

    #[test]
    fn numbers_are_decimal_text() {
        let bytes =
            |text: &str| encode(&Cty::Number(text.parse().expect("a number")), &Type::Number);
        assert_eq!(bytes("5"), b"\xa15");
        assert_eq!(bytes("-5"), b"\xa2-5");
        assert_eq!(bytes("0.5"), b"\xa30.5");
        assert_eq!(bytes("18446744073709551616"), b"\xb418446744073709551616");
    }

    /// Terraform sends integers in the narrowest of msgpack's forms, and fractions as floats or text.
    #[test]
    fn numbers_are_read_in_every_form() {
        for (bytes, number) in [
            (&b"\x05"[..], "5"),
            (b"\xfb", "-5"),
            (b"\xcc\xff", "255"),
            (b"\xcd\x01\x00", "256"),
            (b"\xce\x00\x01\x00\x00", "65536"),
            (
                b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
                "18446744073709551615",
            ),
            (b"\xd0\x80", "-128"),
            (b"\xd1\x80\x00", "-32768"),
            (b"\xd2\x80\x00\x00\x00", "-2147483648"),
            (
                b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00",
                "-9223372036854775808",
            ),
            (b"\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00", "0.5"),
            (b"\xa50.001", "0.001"),
        ] {
            let expected = Cty::Number(number.parse().expect("a number"));
            assert_eq!(
                decode(bytes, &Type::Number).ok(),
                Some(expected),
                "{number}"
            );
        }
    }
}
