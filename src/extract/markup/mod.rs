//! Text with marks of structure, read as it stands or as one sees it: Markdown, reStructuredText, `AsciiDoc`, LaTeX, HTML.

pub(super) mod asciidoc;
pub(super) mod html;
pub(super) mod html_tree;
pub(super) mod latex;
pub(super) mod markdown;
pub(super) mod rst;
