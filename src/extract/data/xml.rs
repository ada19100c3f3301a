//! XML: the file's own text, divided along its elements.
//!
//! # Invariants
//! - Entities and document types are not interpreted: the text is the file.
//! - Where the markup is broken, what follows is paragraphs.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::extract::builder::label;
use crate::extract::data::outline::Outline;
use crate::extract::{Block, BlockKind};

/// Titles of a whole document are not deeper: `feed > title`, `rss > channel > title`.
const MAX_TITLE_DEPTH: usize = 3;
/// A longer attribute names nothing.
const MAX_NAME_CHARS: usize = 60;

/// The blocks of an XML text, and its title: that of a feed, a drawing or a book.
pub(in crate::extract) fn read(text: &str) -> (Vec<Block>, Option<String>) {
    let mut xml = Reader::from_str(text);
    xml.config_mut().check_end_names = false;
    xml.config_mut().allow_unmatched_ends = true;
    let (mut outline, mut title, mut in_title) = (Outline::default(), None, false);
    let at = |position: u64| usize::try_from(position).unwrap_or(usize::MAX).min(text.len());
    loop {
        let start = at(xml.buffer_position());
        let Ok(event) = xml.read_event() else { break };
        match event {
            Event::Start(element) => {
                in_title = element.local_name().as_ref() == "title" && outline.depth() < MAX_TITLE_DEPTH;
                outline.open(outline.depth(), start, name(&element));
            }
            Event::Empty(element) => {
                let depth = outline.depth();
                outline.open(depth, start, name(&element));
                outline.close(depth, at(xml.buffer_position()));
            }
            Event::End(_) => {
                in_title = false;
                let end = at(xml.buffer_position());
                if let Some(inner) = outline.depth().checked_sub(1) {
                    outline.close(inner, end);
                }
            }
            Event::Text(words) if in_title && title.is_none() => title = Some(label(&words.xml10_content())),
            Event::CData(words) if in_title && title.is_none() => title = Some(label(&words.xml10_content())),
            Event::Eof => break,
            _ => {}
        }
    }
    let title = title.filter(|title| !title.is_empty());
    (outline.blocks(text, BlockKind::Code), title)
}

/// An element in a trail: `section`, or `section intro` where an attribute names it.
fn name(element: &BytesStart<'_>) -> String {
    let kind = label(element.local_name().as_ref());
    let names = |key: &str| matches!(key, "name" | "id" | "title" | "key" | "label");
    // Only well-formed attributes up to the first that is not.
    let attribute = element.attributes().with_checks(false).map_while(Result::ok).find(|attribute| {
        names(attribute.key.local_name().as_ref()) && attribute.value.chars().count() <= MAX_NAME_CHARS
    });
    let value = attribute
        .and_then(|attribute| attribute.normalized_value(XmlVersion::Implicit1_0).ok().map(|value| label(&value)));
    match value {
        Some(value) if !value.is_empty() => format!("{kind} {value}"),
        _ => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(text: &str) -> Vec<(String, String)> {
        let (blocks, _) = read(text);
        let words = |block: &Block| block.span.of(text).expect("in range").chars().take(12).collect();
        blocks.iter().map(|block| (block.trail.join(" > "), words(block))).collect()
    }

    #[test]
    fn elements_divide_the_text_and_name_it() {
        let long = "word ".repeat(100);
        let text = format!(
            "<?xml version=\"1.0\"?>\n<rss><channel><title>News &amp; more</title>\n<!-- first -->\n<item id=\"7\"><p>{long}</p><q/></item>\n<item><p>x</p></item></channel></rss>\n"
        );
        let expected = [
            ("rss > channel", "<?xml versio"),
            ("rss > channel > item 7", "<!-- first -"),
            ("rss > channel > item 7", "<q/></item>"),
            ("rss > channel", "<item><p>x</"),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(trail, words)| ((*trail).to_owned(), (*words).to_owned())).collect();
        assert_eq!(described(&text), expected);
        assert_eq!(read(&text).1.as_deref(), Some("News"));
    }

    #[test]
    fn hostile_markup_is_words() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>";
        assert_eq!(read(bomb).0.len(), 1);
        assert!(!read(&"<a>".repeat(200_000)).0.is_empty());
        assert!(!read(&"</a>".repeat(100_000)).0.is_empty());
        assert_eq!(described("<a>one</a>\n\n<b <c &")[0].1, "<a>one</a>\n\n");
    }
}
