//! Documents by their blocks: headings, paragraphs, pages, cells, and rows as tables.

use maud::{Markup, html};

use super::marked::{Marks, marked};
use super::{Window, table};
use crate::engine::Source;
use crate::extract::{Block, BlockKind, Document, PageUnit};
use crate::workspace::Cell;

/// Levels of headings that look different.
const MAX_LEVEL: usize = 4;

/// Shows the blocks of the window.
pub(super) fn shown(source: &Source, window: Window, marks: &Marks) -> Markup {
    let document = &source.document;
    let first = document.blocks.partition_point(|block| block.span.end <= window.start);
    let mut blocks: Vec<Block> =
        document.blocks[first..].iter().take_while(|block| block.span.start < window.end).cloned().collect();
    // A block may be longer than the window.
    for block in &mut blocks {
        (block.span.start, block.span.end) = (block.span.start.max(window.start), block.span.end.min(window.end));
    }
    let mut parts: Vec<Markup> = Vec::new();
    let (mut page, mut cell) = (None, None);
    let mut rest = blocks.as_slice();
    while let Some(block) = rest.first() {
        let on = document.page(block.span);
        if on != page {
            page = on;
            parts.extend(on.map(|number| page_line(document, number)));
        }
        let of = label_of(block.cell.as_ref());
        if of != cell {
            parts.extend(of.iter().map(|label| html! { p.cell { (label) } }));
            cell = of;
        }
        let num_rows = table::num_rows(rest, document.page_unit, |block| document.page(block.span));
        if num_rows > 0 {
            parts.push(table::shown(source, &rest[..num_rows], marks));
            rest = &rest[num_rows..];
        } else {
            parts.push(shown_block(document, block, marks));
            rest = &rest[1..];
        }
    }
    html! { div.blocks { @for part in parts { (part) } } }
}

fn page_line(document: &Document, number: u32) -> Markup {
    let unit = match document.page_unit {
        PageUnit::Page => "Page",
        PageUnit::Slide => "Slide",
    };
    html! { p.page id={ "page-" (number) } { (unit) " " (number) } }
}

/// What a cell is called above its blocks; `None` where rows carry their own numbers.
fn label_of(cell: Option<&Cell>) -> Option<String> {
    match cell {
        Some(Cell::Notebook { number }) => Some(format!("Cell {number}")),
        Some(Cell::Row { sheet, .. }) => Some(format!("Sheet {sheet}")),
        None => None,
    }
}

fn shown_block(document: &Document, block: &Block, marks: &Marks) -> Markup {
    let words = marked(&document.text, block.span.range(), marks);
    match block.kind {
        BlockKind::Heading => {
            let level = (block.trail.len() + 1).min(MAX_LEVEL);
            html! { p class={ "heading level-" (level) } dir="auto" { (words) } }
        }
        BlockKind::Prose => html! { p.prose dir="auto" { (words) } },
        BlockKind::Code | BlockKind::LogLine => html! { pre { (words) } },
        BlockKind::Row => html! { p.row dir="auto" { (words) } },
    }
}
