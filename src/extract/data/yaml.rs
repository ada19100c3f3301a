//! YAML: the file's own text, divided along its keys by their indentation.
//!
//! A parser would refuse the whole of a file for one template mark or tab in it, and knows no comments; the indentation
//! says where each key ends, whatever its value is.
//!
//! # Invariants
//! - Nothing has to be valid; no recursion, one pass over the lines.

use crate::extract::builder::label;
use crate::extract::data::outline::Outline;
use crate::extract::{Block, BlockKind, text};
use crate::workspace::Span;

/// Lists that begin inside each other on one line; more are words.
const MAX_DASHES: usize = 8;

/// The blocks of a YAML text.
pub(in crate::extract) fn read(text: &str) -> Vec<Block> {
    let is_mark = |line: Span| matches!(text[line.range()].trim_end(), "---") || text[line.range()].starts_with("--- ");
    let whole = Span::new(0, text.len());
    let num_marks = text::lines(text, whole).filter(|line| is_mark(*line)).count();
    let mut outline = Outline::default();
    let mut num_documents = 0;
    let mut num_items: Vec<(usize, usize)> = Vec::new();
    // The level of the key whose value is a text over several lines.
    let mut verbatim: Option<usize> = None;
    // Comments go with what follows them.
    let mut content_end = 0;
    for line in text::lines(text, whole) {
        let words = text[line.range()].trim_end();
        let body = words.trim_start_matches(['\u{feff}', ' ', '\t']);
        let indent = words.len() - body.len();
        if body.is_empty() {
            continue;
        }
        if verbatim.is_some_and(|key| indent > key) {
            content_end = line.end;
            continue;
        }
        verbatim = None;
        if is_mark(line) {
            outline.close(0, content_end);
            num_items.clear();
            num_documents += 1;
            if num_marks > 1 {
                outline.open(0, line.start, format!("document {num_documents}"));
            }
            continue;
        }
        if body.starts_with('#') {
            continue;
        }
        let (mut body, mut indent) = (body, indent);
        // Items may stand at the indentation of their key, so that they are one level deeper than keys.
        for _ in 0..MAX_DASHES {
            let Some(rest) = body.strip_prefix('-').filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
            else {
                break;
            };
            let level = 2 * indent + 2;
            outline.close(level, content_end);
            while num_items.pop_if(|(other, _)| *other > level).is_some() {}
            if num_items.last().is_none_or(|(other, _)| *other < level) {
                num_items.push((level, 0));
            }
            let number = num_items.last_mut().map_or(0, |(_, number)| {
                *number += 1;
                *number - 1
            });
            let inner = rest.trim_start();
            let name = key(inner).filter(|(key, value)| matches!(*key, "name" | "id" | "title") && !value.is_empty());
            let name = name.map_or_else(|| format!("[{number}]"), |(_, value)| label(value.trim_matches(['"', '\''])));
            outline.open(level, line.start, name);
            indent += body.len() - inner.len();
            body = inner;
            if is_verbatim(inner) {
                verbatim = Some(indent.saturating_sub(1));
            }
        }
        if let Some((name, value)) = key(body) {
            let level = 2 * indent + 1;
            outline.close(level, content_end);
            while num_items.pop_if(|(other, _)| *other > level).is_some() {}
            let start = line.start + indent.min(line.len());
            outline.open(
                level,
                if text.is_char_boundary(start) { start } else { line.start },
                label(name.trim_matches(['"', '\''])),
            );
            if is_verbatim(value) {
                verbatim = Some(indent);
            }
        }
        content_end = line.end;
    }
    outline.blocks(text, BlockKind::Code)
}

/// The key that a line begins with, and what stands after it.
fn key(body: &str) -> Option<(&str, &str)> {
    let end = match body.as_bytes().first()? {
        quote @ (b'"' | b'\'') => 2 + body.bytes().skip(1).position(|byte| byte == *quote)?,
        b'{' | b'[' | b'|' | b'>' | b'%' | b'@' | b'`' | b'#' => return None,
        _ => body.match_indices(':').map(|(at, _)| at).find(|at| {
            let next = body.as_bytes().get(at + 1);
            next.is_none_or(u8::is_ascii_whitespace)
        })?,
    };
    let value = body.get(end..)?.strip_prefix(':')?;
    (end > 0 && (value.is_empty() || value.starts_with([' ', '\t']))).then(|| (&body[..end], value.trim()))
}

/// Whether a value is a text over the lines that follow.
fn is_verbatim(value: &str) -> bool {
    let marks = value.trim_start_matches(|c: char| c == '!' || c == '&' || c.is_alphanumeric()).trim_start();
    let marks = marks.strip_prefix(['|', '>']).map(|rest| rest.split('#').next().unwrap_or_default().trim());
    marks.is_some_and(|rest| rest.chars().all(|c| matches!(c, '+' | '-' | '0'..='9')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks_of(text: &str) -> Vec<(String, &str)> {
        let blocks = read(text);
        blocks.iter().map(|block| (block.trail.join(" > "), block.span.of(text).expect("in range"))).collect()
    }

    #[test]
    fn large_values_are_divided_under_their_keys_and_comments_stay() {
        let long = "word ".repeat(100);
        let text = format!(
            "# about\nname: x\njobs:\n  build:\n    # why\n    steps:\n    - name: Test\n      run: |\n        not: a key\n        {long}\n      with:\n        note: {long}\n    - run: b\nlast: 1\n"
        );
        let blocks = blocks_of(&text);
        assert_eq!(blocks[0], (String::new(), "# about\nname: x"));
        let trails: Vec<&str> = blocks.iter().map(|(trail, _)| trail.as_str()).collect();
        assert!(trails.contains(&"jobs > build > steps > Test"), "{trails:?}");
        assert!(trails.contains(&"jobs > build > steps"), "{trails:?}");
        assert!(trails.iter().all(|trail| !trail.contains("not")), "{trails:?}");
        assert!(blocks.iter().any(|(_, words)| words.contains("# why") && words.contains("steps:")));
        assert_eq!(blocks.last().map(|(trail, words)| (trail.as_str(), *words)), Some(("", "last: 1")));
    }

    #[test]
    fn documents_of_one_file_are_numbered() {
        let long = "word ".repeat(100);
        let text = format!("---\na: {long}\nb: 1\n---\na: {long}\nb: 2\n");
        let trails: Vec<String> = blocks_of(&text).into_iter().map(|(trail, _)| trail).collect();
        assert!(trails.contains(&"document 1".to_owned()) && trails.contains(&"document 2".to_owned()), "{trails:?}");
    }

    #[test]
    fn keys_are_told_from_other_words() {
        assert_eq!(key("a b: c"), Some(("a b", "c")));
        assert_eq!(key("\"a: b\": c"), Some(("\"a: b\"", "c")));
        assert_eq!(key("http://x"), None);
        assert_eq!(key("[a: b]"), None);
        assert!(is_verbatim("|-") && is_verbatim("> # note") && !is_verbatim("a | b"));
    }
}
