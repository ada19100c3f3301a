//! Presentations of `PowerPoint`: the slides in the order of the show, hidden ones too, each with its notes and comments.

use super::frames::Frames;
use super::numbering::Numbering;
use super::page::{Piece, Style};
use super::relations::{Relations, core_title};
use super::story::{Referred, Shapes, State, Story};
use super::styles::Styles;
use super::{charts, document, failed, joined};
use crate::extract::office::package::Package;
use crate::extract::office::xml_events::{Node, Xml};
use crate::extract::{Document, ExtractError, Format, PageUnit};

/// Most slides that are read.
const MAX_SLIDES: usize = 10_000;

/// What stands over the speaker's notes in the trail.
const NOTES: &str = "Speaker notes";

/// Reads a package with a presentation.
pub(super) fn read(package: &mut Package<'_>) -> Result<Document, ExtractError> {
    let root = Relations::of(package, "");
    let main = root.first("officeDocument").filter(|main| package.has(main));
    let main = main.unwrap_or_else(|| "ppt/presentation.xml".to_owned());
    let Some(source) = package.xml(&main) else {
        return Err(failed("the presentation has no list of slides: it is damaged or cut short"));
    };
    let relations = Relations::of(package, &main);
    let ids = slide_ids(&source);
    let authors = authors(package, &relations);
    let mut frames = Frames::new();
    let mut unread_pages = Vec::new();
    let mut num_broken = 0;
    let num_slides = ids.len();
    for (index, id) in ids.into_iter().take(MAX_SLIDES).enumerate() {
        frames.page.open_page();
        let slide = relations.target(&id).map(str::to_owned);
        let source = slide.as_ref().and_then(|slide| package.xml(slide));
        match (slide, source) {
            (Some(slide), Some(source)) => {
                num_broken += usize::from(!read_slide(package, &slide, &source, &authors, &mut frames));
            }
            _ => unread_pages.push(u32::try_from(index + 1).unwrap_or(u32::MAX)),
        }
        frames.page.close_page();
    }
    if !unread_pages.is_empty() && unread_pages.len() == frames.page.pages.len() {
        return Err(failed("no slide of the presentation could be read: it is damaged or cut short"));
    }
    let broken = (num_broken > 0)
        .then(|| format!("the XML of {num_broken} slide(s) is damaged; what stands before the damage was read"));
    let beyond = (num_slides > MAX_SLIDES).then(|| format!("of {num_slides} slides the first {MAX_SLIDES} were read"));
    let title = core_title(package, &root);
    Ok(Document {
        page_unit: PageUnit::Slide,
        unread_pages,
        partial: joined(broken, beyond),
        ..document(Format::Pptx, title, frames.page)
    })
}

/// The relations of the slides, in the order of the show.
fn slide_ids(source: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut xml = Xml::new(source);
    while let Some(node) = xml.next() {
        if let Node::Open(tag) = node
            && tag.name() == "sldId"
            && let Some(id) = tag.prefixed("id")
        {
            ids.push(id);
        }
    }
    ids
}

/// Those who comment, by their ids.
fn authors(package: &mut Package<'_>, relations: &Relations) -> Vec<(String, String)> {
    let parts: Vec<String> =
        ["commentAuthors", "authors"].iter().flat_map(|kind| relations.all(kind)).map(str::to_owned).collect();
    let mut authors = Vec::new();
    for part in parts {
        let source = package.xml(&part).unwrap_or_default();
        let mut xml = Xml::new(&source);
        while let Some(node) = xml.next() {
            if let Node::Open(tag) = node
                && let (Some(id), Some(name)) = (tag.attr("id"), tag.attr("name"))
            {
                authors.push((id, name));
            }
        }
    }
    authors
}

/// Reads a slide; whether it was whole.
fn read_slide(
    package: &mut Package<'_>,
    slide: &str,
    source: &str,
    authors: &[(String, String)],
    frames: &mut Frames,
) -> bool {
    let relations = Relations::of(package, slide);
    let mut referred = Referred::default();
    for (id, kind, target) in relations.iter() {
        let pieces = match kind.as_str() {
            "chart" | "chartEx" => package.xml(&target).map(|source| charts::chart(&source)),
            "diagramData" => package.xml(&target).map(|source| charts::diagram(&source)),
            _ => None,
        };
        if let Some(pieces) = pieces {
            referred.parts.insert(id, pieces);
        }
    }
    let titles = read_shapes(source, Shapes::Titles, frames, &mut referred).0;
    frames.put(Piece::Words(Style::Heading(1), titles.join(" ")));
    let (_, is_whole) = read_shapes(source, Shapes::Content, frames, &mut referred);
    for part in relations.all("comments") {
        if let Some(source) = package.xml(part) {
            charts::comments(&source, authors, frames);
        }
    }
    for part in relations.all("notesSlide") {
        if let Some(source) = package.xml(part) {
            frames.page.set_section(NOTES);
            read_shapes(&source, Shapes::Bodies, frames, &mut Referred::default());
        }
    }
    is_whole
}

fn read_shapes(source: &str, shapes: Shapes, frames: &mut Frames, referred: &mut Referred) -> (Vec<String>, bool) {
    let mut story = Story {
        frames,
        referred,
        styles: &Styles::default(),
        numbering: &mut Numbering::default(),
        is_plain: true,
        shapes,
        titles: Vec::new(),
        state: State::default(),
    };
    let is_whole = story.read(source);
    (story.titles, is_whole)
}
