//! Values of JSON and of what is written like it (lists and maps of YAML on one line, values of TOML), with their places.
//!
//! # Invariants
//! - Nothing has to be valid: a parser always moves on, and gives what it understood.

use crate::workspace::Span;

/// Values nested deeper than this are taken for words.
pub(super) const MAX_DEPTH: usize = 32;

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A number, text or other value without parts; empty for null.
    Scalar(String),
    Map(Vec<Entry>),
    List(Vec<Node>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Span,
    /// From the key to the end of the value.
    pub(super) span: Span,
    pub(super) node: Node,
}

impl Node {
    pub(super) const fn empty(at: usize) -> Self {
        Self { span: Span::new(at, at), value: Value::Scalar(String::new()) }
    }
}

/// Reads values that are written like JSON; words without quotes end where `ends_word` says.
pub(super) struct Flow<'t> {
    text: &'t str,
    pub(super) at: usize,
    end: usize,
    /// Whether words may hold spaces, as in YAML.
    has_spaces: bool,
    comment: Option<u8>,
}

impl<'t> Flow<'t> {
    /// Of JSON, from byte `at` of `text`.
    pub(super) const fn json(text: &'t str, at: usize) -> Self {
        Self { text, at, end: text.len(), has_spaces: false, comment: None }
    }

    /// Of YAML or TOML, within `span`.
    pub(super) const fn within(text: &'t str, span: Span) -> Self {
        Self { text, at: span.start, end: span.end, has_spaces: true, comment: Some(b'#') }
    }

    fn byte(&self) -> Option<u8> {
        if self.at < self.end { self.text.as_bytes().get(self.at).copied() } else { None }
    }

    fn skip(&mut self, also: &[u8]) {
        while let Some(byte) = self.byte() {
            if byte.is_ascii_whitespace() || also.contains(&byte) {
                self.at += 1;
            } else if self.comment == Some(byte) || (byte == b'/' && self.text[self.at..].starts_with("//")) {
                let rest = &self.text[self.at..self.end];
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else {
                break;
            }
        }
    }

    /// The next value; `None` where nothing is left.
    pub(super) fn next(&mut self, depth: usize) -> Option<Node> {
        self.skip(b",:");
        let start = self.at;
        let node = match self.byte()? {
            b'{' if depth < MAX_DEPTH => self.map(depth),
            b'[' if depth < MAX_DEPTH => self.list(depth),
            b'"' | b'\'' => {
                let words = self.quoted();
                Node { span: Span::new(start, self.at), value: Value::Scalar(words) }
            }
            b'}' | b']' => {
                // A bracket too many.
                self.at += 1;
                Node::empty(self.at)
            }
            _ => self.bare(),
        };
        Some(node)
    }

    fn map(&mut self, depth: usize) -> Node {
        let start = self.at;
        self.at += 1;
        let mut entries = Vec::new();
        loop {
            self.skip(b",");
            match self.byte() {
                None => break,
                Some(b'}') => {
                    self.at += 1;
                    break;
                }
                Some(_) => {}
            }
            let key_start = self.at;
            let key = match self.byte() {
                Some(b'"' | b'\'') => self.quoted(),
                _ => self.bare_key(),
            };
            let key_span = Span::new(key_start, self.at);
            self.skip(b"");
            if !matches!(self.byte(), Some(b':' | b'=')) {
                if self.at == key_start {
                    self.at += self.text[self.at..].chars().next().map_or(1, char::len_utf8);
                }
                continue;
            }
            self.at += 1;
            self.skip(b"");
            let node = match self.byte() {
                Some(b',' | b'}') | None => Node::empty(self.at),
                Some(_) => self.next(depth + 1).unwrap_or(Node::empty(self.at)),
            };
            let span = Span::new(key_start, node.span.end.max(key_span.end));
            entries.push(Entry { key, key_span, span, node });
        }
        Node { span: Span::new(start, self.at), value: Value::Map(entries) }
    }

    fn list(&mut self, depth: usize) -> Node {
        let start = self.at;
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.skip(b",");
            match self.byte() {
                None => break,
                Some(b']') => {
                    self.at += 1;
                    break;
                }
                Some(_) => {}
            }
            let before = self.at;
            items.extend(self.next(depth + 1));
            if self.at == before {
                self.at += 1;
            }
        }
        Node { span: Span::new(start, self.at), value: Value::List(items) }
    }

    /// The words in quotes at the place, with the usual escapes read.
    fn quoted(&mut self) -> String {
        let quote = self.text.as_bytes()[self.at];
        let fence = if quote == b'"' { "\"\"\"" } else { "'''" };
        if self.text[self.at..self.end].starts_with(fence) {
            let rest = &self.text[self.at + 3..self.end];
            let len = rest.find(fence).unwrap_or(rest.len());
            self.at = (self.at + 3 + len + 3).min(self.end);
            return rest[..len].trim().to_owned();
        }
        self.at += 1;
        let mut words = String::new();
        let mut chars = self.text[self.at..self.end].char_indices();
        while let Some((offset, c)) = chars.next() {
            match c {
                '\\' if quote == b'"' => match chars.next() {
                    Some((_, 'n' | 'r' | 't')) => words.push(' '),
                    Some((_, 'u')) => {
                        let hex: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                        words.extend(u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32));
                    }
                    Some((_, escaped)) => words.push(escaped),
                    None => {}
                },
                c if c.is_ascii() && u32::from(c) == u32::from(quote) => {
                    self.at += offset + 1;
                    return words;
                }
                c => words.push(c),
            }
        }
        self.at = self.end;
        words
    }

    fn bare_key(&mut self) -> String {
        let rest = &self.text[self.at..self.end];
        let len = rest.find([':', '=', ',', '{', '}', '[', ']', '\n']).unwrap_or(rest.len());
        self.at += len;
        rest[..len].trim().to_owned()
    }

    fn bare(&mut self) -> Node {
        let start = self.at;
        let rest = &self.text[start..self.end];
        let ends = |c: char| {
            matches!(c, ',' | ']' | '}' | '\n') || (!self.has_spaces && (c.is_whitespace() || c == '{' || c == '['))
        };
        let len = rest.find(ends).unwrap_or(rest.len());
        self.at = start + len.max(rest.chars().next().map_or(0, char::len_utf8));
        let span = Span::new(start, self.at).trimmed(self.text);
        let words = &self.text[span.range()];
        Node { span, value: Value::Scalar(scalar(words)) }
    }
}

/// A value without quotes; null is none.
pub(super) fn scalar(words: &str) -> String {
    if matches!(words, "null" | "~" | "Null" | "NULL") { String::new() } else { words.to_owned() }
}

/// The values of a JSON text, one after the other.
pub(super) fn json(text: &str) -> Vec<Node> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut flow = Flow::json(text, start);
    let mut nodes = Vec::new();
    while let Some(node) = flow.next(0) {
        nodes.push(node);
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(node: &Node) -> String {
        match &node.value {
            Value::Scalar(words) => words.clone(),
            Value::List(items) => {
                format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" "))
            }
            Value::Map(entries) => {
                let entries = entries.iter().map(|entry| format!("{}={}", entry.key, shown(&entry.node)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(" "))
            }
        }
    }

    #[test]
    fn json_is_read_with_the_places_of_its_entries() {
        let text = r#"{"a": {"p99": 11.8, "x": null}, "b": ["q\"u", 2, {"c": true}]}"#;
        let nodes = json(text);
        assert_eq!(shown(&nodes[0]), "{a={p99=11.8 x=} b=[q\"u 2 {c=true}]}");
        let Value::Map(entries) = &nodes[0].value else { panic!() };
        let Value::Map(inner) = &entries[0].node.value else { panic!() };
        assert_eq!(inner[0].span.of(text).unwrap(), "\"p99\": 11.8");
    }

    #[test]
    fn lists_and_maps_without_quotes_are_read() {
        let text = "[plans/, runs/ all] # note";
        let node = Flow::within(text, Span::new(0, text.len())).next(0).unwrap();
        assert_eq!(shown(&node), "[plans/ runs/ all]");
        let text = "{ version = \"1.2\", features = [\"a\", 'b'] }";
        let node = Flow::within(text, Span::new(0, text.len())).next(0).unwrap();
        assert_eq!(shown(&node), "{version=1.2 features=[a b]}");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "[\\[\\]{}:,\"'a-c0-9\\\\ \n#é=-]{0,60}") {
            for node in json(&text) {
                proptest::prop_assert!(node.span.of(&text).is_some());
            }
            let _ = Flow::within(&text, Span::new(0, text.len())).next(0);
            for node in super::super::yaml::read(&text).into_iter().chain(super::super::toml::read(&text)) {
                proptest::prop_assert!(node.span.of(&text).is_some());
            }
        }
    }
}
