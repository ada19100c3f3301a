//! Texts by their lines, with the numbers that they have in the file.

use maud::{Markup, html};

use super::Window;
use super::marked::{Marks, marked};
use crate::engine::Source;
use crate::extract::Format;
use crate::workspace::Span;

/// Shows whole lines of the window.
pub(super) fn shown(source: &Source, window: Window, marks: &Marks) -> Markup {
    let text = &source.document.text;
    // A window may begin behind the indentation of its first line.
    let start = window.line_start(text);
    let start = if text[start..window.start].trim().is_empty() { start } else { window.start };
    let first = source.lines(Span::new(start, start)).map_or(1, |lines| lines.start);
    let is_code = !matches!(source.document.format, Format::Text | Format::Log | Format::Rst | Format::Asciidoc);
    let mut number = first;
    let mut at = start;
    let mut lines = Vec::new();
    while at < window.end {
        let end = text[at..window.end].find('\n').map_or(window.end, |length| at + length);
        lines.push((number, at..end));
        number = number.saturating_add(1);
        at = end + 1;
    }
    html! {
        div.lines.code[is_code] {
            @for (number, range) in lines {
                div.line.at[marks.touches(&range)] {
                    span.number data-number=(number) {}
                    span.words dir="auto" { (marked(text, trimmed(text, range), marks)) }
                }
            }
        }
    }
}

/// A line without the carriage return at its end.
fn trimmed(text: &str, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let length = text[range.clone()].trim_end_matches('\r').len();
    range.start..range.start + length
}
