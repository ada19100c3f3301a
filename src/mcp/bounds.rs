//! Replies that a model can read at once: what is too long is cut, and the reply says how to get the rest.
//!
//! # Invariants
//! - The JSON of a reply has at most [`MAX_REPLY_BYTES`], which is below 10,000 tokens of any text that was tried, unless the caller
//!   asked for more by name (`max_bytes`).
//! - What is cut is counted or has a cursor. No citation is cut: it is there whole, or not at all.

use serde::Serialize;
use serde_json::Value;

use crate::search::SearchReply;

/// The most bytes that the JSON of a reply has.
pub(super) const MAX_REPLY_BYTES: usize = 24 * 1024;
/// What a reply is filled to: the word of caution and the way to the rest come on top.
const FILLED_TO: usize = MAX_REPLY_BYTES - 1024;
/// Other places of a passage that are named.
const MAX_PLACES: usize = 3;
/// Halvings of one reply: enough for any that a computer holds.
const MAX_HALVINGS: usize = 256;

/// The bytes of `value` as JSON.
pub(super) fn size(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |json| json.len())
}

/// How many of `items` fit beside `num_others` bytes.
pub(super) fn num_fitting<T: Serialize>(items: &[T], num_others: usize) -> usize {
    let mut sum = num_others;
    let fits = |item: &&T| {
        sum = sum.saturating_add(size(item) + 1);
        sum <= FILLED_TO
    };
    items.iter().take_while(fits).count()
}

/// Cuts the passages that are too many, from the last, and other places of passages; returns how to get them.
pub(super) fn cut_passages(reply: &mut SearchReply, offset: usize) -> Option<String> {
    let mut num_places = 0;
    if size(reply) > FILLED_TO {
        for hit in &mut reply.hits {
            num_places += hit.also_at.len().saturating_sub(MAX_PLACES);
            hit.also_at.truncate(MAX_PLACES);
        }
    }
    let hits = std::mem::take(&mut reply.hits);
    let num_kept = num_fitting(&hits, size(reply));
    let num_cut = hits.len() - num_kept;
    reply.hits = hits;
    reply.hits.truncate(num_kept);
    let mut rest = Vec::new();
    if num_cut > 0 {
        // One that is too long by itself would come first for ever.
        let next = offset + num_kept.max(1);
        reply.next_offset = Some(next);
        rest.push(format!("{num_cut} more passages were found: ask again with `offset` {next}"));
    }
    if num_places > 0 {
        rest.push(format!(
            "{num_places} more places of these words are left out: `filters.path` narrows to some of them"
        ));
    }
    (!rest.is_empty()).then(|| rest.join("; "))
}

/// Cuts the lists of an answer that are too long, first files that nothing is quoted of; returns how to get the rest.
pub(super) fn cut_answer(answer: &mut Value) -> Option<String> {
    if size(answer) <= FILLED_TO {
        return None;
    }
    let mut num_files = 0;
    for group in answer.pointer_mut("/digest/groups").and_then(Value::as_array_mut).into_iter().flatten().rev() {
        num_files += drop_unquoted(group);
    }
    let mut cut: Vec<(String, usize)> = Vec::new();
    let mut add = |name: &str, num: usize| match cut.iter_mut().find(|(known, _)| known == name) {
        Some((_, sum)) => *sum += num,
        None => cut.push((name.to_owned(), num)),
    };
    if num_files > 0 {
        add("files", num_files);
    }
    for _ in 0..MAX_HALVINGS {
        if size(answer) <= FILLED_TO {
            break;
        }
        let Some((path, num)) = halve_longest(answer) else {
            match halve_sentences(answer) {
                0 => break,
                num => add("sentences", num),
            }
            continue;
        };
        add(&format!("of `{path}`"), num);
    }
    let cut: Vec<String> = cut.into_iter().map(|(name, num)| format!("{num} {name}")).collect();
    Some(format!(
        "left out for length: {}; ask about fewer files (`filters`, `max_files`, `max_sentences`), list them with `list_files`, or \
         read them with `read_file`",
        cut.join(", ")
    ))
}

/// Takes the files of a group of which nothing is quoted, but the first, and counts them as not listed.
fn drop_unquoted(group: &mut Value) -> usize {
    let Some(files) = group.get_mut("files").and_then(Value::as_array_mut) else { return 0 };
    let before = files.len();
    let is_quoted = |file: &Value| file.get("sentences").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let mut is_first = true;
    files.retain(|file| std::mem::take(&mut is_first) || is_quoted(file));
    let num = before - files.len();
    add_not_listed(group, num);
    num
}

fn add_not_listed(group: &mut Value, num: usize) {
    if let Some(group) = group.as_object_mut().filter(|_| num > 0) {
        let before = group.get("num_not_listed").and_then(Value::as_u64).unwrap_or(0);
        group.insert("num_not_listed".to_owned(), (before + num as u64).into());
    }
}

/// Leaves the first half of the longest list that nothing refers into by position, and returns its name and how many are gone.
fn halve_longest(answer: &mut Value) -> Option<(String, usize)> {
    let (path, _) = longest(answer, "", 0)?;
    let (parent, _) = path.rsplit_once('/')?;
    let list = answer.pointer_mut(&path)?.as_array_mut()?;
    let num_kept = list.len() / 2;
    let num = list.len() - num_kept;
    list.truncate(num_kept);
    if path.ends_with("/files") {
        add_not_listed(answer.pointer_mut(parent)?, num);
    }
    let name: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && part.parse::<usize>().is_err()).collect();
    Some((name.join("."), num))
}

/// The place of the longest list with something to cut, and its bytes. Sentences and what they cite are not among them.
fn longest(value: &Value, path: &str, depth: usize) -> Option<(String, usize)> {
    let mut best: Option<(String, usize)> = None;
    let mut offer = |found: Option<(String, usize)>| {
        if let Some(found) = found.filter(|found| best.as_ref().is_none_or(|best| found.1 > best.1)) {
            best = Some(found);
        }
    };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if depth > 0 || !matches!(name.as_str(), "sentences" | "citations") {
                    offer(longest(value, &format!("{path}/{name}"), depth + 1));
                }
            }
        }
        Value::Array(items) if items.iter().any(|item| !item.is_number()) => {
            let itself = || (items.len() > 1).then(|| (path.to_owned(), size(value)));
            // Half of a list of few long lists would be a lot.
            if items.len() >= 4 {
                offer(itself());
            } else {
                let inside = |(at, item): (usize, &Value)| longest(item, &format!("{path}/{at}"), depth + 1);
                let inside = items.iter().enumerate().filter_map(inside).max_by_key(|(_, size)| *size);
                offer(inside.or_else(itself));
            }
        }
        _ => {}
    }
    best.filter(|(_, size)| *size > 256)
}

/// Leaves the first half of the sentences, what those cite, and no reference to the others; returns how many are gone.
fn halve_sentences(answer: &mut Value) -> usize {
    let Some(sentences) = answer.get_mut("sentences").and_then(Value::as_array_mut) else { return 0 };
    let num_kept = sentences.len() / 2;
    let num = sentences.len() - num_kept;
    sentences.truncate(num_kept);
    drop_positions(answer, num_kept);
    let num_cited = last_cited(answer).map_or(0, |last| last + 1);
    if let Some(citations) = answer.get_mut("citations").and_then(Value::as_array_mut) {
        citations.truncate(num_cited);
    }
    num
}

/// Takes positions of sentences that are gone out of all lists of such positions.
fn drop_positions(value: &mut Value, num_kept: usize) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_array_mut().filter(|_| name == "sentences") {
                    Some(list) => {
                        list.retain(|item| item.as_u64().is_none_or(|position| position < num_kept as u64));
                        for item in list {
                            drop_positions(item, num_kept);
                        }
                    }
                    None => drop_positions(value, num_kept),
                }
                if name == "num_of_summary" && value.as_u64().is_some_and(|num| num > num_kept as u64) {
                    *value = num_kept.into();
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| drop_positions(item, num_kept)),
        _ => {}
    }
}

/// The last position that any list of cited positions has.
fn last_cited(value: &Value) -> Option<usize> {
    match value {
        Value::Object(fields) => {
            let of_field = |(name, value): (&String, &Value)| match value.as_array().filter(|_| name == "citations") {
                Some(list) => list.iter().filter_map(|item| usize::try_from(item.as_u64()?).ok()).max(),
                None => last_cited(value),
            };
            fields.iter().filter_map(of_field).max()
        }
        Value::Array(items) => items.iter().filter_map(last_cited).max(),
        _ => None,
    }
}

/// Where a text from `start` on has to end so that it has at most `max_bytes` as JSON; at least one character is left.
pub(super) fn end_of_json(text: &str, start: usize, max_bytes: usize) -> usize {
    let mut sum = 0;
    for (at, c) in text[start..].char_indices() {
        sum += match c {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            c if c.is_control() && c.is_ascii() => 6,
            c => c.len_utf8(),
        };
        if sum > max_bytes && at > 0 {
            return start + at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_over_many_files_fits_and_says_how_much_is_missing() {
        let file = |number: usize, sentences: &[usize]| json!({ "path": format!("runs/r{number:04}/report.md"), "change": "created", "at": "2026-11-01T00:00:00Z", "sentences": sentences });
        let mut files: Vec<Value> = (0..20).map(|number| file(number, &[number])).collect();
        files.extend((20..900).map(|number| file(number, &[])));
        let citation =
            |number: usize| json!({ "path": format!("runs/r{number:04}/report.md"), "quote": "x".repeat(900) });
        let mut answer = json!({
            "abstained": false,
            "sentences": (0..60).map(|number| json!({ "text": "y".repeat(300), "citations": [number] })).collect::<Vec<_>>(),
            "citations": (0..60).map(citation).collect::<Vec<_>>(),
            "digest": { "num_files": 900, "groups": [{ "name": "runs", "num_files": 900, "files": files }] },
        });
        let rest = cut_answer(&mut answer).unwrap();
        assert!(size(&answer) <= FILLED_TO, "{}", size(&answer));
        assert!(rest.contains("879 files") || rest.contains("880 files"), "{rest}");
        let group = &answer["digest"]["groups"][0];
        let num_listed = group["files"].as_array().unwrap().len() as u64;
        assert_eq!(group["num_not_listed"].as_u64().unwrap() + num_listed, 900);
        let num_sentences = answer["sentences"].as_array().unwrap().len();
        assert!(num_sentences > 0 && last_cited(&answer).unwrap() < answer["citations"].as_array().unwrap().len());
        for file in group["files"].as_array().unwrap() {
            assert!(
                file["sentences"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|position| position.as_u64().unwrap() < num_sentences as u64)
            );
        }
    }

    #[test]
    fn a_short_answer_is_left_alone() {
        let mut answer = json!({ "sentences": [], "citations": [] });
        assert_eq!(cut_answer(&mut answer), None);
    }

    proptest! {
        #[test]
        fn a_text_is_cut_to_its_length_as_json(text in "(\\PC|[\"\\\\\n\t\u{1}]){0,60}", max_bytes in 1_usize..60) {
            let end = end_of_json(&text, 0, max_bytes);
            prop_assert!(text.is_char_boundary(end) && (end > 0 || text.is_empty()));
            let json = serde_json::to_string(&text[..end]).unwrap().len() - 2;
            prop_assert!(json <= max_bytes.max(6), "{json}");
        }
    }
}
