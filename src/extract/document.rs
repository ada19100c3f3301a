//! What extraction makes of a file's bytes.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ExtractError;
use crate::workspace::{Cell, Cells, ContentHash, Span};

/// The kind of a file, found by content first and name second. Written as in [`Format::name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Plain text.
    Text,
    /// Markdown (`CommonMark` with tables and front matter).
    Markdown,
    /// reStructuredText.
    Rst,
    /// HTML.
    Html,
    /// Source code; the language is in [`Document::language`].
    Code,
    /// One JSON value.
    Json,
    /// One JSON value a line.
    Jsonl,
    /// Comma- or semicolon-separated rows.
    Csv,
    /// Tab-separated rows.
    Tsv,
    /// A log: lines that begin with a time or a level.
    Log,
    /// PDF.
    Pdf,
    /// A Jupyter notebook.
    Notebook,
    /// An archive: the list of the files inside.
    Archive,
    /// An e-mail message.
    Email,
    /// A mailbox: the list of its messages.
    Mailbox,
    /// A spreadsheet: XLSX, XLSM, XLSB, XLS or ODS.
    Spreadsheet,
    /// Rich Text Format.
    Rtf,
    /// YAML.
    Yaml,
    /// TOML.
    Toml,
    /// XML: feeds, configuration, drawings and data.
    Xml,
    /// Subtitles: SRT and `WebVTT`.
    Subtitles,
    /// `AsciiDoc`.
    Asciidoc,
    /// LaTeX.
    Latex,
    /// A document of Word (Office Open XML).
    Docx,
    /// A presentation of `PowerPoint` (Office Open XML).
    Pptx,
    /// An `OpenDocument` text.
    Odt,
    /// An `OpenDocument` presentation.
    Odp,
    /// An EPUB book.
    Epub,
}

/// A file's text and its structure.
///
/// # Invariants
/// - [`Block`]s are in the order of the text, do not overlap, and cover all of it but white space.
/// - [`Document::pages`] are in order and do not overlap; no block crosses a page's end.
/// - All spans lie in `text`, on character boundaries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// What the file was taken for.
    pub format: Format,
    /// The text that all spans point into. For a UTF-8 text file, byte for byte the file.
    pub text: String,
    /// The file's own title, where it has one.
    pub title: Option<String>,
    /// The programming language of source code, in lower case (`rust`, `python`, …).
    pub language: Option<String>,
    /// The encoding that was decoded, where the file was not clean UTF-8 (WHATWG name); `UTF-8` where bad bytes in it
    /// became U+FFFD.
    pub encoding: Option<String>,
    /// Whether `text` has the lines of the file, so that a citation may name them.
    pub has_file_lines: bool,
    /// What a page is called.
    pub page_unit: PageUnit,
    /// The span of each page or slide, number 1 first; empty where the format has none.
    pub pages: Vec<Span>,
    /// The numbers of the pages, counted from 1, whose words could not be read; their spans are empty.
    #[serde(default)]
    pub unread_pages: Vec<u32>,
    /// Why the text is not all of the file's, and how far it goes; for a person.
    pub partial: Option<String>,
    /// The parts that a chunk is made of.
    pub blocks: Vec<Block>,
    /// The files inside this one, at any depth, each path once: attachments of a message, files of an archive.
    pub members: Vec<Member>,
}

impl Document {
    /// The cells that `span` touches.
    #[must_use]
    pub fn cells(&self, span: Span) -> Cells {
        let first = self.blocks.partition_point(|block| block.span.end <= span.start);
        let touched = self.blocks[first..].iter().take_while(|block| block.span.start < span.end);
        Cells::of(touched.filter_map(|block| Some((block.span, block.cell.as_ref()?))), span)
    }

    /// Headings or enclosing definitions above the beginning of `span`, outermost first.
    #[must_use]
    pub fn trail(&self, span: Span) -> &[String] {
        let block = self.blocks.partition_point(|block| block.span.end <= span.start);
        self.blocks.get(block).map_or(&[], |block| &block.trail)
    }

    /// The number, counted from 1, of the page or slide that the beginning of `span` lies on.
    #[must_use]
    pub fn page(&self, span: Span) -> Option<u32> {
        let page = self.pages.iter().position(|page| page.start <= span.start && span.start < page.end)?;
        u32::try_from(page + 1).ok()
    }

    /// A document of `text` without any structure.
    #[must_use]
    pub fn of(format: Format, text: String) -> Self {
        Self {
            format,
            text,
            title: None,
            language: None,
            encoding: None,
            has_file_lines: false,
            page_unit: PageUnit::Page,
            pages: Vec::new(),
            unread_pages: Vec::new(),
            partial: None,
            blocks: Vec::new(),
            members: Vec::new(),
        }
    }
}

/// What the parts of [`Document::pages`] are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PageUnit {
    /// Pages, as printed.
    #[default]
    Page,
    /// Slides of a presentation.
    Slide,
}

/// A file inside a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Where it is in the file that holds it, with `/` between folders, and between a member and its own members.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// The hash of its bytes; `None` where they were not read.
    pub content_hash: Option<ContentHash>,
    /// What was made of it; its own members stand beside it and not in it.
    pub outcome: Result<Document, ExtractError>,
}

/// A part of a document that is better not divided: a paragraph, a list item, a function, a table row, a log line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: BlockKind,
    /// Headings or enclosing definitions above it, outermost first, without its own heading.
    pub trail: Arc<[String]>,
    /// The header line that must go with every chunk of this block's table.
    pub header: Option<Arc<str>>,
    /// The cell that it is of, where the format has cells.
    #[serde(default)]
    pub cell: Option<Cell>,
}

/// What a [`Block`] is; the chunker likes to break before some and never merges over others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockKind {
    /// A heading; it opens a section and belongs with what follows.
    Heading,
    /// A paragraph, list item or other running text.
    Prose,
    /// Verbatim text: a code block, a function, a configuration value.
    Code,
    /// A row of a table or a record.
    Row,
    /// One log record: a line with its continuation lines.
    LogLine,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 28] = [
        Self::Text,
        Self::Markdown,
        Self::Rst,
        Self::Html,
        Self::Code,
        Self::Json,
        Self::Jsonl,
        Self::Csv,
        Self::Tsv,
        Self::Log,
        Self::Pdf,
        Self::Notebook,
        Self::Archive,
        Self::Email,
        Self::Mailbox,
        Self::Spreadsheet,
        Self::Rtf,
        Self::Yaml,
        Self::Toml,
        Self::Xml,
        Self::Subtitles,
        Self::Asciidoc,
        Self::Latex,
        Self::Docx,
        Self::Pptx,
        Self::Odt,
        Self::Odp,
        Self::Epub,
    ];

    /// The name used in filters, replies and the file table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Markdown => "markdown",
            Self::Rst => "rst",
            Self::Html => "html",
            Self::Code => "code",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Log => "log",
            Self::Pdf => "pdf",
            Self::Notebook => "notebook",
            Self::Archive => "archive",
            Self::Email => "email",
            Self::Mailbox => "mailbox",
            Self::Spreadsheet => "spreadsheet",
            Self::Rtf => "rtf",
            Self::Yaml => "yaml",
            Self::Toml => "toml",
            Self::Xml => "xml",
            Self::Subtitles => "subtitles",
            Self::Asciidoc => "asciidoc",
            Self::Latex => "latex",
            Self::Docx => "docx",
            Self::Pptx => "pptx",
            Self::Odt => "odt",
            Self::Odp => "odp",
            Self::Epub => "epub",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}
