//! HTML: the words a reader sees, with their headings and tables; scripts, styles and navigation are left out.
//!
//! # Invariants
//! - The text is made here, so it is not the file's own: blocks stand apart by blank lines, white space is collapsed as
//!   a browser would.
//! - No recursion: the depth of the markup costs nothing.
//!
//! # Not here
//! Layout and style sheets: what a style hides is read.

use std::collections::HashSet;
use std::sync::Arc;

use ego_tree::iter::Edge;
use ego_tree::{NodeId, Tree};

use crate::extract::builder::{Headings, Trail, label, no_trail};
use crate::extract::markup::html_tree::{self, Element, Node};
use crate::extract::{Block, BlockKind};
use crate::workspace::Span;

/// What was made of an HTML file.
pub(in crate::extract) struct Page {
    pub(in crate::extract) text: String,
    pub(in crate::extract) title: Option<String>,
    pub(in crate::extract) blocks: Vec<Block>,
}

/// Markup nested deeper is refused: for each element the parser looks through all that are open.
const MAX_DEPTH: usize = 4096;

/// Reads an HTML text, or returns `None` where it is nested absurdly deep.
pub(in crate::extract) fn read(source: &str) -> Option<Page> {
    if is_too_deep(source) {
        return None;
    }
    let tree = html_tree::parse(source.trim_start_matches('\u{feff}'));
    let layout_tables = layout_tables(&tree);
    let mut reader = Reader::default();
    let mut skipped = 0_usize;
    for edge in tree.root().traverse() {
        match edge {
            Edge::Open(node) => match node.value() {
                Node::Element(element) if skipped > 0 || is_skipped(element) => {
                    if element.name() == "title" && reader.title.is_none() {
                        let words: String = node.children().filter_map(|child| child.value().as_text()).collect();
                        reader.title = Some(label(&words)).filter(|title| !title.is_empty());
                    }
                    skipped += 1;
                }
                Node::Element(element) => reader.open(element, layout_tables.contains(&node.id())),
                Node::Text(words) if skipped == 0 => reader.words(words),
                _ => {}
            },
            Edge::Close(node) => {
                if let Node::Element(element) = node.value() {
                    if skipped > 0 {
                        skipped -= 1;
                    } else {
                        reader.close(element);
                    }
                }
            }
        }
    }
    reader.flush(BlockKind::Prose);
    let title = reader.title.or(reader.first_heading);
    Some(Page { text: reader.text, title, blocks: reader.blocks })
}

/// Whether more than [`MAX_DEPTH`] elements are open at once, by a glance at the tags that must be closed.
fn is_too_deep(source: &str) -> bool {
    const NEVER_NESTED: [&str; 36] = [
        "area", "base", "body", "br", "col", "colgroup", "dd", "dt", "embed", "head", "hr", "html", "img", "input",
        "li", "link", "meta", "optgroup", "option", "p", "param", "rp", "rt", "source", "tbody", "td", "tfoot", "th",
        "thead", "tr", "track", "wbr", "circle", "line", "path", "rect",
    ];
    let mut depth = 0_usize;
    let mut rest = source;
    while let Some((_, after)) = rest.split_once('<') {
        let (is_end, tag) = after.strip_prefix('/').map_or((false, after), |tag| (true, tag));
        let num_name_bytes = tag.bytes().take(32).take_while(u8::is_ascii_alphanumeric).count();
        let name = tag[..num_name_bytes].to_ascii_lowercase();
        rest = tag;
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || NEVER_NESTED.contains(&name.as_str()) {
            continue;
        }
        if is_end {
            depth = depth.saturating_sub(1);
            continue;
        }
        if name == "script" || name == "style" {
            // What looks like a tag in a script is none.
            rest = tag.split_once("</").map_or("", |(_, end)| end);
            continue;
        }
        depth += 1;
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// Elements that hold no words of the page.
fn is_skipped(element: &Element) -> bool {
    let is_navigation = || element.attr("role") == Some("navigation") || element.attr("hidden").is_some();
    matches!(
        element.name(),
        "title"
            | "script"
            | "style"
            | "noscript"
            | "template"
            | "svg"
            | "nav"
            | "iframe"
            | "object"
            | "select"
            | "button"
            | "canvas"
            | "audio"
            | "video"
            | "math"
            | "datalist"
            | "dialog"
    ) || is_navigation()
}

/// Elements that stand on lines of their own.
fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "body"
            | "caption"
            | "center"
            | "dd"
            | "details"
            | "dir"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "header"
            | "hgroup"
            | "hr"
            | "html"
            | "legend"
            | "li"
            | "main"
            | "menu"
            | "ol"
            | "optgroup"
            | "option"
            | "p"
            | "pre"
            | "search"
            | "section"
            | "summary"
            | "table"
            | "tbody"
            | "td"
            | "tfoot"
            | "th"
            | "thead"
            | "tr"
            | "ul"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
    )
}

fn heading_level(name: &str) -> Option<usize> {
    match name.as_bytes() {
        [b'h', level @ b'1'..=b'6'] => Some(usize::from(level - b'0')),
        _ => None,
    }
}

/// Tables that hold other tables, headings or verbatim text arrange a page; they have no rows worth the name.
fn layout_tables(tree: &Tree<Node>) -> HashSet<NodeId> {
    let mut layout = HashSet::new();
    let mut open: Vec<NodeId> = Vec::new();
    for edge in tree.root().traverse() {
        match edge {
            Edge::Open(node) => {
                let Node::Element(element) = node.value() else { continue };
                let name = element.name();
                if name == "table" || name == "pre" || heading_level(name).is_some() {
                    layout.extend(open.last());
                }
                if name == "table" {
                    open.push(node.id());
                    if element.attr("role") == Some("presentation") {
                        layout.insert(node.id());
                    }
                }
            }
            Edge::Close(node) => {
                if node.value().as_element().is_some_and(|element| element.name() == "table") {
                    open.pop();
                }
            }
        }
    }
    layout
}

/// A table with rows, while it is read.
#[derive(Default)]
struct Table {
    is_layout: bool,
    header: Option<Arc<str>>,
    num_rows: usize,
    in_head: bool,
    /// The cells of the open row.
    row: Option<Vec<String>>,
    num_heading_cells: usize,
}

struct Reader {
    text: String,
    blocks: Vec<Block>,
    title: Option<String>,
    first_heading: Option<String>,
    headings: Headings,
    trail: Trail,
    /// Words of the block or cell that is open, white space collapsed.
    buffer: String,
    tables: Vec<Table>,
    verbatim_depth: usize,
    item_marker: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            text: String::new(),
            blocks: Vec::new(),
            title: None,
            first_heading: None,
            headings: Headings::default(),
            trail: no_trail(),
            buffer: String::new(),
            tables: Vec::new(),
            verbatim_depth: 0,
            item_marker: false,
        }
    }
}

impl Reader {
    fn in_row(&self) -> bool {
        self.tables.last().is_some_and(|table| table.row.is_some())
    }

    fn words(&mut self, words: &str) {
        if self.verbatim_depth > 0 {
            self.buffer.push_str(words);
            return;
        }
        for (index, word) in words.split(is_blank).enumerate() {
            if index > 0 && !self.buffer.is_empty() && !self.buffer.ends_with([' ', '\n']) {
                self.buffer.push(' ');
            }
            self.buffer.push_str(word);
        }
    }

    fn open(&mut self, element: &Element, is_layout: bool) {
        let name = element.name();
        match name {
            "br" => self.buffer.push(if self.in_row() { ' ' } else { '\n' }),
            "table" => {
                self.break_block();
                self.tables.push(Table { is_layout, ..Table::default() });
            }
            _ if !is_block(name) => {}
            _ => {
                self.break_block();
                if let Some(table) = self.tables.last_mut().filter(|table| !table.is_layout) {
                    match name {
                        "thead" => table.in_head = true,
                        "tr" => table.row = Some(Vec::new()),
                        "th" => table.num_heading_cells += 1,
                        _ => {}
                    }
                }
                if name == "pre" && !self.in_row() {
                    self.verbatim_depth += 1;
                }
                if name == "li" && !self.in_row() {
                    self.item_marker = true;
                }
            }
        }
    }

    fn close(&mut self, element: &Element) {
        let name = element.name();
        if !is_block(name) {
            return;
        }
        if name == "table" {
            self.break_block();
            self.tables.pop();
            return;
        }
        let in_row = self.in_row();
        if in_row {
            match name {
                "td" | "th" => self.close_cell(),
                "tr" => self.close_row(),
                _ => self.break_block(),
            }
            return;
        }
        match (name, heading_level(name)) {
            (_, Some(level)) => self.close_heading(level),
            ("pre", _) => {
                self.flush(BlockKind::Code);
                self.verbatim_depth = self.verbatim_depth.saturating_sub(1);
            }
            ("thead", _) => {
                if let Some(table) = self.tables.last_mut() {
                    table.in_head = false;
                }
            }
            _ => self.flush(BlockKind::Prose),
        }
    }

    /// Ends the open block, or puts a space where it is part of a cell.
    fn break_block(&mut self) {
        if !self.in_row() {
            self.flush(if self.verbatim_depth > 0 { BlockKind::Code } else { BlockKind::Prose });
        } else if !self.buffer.is_empty() && !self.buffer.ends_with(' ') {
            self.buffer.push(' ');
        }
    }

    fn close_cell(&mut self) {
        let cell = std::mem::take(&mut self.buffer);
        if let Some(row) = self.tables.last_mut().and_then(|table| table.row.as_mut()) {
            row.push(trim(&cell).to_owned());
        }
    }

    fn close_row(&mut self) {
        if !trim(&self.buffer).is_empty() {
            self.close_cell();
        }
        self.buffer.clear();
        let Some(table) = self.tables.last_mut() else { return };
        let cells = table.row.take().unwrap_or_default();
        let row = cells.join(" | ");
        let is_header = table.header.is_none()
            && table.num_rows == 0
            && cells.len() > 1
            && (table.in_head || table.num_heading_cells == cells.len());
        table.num_heading_cells = 0;
        if cells.iter().all(String::is_empty) {
            return;
        }
        table.num_rows += 1;
        let header = table.header.clone();
        if is_header {
            table.header = Some(Arc::from(row.as_str()));
        }
        self.emit(BlockKind::Row, &row, header, "\n");
    }

    fn close_heading(&mut self, level: usize) {
        let heading = label(&self.buffer);
        if heading.is_empty() {
            self.buffer.clear();
            return;
        }
        self.trail = self.headings.close(level);
        self.flush(BlockKind::Heading);
        self.first_heading.get_or_insert_with(|| heading.clone());
        self.trail = self.headings.open(level, heading);
    }

    fn flush(&mut self, kind: BlockKind) {
        let buffer = std::mem::take(&mut self.buffer);
        let words = if kind == BlockKind::Code { buffer.trim_end() } else { buffer.trim() };
        if trim(words).is_empty() {
            return;
        }
        if std::mem::take(&mut self.item_marker) && kind == BlockKind::Prose {
            self.emit(kind, &format!("- {words}"), None, "\n");
        } else {
            self.emit(kind, words, None, "\n\n");
        }
    }

    fn emit(&mut self, kind: BlockKind, words: &str, header: Option<Arc<str>>, separator: &str) {
        if !self.text.is_empty() {
            let follows_alike = self.blocks.last().is_some_and(|last| last.kind == kind);
            self.text.push_str(if follows_alike { separator } else { "\n\n" });
        }
        let start = self.text.len();
        self.text.push_str(words);
        let span = Span::new(start, self.text.len()).trimmed(&self.text);
        self.blocks.push(Block { span, kind, trail: Arc::clone(&self.trail), header, cell: None });
    }
}

/// `words` without white space and byte order marks at the ends.
fn trim(words: &str) -> &str {
    words.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// White space that a browser collapses, and the byte order mark; a no-break space stays a space of its own kind.
fn is_blank(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\u{feff}'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(source: &str) -> Vec<String> {
        let page = read(source).expect("not too deep");
        page.blocks
            .iter()
            .map(|block| {
                let header = block.header.as_deref().map(|header| format!(" [{header}]")).unwrap_or_default();
                let words = block.span.of(&page.text).expect("in range");
                format!("{:?} {}{header}: {words}", block.kind, block.trail.join(" > "))
            })
            .collect()
    }

    #[test]
    fn words_are_read_and_noise_is_left_out() {
        let source = "<!doctype html><title>A &amp; B</title><style>p{}</style><nav><a>Home</a></nav>\
            <h1>Report</h1><p>Fast\n  <b>and</b> small.<script>x()</script></p><ul><li>one<li>two</ul><pre>a\n  b</pre>";
        assert_eq!(
            described(source),
            [
                "Heading : Report",
                "Prose Report: Fast and small.",
                "Prose Report: - one",
                "Prose Report: - two",
                "Code Report: a\n  b"
            ]
        );
        assert_eq!(read(source).and_then(|page| page.title).as_deref(), Some("A & B"));
    }

    #[test]
    fn table_rows_carry_their_header() {
        let source = "<table><tr><th>run<th>ms</tr><tr><td><p>a</p><p>x</p><td>1</tr></table>";
        assert_eq!(described(source), ["Row : run | ms", "Row  [run | ms]: a x | 1"]);
    }

    #[test]
    fn a_layout_table_is_read_as_a_page() {
        let source = "<table><tr><td><h2>News</h2><p>Words.</p></td></tr></table>";
        assert_eq!(described(source), ["Heading : News", "Prose News: Words."]);
    }

    #[test]
    fn deep_markup_is_read() {
        let source = "<div>".repeat(4_000) + "deep";
        assert_eq!(read(&source).map(|page| page.text).as_deref(), Some("deep"));
        assert!(read(&"<div><p>".repeat(40_000)).is_none());
        assert!(read(&"<div><p>a</div><script>a<b</script>".repeat(10_000)).is_some());
    }
}
