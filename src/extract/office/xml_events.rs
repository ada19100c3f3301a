//! XML as a run of tags and words, by local names.
//!
//! # Invariants
//! - Document types and entities are not looked at: of references, characters and the five of XML itself are resolved, and
//!   others are left out.
//! - What is opened is closed, in order: reading ends at the first place that is not well-formed, and [`Xml::is_broken`] says so.
//! - No recursion, and work in proportion to the text.
//!
//! # Not here
//! Namespaces: office formats have two for the same words, and local names tell enough.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// A piece of XML.
pub(in crate::extract) enum Node<'x> {
    /// The start of an element; an empty one is closed right after.
    Open(Tag<'x>),
    /// The end of the element that was opened last.
    Close,
    /// Words between tags.
    Words(Cow<'x, str>),
}

/// The name and attributes of an element.
pub(in crate::extract) struct Tag<'x>(BytesStart<'x>);

impl Tag<'_> {
    /// The name without its prefix.
    pub(in crate::extract) fn name(&self) -> &str {
        local(self.0.name().0)
    }

    /// The value of the first attribute of that local name.
    pub(in crate::extract) fn attr(&self, name: &str) -> Option<String> {
        self.attribute(|key| local(key) == name)
    }

    /// The value of the attribute of that local name that has a prefix: `r:id` and not `id`.
    pub(in crate::extract) fn prefixed(&self, name: &str) -> Option<String> {
        self.attribute(|key| key.contains(':') && local(key) == name)
    }

    /// Whether the attribute is there and says yes.
    pub(in crate::extract) fn is_on(&self, name: &str) -> bool {
        self.attr(name).is_some_and(|value| matches!(value.as_str(), "1" | "true" | "on"))
    }

    /// A number of things, at least 1 and at most `max`.
    pub(in crate::extract) fn count(&self, name: &str, max: usize) -> usize {
        self.attr(name).and_then(|value| value.parse().ok()).unwrap_or(1).clamp(1, max)
    }

    fn attribute(&self, is_it: impl Fn(&str) -> bool) -> Option<String> {
        let mut attributes = self.0.attributes();
        // Looking for one that stands twice takes quadratic time.
        attributes.with_checks(false);
        let found = attributes.flatten().find(|attribute| is_it(attribute.key.0))?;
        let value = found.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok()?;
        Some(value.into_owned())
    }
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// Reads an XML text.
pub(in crate::extract) struct Xml<'x> {
    reader: Reader<&'x [u8]>,
    depth: usize,
    is_broken: bool,
    is_done: bool,
}

impl<'x> Xml<'x> {
    /// Begins to read `text`.
    pub(in crate::extract) fn new(text: &'x str) -> Self {
        let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
        reader.config_mut().expand_empty_elements = true;
        reader.config_mut().allow_dangling_amp = true;
        Self { reader, depth: 0, is_broken: false, is_done: false }
    }

    /// The next piece; where the text breaks off, what is open is closed first.
    pub(in crate::extract) fn next(&mut self) -> Option<Node<'x>> {
        while !self.is_done {
            match self.reader.read_event() {
                Ok(Event::Start(tag)) => {
                    self.depth += 1;
                    return Some(Node::Open(Tag(tag)));
                }
                Ok(Event::End(_)) => {
                    self.depth -= 1;
                    return Some(Node::Close);
                }
                Ok(Event::Text(words)) => return Some(Node::Words(words.xml10_content())),
                Ok(Event::CData(words)) => return Some(Node::Words(words.into_inner())),
                Ok(Event::GeneralRef(reference)) => {
                    if let Some(words) = resolved(&reference) {
                        return Some(Node::Words(words));
                    }
                }
                Ok(Event::Eof) => {
                    self.is_broken |= self.depth > 0;
                    self.is_done = true;
                }
                Ok(_) => {}
                Err(_) => {
                    self.is_broken = true;
                    self.is_done = true;
                }
            }
        }
        self.depth = self.depth.checked_sub(1)?;
        Some(Node::Close)
    }

    /// Passes over what is in the element that was opened last, and its end.
    pub(in crate::extract) fn skip(&mut self) {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside && self.next().is_some() {}
    }

    /// The words in the element that was opened last, up to its end.
    pub(in crate::extract) fn words(&mut self) -> String {
        let outside = self.depth.saturating_sub(1);
        let mut all = String::new();
        while self.depth > outside {
            match self.next() {
                Some(Node::Words(words)) => all.push_str(&words),
                Some(_) => {}
                None => break,
            }
        }
        all
    }

    /// The byte of the text up to which it was read, without a byte order mark.
    pub(in crate::extract) fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    /// How many elements are open.
    pub(in crate::extract) const fn depth(&self) -> usize {
        self.depth
    }

    /// Whether the text broke off or was not well-formed.
    pub(in crate::extract) const fn is_broken(&self) -> bool {
        self.is_broken
    }
}

fn resolved(reference: &quick_xml::events::BytesRef<'_>) -> Option<Cow<'static, str>> {
    if let Ok(Some(c)) = reference.resolve_char_ref() {
        return Some(Cow::Owned(c.to_string()));
    }
    let words = match &*reference.xml10_content() {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        _ => return None,
    };
    Some(Cow::Borrowed(words))
}
