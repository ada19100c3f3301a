//! Tables of reStructuredText: columns under rules of `=`, and grids of `+`, `-` and `|`.

use crate::workspace::Span;

/// A table with rules of `=` above its columns, below its header and at its end.
pub(super) fn ruled(text: &str, lines: &[Span], at: usize) -> Option<(Vec<Vec<Span>>, usize)> {
    let words = |line: &Span| &text[line.range()];
    let columns = rule(words(&lines[at]))?;
    let mut records: Vec<Vec<Span>> = Vec::new();
    let mut num_rules = 1;
    let mut num_lines = 1;
    for line in &lines[at + 1..] {
        num_lines += 1;
        let row = words(line);
        if rule(row).is_some() {
            num_rules += 1;
            // The last rule stands before a blank line or the end.
            let after = lines.get(at + num_lines).map_or("", |next| words(next).trim());
            if num_rules >= 3 || after.is_empty() {
                break;
            }
            continue;
        }
        let is_span = !row.trim().is_empty() && row.trim().chars().all(|c| matches!(c, '-' | ' '));
        if row.trim().is_empty() || is_span {
            continue;
        }
        let fields = columns_of(row, *line, &columns);
        // A row whose first column is empty goes on with the one before, which keeps its own first line.
        if fields.first().is_some_and(|first| !text[first.range()].trim().is_empty()) {
            records.push(fields);
        }
    }
    (num_rules >= 2 && records.len() >= 2).then_some((records, num_lines))
}

/// The columns that a rule names, as ranges of characters.
fn rule(line: &str) -> Option<Vec<(usize, usize)>> {
    let line = line.trim_end();
    let is_rule = line.contains("= =") || line.contains("=  =");
    if !is_rule || !line.trim().chars().all(|c| matches!(c, '=' | ' ')) {
        return None;
    }
    let mut columns = Vec::new();
    let mut start = None;
    for (at, c) in line.chars().chain([' ']).enumerate() {
        match (c, start) {
            ('=', None) => start = Some(at),
            (' ', Some(from)) => {
                columns.push((from, at));
                start = None;
            }
            _ => {}
        }
    }
    (columns.len() >= 2).then_some(columns)
}

/// The parts of a line that stand in columns of characters; the last goes to the end of the line.
fn columns_of(row: &str, line: Span, columns: &[(usize, usize)]) -> Vec<Span> {
    let byte = |column: usize| row.char_indices().nth(column).map_or(row.len(), |(at, _)| at);
    let last = columns.len() - 1;
    let span = |(index, (from, to)): (usize, &(usize, usize))| {
        let end = if index == last { row.len() } else { byte(*to) };
        Span::new(line.start + byte(*from), line.start + end.max(byte(*from)))
    };
    columns.iter().enumerate().map(span).collect()
}

/// A grid: borders of `+---+` around rows of `| a | b |`; a row of several lines keeps its first.
pub(super) fn grid(text: &str, lines: &[Span], at: usize) -> Option<(Vec<Vec<Span>>, usize)> {
    let words = |line: &Span| text[line.range()].trim();
    let is_border = |line: &Span| {
        let words = words(line);
        words.len() > 4
            && words.starts_with('+')
            && words.ends_with('+')
            && words.chars().all(|c| matches!(c, '+' | '-' | '='))
    };
    if !is_border(&lines[at]) {
        return None;
    }
    let mut records: Vec<Vec<Span>> = Vec::new();
    let mut num_lines = 1;
    let mut is_new = true;
    for line in &lines[at + 1..] {
        if is_border(line) {
            is_new = true;
        } else if words(line).starts_with('|') && words(line).ends_with('|') && words(line).len() > 1 {
            if is_new {
                let inner = line.trimmed(text);
                let mut start = inner.start + 1;
                let fields = text[start..inner.end - 1].split('|').map(|field| {
                    let span = Span::new(start, start + field.len());
                    start = span.end + 1;
                    span
                });
                records.push(fields.collect());
                is_new = false;
            }
        } else {
            break;
        }
        num_lines += 1;
    }
    (records.len() >= 2).then_some((records, num_lines))
}
