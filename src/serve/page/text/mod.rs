//! A document as HTML, with marks at exact bytes.
//!
//! # Invariants
//! - What is shown is the text that spans point into, in its order; Markdown alone is shown without its signs, and its words stand for
//!   the bytes that they were read from.
//! - Every character comes from an escaped value.

mod blocks;
mod lines;
pub(super) mod markdown;
pub(super) mod marked;
mod table;
mod window;

use maud::{Markup, html};

use self::marked::Marks;
pub(super) use self::window::Window;
use crate::engine::Source;
use crate::extract::{BlockKind, Format};

/// The part of a document that is in the window, in the form that suits its format.
pub(super) fn document(source: &Source, window: Window, marks: &Marks) -> Markup {
    let document = &source.document;
    let is_table = || document.blocks.iter().any(|block| block.kind == BlockKind::Row);
    let body = match document.format {
        Format::Markdown => markdown::shown(source, window, marks),
        Format::Csv | Format::Tsv | Format::Spreadsheet if is_table() => blocks::shown(source, window, marks),
        _ if document.has_file_lines => lines::shown(source, window, marks),
        _ => blocks::shown(source, window, marks),
    };
    html! { div.document { (body) } }
}
