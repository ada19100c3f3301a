//! URLs of the page.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::workspace::{Citation, ContentHash, RelPath, Span, WorkspaceId};

/// What stands in a path as it is.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const IN_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A view of a workspace.
pub(super) fn view(workspace: &WorkspaceId, name: &str) -> String {
    if name.is_empty() { format!("/w/{workspace}") } else { format!("/w/{workspace}/{name}") }
}

/// A view of a file.
pub(super) fn of_file(workspace: &WorkspaceId, view: &str, path: &RelPath) -> String {
    format!("/w/{workspace}/{view}/{}", in_path(path))
}

/// A page of a file as a picture of a content.
pub(super) fn picture(workspace: &WorkspaceId, number: u32, path: &RelPath, width: u16, of: ContentHash) -> String {
    format!("/w/{workspace}/page/{number}/{}?width={width}&of={of}", in_path(path))
}

fn in_path(path: &RelPath) -> impl std::fmt::Display {
    utf8_percent_encode(path.as_str(), IN_PATH)
}

/// A file, scrolled to a place.
pub(super) fn source(workspace: &WorkspaceId, path: &RelPath, span: Span) -> String {
    format!("{}?at={}#mark", of_file(workspace, "source", path), at(span))
}

/// Bytes of a quote that a link carries.
const MAX_QUOTE_BYTES: usize = 500;

/// The link that a citation is. It names the path as well, because two files may have the same content, and how the quote begins: by it the
/// words are found again when the file has changed.
pub(super) fn cited(citation: &Citation) -> String {
    let Citation { workspace, content_hash, span, path, quote, .. } = citation;
    let quote = &quote[..quote.floor_char_boundary(MAX_QUOTE_BYTES)];
    format!("/w/{workspace}/c/{content_hash}/{}?path={}&quote={}", at(*span), value(path.as_str()), value(quote))
}

/// A value of a URL's query.
pub(super) fn value(text: &str) -> String {
    utf8_percent_encode(text, IN_VALUE).to_string()
}

/// A span as URLs have it.
pub(super) fn at(span: Span) -> String {
    format!("{}-{}", span.start, span.end)
}

/// The span that [`at`] wrote; `None` for anything else.
pub(super) fn span(text: &str) -> Option<Span> {
    let (start, end) = text.split_once('-')?;
    let (start, end) = (start.parse().ok()?, end.parse().ok()?);
    (start <= end).then(|| Span::new(start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_keeps_its_slashes_and_nothing_that_a_url_or_html_reads() {
        let workspace: WorkspaceId = "w".parse().unwrap();
        let path: RelPath = "a b/<script>?#&\"%.md".parse().unwrap();
        assert_eq!(of_file(&workspace, "source", &path), "/w/w/source/a%20b/%3Cscript%3E%3F%23%26%22%25.md");
    }

    #[test]
    fn a_span_is_read_as_it_was_written_and_nothing_else_is() {
        assert_eq!(span(&at(Span::new(3, 17))), Some(Span::new(3, 17)));
        for text in ["", "3", "5-3", "-3", "3-", "a-b", "3-4-5", "99999999999999999999999-1"] {
            assert_eq!(span(text), None, "{text}");
        }
    }
}
