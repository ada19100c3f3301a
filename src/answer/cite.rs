//! From words of a passage to the place where they stand.

use crate::search::Hit;
use crate::workspace::{Citation, LineRange, Span};

/// The citation of a part of a passage.
#[must_use]
pub fn cite(hit: &Hit, span: Span) -> Citation {
    let passage = &hit.citation;
    let quote = &hit.text[span.range()];
    let lines = passage.lines.map(|lines| {
        let breaks = |text: &str| u32::try_from(text.bytes().filter(|&byte| byte == b'\n').count()).unwrap_or(u32::MAX);
        let start = lines.start.saturating_add(breaks(&hit.text[..span.start]));
        LineRange { start, end: start.saturating_add(breaks(quote)) }
    });
    Citation {
        lines,
        cell: hit.cells.name(span),
        span: Span::new(passage.span.start + span.start, passage.span.start + span.end),
        quote: quote.to_owned(),
        ..passage.clone()
    }
}
