//! The place of a sentence in words: the headings above it, the keys that lead to it, the time of its line.

use super::sections::heading_of_line;
use super::tables::{Within, within};
use crate::search::Hit;
use crate::workspace::Span;

/// Stands between the parts of a place.
const BETWEEN: &str = " › ";

/// The place of words of a passage: its headings and keys, outermost first, else the title of its document, with ` › ` between them. A heading
/// inside of the passage that stands above the words belongs to it.
pub(super) fn place_of(hit: &Hit, span: Span) -> Option<String> {
    let trail = &hit.citation.trail;
    let mut parts: Vec<&str> = trail.iter().map(|heading| heading.trim()).collect();
    if let Some(heading) = heading_inside(&hit.text[..span.start])
        && parts.last().is_none_or(|last| !last.eq_ignore_ascii_case(heading))
    {
        parts.push(heading);
    }
    let Within { keys, .. } = within(hit, span);
    for key in &keys {
        if parts.last().is_none_or(|last| last != key) {
            parts.push(key);
        }
    }
    if parts.is_empty() {
        parts.extend(hit.title.as_deref());
    }
    parts.retain(|part| !part.is_empty());
    (!parts.is_empty()).then(|| parts.join(BETWEEN))
}

/// Whether a place has this heading among its parts.
pub(super) fn is_part(place: &str, heading: &str) -> bool {
    place.split(BETWEEN).any(|part| part == heading)
}

/// The last heading of Markdown in a text.
fn heading_inside(text: &str) -> Option<&str> {
    text.lines().rev().find_map(heading_of_line)
}

/// Everything that stands above a passage: title, headings, columns and path.
pub(super) fn above(hit: &Hit) -> String {
    let (title, header) = (hit.title.as_deref().unwrap_or_default(), hit.header.as_deref().unwrap_or_default());
    format!("{title} {} {header} {}", hit.citation.trail.join(" "), hit.citation.path)
}
