//! Filters on attributes, read from JSON into the conditions that the engine decides each file by.
//!
//! # Invariants
//! - A filter is read whole or refused, with the place that is wrong as the parameter. No part of it is passed over.
//! - Nesting, comparisons and values are bounded, so that no request costs more than its length.

use serde_json::{Map, Number, Value};

use super::error::Refused;
use crate::extract::Format;
use crate::search::{Condition, NumberOf, TextOf};

/// How deep filters may be nested.
pub(super) const MAX_DEPTH: usize = 8;
/// How many comparisons one filter may have.
pub(super) const MAX_COMPARISONS: usize = 64;
/// How many values all lists of a filter may have together.
pub(super) const MAX_VALUES: usize = 1_000;

/// The attributes with a text.
pub(super) const TEXTS: [(&str, TextOf); 9] = [
    ("path", TextOf::Path),
    ("filename", TextOf::FileName),
    ("folder", TextOf::Folder),
    ("type", TextOf::Format),
    ("language", TextOf::Language),
    ("agent", TextOf::Agent),
    ("run", TextOf::Run),
    ("sandbox", TextOf::Sandbox),
    ("tag", TextOf::Tag),
];

/// The attributes with a number.
pub(super) const NUMBERS: [(&str, NumberOf); 2] = [("modified", NumberOf::Modified), ("size", NumberOf::Size)];

/// An attribute that can be compared.
#[derive(Clone, Copy)]
enum Attribute {
    Text(TextOf),
    Number(NumberOf),
}

/// Reads a filter.
pub(super) fn read(filter: &Value) -> Result<Condition, Refused> {
    Reader { num_comparisons: 0, num_values: 0 }.condition(filter, "filters", 1)
}

struct Reader {
    num_comparisons: usize,
    num_values: usize,
}

impl Reader {
    fn condition(&mut self, filter: &Value, at: &str, depth: usize) -> Result<Condition, Refused> {
        if depth > MAX_DEPTH {
            let hint = "`and` in `and` and `or` in `or` need no nesting: put their filters into one list";
            return Err(invalid(at, "filters_too_deep", format!("filters are nested deeper than {MAX_DEPTH}"), hint));
        }
        let Value::Object(filter) = filter else {
            return Err(invalid(at, "invalid_filter", "a filter is not an object", HINT));
        };
        let Some(Value::String(kind)) = filter.get("type") else {
            return Err(invalid(at, "invalid_filter", "a filter has no `type`, or one that is not a text", HINT));
        };
        match kind.as_str() {
            "and" | "or" => {
                only(filter, &["type", "filters"], at)?;
                let at = &format!("{at}.filters");
                let Some(Value::Array(parts)) = filter.get("filters") else {
                    return Err(invalid(at, "invalid_filter", format!("`{kind}` has no list `filters`"), HINT));
                };
                if parts.is_empty() {
                    return Err(invalid(at, "invalid_filter", format!("`{kind}` has no filters"), "give one or more"));
                }
                let mut read = |(index, part)| self.condition(part, &format!("{at}[{index}]"), depth + 1);
                let parts = parts.iter().enumerate().map(&mut read).collect::<Result<_, _>>()?;
                Ok(if kind == "and" { Condition::All(parts) } else { Condition::Any(parts) })
            }
            "eq" | "ne" | "gt" | "gte" | "lt" | "lte" | "in" | "nin" => self.comparison(filter, kind, at),
            _ => Err(invalid(at, "invalid_filter", format!("there is no filter `{}`", short(kind)), HINT)),
        }
    }

    fn comparison(&mut self, filter: &Map<String, Value>, kind: &str, at: &str) -> Result<Condition, Refused> {
        only(filter, &["type", "key", "value"], at)?;
        self.num_comparisons += 1;
        if self.num_comparisons > MAX_COMPARISONS {
            let message = format!("a filter has more than {MAX_COMPARISONS} comparisons");
            return Err(invalid(at, "too_many_filters", message, "use `in` and `nin` for several values of one key"));
        }
        let Some(Value::String(key)) = filter.get("key") else {
            return Err(invalid(&format!("{at}.key"), "invalid_filter", "a comparison has no text `key`", HINT));
        };
        let Some(attribute) = attribute_of(key) else {
            let message = format!("files have no attribute `{}`", short(key));
            return Err(invalid(&format!("{at}.key"), "unknown_attribute", message, known()));
        };
        let at = &format!("{at}.value");
        let Some(value) = filter.get("value") else {
            return Err(invalid(at, "invalid_filter", "a comparison has no `value`", HINT));
        };
        if let "in" | "nin" = kind {
            let Value::Array(values) = value else {
                return Err(invalid(at, "invalid_filter", format!("`{kind}` takes a list of values"), "give a list"));
            };
            self.num_values += values.len();
            if values.is_empty() || self.num_values > MAX_VALUES {
                let message = format!("the lists of a filter have no value, or more than {MAX_VALUES} together");
                return Err(invalid(at, "too_many_filters", message, "give 1 to 1000 values"));
            }
            let any = one_of(values, attribute, key, at)?;
            return Ok(if kind == "in" { any } else { any.negated() });
        }
        match (attribute, kind) {
            (_, "eq") => one_of(std::slice::from_ref(value), attribute, key, at),
            (_, "ne") => one_of(std::slice::from_ref(value), attribute, key, at).map(Condition::negated),
            (Attribute::Number(of), kind) => {
                let (floor, ceiling) = whole(number(value, key, at)?);
                let (from, to) = match kind {
                    "gt" => (floor.saturating_add(1), i64::MAX),
                    "gte" => (ceiling, i64::MAX),
                    "lt" => (i64::MIN, ceiling.saturating_sub(1)),
                    _ => (i64::MIN, floor),
                };
                Ok(Condition::Number { of, from, to })
            }
            (Attribute::Text(_), kind) => {
                let message = format!("`{kind}` compares numbers, and `{key}` is a text");
                let hint = "`modified` (seconds since 1970) and `size` (bytes) are numbers; texts take `eq`, `ne`, `in` and `nin`";
                Err(invalid(at, "invalid_filter", message, hint))
            }
        }
    }
}

/// That the attribute is one of these.
fn one_of(values: &[Value], attribute: Attribute, key: &str, at: &str) -> Result<Condition, Refused> {
    match attribute {
        Attribute::Text(of) => {
            let read = |value| text(value, of, key, at);
            Ok(Condition::text(of, values.iter().map(read).collect::<Result<Vec<_>, _>>()?))
        }
        Attribute::Number(of) => {
            let is = |value| {
                let (floor, ceiling) = whole(number(value, key, at)?);
                // Between two whole numbers there is none.
                let (from, to) = if floor == ceiling { (floor, floor) } else { (1, 0) };
                Ok(Condition::Number { of, from, to })
            };
            values.iter().map(is).collect::<Result<_, _>>().map(Condition::Any)
        }
    }
}

const HINT: &str = "a filter is `{type: eq|ne|gt|gte|lt|lte|in|nin, key, value}` or `{type: and|or, filters: […]}`";

fn invalid(at: &str, code: &str, message: impl Into<String>, hint: impl Into<String>) -> Refused {
    Refused::invalid(at, code, message, hint)
}

fn attribute_of(key: &str) -> Option<Attribute> {
    let text = TEXTS.into_iter().find(|(name, _)| *name == key).map(|(_, of)| Attribute::Text(of));
    text.or_else(|| NUMBERS.into_iter().find(|(name, _)| *name == key).map(|(_, of)| Attribute::Number(of)))
}

fn known() -> String {
    let names: Vec<&str> = TEXTS.iter().map(|(name, _)| *name).chain(NUMBERS.iter().map(|(name, _)| *name)).collect();
    format!("filter by {}", names.join(", "))
}

/// Refuses a member that no filter of this kind has.
fn only(filter: &Map<String, Value>, members: &[&str], at: &str) -> Result<(), Refused> {
    match filter.keys().find(|member| !members.contains(&member.as_str())) {
        None => Ok(()),
        Some(member) => {
            let message = format!("the filter has a member `{}`, which is not known", short(member));
            Err(invalid(at, "invalid_filter", message, HINT))
        }
    }
}

fn text<'a>(value: &'a Value, of: TextOf, key: &str, at: &str) -> Result<&'a str, Refused> {
    let Value::String(text) = value else {
        return Err(invalid(at, "invalid_filter", format!("`{key}` is a text, and the value is none"), "give a text"));
    };
    if of == TextOf::Format && Format::from_name(text).is_none() {
        let known = Format::ALL.map(Format::name).join(", ");
        return Err(invalid(
            at,
            "unknown_type",
            format!("there is no type `{}`", short(text)),
            format!("one of {known}"),
        ));
    }
    Ok(text)
}

fn number<'a>(value: &'a Value, key: &str, at: &str) -> Result<&'a Number, Refused> {
    let Value::Number(number) = value else {
        let hint = "`modified` takes seconds since 1970, and `size` bytes";
        return Err(invalid(at, "invalid_filter", format!("`{key}` is a number, and the value is none"), hint));
    };
    Ok(number)
}

/// The whole numbers right below and above a number; the number itself twice where it is whole.
#[expect(clippy::cast_possible_truncation, reason = "beyond the numbers of files the nearest will do")]
fn whole(number: &Number) -> (i64, i64) {
    match (number.as_i64(), number.as_f64()) {
        (Some(whole), _) => (whole, whole),
        (None, Some(float)) => (float.floor() as i64, float.ceil() as i64),
        (None, None) => (i64::MAX, i64::MAX),
    }
}

/// A text as a message quotes it.
fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use serde_json::json;

    use super::*;
    use crate::workspace::FileEntry;

    fn file(path: &str, size: u64, modified: &str) -> FileEntry {
        serde_json::from_value(json!({
            "path": path, "state": "ready", "format": "markdown", "size": size, "modified": modified, "revision": 1, "num_chunks": 1,
            "provenance": { "agent": "coder", "tags": ["draft"] },
        }))
        .unwrap()
    }

    fn admits(filter: &Value) -> bool {
        read(filter).unwrap().admits(&file("reports/a.md", 100, "1970-01-01T00:10:00.5Z"))
    }

    #[test]
    fn every_comparison_holds_for_its_side_alone() {
        for (kind, value, holds) in [
            ("eq", json!(100), true),
            ("eq", json!(100.0), true),
            ("eq", json!(100.5), false),
            ("ne", json!(100), false),
            ("ne", json!(100.5), true),
            ("gt", json!(99), true),
            ("gt", json!(99.5), true),
            ("gt", json!(100), false),
            ("gte", json!(100), true),
            ("gte", json!(100.1), false),
            ("lt", json!(100), false),
            ("lt", json!(100.1), true),
            ("lte", json!(100), true),
            ("lte", json!(99.9), false),
            ("gt", json!(1e300), false),
            ("lt", json!(u64::MAX), true),
            ("gt", json!(-1e300), true),
            ("in", json!([7, 100]), true),
            ("in", json!([7, 100.5]), false),
            ("nin", json!([7]), true),
            ("nin", json!([100]), false),
        ] {
            assert_eq!(admits(&json!({ "type": kind, "key": "size", "value": value })), holds, "{kind} {value}");
        }
        assert!(admits(&json!({ "type": "eq", "key": "modified", "value": 600 })));
        for (kind, key, value, holds) in [
            ("eq", "path", json!("reports/a.md"), true),
            ("eq", "folder", json!("reports"), true),
            ("ne", "filename", json!("a.md"), false),
            ("in", "type", json!(["pdf", "markdown"]), true),
            ("nin", "tag", json!(["draft"]), false),
            ("nin", "sandbox", json!(["vm-1"]), true),
        ] {
            assert_eq!(admits(&json!({ "type": kind, "key": key, "value": value })), holds, "{kind} {key} {value}");
        }
    }

    #[test]
    fn compounds_nest_up_to_their_depth() {
        let (yes, no) = (
            json!({ "type": "eq", "key": "agent", "value": "coder" }),
            json!({ "type": "eq", "key": "agent", "value": "x" }),
        );
        assert!(admits(&json!({ "type": "or", "filters": [no, { "type": "and", "filters": [yes, yes] }] })));
        assert!(!admits(&json!({ "type": "and", "filters": [yes, { "type": "or", "filters": [no] }] })));
        let nested =
            |depth: usize| (1..depth).fold(yes.clone(), |inner, _| json!({ "type": "and", "filters": [inner] }));
        assert!(admits(&nested(MAX_DEPTH)));
        assert!(read(&nested(MAX_DEPTH + 1)).is_err());
        let many = |num: usize| json!({ "type": "or", "filters": vec![yes.clone(); num] });
        assert!(admits(&many(MAX_COMPARISONS)) && read(&many(MAX_COMPARISONS + 1)).is_err());
        let values = |num: usize| json!({ "type": "in", "key": "agent", "value": vec!["coder"; num] });
        assert!(admits(&values(MAX_VALUES)) && read(&values(MAX_VALUES + 1)).is_err());
    }

    #[test]
    fn what_is_no_filter_is_refused_as_a_bad_request() {
        for wrong in [
            json!(null),
            json!([]),
            json!("type"),
            json!({}),
            json!({ "type": "like", "key": "path", "value": "a" }),
            json!({ "type": 1, "key": "path", "value": "a" }),
            json!({ "type": "eq", "value": "a" }),
            json!({ "type": "eq", "key": "path" }),
            json!({ "type": "eq", "key": "author", "value": "a" }),
            json!({ "type": "eq", "key": "Path", "value": "a" }),
            json!({ "type": "eq", "key": "path", "value": 5 }),
            json!({ "type": "eq", "key": "path", "value": true }),
            json!({ "type": "eq", "key": "path", "value": ["a"] }),
            json!({ "type": "eq", "key": "size", "value": "5" }),
            json!({ "type": "eq", "key": "modified", "value": "2026-01-01" }),
            json!({ "type": "gt", "key": "path", "value": "a" }),
            json!({ "type": "gt", "key": "size", "value": [1] }),
            json!({ "type": "in", "key": "path", "value": "a" }),
            json!({ "type": "in", "key": "path", "value": [] }),
            json!({ "type": "in", "key": "path", "value": ["a", 1] }),
            json!({ "type": "eq", "key": "type", "value": "md" }),
            json!({ "type": "eq", "key": "path", "value": "a", "more": 1 }),
            json!({ "type": "and" }),
            json!({ "type": "and", "filters": [] }),
            json!({ "type": "and", "filters": {} }),
            json!({ "type": "and", "filters": [null] }),
            json!({ "type": "and", "filters": [{ "type": "eq", "key": "path", "value": "a" }], "key": "path" }),
        ] {
            let refused = read(&wrong).expect_err(&wrong.to_string()).into_response();
            assert_eq!(refused.status(), 400, "{wrong}");
        }
    }
}
