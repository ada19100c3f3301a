//! A run of paragraphs and tables in the XML of Word and of `PowerPoint`, which share most names.
//!
//! # Invariants
//! - What tracked changes took out, field codes and the second writing of a drawing for old programs are not read.
//! - One pass, no recursion: for each open element one entry on a stack.
//!
//! # Not here
//! Finding the parts of a package: `word` and `slides` hand over what a story refers to.

use std::collections::HashMap;

use super::frames::Frames;
use super::math::Math;
use super::numbering::Numbering;
use super::page::{Piece, Style};
use super::styles::{ParagraphLook, Styles};
use super::symbols;
use super::table::MAX_SPAN;
use crate::extract::office::xml_events::{Node, Tag, Xml};

/// What is done where an element ends.
enum Closing {
    Nothing,
    Paragraph,
    Frame,
    Text,
    Alternatives,
    Shape,
    Math,
}

/// What a shape of a slide is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placeholder {
    Title,
    Body,
    /// The number of the slide, which the page has anyway.
    Number,
    Other,
}

/// Which shapes of a slide are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Shapes {
    /// All: this is no slide.
    #[default]
    All,
    /// The titles alone, into [`Story::titles`].
    Titles,
    /// All but titles.
    Content,
    /// Bodies alone, as of notes.
    Bodies,
}

/// Things outside of a story that it refers to.
#[derive(Default)]
pub(super) struct Referred {
    /// Footnotes and endnotes by kind and id.
    pub(super) notes: HashMap<(&'static str, String), String>,
    /// Comments by id.
    pub(super) comments: HashMap<String, String>,
    /// Charts, diagrams and the like by the id of their relation.
    pub(super) parts: HashMap<String, Vec<Piece>>,
    num_notes: usize,
}

/// What reads a story, and where it puts it.
pub(super) struct Story<'s> {
    pub(super) frames: &'s mut Frames,
    pub(super) referred: &'s mut Referred,
    pub(super) styles: &'s Styles,
    pub(super) numbering: &'s mut Numbering,
    /// Whether headings are paragraphs: in headers and footers.
    pub(super) is_plain: bool,
    pub(super) shapes: Shapes,
    pub(super) titles: Vec<String>,
    pub(super) state: State,
}

/// Where a story is.
#[derive(Default)]
pub(super) struct State {
    looks: Vec<ParagraphLook>,
    /// For each set of alternatives that is open, whether one was read.
    chosen: Vec<bool>,
    /// For each field that is open, whether its code is being read.
    fields: Vec<bool>,
    is_text: bool,
    math: Math,
    shape: Option<Placeholder>,
    /// Numbers of a slide's numbered paragraphs, by level.
    slide_numbers: [u32; 9],
}

impl Story<'_> {
    /// Reads a part; whether it was well-formed to its end.
    pub(super) fn read(&mut self, source: &str) -> bool {
        let mut xml = Xml::new(source);
        let mut closings: Vec<Closing> = Vec::new();
        while let Some(node) = xml.next() {
            match node {
                Node::Open(tag) => match self.open(&tag) {
                    Some(closing) => closings.push(closing),
                    None => xml.skip(),
                },
                Node::Words(words) => self.words(&words),
                Node::Close => self.close(&closings.pop().unwrap_or(Closing::Nothing)),
            }
        }
        !xml.is_broken()
    }

    fn words(&mut self, words: &str) {
        let is_code = self.state.fields.contains(&true);
        if self.state.is_text && !is_code {
            self.frames.words(words);
        }
    }

    /// What closes the element; `None` where it is not read.
    fn open(&mut self, tag: &Tag<'_>) -> Option<Closing> {
        if self.state.math.is_open()
            && let Some(is_read) = self.state.math.open(tag, self.frames)
        {
            return is_read.then_some(Closing::Math);
        }
        match tag.name() {
            "rPr" | "rt" | "tblGrid" | "tblPrEx" | "sdtPr" | "sdtEndPr" | "moveFrom" | "instrText" | "delText"
            | "delInstrText" | "ffData" | "extLst" | "endParaRPr" | "pPrChange" | "trPrChange" | "tblPrChange"
            | "sectPr" | "binData" | "tabs" | "lstStyle" => return None,
            "del" => {
                if let Some(row) = self.frames.row() {
                    row.is_deleted = true;
                }
                return None;
            }
            "p" => {
                self.frames.open_paragraph();
                self.state.looks.push(ParagraphLook::default());
                return Some(Closing::Paragraph);
            }
            "t" => {
                self.state.is_text = true;
                return Some(Closing::Text);
            }
            "oMath" => {
                self.state.math.begin();
                return Some(Closing::Math);
            }
            "AlternateContent" => {
                self.state.chosen.push(false);
                return Some(Closing::Alternatives);
            }
            "Choice" | "Fallback" => {
                let chosen = self.state.chosen.last_mut()?;
                if std::mem::replace(chosen, true) {
                    return None;
                }
            }
            "sp" => {
                self.state.shape = None;
                self.state.slide_numbers = [0; 9];
                return Some(Closing::Shape);
            }
            "ph" => self.state.shape = Some(placeholder(tag)),
            "tbl" => {
                self.frames.open_table(self.shapes == Shapes::All);
                return Some(Closing::Frame);
            }
            "tr" => {
                self.frames.open_row(false);
                return Some(Closing::Frame);
            }
            "tc" => {
                self.frames.open_cell(1);
                if let Some(cell) = self.frames.cell() {
                    cell.is_below = tag.is_on("vMerge");
                    cell.is_beside = tag.is_on("hMerge");
                }
                return Some(Closing::Frame);
            }
            name => self.open_other(name, tag),
        }
        Some(Closing::Nothing)
    }

    /// Elements that are read where they begin.
    fn open_other(&mut self, name: &str, tag: &Tag<'_>) {
        match name {
            "tab" | "ptab" => self.inline("\t"),
            "br" | "cr" => self.inline("\n"),
            "noBreakHyphen" => self.inline("-"),
            "sym" => {
                let char = tag.attr("char").and_then(|code| u32::from_str_radix(&code, 16).ok());
                let font = tag.attr("font").unwrap_or_default();
                if let Some(symbol) = char.and_then(|code| symbols::symbol(code, &font)) {
                    self.inline(symbol.encode_utf8(&mut [0; 4]));
                }
            }
            "textpath" => {
                if let Some(words) = tag.attr("string") {
                    self.inline(&words);
                }
            }
            "fldChar" => match tag.attr("fldCharType").as_deref() {
                Some("begin") => self.state.fields.push(true),
                Some("separate") => {
                    if let Some(is_code) = self.state.fields.last_mut() {
                        *is_code = false;
                    }
                }
                _ => drop(self.state.fields.pop()),
            },
            "footnoteReference" => self.refer_to_note("footnote", tag),
            "endnoteReference" => self.refer_to_note("endnote", tag),
            "commentReference" => {
                let comment = tag.attr("id").and_then(|id| self.referred.comments.remove(&id));
                if let Some(words) = comment {
                    self.frames.hold(words);
                }
            }
            "chart" | "altChunk" => self.put_part(tag.prefixed("id")),
            "relIds" => self.put_part(tag.attr("dm")),
            _ => self.open_property(name, tag),
        }
    }

    /// Elements that say something of the paragraph, table, row or cell that is open.
    fn open_property(&mut self, name: &str, tag: &Tag<'_>) {
        let is_no = tag.attr("val").is_some_and(|value| matches!(value.as_str(), "0" | "false" | "off"));
        match name {
            "tblPr" | "tblLook" => {
                let says = tag.attr("firstRow").or_else(|| (self.shapes != Shapes::All).then(String::new));
                let bits = tag.attr("val").and_then(|value| u32::from_str_radix(&value, 16).ok());
                if let Some(table) = self.frames.table() {
                    if let Some(says) = says {
                        table.has_header_look = matches!(says.as_str(), "1" | "true" | "on");
                    } else if let Some(bits) = bits {
                        table.has_header_look = bits & 0x20 != 0;
                    }
                }
            }
            "tblHeader" => {
                if let Some(row) = self.frames.row() {
                    row.is_header = !is_no;
                }
            }
            "gridSpan" => {
                if let Some(cell) = self.frames.cell() {
                    cell.num_columns = tag.count("val", MAX_SPAN);
                }
            }
            "vMerge" | "hMerge" => {
                let goes_on = tag.attr("val").is_none_or(|value| value == "continue");
                if let Some(cell) = self.frames.cell() {
                    if name == "vMerge" {
                        cell.is_below = goes_on;
                    } else {
                        cell.is_beside = goes_on;
                    }
                }
            }
            _ => {
                if let Some(look) = self.state.looks.last_mut() {
                    look.take(tag);
                }
            }
        }
    }

    /// Words that are an element of their own, in a paragraph.
    fn inline(&mut self, words: &str) {
        if self.state.fields.contains(&true) {
            return;
        }
        if let Some(line) = self.frames.line() {
            line.push_str(words);
        }
    }

    fn refer_to_note(&mut self, kind: &'static str, tag: &Tag<'_>) {
        let Some(words) = tag.attr("id").and_then(|id| self.referred.notes.remove(&(kind, id))) else { return };
        self.referred.num_notes += 1;
        let marker = format!("[{}]", self.referred.num_notes);
        self.inline(&marker);
        self.frames.hold(format!("{marker} {words}"));
    }

    fn put_part(&mut self, id: Option<String>) {
        if self.shapes == Shapes::Titles {
            return;
        }
        let pieces = id.and_then(|id| self.referred.parts.remove(&id));
        for piece in pieces.into_iter().flatten() {
            self.frames.put(piece);
        }
    }

    fn close(&mut self, closing: &Closing) {
        match closing {
            Closing::Nothing => {}
            Closing::Text => self.state.is_text = false,
            Closing::Frame => self.frames.close(),
            Closing::Alternatives => drop(self.state.chosen.pop()),
            Closing::Shape => self.state.shape = None,
            Closing::Math => self.state.math.close(self.frames),
            Closing::Paragraph => {
                // A field that is not closed does not swallow what follows.
                self.state.fields.fill(false);
                let look = self.state.looks.pop().unwrap_or_default();
                let style = self.style(&look);
                self.frames.close_paragraph(style);
            }
        }
    }

    fn style(&mut self, look: &ParagraphLook) -> Style {
        if self.shapes != Shapes::All {
            return self.slide_style(look);
        }
        let role = self.styles.role(look);
        let marker = role.list.as_deref().map(|list| {
            let marker = self.numbering.next_marker(list, role.list_level, role.list_style.as_deref());
            (marker, role.list_level)
        });
        let level = if role.is_title { Some(0) } else { role.heading_level };
        if let Some(level) = level.filter(|_| !self.is_plain) {
            let number = marker.map(|(marker, _)| marker).filter(|marker| !matches!(marker.as_str(), "" | "-"));
            if let (Some(number), Some(line)) = (number, self.frames.line())
                && !line.trim().is_empty()
            {
                *line = format!("{number} {}", line.trim_start());
            }
            return Style::Heading(level);
        }
        match marker {
            Some((marker, level)) if !marker.is_empty() => Style::Item(format!("{}{marker}", "  ".repeat(level))),
            _ => Style::Prose,
        }
    }

    fn slide_style(&mut self, look: &ParagraphLook) -> Style {
        let placeholder = self.state.shape;
        let is_read = match self.shapes {
            Shapes::All => true,
            Shapes::Titles => placeholder == Some(Placeholder::Title),
            Shapes::Content => !matches!(placeholder, Some(Placeholder::Title | Placeholder::Number)),
            Shapes::Bodies => placeholder == Some(Placeholder::Body),
        };
        let line = self.frames.line();
        let is_blank = line.as_ref().is_none_or(|line| line.trim().is_empty());
        if !is_read || self.shapes == Shapes::Titles {
            let words = line.map(std::mem::take).unwrap_or_default();
            if is_read && !is_blank {
                self.titles.push(words);
            }
            return Style::Prose;
        }
        let level = look.place.level.unwrap_or(0).min(8);
        self.state.slide_numbers[level + 1..].fill(0);
        let is_listed = look.place.list.as_deref();
        let marker = match is_listed {
            Some("auto") if !is_blank => {
                self.state.slide_numbers[level] = self.state.slide_numbers[level].saturating_add(1);
                format!("{}.", self.state.slide_numbers[level])
            }
            Some("bullet") => "-".to_owned(),
            None if placeholder == Some(Placeholder::Body) && self.shapes == Shapes::Content => "-".to_owned(),
            _ => return Style::Prose,
        };
        Style::Item(format!("{}{marker}", "  ".repeat(level)))
    }
}

fn placeholder(tag: &Tag<'_>) -> Placeholder {
    match tag.attr("type").as_deref() {
        Some("title" | "ctrTitle") => Placeholder::Title,
        Some("body" | "obj") | None => Placeholder::Body,
        Some("sldNum" | "sldImg") => Placeholder::Number,
        Some(_) => Placeholder::Other,
    }
}
