//! The pieces of a PDF page in the order of reading: columns one after the other, tables row by row.
//!
//! A row of pieces is read from its start to its end. Where a gutter runs down several rows with running text on both
//! sides of it, the rows are columns: what is on the near side of it is read before the rest. Numbers and labels are
//! no running text, so a table stays in rows. The order in which the file draws the two sides decides what is doubtful.
//!
//! # Not here
//! Tables as such: their cells are words of a row.

use std::ops::Range;

use crate::extract::pdf::page::{CharBox, Piece, SPACE_GAP, Written, is_right_to_left};

/// A step across the line of writing, in font sizes, that begins a new paragraph.
const PARAGRAPH_STEP: f64 = 1.9;
/// Pieces nearer to each other across the line than this part of the font size are of one row.
const ROW_STEP: f64 = 0.45;
/// Columns have at least so many rows.
const MIN_COLUMN_ROWS: usize = 4;
/// Words of a row of running text, and of one that is drawn row by row as tables are.
const MIN_WORDS: f64 = 2.5;
const MIN_WORDS_BY_ROWS: f64 = 4.0;
/// The part of a column's width that its rows fill, and of one that is drawn row by row.
const MIN_FILL: f64 = 0.5;
const MIN_FILL_BY_ROWS: f64 = 0.65;
/// The least words and fill of a text that is drawn column by column and has lines at other heights on both sides, as no table has.
const MIN_WORDS_APART: f64 = 1.0;
const MIN_FILL_APART: f64 = 0.25;
/// Pieces of a table's row stand within this part of the font size of each other.
const SAME_HEIGHT: f64 = 0.1;
/// A gutter is at least so wide, in font sizes.
const MIN_GUTTER: f64 = 0.6;
/// Places that are tried for a gutter, and columns in columns.
const MAX_GUTTERS: usize = 24;
const MAX_DEPTH: usize = 8;

/// Pieces that stand beside each other.
type Row = Vec<Piece>;

/// The text of a page, with the boxes of its pieces.
pub(in crate::extract) fn read_in_order(pieces: Vec<Piece>) -> Written {
    let mut angles: Vec<(i32, Vec<Piece>)> = Vec::new();
    for piece in pieces {
        match angles.iter_mut().find(|(angle, _)| *angle == piece.angle) {
            Some((_, pieces)) => pieces.push(piece),
            None => angles.push((piece.angle, vec![piece])),
        }
    }
    angles.sort_by_key(|(angle, _)| *angle != 0);
    let mut out = Writer::default();
    for (_, pieces) in angles {
        read_region(pieces, &mut out, 0);
        out.end_region();
    }
    out.written
}

/// Where columns are: rows `first..end`, and what is left and right of the gutter.
struct Columns {
    first: usize,
    end: usize,
    gutter: f64,
}

fn read_region(pieces: Vec<Piece>, out: &mut Writer, depth: usize) {
    let mut rows = rows(pieces);
    while let Some(columns) = (depth < MAX_DEPTH).then(|| find_columns(&rows)).flatten() {
        let after = rows.split_off(columns.end);
        let beside = rows.split_off(columns.first);
        if !rows.is_empty() {
            read_region(rows.into_iter().flatten().collect(), out, depth + 1);
            out.end_region();
        }
        let (near, far): (Vec<Piece>, Vec<Piece>) =
            beside.into_iter().flatten().partition(|piece| piece.end <= columns.gutter);
        for side in [near, far] {
            read_region(side, out, depth + 1);
            out.end_region();
        }
        rows = after;
    }
    for row in rows {
        out.push_row(row);
    }
}

/// Pieces by rows, from first to last, each row from its start.
fn rows(mut pieces: Vec<Piece>) -> Vec<Row> {
    pieces.sort_by(|a, b| a.line.total_cmp(&b.line));
    let mut rows: Vec<Row> = Vec::new();
    for piece in pieces {
        match rows.last_mut() {
            Some(row) if piece.line - row[0].line < ROW_STEP * row[0].size.max(piece.size) => row.push(piece),
            _ => rows.push(vec![piece]),
        }
    }
    for row in &mut rows {
        row.sort_by(|a, b| a.start.total_cmp(&b.start));
    }
    rows
}

/// The longest run of rows that are columns.
fn find_columns(rows: &[Row]) -> Option<Columns> {
    if rows.len() < MIN_COLUMN_ROWS {
        return None;
    }
    let mut best: Option<Columns> = None;
    for gutter in gutters(rows) {
        let mut first = 0;
        while first < rows.len() {
            let crosses = |row: &Row| row.iter().any(|piece| piece.start < gutter && piece.end > gutter);
            let end = rows[first..].iter().position(crosses).map_or(rows.len(), |at| first + at);
            let (start, stop) = trimmed(rows, first, end, gutter);
            let is_longer = best.as_ref().is_none_or(|best| stop - start > best.end - best.first);
            if is_longer && are_columns(&rows[start..stop], gutter) {
                best = Some(Columns { first: start, end: stop, gutter });
            }
            first = end + 1;
        }
    }
    best
}

/// Places where many pieces start that are not the first of the page.
fn gutters(rows: &[Row]) -> Vec<f64> {
    let mut starts: Vec<f64> = rows.iter().flatten().map(|piece| piece.start).collect();
    starts.sort_by(f64::total_cmp);
    let mut places: Vec<(f64, usize)> = Vec::new();
    for start in starts {
        match places.last_mut() {
            Some((place, count)) if start - *place < 3.0 => *count += 1,
            _ => places.push((start, 1)),
        }
    }
    let mut places: Vec<(f64, usize)> = places.into_iter().skip(1).filter(|(_, count)| *count > 2).collect();
    places.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    places.truncate(MAX_GUTTERS);
    // A hair before the pieces that start there.
    places.into_iter().map(|(place, _)| place - 0.01).collect()
}

/// The rows without those at either end that stand on one side alone: a heading above, a note below.
fn trimmed(rows: &[Row], first: usize, end: usize, gutter: f64) -> (usize, usize) {
    let has_both = |row: &Row| row[0].start < gutter && row[row.len() - 1].start > gutter;
    let has_far = |row: &Row| row[row.len() - 1].start > gutter;
    let rows = &rows[first..end];
    // Columns begin where both are, and one of them may be longer: the far one only if it goes on without a break.
    let Some(start) = rows.iter().position(|row| has_both(row) || has_far(row)) else { return (first, first) };
    let stop = rows.iter().rposition(|row| has_both(row) || has_far(row)).map_or(start, |at| at + 1);
    (first + start, first + stop)
}

/// Whether there is running text on both sides of a gutter.
fn are_columns(rows: &[Row], gutter: f64) -> bool {
    let near = Side::of(rows, |piece| piece.end <= gutter);
    let far = Side::of(rows, |piece| piece.end > gutter);
    let num_rows = near.num_rows.min(far.num_rows);
    if num_rows < MIN_COLUMN_ROWS || far.start - near.end < MIN_GUTTER * near.size.min(far.size) {
        return false;
    }
    let mut sides: Vec<(usize, bool)> =
        rows.iter().flatten().map(|piece| (piece.number, piece.end <= gutter)).collect();
    sides.sort_unstable();
    let num_turns = sides.windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
    let is_by_columns = num_turns <= 1 + num_rows / 4;
    let is_level = |row: &&Row| {
        let mut far = row.iter().filter(|piece| piece.end > gutter);
        far.any(|far| {
            let mut near = row.iter().filter(|piece| piece.end <= gutter);
            near.any(|near| (near.line - far.line).abs() < SAME_HEIGHT * far.size)
        })
    };
    let are_apart = rows.iter().filter(is_level).count() * 2 < num_rows;
    let (words, fill) = match (is_by_columns, are_apart) {
        (true, true) => (MIN_WORDS_APART, MIN_FILL_APART),
        (true, false) => (MIN_WORDS, MIN_FILL),
        (false, _) => (MIN_WORDS_BY_ROWS, MIN_FILL_BY_ROWS),
    };
    [near, far].iter().all(|side| side.num_words >= words && side.fill >= fill)
}

/// One side of a gutter.
struct Side {
    num_rows: usize,
    start: f64,
    end: f64,
    size: f64,
    /// Words of a row, and the part of the side's width that a row fills, both in the mean.
    num_words: f64,
    fill: f64,
}

impl Side {
    fn of(rows: &[Row], is_here: impl Fn(&Piece) -> bool) -> Self {
        let (mut num_rows, mut num_words, mut filled) = (0, 0, 0.0);
        let (mut start, mut end, mut size) = (f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY);
        for row in rows {
            let mut is_empty = true;
            for piece in row.iter().filter(|piece| is_here(piece)) {
                is_empty = false;
                num_words += piece.text.split(' ').filter(|word| word.chars().any(char::is_alphabetic)).count();
                filled += piece.end - piece.start;
                (start, end) = (start.min(piece.start), end.max(piece.end));
                size = size.min(piece.size);
            }
            num_rows += usize::from(!is_empty);
        }
        let count = num_rows.max(1) as f64;
        let fill = if end > start { filled / count / (end - start) } else { 0.0 };
        Self { num_rows, start, end, size, num_words: num_words as f64 / count, fill }
    }
}

/// Writes rows: lines, and blank lines between paragraphs.
#[derive(Default)]
struct Writer {
    written: Written,
    /// Line and font size of the last row of this region.
    last: Option<(f64, f64)>,
}

impl Writer {
    fn end_region(&mut self) {
        self.last = None;
    }

    fn push_row(&mut self, row: Row) {
        let Some(first) = row.first() else { return };
        let (line, size) = (first.line, row.iter().map(|piece| piece.size).fold(0.0, f64::max));
        let separator = match self.last {
            _ if self.written.text.is_empty() => "",
            Some((last, last_size)) if line - last <= PARAGRAPH_STEP * size.min(last_size) => "\n",
            _ => "\n\n",
        };
        self.written.text.push_str(separator);
        self.last = Some((line, size));
        let (mut words, mut boxes) = (String::new(), Vec::new());
        let mut end: Option<(f64, f64, bool)> = None;
        for piece in row {
            if let Some((end, size, space_after)) = end {
                let gap = piece.start - end;
                let small = size.min(piece.size);
                if gap > small * SPACE_GAP
                    || gap < -small
                    || ((space_after || piece.space_before) && gap > -small * 0.2)
                {
                    words.push(' ');
                }
            }
            words.push_str(&piece.text);
            boxes.extend(piece.boxes);
            end = Some((piece.end, piece.size, piece.space_after));
        }
        let Some(order) = logical(&words) else {
            self.written.text.push_str(&words);
            self.written.boxes.extend(boxes);
            return;
        };
        self.written.boxes.extend(boxes_in(&order, &words, &boxes));
        self.written.text.extend(order.iter().map(|(_, c)| c));
    }
}

/// The boxes of a line's characters in another order of them.
fn boxes_in(order: &[(usize, char)], line: &str, boxes: &[CharBox]) -> Vec<CharBox> {
    if boxes.is_empty() {
        return Vec::new();
    }
    let mut in_line = boxes.iter();
    let of_chars: Vec<Option<CharBox>> =
        line.chars().map(|c| if c.is_whitespace() { None } else { in_line.next().copied() }).collect();
    order.iter().filter_map(|&(at, _)| of_chars[at]).collect()
}

/// The characters of a line as it is spoken, each with its number in the line as it looks: right-to-left text is turned, numbers and other
/// words in it are not. `None` where the two are the same.
fn logical(line: &str) -> Option<Vec<(usize, char)>> {
    let num_turned = line.chars().filter(|&c| is_right_to_left(c)).count();
    if num_turned == 0 {
        return None;
    }
    let reads_backward = num_turned * 2 >= line.chars().filter(|c| c.is_alphabetic()).count();
    let is_forward = |c: char| c.is_alphanumeric() && !is_right_to_left(c);
    let chars: Vec<char> = line.chars().collect();
    let mut runs: Vec<(bool, Range<usize>)> = Vec::new();
    for (at, &c) in chars.iter().enumerate() {
        let has_forward = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(|&c| is_forward(c));
        let is_backward = is_right_to_left(c)
            || (!is_forward(c)
                // What is neither goes with its line, unless it stands inside of a number or between two forward words.
                && (if reads_backward {
                    !(has_forward(at.checked_sub(1)) && has_forward(Some(at + 1)))
                } else {
                    runs.last().is_some_and(|run| run.0)
                }));
        match runs.last_mut() {
            Some((direction, run)) if *direction == is_backward => run.end = at + 1,
            _ => runs.push((is_backward, at..at + 1)),
        }
    }
    if reads_backward {
        runs.reverse();
    }
    let mut order = Vec::with_capacity(chars.len());
    for (is_backward, run) in runs {
        if is_backward {
            order.extend(run.rev().map(|at| (at, mirrored(chars[at]))));
        } else {
            order.extend(run.map(|at| (at, chars[at])));
        }
    }
    Some(order)
}

/// A bracket that faces the other way.
const fn mirrored(c: char) -> char {
    match c {
        '(' => ')',
        ')' => '(',
        '[' => ']',
        ']' => '[',
        '{' => '}',
        '}' => '{',
        c => c,
    }
}
