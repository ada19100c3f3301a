//! Word documents: body, then headers and footers; notes and comments follow the paragraph or table that refers to them.

use std::collections::HashSet;

use super::frames::Frames;
use super::numbering::Numbering;
use super::page::{Piece, Style};
use super::relations::{Relations, core_title};
use super::story::{Referred, Shapes, State, Story};
use super::styles::Styles;
use super::{broken_off, charts, document, failed, joined};
use crate::extract::office::package::{Package, xml_text};
use crate::extract::office::xml_events::{Node, Xml};
use crate::extract::{Document, ExtractError, Format, markup::html};

/// Most headers and footers that are read.
const MAX_MARGINS: usize = 500;

/// Reads a package with a document of Word.
pub(super) fn read(package: &mut Package<'_>) -> Result<Document, ExtractError> {
    let root = Relations::of(package, "");
    let main = root.first("officeDocument").filter(|main| package.has(main));
    let main = main.unwrap_or_else(|| "word/document.xml".to_owned());
    let Some(body) = package.xml(&main) else {
        return Err(failed("the Word document has no text part: it is damaged or cut short"));
    };
    let relations = Relations::of(package, &main);
    let mut reader = Reader { package, relations, styles: Styles::default(), numbering: Numbering::default() };
    let part = |reader: &mut Reader<'_, '_>, kind| {
        let name = reader.relations.first(kind)?;
        reader.package.xml(&name)
    };
    reader.styles = Styles::read(&part(&mut reader, "styles").unwrap_or_default());
    reader.numbering = Numbering::read(&part(&mut reader, "numbering").unwrap_or_default());
    let mut referred = Referred::default();
    for (part_kind, kind) in [("footnotes", "footnote"), ("endnotes", "endnote"), ("comments", "comment")] {
        if let Some(source) = part(&mut reader, part_kind) {
            reader.read_notes(&source, kind, &mut referred);
        }
    }
    let unread = reader.read_parts(&mut referred);
    let mut frames = Frames::new();
    let is_whole = reader.read_story(&body, &mut frames, &mut referred, false);
    drop(body);
    reader.read_margins(&mut frames);
    let title = core_title(reader.package, &root);
    let partial = joined(broken_off(is_whole), unread);
    Ok(Document { partial, ..document(Format::Docx, title, frames.page) })
}

struct Reader<'p, 'b> {
    package: &'p mut Package<'b>,
    relations: Relations,
    styles: Styles,
    numbering: Numbering,
}

impl Reader<'_, '_> {
    fn read_story(&mut self, source: &str, frames: &mut Frames, referred: &mut Referred, is_plain: bool) -> bool {
        let mut story = Story {
            frames,
            referred,
            styles: &self.styles,
            numbering: &mut self.numbering,
            is_plain,
            shapes: Shapes::All,
            titles: Vec::new(),
            state: State::default(),
        };
        story.read(source)
    }

    /// The words of each note or comment of a part, by its id.
    fn read_notes(&mut self, source: &str, kind: &'static str, referred: &mut Referred) {
        let mut xml = Xml::new(source);
        while let Some(node) = xml.next() {
            let Node::Open(tag) = node else { continue };
            if tag.name() != kind {
                continue;
            }
            // Lines that separate the notes have a type.
            let is_separator = tag.attr("type").is_some_and(|kind| kind != "normal");
            let (id, author) = (tag.attr("id"), tag.attr("author"));
            let from = xml.position();
            xml.skip();
            let Some(id) = id.filter(|_| !is_separator) else { continue };
            // What a note says is a story of its own.
            let inside = source.get(from..xml.position()).unwrap_or_default();
            let inside = inside.rfind("</").map_or(inside, |end| &inside[..end]);
            let mut frames = Frames::new();
            self.read_story(inside, &mut frames, &mut Referred::default(), true);
            let words = frames.page.text.replace("\n\n", "\n");
            if words.trim().is_empty() {
                continue;
            }
            if kind == "comment" {
                let author = author.filter(|author| !author.trim().is_empty());
                let words =
                    author.map_or_else(|| format!("Comment: {words}"), |by| format!("Comment by {by}: {words}"));
                referred.comments.insert(id, words);
            } else {
                referred.notes.insert((kind, id), words);
            }
        }
    }

    /// Reads charts, diagrams and embedded texts; says what could not be read.
    fn read_parts(&mut self, referred: &mut Referred) -> Option<String> {
        let mut num_unread = 0;
        let parts: Vec<(String, String, String)> = self.relations.iter().collect();
        for (id, kind, target) in parts {
            let pieces = match kind.as_str() {
                "chart" | "chartEx" => self.package.xml(&target).map(|source| charts::chart(&source)),
                "diagramData" => self.package.xml(&target).map(|source| charts::diagram(&source)),
                "aFChunk" => {
                    let pieces = self.package.bytes_of(&target).and_then(|bytes| embedded_text(bytes, &target));
                    num_unread += usize::from(pieces.is_none());
                    pieces
                }
                _ => None,
            };
            if let Some(pieces) = pieces {
                referred.parts.insert(id, pieces);
            }
        }
        (num_unread > 0).then(|| format!("{num_unread} embedded document(s) of another type were not read"))
    }

    /// Puts the words of headers and footers at the end, each once.
    fn read_margins(&mut self, frames: &mut Frames) {
        let mut seen = HashSet::new();
        let targets: Vec<String> =
            ["header", "footer"].iter().flat_map(|kind| self.relations.all(kind)).map(str::to_owned).collect();
        frames.page.end_section();
        for target in targets.into_iter().take(MAX_MARGINS) {
            let Some(source) = self.package.xml(&target) else { continue };
            let mut margin = Frames::new();
            self.read_story(&source, &mut margin, &mut Referred::default(), true);
            let words = margin.page.text;
            if words.chars().any(char::is_alphabetic) && seen.insert(words.clone()) {
                for paragraph in words.split("\n\n") {
                    frames.page.push(Piece::Words(Style::Prose, paragraph.to_owned()));
                }
            }
        }
    }
}

/// The paragraphs of a text in another format that stands inside the document.
fn embedded_text(bytes: Vec<u8>, name: &str) -> Option<Vec<Piece>> {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    let text = match extension.as_str() {
        "html" | "htm" | "xhtml" => html::read(&xml_text(bytes))?.text,
        "txt" => xml_text(bytes),
        _ => return None,
    };
    Some(text.split("\n\n").map(|paragraph| Piece::Words(Style::Prose, paragraph.to_owned())).collect())
}
