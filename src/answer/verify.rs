//! A citation against the file as it is now.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::extract::{Document, PageUnit};
use crate::workspace::{Citation, ContentHash, LineStarts, Span};

/// What has become of cited words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CitationState {
    /// The quote stands verbatim at its span.
    Valid,
    /// The quote stands elsewhere in the file, or in the file that the cited one was renamed to; line ends may be others.
    Moved,
    /// The file is there and the quote is not in it.
    Changed,
    /// The file is gone.
    Deleted,
}

impl CitationState {
    /// The name, as replies have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Moved => "moved",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
        }
    }
}

/// The result of checking a citation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Verification {
    /// What has become of the words.
    pub verdict: CitationState,
    /// In a sentence, for a person.
    pub explanation: String,
    /// The citation as it has to be now, where the words are still there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citation: Option<Citation>,
}

/// A stretch of a document that is looked at: all of it, or some of a text that is too large to be held.
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'a> {
    /// The document of the stretch alone.
    pub document: &'a Document,
    /// The byte of the whole text that it begins at.
    pub start: usize,
    /// Lines of the file before it.
    pub num_lines_before: u32,
}

/// The check of one citation, stretch by stretch. A quote is found that lies in one stretch as a whole.
#[derive(Debug)]
pub struct Check<'a> {
    citation: &'a Citation,
    content_hash: ContentHash,
    settled: Option<Verification>,
    /// How far from its place the quote was found nearest, and where.
    nearest: Option<(usize, Citation)>,
}

impl<'a> Check<'a> {
    /// The check against a file of this hash, of which nothing was looked at yet.
    #[must_use]
    pub const fn new(citation: &'a Citation, content_hash: ContentHash) -> Self {
        Self { citation, content_hash, settled: None, nearest: None }
    }

    /// Looks at one stretch, and returns whether no later one can change the verdict.
    pub fn look(&mut self, stretch: Stretch<'_>) -> bool {
        let citation = self.citation;
        let at_place =
            citation.span.start.checked_sub(stretch.start).map(|start| Span::new(start, start + citation.span.len()));
        let at_place = at_place.filter(|span| {
            !citation.quote.is_empty() && span.of(&stretch.document.text) == Some(citation.quote.as_str())
        });
        if let Some(span) = at_place {
            self.settled = Some(self.at_its_bytes(locate(citation, self.content_hash, stretch, span)));
            return true;
        }
        let (wanted, text) = (citation.span.start, &stretch.document.text);
        let start = wanted.saturating_sub(stretch.start);
        let found = nearest(text, &citation.quote, start).or_else(|| nearest_by_lines(text, &citation.quote, start));
        if let Some(span) = found {
            let distance = (span.start + stretch.start).abs_diff(wanted);
            if self.nearest.as_ref().is_none_or(|(least, _)| distance < *least) {
                self.nearest = Some((distance, locate(citation, self.content_hash, stretch, span)));
            }
        }
        // A quote that begins here and ends behind is found in the next stretch.
        let seen = (stretch.start + stretch.document.text.len()).saturating_sub(citation.quote.len());
        self.nearest.as_ref().is_some_and(|(least, _)| seen > wanted.saturating_add(*least))
    }

    /// The verdict after all that was looked at.
    #[must_use]
    pub fn finish(self) -> Verification {
        match (self.settled, self.nearest) {
            (Some(settled), _) => settled,
            (None, Some((_, citation))) => {
                let (Span { start, end }, is_verbatim) = (citation.span, citation.quote == self.citation.quote);
                let with = if is_verbatim { "" } else { ", with other line ends" };
                Verification {
                    verdict: CitationState::Moved,
                    explanation: format!("the words now stand at bytes {start} to {end}{with}"),
                    citation: Some(citation),
                }
            }
            (None, None) => Verification {
                verdict: CitationState::Changed,
                explanation: "the words are no longer in the file".to_owned(),
                citation: None,
            },
        }
    }

    fn at_its_bytes(&self, located: Citation) -> Verification {
        let citation = self.citation;
        let same_place = located.page == citation.page
            && located.slide == citation.slide
            && (citation.lines.is_none() || located.lines == citation.lines)
            && (citation.cell.is_none() || located.cell == citation.cell);
        let (verdict, explanation) = if !same_place {
            // The bytes fit and the page, lines or cells do not: the reference would send its reader to the wrong place.
            (CitationState::Moved, "the words stand at their bytes, but not on the cited page, lines or cells")
        } else if self.content_hash == citation.content_hash {
            (CitationState::Valid, "the file is unchanged and the words stand at their place")
        } else {
            (CitationState::Valid, "the file has changed elsewhere; the words stand at their place")
        };
        Verification { verdict, explanation: explanation.to_owned(), citation: Some(located) }
    }
}

/// Checks `citation` against the file's document now; `None` where there is no file.
///
/// Where the quote stands several times, the occurrence nearest to the cited span is the one it has moved to.
#[must_use]
pub fn verify(citation: &Citation, now: Option<(ContentHash, &Document)>) -> Verification {
    let Some((content_hash, document)) = now else {
        let explanation = format!("`{}` is no longer there", citation.path);
        return Verification { verdict: CitationState::Deleted, explanation, citation: None };
    };
    let mut check = Check::new(citation, content_hash);
    check.look(Stretch { document, start: 0, num_lines_before: 0 });
    check.finish()
}

/// The citation as it is to be for the words at `span` of a stretch.
#[must_use]
pub fn locate(citation: &Citation, content_hash: ContentHash, stretch: Stretch<'_>, span: Span) -> Citation {
    let Stretch { document, start, num_lines_before } = stretch;
    let page = document.page(span);
    let is_slide = document.page_unit == PageUnit::Slide;
    let lines = document.has_file_lines.then(|| LineStarts::of(&document.text).lines(span));
    Citation {
        content_hash,
        page: page.filter(|_| !is_slide),
        slide: page.filter(|_| is_slide),
        cell: document.cells(span).name(Span::new(0, span.len())),
        trail: document.trail(span).to_vec(),
        lines: lines.map(|lines| lines.after(num_lines_before)),
        span: span.after(start),
        quote: span.of(&document.text).unwrap_or(&citation.quote).to_owned(),
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

/// As [`nearest`], where line ends count as the same however they are written.
fn nearest_by_lines(text: &str, quote: &str, start: usize) -> Option<Span> {
    if !quote.contains(['\r', '\n']) {
        return None;
    }
    let ((text, left_out), (quote, _)) = (with_plain_line_ends(text), with_plain_line_ends(quote));
    let num_before = |at: usize| left_out.partition_point(|&left_out| left_out < at);
    // The cited byte is one of the text as it is.
    let mut wanted = start.min(text.len());
    wanted = wanted.saturating_sub(num_before(wanted));
    let span = nearest(&text, &quote, wanted)?;
    Some(Span::new(span.start + num_before(span.start), span.end + num_before(span.end)))
}

/// A text with line feeds alone, and the places in it before which a carriage return was left out.
fn with_plain_line_ends(text: &str) -> (String, Vec<usize>) {
    let (mut plain, mut left_out) = (String::with_capacity(text.len()), Vec::new());
    for line in text.split_inclusive('\n') {
        match line.strip_suffix("\r\n") {
            Some(words) => {
                plain.push_str(words);
                left_out.push(plain.len());
                plain.push('\n');
            }
            None => plain.push_str(line),
        }
    }
    (plain, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::Format;
    use crate::workspace::{LineRange, Provenance, Revision, WorkspaceId};

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
            provenance: Provenance::default(),
        }
    }

    fn check(citation: &Citation, text: &str) -> Verification {
        verify(citation, Some((ContentHash::of(text.as_bytes()), &document(text))))
    }

    #[test]
    fn words_at_their_place_are_valid_though_the_file_changed_behind_them() {
        let cited = citation("one\ntwo\nthree\n", "two");
        assert_eq!(check(&cited, "one\ntwo\nthree\n").verdict, CitationState::Valid);
        assert_eq!(check(&cited, "one\ntwo\nfour\n").verdict, CitationState::Valid);
    }

    #[test]
    fn words_elsewhere_have_moved_to_the_nearest_place() {
        let cited = citation("zero\none\ntwo\n", "two");
        let moved = check(&cited, "two\nzero\none\nand two\nand two\n");
        assert_eq!(moved.verdict, CitationState::Moved);
        let now = moved.citation.unwrap();
        assert_eq!((now.span, now.lines), (Span::new(17, 20), Some(LineRange { start: 4, end: 4 })));
    }

    #[test]
    fn words_with_other_line_ends_have_moved_to_where_they_are_now() {
        let [unix, dos] = ["zero\none\ntwo\nthree\n", "zero\r\none\r\ntwo\r\nthree\r\n"];
        for (before, quote, now, quote_now) in [
            (dos, "one\r\ntwo", unix, "one\ntwo"),
            (unix, "one\ntwo", dos, "one\r\ntwo"),
            (unix, "two\nthree\n", dos, "two\r\nthree\r\n"),
            (dos, "\r\none", unix, "\none"),
        ] {
            let moved = check(&citation(before, quote), now);
            assert_eq!(moved.verdict, CitationState::Moved, "{quote:?}");
            let located = moved.citation.unwrap();
            assert_eq!((located.span.of(now), located.quote.as_str()), (Some(quote_now), quote_now));
            assert_eq!(check(&located, now).verdict, CitationState::Valid);
        }
        assert_eq!(check(&citation(dos, "one\r\ntwo"), "one\n\ntwo\n").verdict, CitationState::Changed);
    }

    #[test]
    fn words_that_are_gone_are_changed_and_a_file_that_is_gone_is_deleted() {
        let cited = citation("one\ntwo\n", "two");
        assert_eq!(check(&cited, "one\nTWO\n").verdict, CitationState::Changed);
        assert_eq!(verify(&cited, None).verdict, CitationState::Deleted);
    }

    #[test]
    fn a_forged_line_or_an_empty_quote_is_not_valid() {
        let text = "one\ntwo\n";
        let mut cited = citation(text, "two");
        cited.lines = Some(LineRange { start: 7, end: 7 });
        assert_eq!(check(&cited, text).verdict, CitationState::Moved);
        cited.quote = String::new();
        cited.span = Span::new(4, 4);
        assert_eq!(check(&cited, text).verdict, CitationState::Changed);
    }
}
