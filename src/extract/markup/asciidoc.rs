//! `AsciiDoc`: sections by their marks, delimited blocks, tables by row.
//!
//! # Not here
//! Attributes, macros and includes are not interpreted; their words are kept as they stand.

use std::sync::Arc;

use crate::extract::builder::{Blocks, Headings, label};
use crate::extract::{Block, BlockKind, text};
use crate::workspace::Span;

/// The blocks of an `AsciiDoc` text, and its title: the document's, or the first section's.
pub(in crate::extract) fn read(text: &str) -> (Vec<Block>, Option<String>) {
    let mut reader = Reader { text, blocks: Blocks::new(text), headings: Headings::default(), title: None, body: 0 };
    let lines: Vec<Span> = text::lines(text, Span::new(0, text.len())).collect();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let words = reader.words(*line);
        if let Some(level) = heading_level(words) {
            reader.open(level, *line);
        } else if let Some(fence) = fence(words) {
            let is_end = |other: &Span| reader.words(*other) == fence;
            let end = lines[at + 1..].iter().position(is_end).map(|offset| at + 1 + offset);
            match (fence.as_bytes()[0], end) {
                (b'|' | b',' | b':' | b'!', Some(end)) => {
                    reader.flush(line.start);
                    reader.table(&lines[at..=end]);
                    at = end;
                }
                (b'-' | b'.' | b'`' | b'+', Some(end)) => {
                    reader.flush(line.start);
                    reader.blocks.push(BlockKind::Code, Span::new(line.start, lines[end].end));
                    reader.body = lines[end].end;
                    at = end;
                }
                _ => {}
            }
        }
        at += 1;
    }
    reader.flush(text.len());
    (reader.blocks.finish(), reader.title)
}

struct Reader<'t> {
    text: &'t str,
    blocks: Blocks<'t>,
    headings: Headings,
    title: Option<String>,
    /// Where the paragraphs begin that are not yet in blocks.
    body: usize,
}

impl<'t> Reader<'t> {
    fn words(&self, line: Span) -> &'t str {
        self.text[line.range()].trim_start_matches('\u{feff}').trim_end()
    }

    fn flush(&mut self, end: usize) {
        if self.body < end {
            self.blocks.push_paragraphs(BlockKind::Prose, Span::new(self.body, end));
        }
        self.body = self.body.max(end);
    }

    fn open(&mut self, level: usize, line: Span) {
        self.flush(line.start);
        let heading = label(self.words(line).trim_matches(['=', '#', ' ']));
        let trail = self.headings.close(level);
        self.blocks.set_trail(trail);
        self.blocks.push(BlockKind::Heading, line);
        self.title.get_or_insert_with(|| heading.clone());
        let trail = self.headings.open(level, heading);
        self.blocks.set_trail(trail);
        self.body = line.end;
    }

    /// A table with its fences: a row a line, or a row a paragraph where each cell has its line.
    fn table(&mut self, lines: &[Span]) {
        let (first, last) = (lines[0], lines[lines.len() - 1]);
        let inner = &lines[1..lines.len() - 1];
        let has_rows_by_line = inner.iter().any(|line| self.words(*line).match_indices('|').count() > 1)
            || !self.words(first).starts_with('|');
        let mut rows: Vec<Span> = Vec::new();
        let mut follows_blank = true;
        let mut is_first_alone = false;
        for line in inner {
            let words = self.words(*line);
            if words.trim().is_empty() {
                is_first_alone |= rows.len() == 1;
                follows_blank = true;
                continue;
            }
            let begins =
                follows_blank || (has_rows_by_line && (words.contains('|') || !self.words(first).starts_with('|')));
            match rows.last_mut() {
                Some(row) if !begins => *row = Span::new(row.start, line.end),
                _ => rows.push(*line),
            }
            follows_blank = false;
        }
        let header = rows.first().filter(|_| is_first_alone && rows.len() > 1).map(|row| {
            let cells = self.text[row.range()].split('|').map(label).filter(|cell| !cell.is_empty());
            Arc::<str>::from(cells.collect::<Vec<_>>().join(", "))
        });
        for (index, row) in rows.iter().enumerate() {
            // The fence goes with the row beside it.
            let start = if index == 0 { first.start } else { row.start };
            let end = if index + 1 == rows.len() { last.end } else { row.end };
            self.blocks.push_row(BlockKind::Row, Span::new(start, end), header.as_ref().filter(|_| index > 0));
        }
        if rows.is_empty() {
            self.blocks.push(BlockKind::Prose, Span::new(first.start, last.end));
        }
        self.body = last.end;
    }
}

/// The level of the section that a line opens: 0 for `= Title`.
fn heading_level(words: &str) -> Option<usize> {
    let mark = words.chars().next().filter(|c| matches!(c, '=' | '#'))?;
    let num_marks = words.chars().take_while(|c| *c == mark).count();
    let rest = words.get(num_marks..)?;
    (num_marks <= 6 && rest.starts_with([' ', '\t']) && !rest.trim().is_empty()).then_some(num_marks - 1)
}

/// The line that opens a delimited block, and closes it again.
fn fence(words: &str) -> Option<&str> {
    let is_table = matches!(words, "|===" | ",===" | ":===" | "!===");
    let is_code = words.starts_with("```")
        || (words.len() >= 4 && ["----", "....", "++++"].iter().any(|mark| words.starts_with(mark)));
    let first = words.bytes().next()?;
    let is_same = words.bytes().all(|byte| byte == first);
    if words.starts_with("```") && !is_same {
        return Some("```");
    }
    (is_table || (is_code && is_same)).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_code_and_tables_are_found() {
        let text = "= Guide\nAda\n\nIntro.\n\n== Setup\n\n[source,rust]\n----\n== no heading\n\nfn f() {}\n----\n\n|===\n|Run |Time in\nms\n\n|a |1\n|b |2\n|===\n\n=== Deep\n* one\n\n|===\n|x\n|y\n\n|z\n|===\n\n== End\n----\nopen\n";
        let (blocks, title) = read(text);
        let described: Vec<String> = blocks
            .iter()
            .map(|block| {
                let header = block.header.as_deref().map(|header| format!(" [{header}]")).unwrap_or_default();
                let words = block.span.of(text).expect("in range");
                format!("{:?} {}{header}: {words}", block.kind, block.trail.join(" > "))
            })
            .collect();
        assert_eq!(
            described,
            [
                "Heading : = Guide",
                "Prose Guide: Ada",
                "Prose Guide: Intro.",
                "Heading Guide: == Setup",
                "Prose Guide > Setup: [source,rust]",
                "Code Guide > Setup: ----\n== no heading\n\nfn f() {}\n----",
                "Row Guide > Setup: |===\n|Run |Time in\nms",
                "Row Guide > Setup [Run, Time in ms]: |a |1",
                "Row Guide > Setup [Run, Time in ms]: |b |2\n|===",
                "Heading Guide > Setup: === Deep",
                "Prose Guide > Setup > Deep: * one",
                "Row Guide > Setup > Deep: |===\n|x\n|y",
                "Row Guide > Setup > Deep [x, y]: |z\n|===",
                "Heading Guide: == End",
                "Prose Guide > End: ----\nopen",
            ]
        );
        assert_eq!(title.as_deref(), Some("Guide"));
    }
}
