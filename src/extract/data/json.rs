//! JSON: the file's own text, divided along its members; and JSON Lines, one block a line.
//!
//! # Invariants
//! - Nothing has to be valid: brackets are counted, strings are skipped, and what makes no sense is a block of its own.
//! - No recursion; each byte is looked at once for every enclosing value that is divided, at most [`MAX_DEPTH`] times.

use crate::extract::builder::{Blocks, label, no_trail};
use crate::extract::{Block, BlockKind, text};
use crate::workspace::Span;

/// Values nested deeper than this are not divided along their members any more.
const MAX_DEPTH: usize = 24;
/// A value up to this size stays whole, and small neighbours are put together up to it.
const WHOLE_BYTES: usize = 400;

/// The values of a JSON text.
pub(in crate::extract) fn read(text: &str) -> Vec<Block> {
    let mut blocks = Blocks::new(text);
    let mut at = 0;
    // A file may hold several values in a row, and a broken one ends somewhere.
    while let Some(start) = skip_separators(text.as_bytes(), at, text.len()) {
        let end = value_end(text.as_bytes(), start, text.len());
        if end - blocks.covered() > WHOLE_BYTES {
            push(text, Span::new(blocks.covered(), start), &mut blocks);
            divide(text, Span::new(start, end), &mut blocks);
        }
        at = end;
    }
    push(text, Span::new(blocks.covered(), at), &mut blocks);
    blocks.finish()
}

/// The lines of JSON Lines.
pub(in crate::extract) fn read_lines(text: &str) -> Vec<Block> {
    let mut blocks = Blocks::new(text);
    for line in text::lines(text, Span::new(0, text.len())) {
        blocks.push(BlockKind::Row, line);
    }
    blocks.finish()
}

/// A container that is being divided.
struct Open {
    end: usize,
    at: usize,
    is_object: bool,
    num_members: usize,
    trail: Vec<String>,
    /// Start of the small members that are not yet in a block.
    run_start: Option<usize>,
}

impl Open {
    fn new(text: &str, span: Span, trail: Vec<String>) -> Self {
        let is_object = text.as_bytes()[span.start] == b'{';
        Self { end: span.end, at: span.start + 1, is_object, num_members: 0, trail, run_start: None }
    }
}

/// Appends the blocks of one value. A block begins where the one before ended, so that brackets, keys and commas stay
/// with the member that they introduce.
fn divide(text: &str, value: Span, blocks: &mut Blocks<'_>) {
    let bytes = text.as_bytes();
    blocks.set_trail(no_trail());
    if value.len() <= WHOLE_BYTES || !is_container(bytes, value.start) {
        push(text, value, blocks);
        return;
    }
    let mut stack = vec![Open::new(text, value, Vec::new())];
    loop {
        let may_descend = stack.len() < MAX_DEPTH;
        let Some(open) = stack.last_mut() else { break };
        let Some(member) = next_member(bytes, open) else {
            // What is left, with the closing bracket, belongs to the last members.
            let end = open.end;
            if open.run_start.is_some() {
                blocks.set_trail(open.trail.as_slice().into());
                push(text, Span::new(blocks.covered(), end), blocks);
            }
            stack.pop();
            continue;
        };
        let run_start = *open.run_start.get_or_insert(member.start);
        let is_large = member.value.len() > WHOLE_BYTES && is_container(bytes, member.value.start);
        if member.value.end - run_start <= WHOLE_BYTES && !is_large {
            continue;
        }
        if run_start < member.start {
            blocks.set_trail(open.trail.as_slice().into());
            push(text, Span::new(blocks.covered(), member.start), blocks);
        }
        if is_large && may_descend {
            open.run_start = None;
            let mut trail = open.trail.clone();
            trail.push(member.name(text));
            stack.push(Open::new(text, member.value, trail));
        } else if is_large || member.value.len() > WHOLE_BYTES {
            open.run_start = None;
            blocks.set_trail(open.trail.as_slice().into());
            push(text, Span::new(blocks.covered(), member.value.end), blocks);
        } else {
            open.run_start = Some(member.start);
        }
    }
    push(text, Span::new(blocks.covered(), value.end), blocks);
}

fn push(text: &str, span: Span, blocks: &mut Blocks<'_>) {
    // A lone closing bracket or comma is no block: it goes with the words after it, or becomes a gap at the end.
    let span = Span::new(span.start.max(blocks.covered()), span.end);
    if !span.trimmed(text).is_empty() {
        blocks.push(BlockKind::Code, span);
    }
}

/// One member of an object or array.
struct Member {
    start: usize,
    value: Span,
    key: Option<Span>,
    index: usize,
}

impl Member {
    fn name(&self, text: &str) -> String {
        match self.key.and_then(|key| key.of(text)) {
            Some(key) => label(key.trim_matches('"')),
            None => format!("[{}]", self.index),
        }
    }
}

fn next_member(bytes: &[u8], open: &mut Open) -> Option<Member> {
    let start = skip_separators(bytes, open.at, open.end)?;
    if matches!(bytes[start], b'}' | b']') && start + 1 >= open.end {
        return None;
    }
    let (mut value_start, mut key) = (start, None);
    if open.is_object && bytes[start] == b'"' {
        let key_end = string_end(bytes, start, open.end);
        let colon = skip_white(bytes, key_end, open.end);
        if bytes.get(colon) == Some(&b':') && colon < open.end {
            key = Some(Span::new(start, key_end));
            value_start = skip_white(bytes, colon + 1, open.end);
        }
    }
    let end = value_end(bytes, value_start, open.end);
    open.at = end;
    let index = open.num_members;
    open.num_members += 1;
    Some(Member { start, value: Span::new(value_start.min(end), end), key, index })
}

fn is_container(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at), Some(b'{' | b'['))
}

fn skip_white(bytes: &[u8], at: usize, end: usize) -> usize {
    bytes[at..end].iter().position(|byte| !byte.is_ascii_whitespace()).map_or(end, |offset| at + offset)
}

/// The next byte that is neither white space, comma nor byte order mark; `None` at the end.
fn skip_separators(bytes: &[u8], at: usize, end: usize) -> Option<usize> {
    let is_separator = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | 0xef | 0xbb | 0xbf);
    bytes[at..end].iter().position(|byte| !is_separator(byte)).map(|offset| at + offset)
}

/// The end of the value that begins at `at`: always after `at` where there is a byte left.
fn value_end(bytes: &[u8], at: usize, end: usize) -> usize {
    match bytes[at..end].first() {
        None => end,
        Some(b'"') => string_end(bytes, at, end),
        Some(b'{' | b'[') => container_end(bytes, at, end),
        Some(_) => {
            let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b'{' | b'[' | b'"' | b'\n');
            let offset = bytes[at + 1..end].iter().position(is_end);
            offset.map_or(end, |offset| at + 1 + offset)
        }
    }
}

fn string_end(bytes: &[u8], at: usize, end: usize) -> usize {
    let mut is_escaped = false;
    for (offset, byte) in bytes[at + 1..end].iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1 + offset + 1,
            _ => {}
        }
    }
    end
}

fn container_end(bytes: &[u8], at: usize, end: usize) -> usize {
    let mut depth = 0_usize;
    let mut here = at;
    while here < end {
        match bytes[here] {
            b'"' => {
                here = string_end(bytes, here, end);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return here + 1;
                }
            }
            _ => {}
        }
        here += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks_of(text: &str) -> Vec<(String, &str)> {
        let blocks = read(text);
        blocks.iter().map(|block| (block.trail.join(" > "), block.span.of(text).expect("in range"))).collect()
    }

    #[test]
    fn a_small_value_stays_whole() {
        let text = "{\"latency_ms\": 12, \"ok\": true}\n";
        assert_eq!(blocks_of(text), [(String::new(), text.trim())]);
    }

    #[test]
    fn a_large_value_is_divided_under_its_keys() {
        let note = "word ".repeat(200);
        let text = format!("{{\"id\": 7, \"results\": [{{\"latency\": {{\"note\": \"{note}\", \"p50\": 3}}}}, 1]}}");
        let blocks = blocks_of(&text);
        let trails: Vec<&str> = blocks.iter().map(|(trail, _)| trail.as_str()).collect();
        assert!(trails.contains(&"results > [0] > latency"), "{trails:?}");
        let joined: String = blocks.iter().flat_map(|(_, words)| words.split_whitespace()).collect();
        assert_eq!(joined, text.split_whitespace().collect::<String>());
    }

    #[test]
    fn broken_json_is_never_lost() {
        for text in ["{\"a\": [1, 2", "]]]} {", "{\"a\" 1 \"b\"}", "nul", "\"open", "{,,}", "[\"\\\"]", "é,é"] {
            let joined: String = blocks_of(text).iter().flat_map(|(_, words)| words.split_whitespace()).collect();
            assert_eq!(joined, text.split_whitespace().collect::<String>());
        }
    }

    #[test]
    fn deep_nesting_is_bounded() {
        let text = "[".repeat(200_000) + &"]".repeat(200_000);
        assert!(!blocks_of(&text).is_empty());
    }

    #[test]
    fn every_line_of_json_lines_is_a_row() {
        let blocks = read_lines("{\"a\": 1}\n\n{\"a\": 2}");
        assert_eq!(blocks.len(), 2);
        assert!(blocks.iter().all(|block| block.kind == BlockKind::Row));
    }
}
