//! The place of words of a passage among rows and keys: the names of their columns, the keys that lead to them, the time of their line.
//!
//! A passage is a part of a file, so this goes by its own lines, and by the table header that it was found with.

use super::node::{Flow, Value};
use super::rows::lines;
use super::table::plain;
use super::when::whens;
use crate::answer::Field;
use crate::search::Hit;
use crate::workspace::Span;

/// Cells that are shown of a row.
const MAX_FIELDS: usize = 12;
/// Longest value that is shown beside its name, in bytes.
const MAX_VALUE_BYTES: usize = 200;

/// What stands around words of a passage, apart from headings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Within {
    /// Keys that lead to them inside of the passage, outermost first, or the time of their line.
    pub keys: Vec<String>,
    /// The cells of their row, or the values of their record, by name.
    pub fields: Vec<Field>,
}

/// The place of the words at `span` of a passage among rows and keys.
#[must_use]
pub fn within(hit: &Hit, span: Span) -> Within {
    of_text(hit.citation.path.as_str(), &hit.text, hit.header.as_deref(), span)
}

fn of_text(path: &str, text: &str, header: Option<&str>, span: Span) -> Within {
    let Some(words) = span.of(text) else { return Within::default() };
    let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "csv" | "tsv" | "tab" | "psv" => Within { fields: delimited(text, words, header, span), keys: Vec::new() },
        "json" | "geojson" => Within { keys: keys_of_json(&text[..span.start]), fields: Vec::new() },
        "jsonl" | "ndjson" => Within { fields: record(words), keys: Vec::new() },
        "yaml" | "yml" => Within { keys: keys_of_yaml(text, span), fields: Vec::new() },
        "toml" => Within { keys: keys_of_toml(&text[..span.start]), fields: Vec::new() },
        _ if words.contains('|') && !words.contains('\n') => {
            Within { fields: barred(text, words, header, span), keys: Vec::new() }
        }
        _ => Within { keys: time_of_line(text, span), fields: Vec::new() },
    }
}

fn fields(names: &[String], values: &[String]) -> Vec<Field> {
    if names.len() < 2 || values.len() > names.len() || values.len() * 2 < names.len() || names == values {
        return Vec::new();
    }
    let pairs = names.iter().zip(values).filter(|(name, value)| !name.is_empty() && !value.is_empty());
    let field = |(name, value): (&String, &String)| {
        let value = value[..value.floor_char_boundary(MAX_VALUE_BYTES)].to_owned();
        Field { name: name.clone(), value }
    };
    pairs.map(field).take(MAX_FIELDS).collect()
}

/// The cells of a line of a delimited file; its header is that of the passage, or the passage begins with it.
fn delimited(text: &str, words: &str, header: Option<&str>, span: Span) -> Vec<Field> {
    let first = text.lines().next().unwrap_or_default();
    let split = |line: &str, delimiter: char| -> Vec<String> {
        let mut cells = vec![String::new()];
        let mut is_quoted = false;
        for c in line.chars() {
            match c {
                '"' => is_quoted = !is_quoted,
                c if c == delimiter && !is_quoted => cells.push(String::new()),
                c => {
                    if let Some(cell) = cells.last_mut() {
                        cell.push(c);
                    }
                }
            }
        }
        cells.into_iter().map(|cell| cell.trim().to_owned()).collect()
    };
    let of_delimiter = |delimiter: char| {
        let names = match header {
            Some(header) => header.split(", ").map(str::to_owned).collect(),
            None if span.start >= first.len() => split(first, delimiter),
            None => Vec::new(),
        };
        fields(&names, &split(words, delimiter))
    };
    let by_delimiter =
        [',', ';', '\t', '|'].into_iter().filter(|delimiter| words.contains(*delimiter)).map(of_delimiter);
    by_delimiter.max_by_key(Vec::len).unwrap_or_default()
}

/// The cells of a row with bars; its header is the first line of its table, or that of the passage.
fn barred(text: &str, words: &str, header: Option<&str>, span: Span) -> Vec<Field> {
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim().trim_start_matches('|').trim_end_matches('|');
        line.split('|').map(plain).collect()
    };
    let is_row = |line: &&Span| text[line.range()].contains('|');
    let above = lines(&text[..span.start]);
    let table = above.iter().rev().skip_while(|line| line.is_empty()).take_while(is_row);
    let values = cells(words);
    let of_table = table.last().map(|line| cells(&text[line.range()]));
    let of_header = || {
        let header = header?;
        let by_bars = cells(header);
        Some(if by_bars.len() > 1 { by_bars } else { header.split(", ").map(str::to_owned).collect() })
    };
    let names = of_table.filter(|names| names.len() == values.len()).or_else(of_header);
    names.filter(|names| names.len() == values.len()).map(|names| fields(&names, &values)).unwrap_or_default()
}

/// The values of a record on one line.
fn record(words: &str) -> Vec<Field> {
    let Some(Value::Map(entries)) = Flow::json(words, 0).next(0).map(|node| node.value) else { return Vec::new() };
    let field = |entry: super::node::Entry| match entry.node.value {
        Value::Scalar(value) if !value.is_empty() => {
            let value = value[..value.floor_char_boundary(MAX_VALUE_BYTES)].to_owned();
            Some(Field { name: entry.key, value })
        }
        _ => None,
    };
    entries.into_iter().filter_map(field).take(MAX_FIELDS).collect()
}

/// An object or array of JSON that is open.
#[derive(Default)]
struct Open {
    key: Option<String>,
    /// The first text among its values, which names it where it is one of an array.
    name: Option<String>,
    is_array: bool,
}

/// The keys of the objects that are open at the end of a text.
fn keys_of_json(before: &str) -> Vec<String> {
    let mut open: Vec<Open> = Vec::new();
    let mut key: Option<String> = None;
    let mut string: Option<String> = None;
    let mut chars = before.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                let mut words = String::new();
                while let Some(c) = chars.next() {
                    match c {
                        '\\' => words.extend(chars.next()),
                        '"' => break,
                        c => words.push(c),
                    }
                }
                if key.is_some()
                    && let Some(object) = open.last_mut()
                {
                    object.name.get_or_insert(words.clone());
                }
                string = Some(words);
            }
            ':' => key = string.take(),
            ',' => (key, string) = (None, None),
            '{' | '[' => open.push(Open { key: key.take(), name: None, is_array: c == '[' }),
            '}' | ']' => {
                open.pop();
                (key, string) = (None, None);
            }
            _ => {}
        }
    }
    let mut keys = Vec::new();
    let mut in_array = false;
    for object in open {
        let name = if in_array { object.name } else { None };
        keys.extend(object.key.or(name));
        in_array = object.is_array;
    }
    keys
}

/// The keys of the lines above that are indented less, each less than the one below it.
fn keys_of_yaml(text: &str, span: Span) -> Vec<String> {
    let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '-']).len();
    let mut least = indent(text[start..].lines().next().unwrap_or_default());
    let mut keys = Vec::new();
    for line in text[..start].lines().rev() {
        let body = line.trim_start_matches([' ', '-']).trim_end();
        if body.is_empty() || body.starts_with('#') || indent(line) >= least {
            continue;
        }
        let Some((key, value)) = body.split_once(':') else { continue };
        least = indent(line);
        // A value that stands beside its key has nothing below it, unless it is the text of several lines or an item's first key.
        if value.trim().is_empty() || value.trim_start().starts_with(['|', '>', '#', '&']) {
            keys.push(key.trim_matches(['"', '\'']).to_owned());
        }
        if least == 0 {
            break;
        }
    }
    keys.reverse();
    keys
}

/// The table of TOML that is open at the end of a text.
fn keys_of_toml(before: &str) -> Vec<String> {
    let name = before.lines().rev().find_map(|line| line.trim().strip_prefix('['));
    let name = name.map(|name| name.trim_start_matches('[').split(']').next().unwrap_or_default().to_owned());
    name.into_iter().filter(|name| !name.is_empty()).collect()
}

/// The date and time that the line of the words begins with, where they do not.
fn time_of_line(text: &str, span: Span) -> Vec<String> {
    let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let before = &text[start..span.start];
    let first = whens(before).into_iter().find(|(_, when)| when.date.is_some() && when.time.is_some());
    let time = first.filter(|(time, _)| before[..time.start].chars().all(|c| !c.is_alphanumeric()));
    time.and_then(|(time, _)| time.of(before)).map(str::to_owned).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(path: &str, text: &str, header: Option<&str>, words: &str) -> String {
        let start = text.find(words).unwrap();
        let Within { keys, fields } = of_text(path, text, header, Span::new(start, start + words.len()));
        let fields: Vec<String> = fields.iter().map(|field| format!("{}={}", field.name, field.value)).collect();
        format!("{} {}", keys.join(" > "), fields.join(" ")).trim().to_owned()
    }

    #[test]
    fn a_row_has_the_names_of_its_columns() {
        assert_eq!(shown("a.csv", "7;ash;2,5\n", Some("id, tree, height"), "7;ash;2,5"), "id=7 tree=ash height=2,5");
        assert_eq!(shown("a.csv", "id,tree\n7,\"ash, old\"\n", None, "7,\"ash, old\""), "id=7 tree=ash, old");
        assert_eq!(shown("a.csv", "id,tree\n7,ash\n", None, "id,tree"), "");
        let table = "# Trees\n\n| Id | Tree |\n|---|---|\n| 7 | `ash` |\n| 8 | oak |\n";
        assert_eq!(shown("a.md", table, None, "| 8 | oak |"), "Id=8 Tree=oak");
        assert_eq!(shown("a.md", "| 8 | oak |\n", Some("Id | Tree"), "| 8 | oak |"), "Id=8 Tree=oak");
        assert_eq!(shown("a.md", "| 8 | oak |\n", Some("Id, Tree, Age"), "| 8 | oak |"), "");
    }

    #[test]
    fn a_value_has_the_keys_that_lead_to_it() {
        let json = "{\"wait\": {\"p50\": 2, \"p99\": 11}, \"mills\": [{\"mill\": \"M-1\", \"ms\": 3}, {\"mill\": \"M-2\", \"ms\": 4}]}";
        assert_eq!(shown("a.json", json, None, "\"p99\": 11"), "wait");
        assert_eq!(shown("a.json", json, None, "\"ms\": 4"), "mills > M-2");
        assert_eq!(shown("a.json", "\"p99\": 11}, \"b\": {\"c\": 1}", None, "\"c\": 1"), "b");
        let yaml = "crew:\n  cook:\n    lead: una\n  smith:\n    lead: per\n    paths:\n      - iron\n";
        assert_eq!(shown("a.yaml", yaml, None, "lead: per"), "crew > smith");
        assert_eq!(shown("a.yaml", yaml, None, "iron"), "crew > smith > paths");
        assert_eq!(shown("a.toml", "[x]\na = 1\n[y.z]\nb = 2\n", None, "b = 2"), "y.z");
        assert_eq!(shown("a.jsonl", "{\"ts\": \"t\", \"n\": 3}\n", None, "{\"ts\": \"t\", \"n\": 3}"), "ts=t n=3");
    }

    #[test]
    fn a_line_of_a_log_has_its_time() {
        let log = "2026-03-08T08:00:03Z WARN pump stopped. It starts again.\n";
        assert_eq!(shown("a.log", log, None, "It starts again."), "2026-03-08T08:00:03");
        assert_eq!(shown("a.log", log, None, log.trim()), "");
        assert_eq!(shown("a.txt", "On 8 March 2026 at 08:00 the pump stopped. It starts.\n", None, "It starts."), "");
    }

    proptest::proptest! {
        #[test]
        fn any_passage_and_span_has_a_place(text in "[\\[\\]{}:,;|\"a-c0-9 \n#é-]{0,60}", from in 0_usize..60, len in 0_usize..20) {
            for path in ["a.csv", "a.json", "a.jsonl", "a.yaml", "a.toml", "a.md", "a.log"] {
                let _ = of_text(path, &text, Some("a, b"), Span::new(from, from + len));
            }
        }
    }
}
