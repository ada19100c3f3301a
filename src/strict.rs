//! JSON as its schema says: an object is not written as a list, and `10.0` is the integer 10.
//!
//! Derived code reads a struct from a list of its fields' values as well, which no schema of it admits, and refuses `10.0` for an integer, which
//! JSON Schema admits (draft 2020-12, section 6.1.1).
//!
//! # Invariants
//! - What is read is otherwise what `serde_json` reads, with its errors and their places.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Unexpected, Visitor};

/// The largest float that is read as an integer: the greatest below 2^64.
const MAX_WHOLE: f64 = 18_446_744_073_709_549_568.0;

/// Reads from another deserializer, by the rules of this module.
pub(crate) struct Strict<D>(pub(crate) D);

/// What a value is asked to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Struct,
    Integer,
    Other,
}

/// A visitor, and what it asked for.
struct Guarded<V> {
    visitor: V,
    asked: Asked,
}

/// A list or an object whose parts are read by the same rules.
struct Parts<A>(A);

macro_rules! read {
    ($asked:ident: $($name:ident)*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.$name(Guarded { visitor, asked: Asked::$asked })
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    read! { Integer: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 }
    read! { Other: deserialize_any deserialize_bool deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string }
    read! { Other: deserialize_bytes deserialize_byte_buf deserialize_option deserialize_unit deserialize_seq deserialize_map }
    read! { Other: deserialize_identifier deserialize_ignored_any }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, Guarded { visitor, asked: Asked::Struct })
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_unit_struct(name, Guarded { visitor, asked: Asked::Other })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, Guarded { visitor, asked: Asked::Other })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple(len, Guarded { visitor, asked: Asked::Other })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple_struct(name, len, Guarded { visitor, asked: Asked::Other })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_enum(name, variants, Guarded { visitor, asked: Asked::Other })
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! hand_on {
    ($($name:ident: $of:ty),*) => {
        $(fn $name<E: Error>(self, value: $of) -> Result<V::Value, E> {
            self.visitor.$name(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Guarded<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(formatter)
    }

    hand_on! {
        visit_bool: bool, visit_i8: i8, visit_i16: i16, visit_i32: i32, visit_i64: i64, visit_i128: i128, visit_u8: u8, visit_u16: u16,
        visit_u32: u32, visit_u64: u64, visit_u128: u128, visit_f32: f32, visit_char: char, visit_str: &str, visit_borrowed_str: &'de str,
        visit_string: String, visit_bytes: &[u8], visit_borrowed_bytes: &'de [u8], visit_byte_buf: Vec<u8>
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        let is_whole = value.fract() == 0.0 && (0.0..=MAX_WHOLE).contains(&value);
        if self.asked == Asked::Integer && is_whole {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and within bounds")]
            return self.visitor.visit_u64(value as u64);
        }
        self.visitor.visit_f64(value)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Strict(inner))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(Strict(inner))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        if self.asked == Asked::Struct {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self.visitor));
        }
        self.visitor.visit_seq(Parts(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Parts(object))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, choice: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(choice)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Parts<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, part: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(part))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Parts<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Parts(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Parts<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Parts(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        number: u64,
        #[serde(default)]
        inner: Option<Inner>,
        #[serde(default)]
        all: Vec<Inner>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    struct Inner {
        start: u32,
        end: u32,
    }

    fn read(json: &str) -> Result<Outer, String> {
        let mut reader = serde_json::Deserializer::from_str(json);
        Outer::deserialize(Strict(&mut reader)).map_err(|error| error.to_string())
    }

    #[test]
    fn an_object_is_not_read_from_a_list() {
        assert!(serde_json::from_str::<Outer>("[1, [2, 3], []]").is_ok(), "derived code takes it");
        for list in ["[1, null, []]", r#"{"number": 1, "inner": [2, 3]}"#, r#"{"number": 1, "all": [[2, 3]]}"#] {
            let refused = read(list).unwrap_err();
            assert!(refused.contains("invalid type: sequence") && refused.contains("at line 1 column"), "{refused}");
        }
    }

    #[test]
    fn a_whole_number_may_be_written_as_a_float() {
        let inner = |start| Inner { start, end: 0 };
        let read_well = read(r#"{"number": 1e18, "inner": {"start": 2.0}, "all": [{"start": 3.0}, {"start": 4}]}"#);
        let number = 1_000_000_000_000_000_000;
        assert_eq!(read_well, Ok(Outer { number, inner: Some(inner(2)), all: vec![inner(3), inner(4)] }));
        for number in ["1.5", "-1.0", "1e300", "18446744073709551616.0", "\"1\""] {
            assert!(read(&format!(r#"{{"number": {number}}}"#)).is_err(), "{number}");
        }
        assert!(read(r#"{"number": 1, "number": 2}"#).unwrap_err().contains("duplicate field"));
    }
}
