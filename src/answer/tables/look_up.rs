//! What a question finds in the tables of several files, ready to be cited.

use super::choose::{Miss, Outcome, Reading, choose};
use super::numbers;
use super::question::{Intent, Kind, Question, Term};
use super::read::{Sheet, is_structured_name};
use super::records::STEP;
use super::table::{Row, Shape, Table};
use super::view::View;
use super::when::whens;
use super::words::{Words, held};
use crate::answer::{Field, PlanKind};
use crate::workspace::Span;

/// Readings that disagree are all told up to so many; more of them mean that the question names nothing in particular.
const MAX_READINGS: usize = 3;
/// Cells that are shown of a wide row, beside those that are asked for.
const MAX_FIELDS: usize = 12;
/// Longest row that is quoted as a whole, in bytes.
const MAX_ROW_BYTES: usize = 1_200;
/// Longest record that is quoted as a whole, in bytes; its keys stand on lines of their own.
const MAX_RECORD_BYTES: usize = 400;
/// Members that are named in an answer.
pub const MAX_MEMBERS: usize = 200;

/// What the tables say to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// They hold it.
    Found(Found),
    /// A table holds everything that the question names but this word, which the key of a row would have to be.
    Missing {
        /// The word, number or date as the question has it.
        word: String,
        /// The position of the file with that table.
        sheet: usize,
        /// The table's name, for a person.
        table: String,
    },
    /// No table is about it.
    Nothing,
}

/// Rows and cells that answer a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whether it is a cell, a list, a count or a comparison.
    pub kind: PlanKind,
    /// Which table, rows and columns were taken, for a person.
    pub why: String,
    /// The answer in a sentence, where it is a list, a count, or more than one row.
    pub summary: Option<String>,
    /// The rows, at most [`MAX_MEMBERS`].
    pub lines: Vec<Line>,
    /// All rows, shown or not.
    pub num_rows: usize,
    /// What a person has to know: readings that disagree, rows that are not added up.
    pub notes: Vec<String>,
}

/// A row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The position of its file.
    pub sheet: usize,
    /// What to quote of it, in the text of its file.
    pub quote: Span,
    /// What else it rests on: header cells, and the key of the row.
    pub beside: Vec<Span>,
    /// Headings or keys above it, outermost first.
    pub place: Vec<String>,
    /// Its cells by the names of their columns.
    pub fields: Vec<Field>,
    /// What the row is called.
    pub label: String,
}

/// A reading with its table.
struct Candidate<'s> {
    sheet: usize,
    table: &'s Table,
    reading: Reading,
    /// The values that it answers with, for readings to be compared.
    values: Vec<String>,
}

/// Looks a question up in the tables of files, which come best first.
///
/// All words of the question that name something must be held by the rows, the columns, or the path and headings of one table. Of tables
/// that hold them equally well and say the same, the first is taken; where up to three say different things, all are told.
#[must_use]
pub fn look_up(question: &str, sheets: &[Sheet]) -> Answer {
    let Some(asked) = Question::of(question) else { return Answer::Nothing };
    let as_one = look_up_one(&asked, sheets);
    let Some(halves) = asked.halves().filter(|_| as_one == Answer::Nothing) else { return as_one };
    // Two things may stand in two files.
    let [Answer::Found(first), Answer::Found(second)] = halves.each_ref().map(|half| look_up_one(half, sheets)) else {
        return Answer::Nothing;
    };
    let is_one = |found: &Found| found.num_rows == 1;
    if !is_one(&first) || !is_one(&second) || first.lines == second.lines {
        return Answer::Nothing;
    }
    let why = format!("the question names two things side by side: {}; {}", first.why, second.why);
    let notes = first.notes.into_iter().chain(second.notes).collect();
    let lines = first.lines.into_iter().chain(second.lines).collect();
    Answer::Found(Found { kind: PlanKind::Compare, why, summary: None, lines, num_rows: 2, notes })
}

fn look_up_one(asked: &Question, sheets: &[Sheet]) -> Answer {
    let mut candidates: Vec<Candidate<'_>> = Vec::new();
    let mut missing: Option<(String, usize, String)> = None;
    for (index, sheet) in sheets.iter().enumerate() {
        for table in &sheet.tables {
            let view = View::of(sheet, table);
            match choose(asked, &view) {
                Ok(reading) => {
                    let is_count = asked.intent == Intent::Count && reading.outcome == Outcome::Members;
                    let values = if is_count { vec![reading.rows.len().to_string()] } else { values(table, &reading) };
                    candidates.push(Candidate { sheet: index, table, reading, values });
                }
                Err(Miss::Exact(word)) if missing.is_none() => missing = Some((word, index, name_of(sheet, table))),
                Err(_) => {}
            }
        }
    }
    let best = candidates.iter().map(|candidate| candidate.reading.score).max();
    candidates.retain(|candidate| Some(candidate.reading.score) == best);
    // Copies of a table say the same.
    let mut distinct: Vec<Candidate<'_>> = Vec::new();
    for candidate in candidates {
        if !distinct.iter().any(|other| other.values == candidate.values) {
            distinct.push(candidate);
        }
    }
    match distinct.as_slice() {
        [] => missing.map_or(Answer::Nothing, |(word, sheet, table)| Answer::Missing { word, sheet, table }),
        all if all.len() > MAX_READINGS => Answer::Nothing,
        [_, _, ..] if matches!(asked.intent, Intent::Count | Intent::Computed(_) | Intent::Extreme { .. }) => {
            Answer::Nothing
        }
        all => Answer::Found(told(asked, sheets, all)),
    }
}

/// Whether a question is one that tables may answer at all; looked at before any file is.
#[must_use]
pub fn is_for_tables(question: &str) -> bool {
    Question::of(question).is_some_and(|question| !question.terms.is_empty())
}

/// The words of a question that files with its answer have, each of which need not be in the same row.
#[must_use]
pub fn words_to_find(question: &str) -> Vec<String> {
    let terms = Question::of(question).map(|question| question.terms).unwrap_or_default();
    let written = terms.into_iter().filter(|term| !term.is_light && !matches!(term.kind, Kind::Date(_)));
    written.map(|term| term.written).collect()
}

/// Whether a question names a day.
#[must_use]
pub fn names_a_day(question: &str) -> bool {
    whens(question).iter().any(|(_, when)| when.date.is_some_and(|date| date.day.is_some()))
}

/// Whether a file of records or rows has a day in its path that a question names.
#[must_use]
pub fn is_of_day(question: &str, path: &str) -> bool {
    if !is_structured_name(path) {
        return false;
    }
    let written = whens(path);
    let asked = whens(question).into_iter().filter(|(_, when)| when.date.is_some_and(|date| date.day.is_some()));
    asked.into_iter().any(|(_, asked)| written.iter().any(|(_, written)| asked.names(written, &[])))
}

/// Whether a text speaks of `word`, an exact word of the question, and of half of what else it names.
#[must_use]
pub fn speaks_of(question: &str, word: &str, text: &str) -> bool {
    let Some(asked) = Question::of(question) else { return false };
    let words = Words::of(text);
    let holds = |term: &&Term| words.hold(term) || held(term, text, &[]).is_some();
    let is_word = |term: &&Term| term.written == word;
    if !asked.terms.iter().filter(is_word).all(|term| holds(&term)) {
        return false;
    }
    let others: Vec<&Term> = asked.terms.iter().filter(|term| !is_word(term) && !term.is_light).collect();
    others.iter().filter(|term| holds(term)).count() * 2 >= others.len()
}

/// What a reading answers with, so that spellings of one number are the same.
fn values(table: &Table, reading: &Reading) -> Vec<String> {
    let mut values = Vec::new();
    for &row in reading.rows.iter().take(MAX_MEMBERS) {
        let cells = table.rows[row]
            .cells
            .iter()
            .filter(|cell| reading.columns.is_empty() || reading.columns.contains(&cell.column));
        values.extend(cells.map(|cell| match numbers::quantity(&cell.text, false) {
            Some(quantity) => quantity.value.to_string(),
            None => cell.text.to_lowercase(),
        }));
    }
    values.sort();
    values
}

/// A table as a person names it: its file, and its sheet or key.
fn name_of(sheet: &Sheet, table: &Table) -> String {
    let path = sheet.file.path.as_str();
    match (table.shape, table.trail.last()) {
        (_, None) => path.to_owned(),
        (Shape::Rows, Some(last)) => format!("{path} ({last})"),
        (_, Some(_)) => format!("{path} ({})", table.trail.join(STEP)),
    }
}

fn column_name(table: &Table, column: usize) -> String {
    match table.columns.get(column).map(|column| column.name.trim()) {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ if column == 0 => "row".to_owned(),
        _ => format!("column {}", column + 1),
    }
}

fn told(asked: &Question, sheets: &[Sheet], candidates: &[Candidate<'_>]) -> Found {
    let first = &candidates[0];
    let (table, reading) = (first.table, &first.reading);
    let place = name_of(&sheets[first.sheet], table);
    let mut lines: Vec<Line> = Vec::new();
    let mut num_rows = 0;
    for candidate in candidates {
        num_rows += candidate.reading.rows.len();
        let rows = candidate.reading.rows.iter().map(|&row| line(sheets, candidate, &candidate.table.rows[row]));
        lines.extend(rows.take(MAX_MEMBERS));
    }
    lines.truncate(MAX_MEMBERS);
    let names = |columns: &[usize]| {
        let names: Vec<String> = columns.iter().map(|column| format!("`{}`", column_name(table, *column))).collect();
        names.join(", ")
    };
    let num_all = table.rows.len();
    let rows_are = |num: usize| if num == 1 { "1 row".to_owned() } else { format!("{num} rows") };
    let condition = condition(asked, table, reading);
    let mut notes = Vec::new();
    if candidates.len() > 1 {
        let places: Vec<String> =
            candidates.iter().map(|candidate| name_of(&sheets[candidate.sheet], candidate.table)).collect();
        notes.push(format!("the question may mean each of these, which differ: {}", places.join("; ")));
    }
    if reading.outcome == Outcome::Cells && reading.columns.len() > 1 && asked.ask.is_none() {
        notes.push(format!("the question may mean each of the columns {}", names(&reading.columns)));
    }
    if table.is_cut && num_rows > 1 {
        notes.push(format!("not all rows of {place} were read"));
    }
    let mut kind = PlanKind::Table;
    let mut why = format!("the question names {} of {place}", rows_are(num_rows));
    if !reading.columns.is_empty() {
        why = format!("{why}, and of the columns {}", names(&reading.columns));
    }
    let summary = match &reading.outcome {
        Outcome::Cells if num_rows > 1 && candidates.len() == 1 && !condition.is_empty() => {
            Some(format!("{num_rows} of {num_all} rows of {place} have {condition}"))
        }
        Outcome::Cells => None,
        Outcome::Members => {
            kind = if asked.intent == Intent::Count { PlanKind::Count } else { PlanKind::List };
            why = format!("the question asks for rows, and these are in {place}");
            let noun = asked.noun.and_then(|noun| asked.terms.get(noun)).map(|noun| noun.written.to_lowercase());
            if condition.is_empty() {
                Some(format!("{num_rows} {}, each a row of {place}", noun.unwrap_or_else(|| "rows".to_owned())))
            } else {
                Some(format!("{num_rows} of {num_all} rows of {place} have {condition}"))
            }
        }
        Outcome::Extreme { column } => {
            let Intent::Extreme { is_greatest, .. } = &asked.intent else {
                unreachable!("only they have such an outcome")
            };
            let value = table.rows[reading.rows[0]].cell(*column).map(|cell| cell.text.clone()).unwrap_or_default();
            let which = if *is_greatest { "greatest" } else { "least" };
            why = format!("the question asks for the {which} value of the column {} of {place}", names(&[*column]));
            let ties = if num_rows > 1 { format!(", in {num_rows} rows") } else { String::new() };
            let among =
                if condition.is_empty() { String::new() } else { format!(" of the rows that have {condition}") };
            Some(format!("the {which} value of {} in {place} is {value}{ties}{among}", names(&[*column])))
        }
        Outcome::NotCompared { column } => {
            notes.push(format!(
                "the values of {} are not of one unit, so none is told to be the greatest or least",
                names(&[*column])
            ));
            Some(format!(
                "not compared: the {} of {place} have different units in {}",
                rows_are(num_rows),
                names(&[*column])
            ))
        }
        Outcome::NotComputed { column, word } => {
            why = format!("the question asks for a value computed of the column {} of {place}", names(&[*column]));
            notes.push(format!("`{word}` is not computed: the rows are shown that it would be made of"));
            Some(format!(
                "not added up: these {} of {place} would be, by the column {}",
                rows_are(num_rows),
                names(&[*column])
            ))
        }
        Outcome::Compared => {
            kind = PlanKind::Compare;
            why = format!("the question names things that stand side by side in {place}");
            None
        }
    };
    Found { kind, why, summary, lines, num_rows, notes }
}

/// What the rows have in common that the question names: column and value.
fn condition(asked: &Question, table: &Table, reading: &Reading) -> String {
    let bound = |(column, written): &(usize, String)| match written.as_str() {
        "so" => format!("{} true", column_name(table, *column)),
        written => format!("{} {written}", column_name(table, *column)),
    };
    let mut conditions: Vec<String> = reading.bounds.iter().map(bound).collect();
    for &column in &reading.conditions {
        let mut values: Vec<&str> =
            reading.rows.iter().filter_map(|&row| Some(table.rows[row].cell(column)?.text.as_str())).collect();
        values.sort_unstable();
        values.dedup();
        let name = column_name(table, column);
        match values[..] {
            [one] => conditions.push(format!("{name} `{one}`")),
            [one, two] => conditions.push(format!("{name} `{one}` or `{two}`")),
            _ => {
                let terms: Vec<&str> =
                    asked.terms.iter().filter(|term| term.is_exact()).map(|term| term.written.as_str()).collect();
                conditions.push(format!("{name} with {}", terms.join(", ")));
            }
        }
    }
    conditions.join(" and ")
}

/// A row, with what to quote of it.
fn line(sheets: &[Sheet], candidate: &Candidate<'_>, row: &Row) -> Line {
    let Candidate { sheet, table, reading, .. } = candidate;
    let key = table.key_column();
    let key_cell = row.cell(key).or_else(|| row.cells.first());
    let is_row = table.shape == Shape::Rows;
    let most = if is_row { MAX_ROW_BYTES } else { MAX_RECORD_BYTES };
    let asked: Vec<Span> =
        reading.columns.iter().filter_map(|column| row.cell(*column)).map(|cell| cell.span).collect();
    // The keys of a record may stand on lines of their own.
    let is_tall = !is_row && sheets[*sheet].text[row.span.range()].contains('\n');
    let is_cell = row.span.len() > most || is_tall || table.shape == Shape::Single;
    let mut beside: Vec<Span> = Vec::new();
    let quote = match asked.as_slice() {
        [first, rest @ ..] if is_cell => {
            beside.extend(rest);
            beside.extend(
                key_cell.filter(|cell| table.shape != Shape::Single && cell.span != *first).map(|cell| cell.span),
            );
            *first
        }
        _ if row.span.len() > MAX_ROW_BYTES => key_cell.map_or(row.span, |cell| cell.span),
        _ => row.span,
    };
    if is_row {
        let headers = if reading.columns.is_empty() { vec![key] } else { reading.columns.clone() };
        beside.extend(headers.iter().filter_map(|column| table.columns[*column].span));
    }
    let label = key_cell.map(|cell| cell.text.clone()).unwrap_or_default();
    let mut place = table.trail.clone();
    if table.shape == Shape::Records && !label.is_empty() {
        place.push(label.clone());
    }
    let is_wide = row.cells.len() > MAX_FIELDS || !is_row && is_cell;
    let is_shown = |column: usize| {
        !is_wide
            || reading.columns.contains(&column)
            || reading.conditions.contains(&column)
            || (column == key && table.shape != Shape::Single)
    };
    let mut cells: Vec<_> = row.cells.iter().filter(|cell| is_shown(cell.column)).collect();
    if reading.outcome == Outcome::Compared && reading.columns.len() > 1 {
        cells.retain(|cell| cell.column == key || reading.columns.contains(&cell.column));
    }
    let fields = cells
        .into_iter()
        .take(2 * MAX_FIELDS)
        .map(|cell| Field { name: column_name(table, cell.column), value: cell.text.clone() });
    Line { sheet: *sheet, quote, beside, place, fields: fields.collect(), label }
}
