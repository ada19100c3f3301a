//! Trees of maps and lists to tables: an array of maps has a row for each, maps below the names of things too, and any other map
//! is one row.

use super::node::{Entry, Node, Value};
use super::table::{Cell, MAX_TABLES, Row, Shape, Table};
use crate::workspace::Span;

/// Between the keys of a path.
pub(super) const STEP: &str = " › ";
/// Maps in maps are columns of their row so deep.
const MAX_FLAT_DEPTH: usize = 6;
/// Longest value of a cell, in bytes.
const MAX_VALUE_BYTES: usize = 2_000;

/// The tables of the values of one file. Where `are_lines`, each value is a row of one table.
pub(super) fn tables(nodes: &[Node], are_lines: bool) -> Vec<Table> {
    let mut reader = Reader { tables: Vec::new() };
    if are_lines && nodes.len() > 1 {
        reader.list(nodes, &[]);
    } else {
        for node in nodes {
            reader.visit(node, &[], 0);
        }
    }
    reader.tables
}

struct Reader {
    tables: Vec<Table>,
}

/// A value that is a table of its own inside a row.
struct Inner<'n> {
    path: Vec<String>,
    node: &'n Node,
}

impl Reader {
    fn visit(&mut self, node: &Node, path: &[String], depth: usize) {
        if self.tables.len() >= MAX_TABLES || depth > super::node::MAX_DEPTH {
            return;
        }
        match &node.value {
            Value::Scalar(_) => {}
            Value::List(items) => self.list(items, path),
            Value::Map(entries) if is_keyed(entries) => self.keyed(entries, path, depth),
            Value::Map(entries) => {
                let mut table = Table::new(Shape::Single, path.to_vec());
                let inner = add_row(&mut table, node.span, entries, None);
                self.push(table);
                self.inner(inner, path, depth);
            }
        }
    }

    /// A list: its maps are rows.
    fn list(&mut self, items: &[Node], path: &[String]) {
        let mut table = Table::new(Shape::Records, path.to_vec());
        let mut inner = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let Value::Map(entries) = &item.value else { continue };
            let label = label(entries).unwrap_or_else(|| format!("[{index}]"));
            let found = add_row(&mut table, item.span, entries, None);
            inner.extend(found.into_iter().map(|Inner { path, node }| Inner {
                path: std::iter::once(label.clone()).chain(path).collect(),
                node,
            }));
        }
        if table.rows.len() == 1 {
            table.shape = Shape::Single;
        }
        self.push(table);
        self.inner(inner, path, 0);
    }

    /// Maps below the names of things: the names are the first column.
    fn keyed(&mut self, entries: &[Entry], path: &[String], depth: usize) {
        let mut table = Table::new(Shape::Records, path.to_vec());
        let name = path.last().map_or("name", String::as_str).to_owned();
        table.column(&name);
        let mut inner = Vec::new();
        let mut others = Table::new(Shape::Single, path.to_vec());
        let mut rest = Vec::new();
        for entry in entries {
            match &entry.node.value {
                Value::Map(fields) => {
                    let key = Cell { column: 0, text: entry.key.clone(), span: entry.key_span };
                    let found = add_row(&mut table, entry.span, fields, Some(key));
                    inner.extend(found.into_iter().map(|Inner { path, node }| Inner {
                        path: std::iter::once(entry.key.clone()).chain(path).collect(),
                        node,
                    }));
                }
                _ => rest.push(entry.clone()),
            }
        }
        if let (Some(first), Some(last)) = (rest.first(), rest.last()) {
            let span = Span::new(first.span.start, last.span.end);
            inner.extend(add_row(&mut others, span, &rest, None).into_iter().filter_map(|found| {
                // What is in `rest` is a copy; the entry itself is visited.
                let entry = entries.iter().find(|entry| entry.span == found.node.span || entry.node == *found.node)?;
                Some(Inner { path: found.path, node: &entry.node })
            }));
        }
        self.push(table);
        self.push(others);
        self.inner(inner, path, depth);
    }

    fn push(&mut self, table: Table) {
        if table.rows.iter().any(|row| !row.cells.is_empty()) && self.tables.len() < MAX_TABLES {
            self.tables.push(table);
        }
    }

    fn inner(&mut self, inner: Vec<Inner<'_>>, path: &[String], depth: usize) {
        for Inner { path: below, node } in inner {
            let path: Vec<String> = path.iter().cloned().chain(below).collect();
            self.visit(node, &path, depth + 1);
        }
    }
}

/// The name of a record, where it has one.
fn label(entries: &[Entry]) -> Option<String> {
    let named = |name: &str| entries.iter().find(|entry| entry.key == name);
    ["name", "id", "key", "title", "code"].iter().find_map(|name| match &named(name)?.node.value {
        Value::Scalar(words) if !words.is_empty() => Some(words.clone()),
        _ => None,
    })
}

/// Whether most values of a map are maps that share keys: its keys are names of things.
fn is_keyed(entries: &[Entry]) -> bool {
    let maps: Vec<&Vec<Entry>> = entries
        .iter()
        .filter_map(|entry| if let Value::Map(fields) = &entry.node.value { Some(fields) } else { None })
        .collect();
    if maps.len() < 2 || maps.len() * 2 < entries.len() {
        return false;
    }
    let is_shared =
        |key: &str| maps.iter().filter(|map| map.iter().any(|entry| entry.key == key)).count() * 2 >= maps.len().max(4);
    maps.iter().take(4).flat_map(|map| map.iter()).any(|entry| is_shared(&entry.key))
}

/// Adds the row of a map; returns what in it is a table of its own.
fn add_row<'n>(table: &mut Table, span: Span, entries: &'n [Entry], key: Option<Cell>) -> Vec<Inner<'n>> {
    let mut row = Row { span, cells: key.into_iter().collect() };
    let mut inner = Vec::new();
    flatten(table, &mut row, entries, &[], &mut inner);
    table.push(row);
    inner
}

fn flatten<'n>(table: &mut Table, row: &mut Row, entries: &'n [Entry], path: &[String], inner: &mut Vec<Inner<'n>>) {
    for entry in entries {
        let path: Vec<String> = path.iter().cloned().chain([entry.key.clone()]).collect();
        let words = match &entry.node.value {
            Value::Scalar(words) => words.clone(),
            Value::List(items) => {
                let words: Vec<&str> = items
                    .iter()
                    .filter_map(|item| if let Value::Scalar(words) = &item.value { Some(words.as_str()) } else { None })
                    .collect();
                if words.len() < items.len() {
                    inner.push(Inner { path: path.clone(), node: &entry.node });
                }
                words.join(", ")
            }
            Value::Map(fields) if path.len() < MAX_FLAT_DEPTH && !is_keyed(fields) => {
                flatten(table, row, fields, &path, inner);
                continue;
            }
            Value::Map(_) => {
                inner.push(Inner { path, node: &entry.node });
                continue;
            }
        };
        if words.trim().is_empty() {
            continue;
        }
        let mut text = words;
        text.truncate(text.floor_char_boundary(MAX_VALUE_BYTES));
        if let Some(column) = table.column(&path.join(STEP)) {
            row.cells.push(Cell { column, text, span: entry.span });
        }
    }
}
