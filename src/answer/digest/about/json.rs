//! JSON: its figures by the keys that lead to them, its lists by their length, and records one a line by what they have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::values::{self, Value};
use super::whole::Whole;
use super::{Draft, Former, Of, counted, grouped, listed, short};

/// Scalars that are kept of one file; a longer one is told by what its beginning holds.
const MAX_LEAVES: usize = 20_000;
/// Values nested deeper are passed over.
const MAX_DEPTH: usize = 32;
/// Names of fields that a line tells.
const MAX_FIELDS: usize = 6;
/// Words of a text that is worth a quote.
const MIN_QUOTED_WORDS: usize = 5;

/// A scalar.
#[derive(Debug)]
struct Leaf {
    /// The keys that lead to it as they stand in the file; an element of a list has its list's.
    keys: Vec<Range<usize>>,
    /// The outermost list that it is in, by its own position among lists.
    list: Option<usize>,
    /// The value, with the quotes of a string.
    value: Range<usize>,
}

/// A list.
#[derive(Debug)]
struct List {
    keys: Vec<Range<usize>>,
    start: usize,
    num_elements: usize,
    /// Whether it is in another list.
    is_inner: bool,
}

#[derive(Debug, Default)]
struct Scan {
    leaves: Vec<Leaf>,
    lists: Vec<List>,
}

/// Walks over a JSON text, one that is broken as far as it can be understood.
fn scan(text: &str, from: usize, to: usize) -> Scan {
    let bytes = text.as_bytes();
    let mut scan = Scan::default();
    // Of each container that is open: whether it is a list, and its number among lists.
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut keys: Vec<Range<usize>> = Vec::new();
    // How many keys each open container began with.
    let mut depths: Vec<usize> = Vec::new();
    let mut at = from;
    while at < to && scan.leaves.len() < MAX_LEAVES {
        let start = at;
        match bytes[at] {
            b'{' | b'[' if open.len() < MAX_DEPTH => {
                count_element(&open, &mut scan);
                let is_list = bytes[at] == b'[';
                let list = is_list.then(|| {
                    let is_inner = open.iter().any(Option::is_some);
                    scan.lists.push(List { keys: keys.clone(), start, num_elements: 0, is_inner });
                    scan.lists.len() - 1
                });
                open.push(list);
                depths.push(keys.len());
                at += 1;
            }
            b'}' | b']' => {
                open.pop();
                keys.truncate(depths.pop().unwrap_or(0));
                leave_key(&open, &depths, &mut keys);
                at += 1;
            }
            b'"' => {
                let end = string_end(bytes, at, to);
                let behind = skip_white(bytes, end, to);
                at = end;
                if bytes.get(behind) == Some(&b':') && matches!(open.last(), Some(None)) && behind < to {
                    keys.truncate(depths.last().copied().unwrap_or(0));
                    keys.push(start..end);
                    at = behind + 1;
                    continue;
                }
                leaf(&open, &keys, start..end, &mut scan);
                leave_key(&open, &depths, &mut keys);
            }
            byte if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.') => {
                let is_end = |byte: &u8| {
                    byte.is_ascii_whitespace() || matches!(byte, b',' | b'}' | b']' | b'{' | b'[' | b'"' | b':')
                };
                let end = bytes[at..to].iter().position(is_end).map_or(to, |offset| at + offset);
                leaf(&open, &keys, start..end, &mut scan);
                leave_key(&open, &depths, &mut keys);
                at = end.max(at + 1);
            }
            _ => at += 1,
        }
    }
    scan
}

/// A value of an object is behind; in a list the key is the list's own.
fn leave_key(open: &[Option<usize>], depths: &[usize], keys: &mut Vec<Range<usize>>) {
    if matches!(open.last(), Some(None) | None) {
        keys.truncate(depths.last().copied().unwrap_or(0));
    }
}

fn count_element(open: &[Option<usize>], scan: &mut Scan) {
    if let Some(Some(list)) = open.last() {
        scan.lists[*list].num_elements += 1;
    }
}

fn leaf(open: &[Option<usize>], keys: &[Range<usize>], value: Range<usize>, scan: &mut Scan) {
    count_element(open, scan);
    let list = open.iter().find_map(|list| *list);
    scan.leaves.push(Leaf { keys: keys.to_vec(), list, value });
}

fn string_end(bytes: &[u8], at: usize, to: usize) -> usize {
    let mut is_escaped = false;
    for (offset, byte) in bytes[at + 1..to].iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + offset + 2,
            _ => {}
        }
    }
    to
}

fn skip_white(bytes: &[u8], at: usize, to: usize) -> usize {
    bytes[at..to].iter().position(|byte| !byte.is_ascii_whitespace()).map_or(to, |offset| at + offset)
}

fn bare<'t>(text: &'t str, range: &Range<usize>) -> &'t str {
    text[range.clone()].trim_matches('"')
}

fn name_of(text: &str, keys: &[Range<usize>]) -> String {
    keys.iter().map(|key| short(bare(text, key), 40)).collect::<Vec<_>>().join(".")
}

/// The scalars that are in no list.
fn values_of(text: &str, scan: &Scan) -> Vec<Value> {
    let single = scan.leaves.iter().filter(|leaf| leaf.list.is_none() && !leaf.keys.is_empty());
    single
        .map(|leaf| Value {
            name: name_of(text, &leaf.keys),
            text: bare(text, &leaf.value).to_owned(),
            range: leaf.keys.last().map_or(leaf.value.start, |key| key.start)..leaf.value.end,
            depth: leaf.keys.len(),
        })
        .collect()
}

/// Tells of one JSON value.
pub(super) fn tell(whole: &Whole<'_>, former: Former<'_>, draft: &mut Draft) {
    let text = &whole.text;
    let found = scan(text, 0, text.len());
    let before = former.map(|(_, old)| values_of(&old.text, &scan(&old.text, 0, old.text.len()))).unwrap_or_default();
    values::tell(whole, &values_of(text, &found), former, &before, "figure", draft);
    let mut num_lists = 0;
    for (index, list) in found.lists.iter().enumerate().filter(|(_, list)| !list.is_inner && list.num_elements > 1) {
        num_lists += 1;
        if num_lists > 2 {
            continue;
        }
        let mut fields: Vec<&str> = Vec::new();
        for leaf in
            found.leaves.iter().filter(|leaf| leaf.list == Some(index) && leaf.keys.len() > list.keys.len()).take(200)
        {
            let field = bare(text, &leaf.keys[list.keys.len()]);
            if !fields.contains(&field) {
                fields.push(field);
            }
        }
        let name = if list.keys.is_empty() { String::new() } else { format!("{}: ", name_of(text, &list.keys)) };
        if fields.is_empty() {
            draft.say(format!("{name}{}", counted(list.num_elements, "value")));
        } else {
            let fields = listed(fields.into_iter(), MAX_FIELDS);
            draft.say(format!("{name}{} of {fields}", counted(list.num_elements, "record")));
        }
        let start = list.keys.last().map_or(list.start, |key| key.start);
        draft.cite(Of::File, whole.place(start..line_end(text, start)));
    }
    if num_lists > 2 {
        draft.say(format!("{} more", counted(num_lists - 2, "list")));
    }
    if !whole.is_complete {
        draft.say("only its beginning and its end were looked at");
    }
    quote_texts(whole, &found, draft);
}

/// Texts in the data that are written for people.
fn quote_texts(whole: &Whole<'_>, found: &Scan, draft: &mut Draft) {
    const KEYS: [&str; 9] = [
        "summary",
        "conclusion",
        "conclusions",
        "finding",
        "decision",
        "recommendation",
        "description",
        "notes",
        "abstract",
    ];
    for leaf in found.leaves.iter().filter(|leaf| leaf.list.is_none()) {
        let key = leaf.keys.last().map(|key| bare(&whole.text, key).to_lowercase()).unwrap_or_default();
        let inner = leaf.value.start + 1..leaf.value.end.saturating_sub(1);
        let is_text = whole.text[leaf.value.clone()].starts_with('"') && inner.start < inner.end;
        if is_text
            && KEYS.contains(&key.as_str())
            && whole.text[inner.clone()].split_whitespace().count() >= MIN_QUOTED_WORDS
        {
            draft.sentences.extend(whole.place(inner));
        }
    }
    draft.sentences.truncate(2);
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end)
}

/// Tells of JSON values that stand one a line.
pub(super) fn tell_records(whole: &Whole<'_>, draft: &mut Draft) {
    const TIMES: [&str; 5] = ["ts", "time", "timestamp", "at", "date"];
    let text = &whole.text;
    let mut num_records = 0_usize;
    let mut fields: Vec<&str> = Vec::new();
    // Of each field the texts it holds, and how often, as long as they are few.
    let mut kinds: BTreeMap<&str, BTreeMap<&str, (usize, Range<usize>)>> = BTreeMap::new();
    let mut times: Option<(&str, &str)> = None;
    let mut wrong: Option<(usize, usize)> = None;
    let (mut first, mut last, mut num_wrong) = (None, None, 0_usize);
    for (start, line) in whole.lines() {
        num_records += 1;
        let range = start..start + line.len();
        first = first.or_else(|| Some(range.clone()));
        last = Some(range.clone());
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut is_wrong = false;
        for leaf in
            scan(text, range.start, range.end).leaves.iter().filter(|leaf| leaf.keys.len() == 1 && leaf.list.is_none())
        {
            let (field, value) = (bare(text, &leaf.keys[0]), bare(text, &leaf.value));
            if !fields.contains(&field) && fields.len() < 40 {
                fields.push(field);
            }
            if TIMES.contains(&field.to_lowercase().as_str()) && times.is_none_or(|(first, _)| !first.is_empty()) {
                times = Some((times.map_or(value, |(first, _)| first), value));
            } else if text[leaf.value.clone()].starts_with('"') && value.len() <= 40 && seen.insert(field) {
                kinds.entry(field).or_default().entry(value).or_insert_with(|| (0, range.clone())).0 += 1;
                is_wrong |= is_error(field, value);
            } else if field.eq_ignore_ascii_case("error") && value != "null" && value != "false" {
                is_wrong = true;
            }
        }
        if is_wrong {
            num_wrong += 1;
            wrong = wrong.or(Some((range.start, range.end)));
        }
    }
    if num_records == 0 {
        return;
    }
    let of =
        if fields.is_empty() { String::new() } else { format!(" of {}", listed(fields.iter().copied(), MAX_FIELDS)) };
    draft.say(format!("{}{of}", counted(num_records, "record")));
    if let Some((first, last)) = times.filter(|(first, last)| first != last) {
        draft.say(format!("from {} until {}", short(first, 30), short(last, 30)));
    }
    if num_wrong > 0 {
        draft.say(format!("{} of them errors", grouped(num_wrong)));
        draft.cite(Of::File, wrong.and_then(|(start, end)| whole.place(start..end)));
    }
    // The field that sorts the records into few kinds.
    let sorting = kinds.iter().filter(|(_, values)| (2..=8).contains(&values.len()) && values.len() * 3 <= num_records);
    let num_of = |values: &BTreeMap<&str, (usize, Range<usize>)>| values.values().map(|(num, _)| num).sum::<usize>();
    if let Some((field, values)) = sorting.max_by_key(|(field, values)| (is_kind(field), num_of(values))) {
        // What happened once among many is what a reader wants to see.
        for (_, range) in values.values().filter(|(num, _)| *num == 1).take(2) {
            draft.cite(Of::File, whole.place(range.clone()));
        }
        let mut values: Vec<(&str, usize)> = values.iter().map(|(value, (num, _))| (*value, *num)).collect();
        values.sort_by_key(|(value, num)| (std::cmp::Reverse(*num), *value));
        let counts: Vec<String> =
            values.iter().take(4).map(|(value, num)| format!("{value} {}", grouped(*num))).collect();
        let more = values.len().saturating_sub(4);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        draft.say(format!("{field}: {}{more}", counts.join(", ")));
    }
    for range in [first, last].into_iter().flatten() {
        draft.cite(Of::File, whole.place(range));
    }
    if !whole.is_complete {
        draft.say("only its beginning and its end were looked at");
    }
}

fn is_kind(field: &str) -> bool {
    matches!(
        field.to_lowercase().as_str(),
        "event" | "type" | "kind" | "level" | "status" | "action" | "result" | "outcome" | "severity"
    )
}

fn is_error(field: &str, value: &str) -> bool {
    let is_verdict = matches!(
        field.to_lowercase().as_str(),
        "level" | "status" | "severity" | "result" | "outcome" | "event" | "type"
    );
    let value = value.to_lowercase();
    is_verdict
        && matches!(value.as_str(), "error" | "failed" | "failure" | "fatal" | "critical" | "panic" | "exception")
}
