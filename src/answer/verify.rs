//! A citation against the file as it is now.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::extract::{Document, PageUnit};
use crate::workspace::{Citation, ContentHash, LineStarts, Span};

/// What has become of cited words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The quote stands verbatim at its span.
    Valid,
    /// The quote stands verbatim elsewhere in the file.
    Moved,
    /// The file is there and the quote is not in it.
    Changed,
    /// The file is gone.
    Deleted,
}

/// The result of checking a citation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Verification {
    /// What has become of the words.
    pub verdict: Verdict,
    /// In a sentence, for a person.
    pub explanation: String,
    /// The citation as it has to be now, where the words are still there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citation: Option<Citation>,
}

/// Checks `citation` against the file's document now; `None` where there is no file.
///
/// Where the quote stands several times, the occurrence nearest to the cited span is the one it has moved to.
#[must_use]
pub fn verify(citation: &Citation, now: Option<(ContentHash, &Document)>) -> Verification {
    let Some((content_hash, document)) = now else {
        let explanation = format!("`{}` is no longer there", citation.path);
        return Verification { verdict: Verdict::Deleted, explanation, citation: None };
    };
    let at = |span: Span| locate(citation, content_hash, document, span);
    if !citation.quote.is_empty() && citation.span.of(&document.text) == Some(citation.quote.as_str()) {
        let located = at(citation.span);
        let same_place = located.page == citation.page
            && located.slide == citation.slide
            && (citation.lines.is_none() || located.lines == citation.lines)
            && (citation.cell.is_none() || located.cell == citation.cell);
        if same_place {
            let explanation = if content_hash == citation.content_hash {
                "the file is unchanged and the words stand at their place"
            } else {
                "the file has changed elsewhere; the words stand at their place"
            };
            return Verification {
                verdict: Verdict::Valid,
                explanation: explanation.to_owned(),
                citation: Some(located),
            };
        }
        // The bytes fit and the page, lines or cells do not: the reference would send its reader to the wrong place.
        let explanation = "the words stand at their bytes, but not on the cited page, lines or cells".to_owned();
        return Verification { verdict: Verdict::Moved, explanation, citation: Some(located) };
    }
    match nearest(&document.text, &citation.quote, citation.span.start) {
        Some(span) => Verification {
            verdict: Verdict::Moved,
            explanation: format!("the words now stand at bytes {} to {}", span.start, span.end),
            citation: Some(at(span)),
        },
        None => Verification {
            verdict: Verdict::Changed,
            explanation: "the words are no longer in the file".to_owned(),
            citation: None,
        },
    }
}

fn locate(citation: &Citation, content_hash: ContentHash, document: &Document, span: Span) -> Citation {
    let page = document.page(span);
    let is_slide = document.page_unit == PageUnit::Slide;
    Citation {
        content_hash,
        page: page.filter(|_| !is_slide),
        slide: page.filter(|_| is_slide),
        cell: document.cells(span).name(Span::new(0, span.len())),
        trail: document.trail(span).to_vec(),
        lines: document.has_file_lines.then(|| LineStarts::of(&document.text).lines(span)),
        span,
        ..citation.clone()
    }
}

/// The occurrence of `quote` whose start is nearest to `start`; of two as near, the first.
fn nearest(text: &str, quote: &str, start: usize) -> Option<Span> {
    if quote.is_empty() {
        return None;
    }
    text.match_indices(quote)
        .map(|(at, found)| Span::new(at, at + found.len()))
        .min_by_key(|span| (span.start.abs_diff(start), span.start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::Format;
    use crate::workspace::{LineRange, Revision, WorkspaceId};

    fn document(text: &str) -> Document {
        Document { has_file_lines: true, ..Document::of(Format::Text, text.to_owned()) }
    }

    fn citation(text: &str, quote: &str) -> Citation {
        let start = text.find(quote).unwrap();
        let span = Span::new(start, start + quote.len());
        Citation {
            workspace: WorkspaceId::default(),
            path: "a.txt".parse().unwrap(),
            content_hash: ContentHash::of(text.as_bytes()),
            revision: Revision(1),
            page: None,
            slide: None,
            trail: Vec::new(),
            lines: Some(LineStarts::of(text).lines(span)),
            cell: None,
            span,
            quote: quote.to_owned(),
        }
    }

    fn check(citation: &Citation, text: &str) -> Verification {
        verify(citation, Some((ContentHash::of(text.as_bytes()), &document(text))))
    }

    #[test]
    fn words_at_their_place_are_valid_though_the_file_changed_behind_them() {
        let cited = citation("one\ntwo\nthree\n", "two");
        assert_eq!(check(&cited, "one\ntwo\nthree\n").verdict, Verdict::Valid);
        assert_eq!(check(&cited, "one\ntwo\nfour\n").verdict, Verdict::Valid);
    }

    #[test]
    fn words_elsewhere_have_moved_to_the_nearest_place() {
        let cited = citation("zero\none\ntwo\n", "two");
        let moved = check(&cited, "two\nzero\none\nand two\nand two\n");
        assert_eq!(moved.verdict, Verdict::Moved);
        let now = moved.citation.unwrap();
        assert_eq!((now.span, now.lines), (Span::new(17, 20), Some(LineRange { start: 4, end: 4 })));
    }

    #[test]
    fn words_that_are_gone_are_changed_and_a_file_that_is_gone_is_deleted() {
        let cited = citation("one\ntwo\n", "two");
        assert_eq!(check(&cited, "one\nTWO\n").verdict, Verdict::Changed);
        assert_eq!(verify(&cited, None).verdict, Verdict::Deleted);
    }

    #[test]
    fn a_forged_line_or_an_empty_quote_is_not_valid() {
        let text = "one\ntwo\n";
        let mut cited = citation(text, "two");
        cited.lines = Some(LineRange { start: 7, end: 7 });
        assert_eq!(check(&cited, text).verdict, Verdict::Moved);
        cited.quote = String::new();
        cited.span = Span::new(4, 4);
        assert_eq!(check(&cited, text).verdict, Verdict::Changed);
    }
}
