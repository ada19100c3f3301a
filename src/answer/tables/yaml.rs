//! YAML by its indentation: keys and items with their places. What is written on one line is read as in JSON.
//!
//! # Not here
//! Anchors, tags and keys of several lines: they are words.

use super::node::{Entry, Flow, MAX_DEPTH, Node, Value, scalar};
use super::rows::lines;
use crate::workspace::Span;

/// The documents of a YAML text.
pub(super) fn read(text: &str) -> Vec<Node> {
    let mut documents: Vec<Vec<Line<'_>>> = vec![Vec::new()];
    for span in lines(text) {
        let words = text[span.range()].trim_start_matches('\u{feff}').trim_end();
        if words == "---" || words == "..." {
            documents.push(Vec::new());
            continue;
        }
        let body = words.trim_start_matches([' ', '\t']);
        if !body.is_empty() {
            let start = span.start + text[span.range()].len()
                - text[span.range()].trim_start_matches(['\u{feff}', ' ', '\t']).len();
            let end = start + body.len();
            let is_comment = body.starts_with('#');
            let line = Line { start, end, indent: words.len() - body.len(), body, is_comment };
            documents.last_mut().expect("there is one from the beginning").push(line);
        }
    }
    let read = |lines: &Vec<Line<'_>>| Reader { text, lines, at: 0 }.value(0, 0);
    documents.iter().filter_map(read).collect()
}

struct Line<'t> {
    start: usize,
    end: usize,
    indent: usize,
    body: &'t str,
    is_comment: bool,
}

struct Reader<'t, 'l> {
    text: &'t str,
    lines: &'l [Line<'t>],
    at: usize,
}

impl Reader<'_, '_> {
    fn skip_comments(&mut self) {
        while self.lines.get(self.at).is_some_and(|line| line.is_comment) {
            self.at += 1;
        }
    }

    /// The value that begins at the next line, if that is indented by `least` at the least.
    fn value(&mut self, least: usize, depth: usize) -> Option<Node> {
        self.skip_comments();
        let line = self.lines.get(self.at).filter(|line| line.indent >= least)?;
        let (indent, start, end, body) = (line.indent, line.start, line.end, line.body);
        if depth >= MAX_DEPTH {
            return self.rest(least);
        }
        if item(body).is_some() {
            return Some(self.list(indent, depth));
        }
        if key(body).is_some() {
            return Some(self.map(indent, start, depth));
        }
        self.at += 1;
        if body.starts_with(['{', '[']) {
            let flow_end = self.flow_end(start, end);
            return Flow::within(self.text, Span::new(start, flow_end)).next(0);
        }
        let span = self.words_of(start, end, least);
        Some(Node { span, value: Value::Scalar(unquoted(self.text, span)) })
    }

    /// All lines that are indented so far, as words.
    fn rest(&mut self, least: usize) -> Option<Node> {
        let start = self.lines.get(self.at)?.start;
        let mut end = start;
        while let Some(line) = self.lines.get(self.at).filter(|line| line.indent >= least) {
            end = line.end;
            self.at += 1;
        }
        let span = Span::new(start, end);
        Some(Node { span, value: Value::Scalar(self.text[span.range()].to_owned()) })
    }

    /// Words that go on in lines that are indented more.
    fn words_of(&mut self, start: usize, mut end: usize, least: usize) -> Span {
        while let Some(line) =
            self.lines.get(self.at).filter(|line| line.indent >= least && least > 0 && !line.is_comment)
        {
            end = line.end;
            self.at += 1;
        }
        Span::new(start, end)
    }

    /// The end of a list or map with brackets, which may go over lines.
    fn flow_end(&mut self, start: usize, mut end: usize) -> usize {
        let is_open = |end: usize| {
            let words = &self.text[start..end];
            words.matches(['[', '{']).count() > words.matches([']', '}']).count()
        };
        while is_open(end)
            && let Some(line) = self.lines.get(self.at)
        {
            end = line.end;
            self.at += 1;
        }
        end
    }

    fn map(&mut self, indent: usize, start: usize, depth: usize) -> Node {
        let mut entries: Vec<Entry> = Vec::new();
        let mut end = start;
        // The first key may stand behind the dash of an item, where the line is not indented so far.
        let mut first = Some(start);
        loop {
            self.skip_comments();
            let Some(line) = self.lines.get(self.at) else { break };
            let key_start = match first.take() {
                Some(start) => start,
                None if line.indent == indent => line.start,
                None => break,
            };
            let Some(body) = self.text.get(key_start..line.end) else { break };
            let Some((name, value_at)) = key(body) else { break };
            let key_span = Span::new(key_start, key_start + name.len());
            let (value_start, line_end) = (key_start + value_at, line.end);
            self.at += 1;
            let node = self.value_of_key(Span::new(value_start, line_end), indent, depth);
            end = node.span.end.max(key_span.end + 1).min(self.text.len());
            let span = Span::new(key_start, end).trimmed(self.text);
            entries.push(Entry { key: name.trim_matches(['"', '\'']).to_owned(), key_span, span, node });
        }
        Node { span: Span::new(start, end.max(start)), value: Value::Map(entries) }
    }

    /// The value behind a key: on its line, or in those below.
    fn value_of_key(&mut self, span: Span, indent: usize, depth: usize) -> Node {
        let span = span.trimmed(self.text);
        let words = without_comment(&self.text[span.range()]);
        let span = Span::new(span.start, span.start + words.len());
        if words.is_empty() {
            self.skip_comments();
            let is_list_below =
                self.lines.get(self.at).is_some_and(|line| line.indent == indent && item(line.body).is_some());
            let least = if is_list_below { indent } else { indent + 1 };
            return self.value(least, depth + 1).unwrap_or(Node::empty(span.start));
        }
        if words.starts_with(['|', '>']) && words.len() <= 3 {
            return self.rest(indent + 1).unwrap_or(Node::empty(span.end));
        }
        if words.starts_with(['{', '[']) {
            let end = self.flow_end(span.start, span.end);
            return Flow::within(self.text, Span::new(span.start, end)).next(0).unwrap_or(Node::empty(end));
        }
        let span = self.words_of(span.start, span.end, indent + 1);
        Node { span, value: Value::Scalar(unquoted(self.text, span)) }
    }

    fn list(&mut self, indent: usize, depth: usize) -> Node {
        let mut items = Vec::new();
        let start = self.lines[self.at].start;
        let mut end = start;
        loop {
            self.skip_comments();
            let Some(line) = self.lines.get(self.at).filter(|line| line.indent == indent) else { break };
            let Some(offset) = item(line.body) else { break };
            let inner = Span::new(line.start + offset, line.end).trimmed(self.text);
            let words = &self.text[inner.range()];
            let node = if words.is_empty() || words.starts_with('#') {
                self.at += 1;
                self.value(indent + 1, depth + 1).unwrap_or(Node::empty(inner.start))
            } else if key(words).is_some() && depth < MAX_DEPTH {
                self.map(indent + (inner.start - line.start), inner.start, depth + 1)
            } else {
                self.at += 1;
                self.value_of_key(inner, indent, depth)
            };
            end = node.span.end.max(inner.end.min(inner.start + 1));
            items.push(node);
        }
        Node { span: Span::new(start, end.max(start)), value: Value::List(items) }
    }
}

/// Where the words of a list item begin.
fn item(body: &str) -> Option<usize> {
    let rest = body.strip_prefix('-')?;
    (rest.is_empty() || rest.starts_with([' ', '\t'])).then_some(1)
}

/// The key that a line begins with, and where its value begins.
fn key(body: &str) -> Option<(&str, usize)> {
    let end = match body.as_bytes().first()? {
        quote @ (b'"' | b'\'') => 2 + body.bytes().skip(1).position(|byte| byte == *quote)?,
        b'{' | b'[' | b'|' | b'>' | b'%' | b'@' | b'`' | b'#' => return None,
        _ => body
            .match_indices(':')
            .map(|(at, _)| at)
            .find(|at| body.as_bytes().get(at + 1).is_none_or(u8::is_ascii_whitespace))?,
    };
    let value = body.get(end..)?.strip_prefix(':')?;
    (end > 0 && (value.is_empty() || value.starts_with([' ', '\t']))).then(|| (&body[..end], end + 1))
}

/// A value without the comment behind it.
fn without_comment(words: &str) -> &str {
    if words.starts_with('#') {
        return "";
    }
    if words.starts_with(['"', '\'']) {
        return words;
    }
    words.find(" #").map_or(words, |at| words[..at].trim_end())
}

fn unquoted(text: &str, span: Span) -> String {
    let words = &text[span.range()];
    for quote in ['"', '\''] {
        if let Some(inner) = words.strip_prefix(quote) {
            return inner.split(quote).next().unwrap_or(inner).to_owned();
        }
    }
    scalar(words)
}
