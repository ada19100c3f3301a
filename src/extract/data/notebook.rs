//! Jupyter notebooks: the cells in order, each with the text that it put out.
//!
//! # Invariants
//! - The text is made here: sources as they were typed, and outputs as one saw them, without colours, pictures and what a
//!   progress bar wrote over.
//! - Headings of Markdown cells trail over the cells below; the last entry of a trail is the cell, `cell 1` first.
//! - A cell that is none is passed over and keeps its number; a notebook of nothing else is a failure.
//! - Of a notebook that is damaged the cells before the damage are read.
//!
//! # Not here
//! HTML outputs: what has one has a plain text beside it.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::extract::data::json_mend;
use crate::extract::markup::markdown::Reader;
use crate::extract::{Block, BlockKind, ExtractError};
use crate::workspace::Span;

/// What is read of a notebook.
pub(in crate::extract) struct Notebook {
    pub text: String,
    pub title: Option<String>,
    pub blocks: Vec<Block>,
    /// Why it is not all there.
    pub partial: Option<String>,
}

/// What a piece of the text is.
enum Part {
    Markdown,
    Code,
    Output,
    Raw,
}

/// A piece of the text, and the cell that it is of, counted from 1.
struct Piece {
    part: Part,
    span: Span,
    cell: u32,
}

/// Whether a JSON text is a notebook: it says its `nbformat`, and it has `cells` or, before version 4, `worksheets`.
pub(in crate::extract) fn is_notebook(json: &str) -> bool {
    #[derive(Deserialize)]
    struct Outline {
        #[serde(rename = "nbformat")]
        _nbformat: u64,
        cells: Option<Vec<IgnoredAny>>,
        worksheets: Option<Vec<IgnoredAny>>,
    }
    let says_so = json.starts_with('{') && json.contains("\"nbformat\"");
    says_so
        && serde_json::from_str::<Outline>(json)
            .is_ok_and(|outline| outline.cells.is_some() || outline.worksheets.is_some())
}

/// Reads a notebook.
///
/// # Errors
/// [`ExtractError::Failed`] where none of its cells can be read.
pub(in crate::extract) fn read(json: &str) -> Result<Notebook, ExtractError> {
    let failed = |reason: String| ExtractError::Failed { reason };
    let json = json.trim_start_matches('\u{feff}');
    let mut damage = None;
    let value: Value = serde_json::from_str(json).or_else(|error| {
        let reason = format!("the notebook is damaged: {error}");
        let mended = json_mend::mended(json, json_mend::place(json, &error));
        damage = Some(reason.clone());
        mended.and_then(|json| serde_json::from_str(&json).ok()).ok_or_else(|| failed(reason))
    })?;
    let mut maker = Maker { text: String::new(), pieces: Vec::new() };
    let (mut num_cells, mut num_read) = (0, 0);
    for cell in cells(&value) {
        num_cells += 1;
        if let Some(cell) = cell.as_object() {
            num_read += 1;
            maker.push_cell(cell, num_cells);
        }
    }
    if num_cells > 0 && num_read == 0 {
        return Err(failed("the notebook is damaged: what it has for cells are none".to_owned()));
    }
    let notebook = maker.finish();
    match damage {
        Some(reason) if notebook.blocks.is_empty() => Err(failed(reason)),
        Some(reason) => {
            Ok(Notebook { partial: Some(format!("{reason}; it was read up to cell {num_cells}")), ..notebook })
        }
        None => Ok(notebook),
    }
}

/// The cells of a notebook of any version, in order.
fn cells(notebook: &Value) -> impl Iterator<Item = &Value> {
    let sheets = notebook.get("worksheets").and_then(Value::as_array).into_iter().flatten();
    let lists = notebook.get("cells").into_iter().chain(sheets.filter_map(|sheet| sheet.get("cells")));
    lists.filter_map(Value::as_array).flatten()
}

struct Maker {
    text: String,
    pieces: Vec<Piece>,
}

impl Maker {
    fn push_cell(&mut self, cell: &Map<String, Value>, number: u32) {
        // Version 3 has its own name for the source of code, and a type for headings.
        let source = cell.get("source").or_else(|| cell.get("input")).map(lines).unwrap_or_default();
        match cell.get("cell_type").and_then(Value::as_str) {
            Some("markdown" | "html") => self.push(Part::Markdown, number, &source),
            Some("heading") => {
                let level = cell.get("level").and_then(Value::as_u64).unwrap_or(1).clamp(1, 6);
                let marks = "######".get(..usize::try_from(level).unwrap_or(1)).unwrap_or("#");
                self.push(Part::Markdown, number, &format!("{marks} {}", source.trim()));
            }
            Some("code") => self.push(Part::Code, number, &source),
            _ => self.push(Part::Raw, number, &source),
        }
        for output in cell.get("outputs").and_then(Value::as_array).into_iter().flatten() {
            if let Some(words) = output_words(output) {
                self.push(Part::Output, number, &words);
            }
        }
    }

    /// Appends `words` after a blank line.
    fn push(&mut self, part: Part, cell: u32, words: &str) {
        let words = words.trim_matches('\n').trim_end();
        if words.trim().is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        let start = self.text.len();
        self.text.push_str(words);
        self.pieces.push(Piece { part, span: Span::new(start, self.text.len()), cell });
    }

    fn finish(self) -> Notebook {
        let mut reader = Reader::new(&self.text);
        let mut cell = 0;
        for piece in &self.pieces {
            if piece.cell != cell {
                cell = piece.cell;
                reader.set_notebook_cell(cell);
            }
            match piece.part {
                Part::Markdown => reader.read(piece.span),
                Part::Code => reader.take_block(BlockKind::Code, piece.span),
                Part::Output => reader.take_paragraphs(BlockKind::Code, piece.span),
                Part::Raw => reader.take_paragraphs(BlockKind::Prose, piece.span),
            }
        }
        let (blocks, title) = reader.finish();
        Notebook { text: self.text, title, blocks, partial: None }
    }
}

/// A text of a notebook: one string, or a list of the lines with their ends.
fn lines(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

/// What one saw of an output in words.
fn output_words(output: &Value) -> Option<String> {
    let words = match output.get("output_type")?.as_str()? {
        "stream" => lines(output.get("text")?),
        "error" | "pyerr" => {
            let part = |name| output.get(name).and_then(Value::as_str).unwrap_or_default();
            format!("{}: {}", part("ename"), part("evalue"))
        }
        // Version 3 has the media beside the type, by short names.
        _ => {
            let media = output.get("data").unwrap_or(output);
            let words = lines(media.get("text/plain").or_else(|| media.get("text"))?);
            let is_stand_in = words.starts_with('<') && words.ends_with('>') && !words.contains('\n');
            let has_more = media.as_object().is_some_and(|media| media.keys().any(|name| is_shown(name)));
            if is_stand_in && has_more {
                return None;
            }
            words
        }
    };
    Some(as_seen(&words))
}

/// Whether a medium is shown instead of the plain text, which is then `<Figure size 640x480 with 1 Axes>` or the like.
fn is_shown(medium: &str) -> bool {
    let is_picture = medium.starts_with("image/") || matches!(medium, "png" | "jpeg" | "svg");
    is_picture || matches!(medium, "text/html" | "html" | "application/javascript" | "javascript")
}

/// `words` as a terminal shows them: without escape sequences, and of each line what was written over it last.
fn as_seen(words: &str) -> String {
    let plain = if words.contains('\u{1b}') { without_escapes(words) } else { words.to_owned() };
    if !plain.contains('\r') {
        return plain;
    }
    let shown = plain.split_inclusive('\n').map(|line| {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        let line = line.trim_end_matches('\r');
        [line.rsplit('\r').next().unwrap_or(line), end].concat()
    });
    shown.collect()
}

/// Drops the control sequences of ECMA-48: `ESC [ … letter`, `ESC ] … BEL` and the short ones.
fn without_escapes(words: &str) -> String {
    let mut plain = String::with_capacity(words.len());
    let mut rest = words;
    while let Some((before, sequence)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = match sequence.as_bytes().first() {
            Some(b'[') => {
                let parameters = sequence[1..].bytes().take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
                let after = &sequence[1 + parameters..];
                after.strip_prefix(|c: char| matches!(c, '@'..='~')).unwrap_or(after)
            }
            Some(b']') => {
                // Only within its line: one that is not closed does not swallow the output.
                let line_end = sequence.find('\n').unwrap_or(sequence.len());
                let end = sequence[..line_end].find(['\u{7}', '\u{1b}']).unwrap_or(0);
                let after = &sequence[end.max(1)..];
                after.strip_prefix('\u{7}').or_else(|| after.strip_prefix("\u{1b}\\")).unwrap_or(after)
            }
            _ => {
                let after = sequence.trim_start_matches(|c: char| matches!(c, ' '..='/'));
                after.strip_prefix(|c: char| matches!(c, '0'..='~')).unwrap_or(after)
            }
        };
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::extract::{Document, Format, Hints, extract, tests::check};

    fn document(notebook: &Value) -> Document {
        let bytes = serde_json::to_vec(notebook).expect("JSON");
        let document = extract(&bytes, Hints { file_name: "run.ipynb" }).expect("read");
        check(&document);
        assert_eq!((document.format, document.has_file_lines), (Format::Notebook, false));
        document
    }

    fn described(document: &Document) -> Vec<String> {
        let describe = |block: &Block| {
            let words = block.span.of(&document.text).expect("in range");
            format!("{:?} {}: {words}", block.kind, block.trail.join(" > "))
        };
        document.blocks.iter().map(describe).collect()
    }

    fn code(outputs: &Value) -> Value {
        json!({"nbformat": 4, "cells": [{"cell_type": "code", "source": "f()", "outputs": outputs}]})
    }

    #[test]
    fn headings_trail_over_the_cells_below_and_every_block_names_its_cell() {
        let document = document(&json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
            {"cell_type": "markdown", "source": ["# Latency\n", "\n", "Over *three* runs."]},
            {"cell_type": "code", "source": "import t\n\nt.run()\n", "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["12 ms\n", "\n", "13 ms\n"]}]},
            {"cell_type": "markdown", "source": "## Result\n- one\n- two"},
            {"cell_type": "code", "source": "", "outputs": []},
            {"cell_type": "raw", "source": "raw words"}]}));
        assert_eq!(
            described(&document),
            [
                "Heading cell 1: # Latency",
                "Prose Latency > cell 1: Over *three* runs.",
                "Code Latency > cell 2: import t\n\nt.run()",
                "Code Latency > cell 2: 12 ms",
                "Code Latency > cell 2: 13 ms",
                "Heading Latency > cell 3: ## Result",
                "Prose Latency > Result > cell 3: - one",
                "Prose Latency > Result > cell 3: - two",
                "Prose Latency > Result > cell 5: raw words",
            ]
        );
        assert_eq!(document.title.as_deref(), Some("Latency"));
        assert!(
            document.text.starts_with("# Latency\n\nOver *three* runs.\n\nimport t\n\nt.run()\n\n12 ms\n\n13 ms\n\n##")
        );
    }

    #[test]
    fn outputs_are_their_words_and_no_pictures() {
        let document = document(&code(&json!([
            {"output_type": "execute_result", "data": {"text/plain": ["   a\n", "0  1"], "text/html": "<table>"}},
            {"output_type": "display_data", "data": {"text/plain": "<Figure size 9x9>", "image/png": "iVBORw0KGgo="}},
            {"output_type": "execute_result", "data": {"text/plain": "<Response [200]>"}},
            {"output_type": "error", "ename": "KeyError", "evalue": "'ms'", "traceback": ["long"]},
        ])));
        assert_eq!(document.text, "f()\n\n   a\n0  1\n\n<Response [200]>\n\nKeyError: 'ms'");
    }

    #[test]
    fn colours_are_dropped_and_a_progress_bar_is_its_last_state() {
        let stream = json!([{"output_type": "stream", "text":
            "\u{1b}[1;31mred\u{1b}[0m \u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{1b}\\ \u{1b}(Bx\r\n10%\r90%\r100%\nend\u{1b}[\u{1b}"}]);
        assert_eq!(document(&code(&stream)).text, "f()\n\nred link x\n100%\nend");
    }

    #[test]
    fn a_notebook_of_version_3_has_worksheets() {
        let document = document(&json!({"nbformat": 3, "worksheets": [{"cells": [
            {"cell_type": "heading", "level": 2, "source": ["Setup"]},
            {"cell_type": "code", "input": ["x = 1"], "outputs": [{"output_type": "pyout", "text": ["1"], "png": "aaaa"}]},
        ]}, {"cells": [{"cell_type": "markdown", "source": "End."}]}]}));
        assert_eq!(
            described(&document),
            [
                "Heading cell 1: ## Setup",
                "Code Setup > cell 2: x = 1",
                "Code Setup > cell 2: 1",
                "Prose Setup > cell 3: End."
            ]
        );
    }

    #[test]
    fn a_damaged_notebook_fails_with_the_reason_or_is_read_as_far_as_it_makes_sense() {
        let reason = |text: &str| match extract(text.as_bytes(), Hints { file_name: "a.ipynb" }) {
            Err(ExtractError::Failed { reason }) => reason,
            other => panic!("{other:?}"),
        };
        let whole = r#"{"nbformat": 4, "cells": [{"source": "kept", "outputs": []}, {"source": "wörds"}]}"#;
        let kept = whole.find("kept\",").expect("it is there") + "kept\",".len();
        for end in (1..whole.len()).filter(|&end| whole.is_char_boundary(end)) {
            if end < kept {
                assert!(reason(&whole[..end]).starts_with("the notebook is damaged: "));
                continue;
            }
            let part = extract(&whole.as_bytes()[..end], Hints { file_name: "a.ipynb" }).expect("read");
            check(&part);
            assert!(part.text.starts_with("kept"), "{}", part.text);
            let partial = part.partial.expect("said");
            assert!(partial.starts_with("the notebook is damaged: ") && partial.contains("it was read up to cell "));
        }
        assert!(reason(&"{\"a\":".repeat(100_000)).contains("recursion"));
        assert!(reason(r#"{"nbformat": 4, "cells": [1, null, "x"]}"#).contains("none"));
        let odd = document(&json!({"nbformat": 4, "cells": [7, {"source": ["kept", 3, null]}, {"cell_type": "code",
            "source": {"a": 1}, "outputs": {"b": 2}}, {"cell_type": "code", "outputs": [1, {"output_type": 3}, {}]}]}));
        assert_eq!(described(&odd), ["Prose cell 2: kept"]);
        assert!(document(&json!({"nbformat": 4, "cells": []})).blocks.is_empty());
    }
}
