//! Markdown as it reads: headings, lists, tables, code. The marks are those of the bytes that the words were read from.
//!
//! HTML in it is shown as text, links and pictures lead nowhere.

use std::fmt::Write as _;
use std::ops::Range;

use maud::{Escaper, Markup, PreEscaped};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::Window;
use super::marked::{Marks, marked};
use crate::engine::Source;
use crate::workspace::{RelPath, Span};

/// Whether a file is one of Markdown, by its name.
pub(in crate::serve::page) fn is_markdown(path: &RelPath) -> bool {
    let extension = path.file_name().rsplit_once('.').map(|(_, extension)| extension);
    extension.is_some_and(|extension| ["md", "markdown"].iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// Tags that stand in one another; what is nested more deeply stands where these end, as a browser would have it.
const MAX_DEPTH: usize = 64;

/// Shows the blocks of the window.
pub(super) fn shown(source: &Source, window: Window, marks: &Marks) -> Markup {
    let text = &source.document.text;
    let html = written(text, window.line_start(text)..window.end, marks);
    PreEscaped(format!("<div class=\"blocks\">{html}</div>"))
}

/// Shows a part of a passage, with words marked, from behind the front matter where it begins with one and goes on.
pub(in crate::serve::page) fn part(text: &str, part: Span, words: &[Span]) -> Markup {
    let (start, _) = front_matter(text, part.start, part.end);
    let start = if start < part.end { start } else { part.start };
    PreEscaped(written(text, start..part.end, &Marks::new(None, words.to_vec())))
}

/// Shows a sentence: the letters and their weight, in one line.
pub(in crate::serve::page) fn sentence(text: &str) -> Markup {
    let marks = Marks::new(None, Vec::new());
    let mut writer = Writer { text, marks: &marks, html: String::new(), is_head: false, depth: 0 };
    for (event, range) in Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH).into_offset_iter() {
        match &event {
            Event::Start(Tag::Emphasis | Tag::Strong | Tag::Strikethrough)
            | Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough)
            | Event::Text(_)
            | Event::Code(_)
            | Event::InlineHtml(_)
            | Event::SoftBreak => writer.event(event, range),
            // A sentence that only looks like a list or a heading is shown as it is.
            Event::Start(Tag::Paragraph) | Event::End(_) => {}
            _ => return PreEscaped(with_words_only(text)),
        }
    }
    PreEscaped(writer.html)
}

fn with_words_only(text: &str) -> String {
    marked(text, 0..text.len(), &Marks::new(None, Vec::new())).0
}

fn written(text: &str, range: Range<usize>, marks: &Marks) -> String {
    let (start, front) = front_matter(text, range.start, range.end);
    let mut writer = Writer { text, marks, html: String::new(), is_head: false, depth: 0 };
    if let Some(front) = front {
        writer.put("<pre class=\"front\">");
        writer.words(front);
        writer.put("</pre>");
    }
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS | Options::ENABLE_FOOTNOTES;
    for (event, range) in Parser::new_ext(&text[start..range.end], options).into_offset_iter() {
        writer.event(event, start + range.start..start + range.end);
    }
    writer.html
}

/// Where the body begins, and the front matter before it.
fn front_matter(text: &str, start: usize, end: usize) -> (usize, Option<Range<usize>>) {
    let body = &text[start..end];
    if start > 0 || !body.starts_with("---\n") {
        return (start, None);
    }
    match body[4..].find("\n---\n").map(|at| 4 + at + "\n---\n".len()) {
        Some(length) => (length, Some(0..length)),
        None => (start, None),
    }
}

struct Writer<'a> {
    text: &'a str,
    marks: &'a Marks,
    html: String,
    /// Whether cells are those of a table's head.
    is_head: bool,
    /// Tags that are open.
    depth: usize,
}

impl Writer<'_> {
    fn put(&mut self, html: &str) {
        self.html.push_str(html);
    }

    /// Words as they stand in the file.
    fn words(&mut self, range: Range<usize>) {
        self.html.push_str(&marked(self.text, range, self.marks).0);
    }

    /// Words that were read from a range, which may be written otherwise there: with escapes, or entities.
    fn read(&mut self, words: &str, range: Range<usize>) {
        match self.text.get(range.clone()) {
            Some(written) if written == words => self.words(range),
            // The words may stand in signs of their own: the backticks of code.
            Some(written) if let Some(at) = written.find(words).filter(|_| !words.is_empty()) => {
                let from = range.start + at;
                self.words(from..from + words.len());
            }
            _ => {
                let is_marked = self.marks.touches(&range);
                self.put(if is_marked { "<mark class=\"quote\">" } else { "" });
                self.escaped(words);
                self.put(if is_marked { "</mark>" } else { "" });
            }
        }
    }

    fn escaped(&mut self, words: &str) {
        // A string takes everything.
        let _ = Escaper::new(&mut self.html).write_str(words);
    }

    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.open(&tag),
            Event::End(tag) => self.close(tag),
            Event::Text(words) => self.read(&words, range),
            Event::Code(words) => {
                self.put("<code>");
                self.read(&words, range);
                self.put("</code>");
            }
            Event::Html(_) | Event::InlineHtml(_) => {
                self.put("<span class=\"raw\">");
                self.words(range);
                self.put("</span>");
            }
            Event::SoftBreak => self.put("\n"),
            Event::HardBreak => self.put("<br>"),
            Event::Rule => self.put("<hr>"),
            Event::TaskListMarker(is_done) => self.put(if is_done { "☑ " } else { "☐ " }),
            Event::FootnoteReference(_) | Event::InlineMath(_) | Event::DisplayMath(_) => self.words(range),
        }
    }

    fn open(&mut self, tag: &Tag<'_>) {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return;
        }
        match tag {
            Tag::Paragraph => self.put("<p class=\"prose\" dir=\"auto\">"),
            Tag::Heading { level, .. } => {
                let level = (*level as usize).min(4);
                self.put(&format!("<p class=\"heading level-{level}\" dir=\"auto\">"));
            }
            Tag::BlockQuote(_) => self.put("<blockquote>"),
            Tag::CodeBlock(kind) => {
                self.put("<pre>");
                if let CodeBlockKind::Fenced(language) = kind
                    && !language.is_empty()
                {
                    self.put("<span class=\"language\">");
                    self.escaped(language);
                    self.put("</span>\n");
                }
            }
            Tag::List(Some(first)) => self.put(&format!("<ol start=\"{first}\">")),
            Tag::List(None) => self.put("<ul>"),
            Tag::Item => self.put("<li dir=\"auto\">"),
            Tag::FootnoteDefinition(_) => self.put("<div class=\"footnote\">"),
            Tag::Table(_) => {
                self.put("<div class=\"table\" tabindex=\"0\" role=\"group\" aria-label=\"Table\"><table>");
            }
            Tag::TableHead => {
                self.is_head = true;
                self.put("<thead><tr>");
            }
            Tag::TableRow => self.put("<tr>"),
            Tag::TableCell => {
                self.put(if self.is_head { "<th scope=\"col\" dir=\"auto\">" } else { "<td dir=\"auto\">" });
            }
            Tag::Emphasis => self.put("<em>"),
            Tag::Strong => self.put("<strong>"),
            Tag::Strikethrough => self.put("<s>"),
            Tag::Link { dest_url, .. } => {
                self.put("<span class=\"link\" title=\"");
                self.escaped(dest_url);
                self.put("\">");
            }
            Tag::Image { dest_url, .. } => {
                self.put("<span class=\"picture\" title=\"");
                self.escaped(dest_url);
                self.put("\">");
            }
            _ => self.put("<span>"),
        }
    }

    fn close(&mut self, tag: TagEnd) {
        self.depth = self.depth.saturating_sub(1);
        if self.depth >= MAX_DEPTH {
            return;
        }
        self.is_head &= tag != TagEnd::TableHead;
        self.put(match tag {
            TagEnd::Paragraph | TagEnd::Heading(_) => "</p>",
            TagEnd::BlockQuote(_) => "</blockquote>",
            TagEnd::CodeBlock => "</pre>",
            TagEnd::List(true) => "</ol>",
            TagEnd::List(false) => "</ul>",
            TagEnd::Item => "</li>",
            TagEnd::FootnoteDefinition => "</div>",
            TagEnd::Table => "</table></div>",
            TagEnd::TableHead => "</tr></thead>",
            TagEnd::TableRow => "</tr>",
            TagEnd::TableCell if self.is_head => "</th>",
            TagEnd::TableCell => "</td>",
            TagEnd::Emphasis => "</em>",
            TagEnd::Strong => "</strong>",
            TagEnd::Strikethrough => "</s>",
            _ => "</span>",
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str, quote: &str) -> String {
        let at = text.find(quote).unwrap();
        written(text, 0..text.len(), &Marks::new(Some(Span::new(at, at + quote.len())), Vec::new()))
    }

    #[test]
    fn a_mark_is_at_its_bytes_whatever_signs_stand_between() {
        assert_eq!(
            shown("It was **37 minutes** long.\n", "was **37 minutes**"),
            "<p class=\"prose\" dir=\"auto\">It <mark class=\"quote\" id=\"mark\">was </mark><strong><mark class=\"quote\">37 minutes</mark></strong> long.</p>"
        );
        assert!(
            shown("a `let x` b\n", "let x").contains("<code><mark class=\"quote\" id=\"mark\">let x</mark></code>")
        );
        assert!(
            shown("| a | b |\n|---|---|\n| 1 | 2 |\n", "2")
                .contains("<td dir=\"auto\"><mark class=\"quote\" id=\"mark\">2</mark></td>")
        );
        assert!(shown("---\ntitle: x\n---\n# H\n", "title: x").starts_with("<pre class=\"front\">---\n<mark"));
        assert!(shown("5 &lt; 6\n", "5").contains("&lt;"));
    }

    #[test]
    fn what_is_nested_ten_thousand_times_is_shown_with_its_words_and_few_tags() {
        for text in [format!("{} deep\n", ">".repeat(10_000)), format!("{}deep\n", "- ".repeat(10_000))] {
            let html = shown(&text, "deep");
            assert!(
                html.contains("<mark class=\"quote\" id=\"mark\">deep</mark>") && html.len() < 4_000,
                "{}",
                html.len()
            );
            assert_eq!(html.matches("</").count(), html.matches('<').count() / 2, "each tag is closed");
        }
    }

    #[test]
    fn html_and_links_are_text() {
        let html = shown("<script>alert(1)</script>\n\n[x](javascript:alert(1)) ![p](http://e/x.png)\n", "x");
        assert!(!html.contains("<script") && !html.contains("href") && !html.contains("<img"), "{html}");
    }

    #[test]
    fn a_sentence_is_one_line_of_inline_marks() {
        assert_eq!(sentence("for **37 minutes**, `a<b`").0, "for <strong>37 minutes</strong>, <code>a&lt;b</code>");
        assert_eq!(sentence("- an item").0, "- an item");
    }

    proptest! {
        #[test]
        fn whatever_stands_in_a_file_is_text(text in "[<>&\"'a-c*_`|#\\[\\]()!\n -]{0,80}") {
            let html = written(&text, 0..text.len(), &Marks::new(None, Vec::new()));
            for tag in html.split('<').skip(1) {
                let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
                let known = ["p", "pre", "span", "ul", "ol", "li", "em", "strong", "s", "code", "br", "hr", "blockquote", "div", "table", "thead", "tr", "th", "td"];
                prop_assert!(known.contains(&name.as_str()), "{html}");
            }
            prop_assert!(!sentence(&text).0.contains("<a"));
        }
    }
}
