//! TOML: the file's own text, divided along its tables and keys.
//!
//! # Invariants
//! - Nothing has to be valid: lines are looked at one by one, and values over several lines are skipped.

use crate::extract::builder::label;
use crate::extract::data::outline::Outline;
use crate::extract::{Block, BlockKind, text};
use crate::workspace::Span;

/// The blocks of a TOML text.
pub(in crate::extract) fn read(text: &str) -> Vec<Block> {
    let mut outline = Outline::default();
    let mut value = Value::default();
    // Comments go with what follows them.
    let mut content_end = 0;
    for line in text::lines(text, Span::new(0, text.len())) {
        let words = text[line.range()].trim_start_matches('\u{feff}').trim();
        if value.is_open() {
            value.go_on(words);
            content_end = line.end;
            continue;
        }
        if let Some(name) = words.strip_prefix('[') {
            outline.close(0, content_end);
            let name = name.trim_start_matches('[');
            let name = name.split_once(']').map_or(name, |(name, _)| name);
            outline.open(0, line.start, label(name));
        } else if let Some((name, rest)) = words.split_once('=')
            && !words.starts_with('#')
        {
            outline.close(1, content_end);
            outline.open(1, line.start, label(name.trim().trim_matches('"')));
            value.go_on(rest);
        }
        if !words.is_empty() && !words.starts_with('#') {
            content_end = line.end;
        }
    }
    outline.blocks(text, BlockKind::Code)
}

/// A value that may go over several lines.
#[derive(Default)]
struct Value {
    /// Brackets that are open.
    depth: usize,
    /// The three quotes that end the text that is open.
    quote: Option<&'static str>,
}

impl Value {
    const fn is_open(&self) -> bool {
        self.depth > 0 || self.quote.is_some()
    }

    fn go_on(&mut self, mut rest: &str) {
        loop {
            if let Some(quote) = self.quote {
                let Some((_, after)) = rest.split_once(quote) else { return };
                self.quote = None;
                rest = after;
                continue;
            }
            let Some(at) = rest.find(['"', '\'', '[', ']', '#']) else { return };
            let (mark, after) = (rest.as_bytes()[at], &rest[at + 1..]);
            rest = after;
            match mark {
                b'[' => self.depth += 1,
                b']' => self.depth = self.depth.saturating_sub(1),
                b'#' => return,
                b'"' if after.starts_with("\"\"") => (self.quote, rest) = (Some("\"\"\""), &after[2..]),
                b'\'' if after.starts_with("''") => (self.quote, rest) = (Some("'''"), &after[2..]),
                quote => {
                    let mut is_escaped = false;
                    let end = after.bytes().position(|byte| {
                        let is_end = byte == quote && !is_escaped;
                        is_escaped = byte == b'\\' && quote == b'"' && !is_escaped;
                        is_end
                    });
                    rest = end.map_or("", |end| &after[end + 1..]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_keys_divide_the_text() {
        let long = "word ".repeat(60);
        let text = format!(
            "# about\nname = \"x\"\n\n[a.b] # note\nlist = [\n  \"[no]\", # ]\n  [1],\n]\ntext = \"\"\"\n[no]\n{long}\"\"\"\nother = '{long}'\n\n[[c]]\nd = 1\n"
        );
        let blocks = read(&text);
        let described: Vec<(String, &str)> = blocks
            .iter()
            .map(|block| {
                (block.trail.join(" > "), block.span.of(&text).expect("in range").lines().next().unwrap_or(""))
            })
            .collect();
        let expected = [("", "# about"), ("a.b", "[a.b] # note"), ("a.b", "other = '"), ("", "[[c]]")];
        assert_eq!(described.len(), expected.len(), "{described:?}");
        for ((trail, line), (expected_trail, start)) in described.iter().zip(expected) {
            assert!(trail == expected_trail && line.starts_with(start), "{described:?}");
        }
    }
}
