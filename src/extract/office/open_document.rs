//! `OpenDocument` texts and presentations.
//!
//! # Invariants
//! - What tracked changes took out is not read; notes and annotations follow the paragraph or table that they belong to.
//! - Repeated rows and cells are capped: a sheet may say a million.

use super::frames::Frames;
use super::page::Style;
use super::relations::title_in;
use super::table::MAX_SPAN;
use super::{broken_off, document, failed};
use crate::extract::office::package::Package;
use crate::extract::office::xml_events::{Node, Tag, Xml};
use crate::extract::{Document, ExtractError, Format, PageUnit};

/// What stands over the speaker's notes in the trail.
const NOTES: &str = "Speaker notes";

/// Most spaces that one element stands for.
const MAX_SPACES: usize = 200;

/// Most times that a row is repeated.
const MAX_REPEATED_ROWS: usize = 50;

/// Most notes and annotations in one another.
const MAX_NOTES: usize = 16;

/// Reads a package.
pub(super) fn read(package: &mut Package<'_>, format: Format) -> Result<Document, ExtractError> {
    let manifest = package.xml("META-INF/manifest.xml").unwrap_or_default();
    if manifest.contains("encryption-data") || package.has("encrypted-package") {
        return Err(failed("the document is protected by a password"));
    }
    let Some(content) = package.xml("content.xml") else {
        return Err(failed("the OpenDocument file has no content part: it is damaged or cut short"));
    };
    let mut reader = Reader::new(if format == Format::Odp { Part::Slides } else { Part::Text });
    let is_whole = reader.read(&content, "body");
    drop(content);
    if format == Format::Odt
        && let Some(styles) = package.xml("styles.xml")
    {
        reader.frames.page.end_section();
        reader.part = Part::Margins;
        reader.read(&styles, "master-styles");
    }
    let title = package.xml("meta.xml").and_then(|meta| title_in(&meta));
    let page_unit = if format == Format::Odp { PageUnit::Slide } else { PageUnit::Page };
    let partial = broken_off(is_whole);
    Ok(Document { page_unit, partial, ..document(format, title, reader.frames.page) })
}

/// What is done where an element ends.
enum Closing {
    Nothing,
    Paragraph(Style),
    Frame,
    Row(usize),
    Cell(usize),
    List,
    Item,
    Page,
    Note(Style),
    Notes,
    Shape,
}

/// What is read of the package.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Text,
    Slides,
    /// Headers and footers, where headings are paragraphs.
    Margins,
}

struct Reader {
    frames: Frames,
    part: Part,
    /// Whether the marker of each open list was written for its item.
    lists: Vec<bool>,
    in_header_rows: bool,
    is_title: bool,
    num_notes: usize,
    /// The notes that are open: what each says so far.
    open_notes: Vec<Frames>,
    /// Whether words are read: inside of paragraphs.
    num_paragraphs: usize,
}

impl Reader {
    fn new(part: Part) -> Self {
        Self {
            frames: Frames::new(),
            part,
            lists: Vec::new(),
            in_header_rows: false,
            is_title: false,
            num_notes: 0,
            open_notes: Vec::new(),
            num_paragraphs: 0,
        }
    }

    /// Reads what is in the elements `part`; whether the XML was well-formed to its end.
    fn read(&mut self, source: &str, part: &str) -> bool {
        let mut xml = Xml::new(source);
        let mut closings: Vec<Closing> = Vec::new();
        let mut inside_at: Option<usize> = None;
        while let Some(node) = xml.next() {
            match node {
                Node::Open(tag) => {
                    if inside_at.is_none() && tag.name() == part {
                        inside_at = Some(closings.len());
                    }
                    if inside_at.is_none() {
                        closings.push(Closing::Nothing);
                        continue;
                    }
                    match self.open(&tag) {
                        Some(closing) => closings.push(closing),
                        None => xml.skip(),
                    }
                }
                Node::Words(words) => {
                    if self.num_paragraphs > 0 {
                        self.words(&words);
                    }
                }
                Node::Close => {
                    let closing = closings.pop().unwrap_or(Closing::Nothing);
                    self.close(closing);
                    if inside_at.is_some_and(|at| closings.len() <= at) {
                        inside_at = None;
                    }
                }
            }
        }
        !xml.is_broken()
    }

    /// Appends words with their white space collapsed, as the format has it.
    fn words(&mut self, words: &str) {
        let mut collapsed = String::with_capacity(words.len());
        let mut ends_blank =
            self.frames.line().is_some_and(|line| line.is_empty() || line.ends_with([' ', '\n', '\t']));
        for c in words.chars() {
            let is_blank = matches!(c, ' ' | '\t' | '\n' | '\r');
            if !(is_blank && ends_blank) {
                collapsed.push(if is_blank { ' ' } else { c });
            }
            ends_blank = is_blank;
        }
        self.frames.words(&collapsed);
    }

    fn open(&mut self, tag: &Tag<'_>) -> Option<Closing> {
        Some(match tag.name() {
            "tracked-changes"
            | "binary-data"
            | "event-listeners"
            | "forms"
            | "ruby-text"
            | "note-citation"
            | "creator"
            | "date"
            | "date-string"
            | "meta-creator-initials"
            | "sender-initials"
            | "sequence-decls"
            | "variable-decls"
            | "user-field-decls"
            | "desc"
            | "dde-source"
            | "script"
            | "index-title-template"
            | "thumbnail"
            | "decls" => {
                return None;
            }
            "title" if self.num_paragraphs > 0 || self.part == Part::Slides => return None,
            "h" => {
                self.open_paragraph();
                let level = tag.count("outline-level", 9);
                Closing::Paragraph(if self.part == Part::Margins { Style::Prose } else { Style::Heading(level) })
            }
            "p" => {
                self.open_paragraph();
                let is_title =
                    tag.attr("style-name").is_some_and(|style| style == "Title") && self.part != Part::Slides;
                Closing::Paragraph(self.paragraph_style(is_title))
            }
            "s" => {
                self.inline(&" ".repeat(tag.count("c", MAX_SPACES)));
                Closing::Nothing
            }
            "tab" => {
                self.inline("\t");
                Closing::Nothing
            }
            "line-break" => {
                self.inline("\n");
                Closing::Nothing
            }
            "list" => {
                self.lists.push(true);
                Closing::List
            }
            "list-item" | "list-header" => {
                if let Some(is_marked) = self.lists.last_mut() {
                    *is_marked = tag.name() == "list-header";
                }
                Closing::Item
            }
            "table" => {
                self.frames.open_table(true);
                Closing::Frame
            }
            "table-header-rows" => {
                self.in_header_rows = true;
                Closing::Nothing
            }
            "table-row" => {
                self.frames.open_row(self.in_header_rows);
                Closing::Row(tag.count("number-rows-repeated", MAX_REPEATED_ROWS))
            }
            "table-cell" | "covered-table-cell" => {
                self.open_cell(tag);
                Closing::Cell(tag.count("number-columns-repeated", MAX_SPAN))
            }
            "note" | "annotation" => self.open_note(tag),
            _ => self.open_in_slides(tag),
        })
    }

    fn open_cell(&mut self, tag: &Tag<'_>) {
        self.frames.open_cell(1);
        if let Some(cell) = self.frames.cell() {
            cell.is_covered = tag.name() == "covered-table-cell";
            cell.num_covered = tag.count("number-columns-spanned", MAX_SPAN);
        }
    }

    fn open_in_slides(&mut self, tag: &Tag<'_>) -> Closing {
        match tag.name() {
            "page" if self.part == Part::Slides => {
                self.frames.page.open_page();
                Closing::Page
            }
            "notes" if self.part == Part::Slides => {
                self.frames.page.set_section(NOTES);
                Closing::Notes
            }
            "frame" | "custom-shape" if self.part == Part::Slides => {
                self.is_title = tag.attr("class").is_some_and(|class| class == "title");
                Closing::Shape
            }
            _ => Closing::Nothing,
        }
    }

    fn open_paragraph(&mut self) {
        self.num_paragraphs += 1;
        self.frames.open_paragraph();
    }

    fn open_note(&mut self, tag: &Tag<'_>) -> Closing {
        if self.open_notes.len() >= MAX_NOTES {
            return Closing::Nothing;
        }
        let marker = if tag.name() == "note" {
            self.num_notes += 1;
            let marker = format!("[{}]", self.num_notes);
            self.inline(&marker);
            marker
        } else {
            "Comment:".to_owned()
        };
        let outside = std::mem::replace(&mut self.frames, Frames::new());
        self.open_notes.push(outside);
        Closing::Note(Style::Item(marker))
    }

    fn paragraph_style(&mut self, is_title: bool) -> Style {
        if !self.open_notes.is_empty() {
            return Style::Prose;
        }
        if self.is_title {
            return Style::Heading(1);
        }
        if is_title && self.part != Part::Margins {
            return Style::Heading(0);
        }
        let depth = self.lists.len().saturating_sub(1).min(8);
        let is_marked = self.lists.last_mut().is_none_or(|is_marked| std::mem::replace(is_marked, true));
        if is_marked { Style::Prose } else { Style::Item(format!("{}-", "  ".repeat(depth))) }
    }

    fn inline(&mut self, words: &str) {
        if let Some(line) = self.frames.line() {
            line.push_str(words);
        }
    }

    fn close(&mut self, closing: Closing) {
        match closing {
            Closing::Nothing | Closing::Item | Closing::Notes => {}
            Closing::Paragraph(style) => {
                self.num_paragraphs = self.num_paragraphs.saturating_sub(1);
                self.frames.close_paragraph(style);
            }
            Closing::Frame => self.frames.close(),
            Closing::Row(times) => self.frames.close_row(times),
            Closing::Cell(times) => self.frames.close_cell(times),
            Closing::List => drop(self.lists.pop()),
            Closing::Page => self.frames.page.close_page(),
            Closing::Shape => self.is_title = false,
            Closing::Note(style) => {
                if let Some(outside) = self.open_notes.pop() {
                    let note = std::mem::replace(&mut self.frames, outside);
                    let words = note.page.text.replace("\n\n", "\n");
                    if let Style::Item(marker) = style
                        && !words.trim().is_empty()
                    {
                        self.frames.hold(format!("{marker} {words}"));
                    }
                }
            }
        }
    }
}
