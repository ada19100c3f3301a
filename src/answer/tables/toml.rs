//! TOML by its lines: tables, arrays of tables and keys with their places.

use super::node::{Entry, Flow, Node, Value};
use super::rows::lines;
use crate::workspace::Span;

/// The tree of a TOML text, as one map.
pub(super) fn read(text: &str) -> Option<Node> {
    let mut root = Node { span: Span::new(0, 0), value: Value::Map(Vec::new()) };
    let mut table: Vec<String> = Vec::new();
    let mut skip_to = 0;
    let mut any = false;
    for line in lines(text) {
        if line.start < skip_to {
            continue;
        }
        let span = line.trimmed(text);
        let words = &text[span.range()];
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        if let Some(name) = words.strip_prefix("[[") {
            table = path(name.split("]]").next().unwrap_or_default());
            open(&mut root, &table, span, true);
        } else if let Some(name) = words.strip_prefix('[') {
            table = path(name.split(']').next().unwrap_or_default());
            open(&mut root, &table, span, false);
        } else if let Some((key, _)) = words.split_once('=') {
            any = true;
            let value_start = span.start + key.len() + 1;
            let node = value(text, value_start, span.end);
            skip_to = node.span.end;
            let mut keys = path(key);
            let name = keys.pop().unwrap_or_default();
            let key_span = Span::new(span.start, span.start + key.trim_end().len());
            let whole = Span::new(span.start, node.span.end.max(key_span.end));
            let parent: Vec<String> = table.iter().cloned().chain(keys).collect();
            if let Some(Node { span, value: Value::Map(entries) }) = descend(&mut root, &parent, whole) {
                span.end = span.end.max(whole.end);
                entries.push(Entry { key: name, key_span, span: whole, node });
            }
        }
    }
    any.then_some(root)
}

/// The parts of a dotted key.
fn path(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    for c in name.trim().chars() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('.', None) => parts.push(String::new()),
            (c, _) => {
                if let Some(part) = parts.last_mut() {
                    part.push(c);
                }
            }
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// The value that begins on a line; lists, maps and texts in three quotes may go over lines.
fn value(text: &str, start: usize, line_end: usize) -> Node {
    let rest = text[start..].trim_start();
    let at = text.len() - rest.len();
    let may_go_on = rest.starts_with(['[', '{']) || rest.starts_with("\"\"\"") || rest.starts_with("'''");
    let end = if may_go_on { text.len() } else { line_end.max(at.min(text.len())) };
    if !may_go_on && !rest.starts_with(['"', '\'']) {
        let words = text[at.min(line_end)..line_end].split('#').next().unwrap_or_default().trim_end();
        let span = Span::new(at.min(line_end), at.min(line_end) + words.len());
        return Node { span, value: Value::Scalar(words.to_owned()) };
    }
    Flow::within(text, Span::new(at, end)).next(0).unwrap_or(Node::empty(line_end))
}

/// The map of that path, which is made where there is none; of an array of tables its last.
fn descend<'n>(root: &'n mut Node, path: &[String], span: Span) -> Option<&'n mut Node> {
    let mut node = root;
    for name in path {
        // Of a list, its last item.
        if matches!(&node.value, Value::List(items) if !items.is_empty()) {
            let Value::List(items) = &mut node.value else { return None };
            node = items.last_mut()?;
        }
        node.span.end = node.span.end.max(span.end);
        let Value::Map(entries) = &mut node.value else { return None };
        let at = entries.iter().position(|entry| entry.key == *name).unwrap_or_else(|| {
            let node = Node { span, value: Value::Map(Vec::new()) };
            entries.push(Entry { key: name.clone(), key_span: span, span, node });
            entries.len() - 1
        });
        entries[at].span.end = entries[at].span.end.max(span.end);
        node = &mut entries[at].node;
    }
    if matches!(&node.value, Value::List(items) if !items.is_empty()) {
        let Value::List(items) = &mut node.value else { return None };
        node = items.last_mut()?;
    }
    Some(node)
}

/// Begins a table, or one more of an array of tables.
fn open(root: &mut Node, path: &[String], span: Span, is_array: bool) {
    let Some(node) = descend(root, path, span) else { return };
    if !is_array {
        return;
    }
    // The first of an array was made as a map.
    let new = Node { span, value: Value::Map(Vec::new()) };
    let Some((last, above)) = path.split_last() else { return };
    if matches!(&node.value, Value::Map(entries) if entries.is_empty()) {
        *node = Node { span, value: Value::List(vec![new]) };
        return;
    }
    if let Some(Node { value: Value::Map(entries), .. }) = descend(root, above, span)
        && let Some(entry) = entries.iter_mut().find(|entry| entry.key == *last)
    {
        match &mut entry.node.value {
            Value::List(items) => items.push(new),
            other => *other = Value::List(vec![new]),
        }
    }
}
