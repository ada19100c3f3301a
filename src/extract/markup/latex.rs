//! LaTeX: sections, verbatim environments and tables; the text is the file, comments included.
//!
//! # Not here
//! Commands are not interpreted and files are not included; their words are kept as they stand.

use std::sync::Arc;

use crate::extract::builder::{Blocks, Headings, Trail, label};
use crate::extract::{Block, BlockKind, text};
use crate::workspace::Span;

/// The commands of sections, outermost first.
const SECTIONS: [&str; 7] = ["part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph"];
/// A longer argument is not one title.
const MAX_TITLE_BYTES: usize = 2000;

/// The blocks of a LaTeX text, and its title.
pub(in crate::extract) fn read(text: &str) -> (Vec<Block>, Option<String>) {
    let is_document = text.contains("\\begin{document}");
    let mut reader = Reader {
        text,
        blocks: Blocks::new(text),
        headings: Headings::default(),
        title: None,
        body: 0,
        kind: if is_document { BlockKind::Code } else { BlockKind::Prose },
        outside: None,
    };
    let mut at = 0;
    while at < text.len() {
        let end = text::line_end(text, at, text.len());
        at = reader.line(Span::new(at, end)).max(end);
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
    /// What paragraphs are: before the document begins they are settings.
    kind: BlockKind,
    /// The trail to go back to after the abstract.
    outside: Option<Trail>,
}

impl Reader<'_> {
    /// Takes a line; returns the end of what was taken.
    fn line(&mut self, line: Span) -> usize {
        let words = self.text[line.range()].trim_start();
        let start = line.end - words.len();
        let Some(command) = words.strip_prefix('\\') else { return line.end };
        let num_letters = command.bytes().take_while(u8::is_ascii_alphabetic).count();
        let name = &command[..num_letters];
        let after = start + 1 + num_letters;
        if let Some(level) = SECTIONS.iter().position(|section| *section == name) {
            return self.section(level, start, after).unwrap_or(line.end);
        }
        match name {
            "title" => {
                if let Some((title, _)) = argument(self.text, after) {
                    let title = plain(&self.text[title.range()]);
                    self.title.get_or_insert(title).truncate(MAX_TITLE_BYTES);
                }
            }
            "begin" => return self.begin(line, start, after),
            "end" if self.environment(after) == "abstract" => {
                self.flush(line.end);
                if let Some(trail) = self.outside.take() {
                    self.blocks.set_trail(trail);
                }
            }
            _ => {}
        }
        line.end
    }

    fn environment(&self, at: usize) -> &str {
        argument(self.text, at).map_or("", |(name, _)| &self.text[name.range()])
    }

    fn section(&mut self, level: usize, start: usize, after: usize) -> Option<usize> {
        let (title, end) = argument(self.text, after)?;
        self.flush(start);
        (self.kind, self.outside) = (BlockKind::Prose, None);
        let heading = plain(&self.text[title.range()]);
        let trail = self.headings.close(level);
        self.blocks.set_trail(trail);
        self.blocks.push(BlockKind::Heading, Span::new(start, end));
        let trail = self.headings.open(level, heading);
        self.blocks.set_trail(trail);
        self.body = end;
        Some(end)
    }

    /// An environment; what is verbatim or a table is taken to its end.
    fn begin(&mut self, line: Span, start: usize, after: usize) -> usize {
        let name = self.environment(after).to_owned();
        match name.as_str() {
            "document" => {
                self.flush(line.end);
                self.kind = BlockKind::Prose;
            }
            "abstract" => {
                self.flush(start);
                let trail: Vec<String> = self.blocks.trail().iter().cloned().chain(["Abstract".to_owned()]).collect();
                self.outside.get_or_insert(self.blocks.trail());
                self.blocks.set_trail(trail.into());
            }
            "verbatim" | "lstlisting" | "minted" | "Verbatim" | "alltt" => {
                if let Some(end) = self.end_of(&name, line.end) {
                    self.flush(start);
                    self.blocks.push(BlockKind::Code, Span::new(start, end));
                    self.body = end;
                    return end;
                }
            }
            "tabular" | "tabular*" | "tabularx" | "longtable" | "array" => {
                if let Some(end) = self.end_of(&name, line.end) {
                    self.flush(start);
                    self.table(Span::new(start, end));
                    return end;
                }
            }
            _ => {}
        }
        line.end
    }

    /// The end of the line on which the environment ends, within as much as one is long.
    fn end_of(&self, name: &str, from: usize) -> Option<usize> {
        let to = self.text.floor_char_boundary((from + 256 * 1024).min(self.text.len()));
        let at = from + self.text.get(from..to)?.find(&format!("\\end{{{name}}}"))?;
        Some(text::line_end(self.text, at, self.text.len()))
    }

    /// A table: its rows end with `\\`, the first with words names the columns.
    fn table(&mut self, span: Span) {
        let mut start = span.start;
        let mut header: Option<Arc<str>> = None;
        let mut num_rows = 0;
        for line in text::lines(self.text, span) {
            let ends = self.text[line.range()].contains("\\\\");
            if !ends && line.end < span.end {
                continue;
            }
            let row = Span::new(start, line.end);
            self.blocks.push_row(BlockKind::Row, row, header.as_ref().filter(|_| ends));
            if num_rows == 0 {
                header = column_names(&self.text[row.range()]);
            }
            num_rows += 1;
            start = line.end;
        }
        self.body = span.end;
    }

    fn flush(&mut self, end: usize) {
        if self.body < end {
            self.blocks.push_paragraphs(self.kind, Span::new(self.body, end));
        }
        self.body = self.body.max(end);
    }
}

/// The names in the first row of a table, without its rules.
fn column_names(row: &str) -> Option<Arc<str>> {
    let is_rule = |line: &&str| {
        let line = line.trim_start();
        ["\\begin", "\\hline", "\\toprule", "\\cline", "\\caption", "\\label", "\\centering", "%"]
            .iter()
            .any(|rule| line.starts_with(rule))
            && !line.contains('&')
    };
    let words = row.lines().filter(|line| !is_rule(line)).collect::<Vec<_>>().join(" ");
    let fields: Vec<String> = words.split("\\\\").next()?.split('&').map(plain).collect();
    if fields.len() < 2 { None } else { crate::extract::data::delimited::header(&fields) }
}

/// The argument in braces after byte `at`, an optional one and a star before it; and the byte after its brace.
fn argument(text: &str, at: usize) -> Option<(Span, usize)> {
    let end = text.floor_char_boundary((at + MAX_TITLE_BYTES).min(text.len()));
    let rest = text.get(at..end)?;
    let mut open = rest.strip_prefix('*').unwrap_or(rest).trim_start();
    if let Some(optional) = open.strip_prefix('[') {
        open = optional.split_once(']')?.1.trim_start();
    }
    let open = open.strip_prefix('{')?;
    let start = end - open.len();
    let mut depth = 0_usize;
    let mut is_escaped = false;
    for (offset, byte) in open.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some((Span::new(start, start + offset), start + offset + 1)),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The words of a title or cell without commands and braces.
fn plain(words: &str) -> String {
    let mut plain = String::new();
    let mut rest = words;
    while let Some(at) = rest.find(['\\', '{', '}', '~', '%']) {
        plain.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = match rest.as_bytes()[at] {
            b'\\' => {
                let num_letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
                if num_letters == 0 && after.starts_with(['&', '%', '#', '_', '$', '{', '}']) {
                    plain.push_str(&after[..1]);
                    &after[1..]
                } else {
                    plain.push(' ');
                    after[num_letters..].trim_start_matches('\\')
                }
            }
            b'~' => {
                plain.push(' ');
                after
            }
            b'%' => after.split_once('\n').map_or("", |(_, next)| next),
            _ => after,
        };
    }
    plain.push_str(rest);
    label(&plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_environments_and_tables_are_found() {
        let text = "\\documentclass{a}\n\\title{On \\emph{pin} cites \\& more}\n\n\\begin{document}\n\\begin{abstract}\nShort.\n\\end{abstract}\n\\section*{One {\\bf two}} words\n\n% kept\nMore.\n\\begin{verbatim}\n\\section{no}\n\\end{verbatim}\n\\subsection[s]{Deep}\n\\begin{tabular}{ll}\n\\hline\nRun & Time \\\\ \\hline\na & 1 \\\\\nb & 2\n\\end{tabular}\n\\section{End\n";
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
                "Code : \\documentclass{a}\n\\title{On \\emph{pin} cites \\& more}",
                "Code : \\begin{document}",
                "Prose Abstract: \\begin{abstract}\nShort.\n\\end{abstract}",
                "Heading : \\section*{One {\\bf two}}",
                "Prose One two: words",
                "Prose One two: % kept\nMore.",
                "Code One two: \\begin{verbatim}\n\\section{no}\n\\end{verbatim}",
                "Heading One two: \\subsection[s]{Deep}",
                "Row One two > Deep: \\begin{tabular}{ll}\n\\hline\nRun & Time \\\\ \\hline",
                "Row One two > Deep [Run, Time]: a & 1 \\\\",
                "Row One two > Deep: b & 2\n\\end{tabular}",
                "Prose One two > Deep: \\section{End",
            ]
        );
        assert_eq!(title.as_deref(), Some("On pin cites & more"));
    }
}
