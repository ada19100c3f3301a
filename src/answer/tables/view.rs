//! A question put to one table: which of its words columns, rows and headings hold.

use super::numbers;
use super::question::{Ask, Kind, Question, Term};
use super::read::Sheet;
use super::table::{Shape, Table};
use super::when::whens;
use super::words::{self, Held, Words};

/// Where a term is held.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// Columns whose header holds it.
    pub(super) columns: Vec<usize>,
    /// Columns that are called by another word for what it asks.
    pub(super) meant: Vec<usize>,
    /// Cells that hold it: row, column, and how.
    pub(super) cells: Vec<(usize, usize, Held)>,
    /// Whether the path, the title, or a heading holds it.
    pub(super) in_context: bool,
    /// Whether only the paragraph above the table holds it.
    pub(super) in_caption: bool,
}

impl Found {
    pub(super) fn is_held(&self) -> bool {
        !self.columns.is_empty()
            || !self.meant.is_empty()
            || !self.cells.is_empty()
            || self.in_context
            || self.in_caption
    }

    /// Whether rows alone hold it.
    pub(super) fn is_of_rows(&self) -> bool {
        !self.cells.is_empty() && self.columns.is_empty() && !self.in_context
    }
}

/// A table with what stands around it.
pub(super) struct View<'t> {
    pub(super) table: &'t Table,
    pub(super) columns: Vec<Words>,
    pub(super) context: Words,
    caption: Words,
    years: Vec<i16>,
    /// Words of the file's name and of the innermost heading or key, which say of what the rows are.
    pub(super) subject: Words,
    dated: Vec<bool>,
}

impl<'t> View<'t> {
    pub(super) fn of(sheet: &Sheet, table: &'t Table) -> Self {
        let path = sheet.file.path.as_str();
        let title = sheet.file.title.as_deref().unwrap_or_default();
        let around = format!("{path} \n {title} \n {}", table.trail.join(" \n "));
        let name = path.rsplit('/').next().unwrap_or(path);
        let name = name.split_once('.').map_or(name, |(name, _)| name);
        let subject = format!("{name} \n {}", table.trail.last().map_or("", String::as_str));
        let dates = whens(&around).into_iter().chain(whens(&table.caption));
        let mut years: Vec<i16> = dates.filter_map(|(_, when)| when.date?.year).collect();
        let numbers = words::parts(&around);
        let numbers = numbers.iter().filter_map(|part| part.parse::<i16>().ok());
        years.extend(numbers.filter(|year| (1900..=2100).contains(year)));
        let is_dated = |column: usize| {
            let cells: Vec<&str> =
                table.rows.iter().take(50).filter_map(|row| Some(row.cell(column)?.text.as_str())).collect();
            let num_dates = cells.iter().filter(|cell| whens(cell).iter().any(|(_, when)| when.date.is_some())).count();
            num_dates > 0 && num_dates * 2 >= cells.len()
        };
        Self {
            table,
            columns: table.columns.iter().map(|column| Words::of(&column.name)).collect(),
            context: Words::of(&around),
            caption: Words::of(&table.caption),
            years,
            subject: Words::of(&subject),
            dated: (0..table.columns.len()).map(is_dated).collect(),
        }
    }

    /// Whether most cells of a column are dates.
    pub(super) fn is_dated(&self, column: usize) -> bool {
        self.dated.get(column).copied().unwrap_or(false)
    }

    /// Whether a cell holds a date or a time of day.
    pub(super) fn has_date(&self, row: usize, column: usize) -> bool {
        self.table.rows[row].cell(column).is_some_and(|cell| !whens(&cell.text).is_empty())
    }

    /// Columns that are called by another word for what is asked.
    pub(super) fn called(&self, ask: Ask) -> Vec<usize> {
        let fits = |column: &usize| ask != Ask::Duration || !self.is_dated(*column);
        (0..self.columns.len()).filter(|&column| words::is_called(&self.columns[column], ask)).filter(fits).collect()
    }

    pub(super) fn find(&self, term: &Term) -> Found {
        let columns: Vec<usize> = (0..self.columns.len()).filter(|&column| self.columns[column].hold(term)).collect();
        let meant = match term.concept {
            Some(ask) if columns.is_empty() => self.called(ask),
            _ => Vec::new(),
        };
        let mut cells = Vec::new();
        for (row, cells_of_row) in self.table.rows.iter().enumerate() {
            for cell in &cells_of_row.cells {
                if let Some(held) = words::held(term, &cell.text, &self.years) {
                    cells.push((row, cell.column, held));
                }
            }
        }
        let mut in_context = self.context.hold(term);
        // Rows that have dates are of these, whatever date the file has.
        if matches!(term.kind, Kind::Date(_))
            && cells.is_empty()
            && self.table.rows.len() > 1
            && self.dated.contains(&true)
        {
            in_context = false;
        }
        let in_caption = !term.is_exact() && self.caption.hold(term);
        Found { columns, meant, cells, in_context, in_caption }
    }

    /// The numbers of a column in some rows, or the order of its dates; `None` for a cell that has none.
    pub(super) fn values(&self, column: usize, rows: &[usize]) -> Vec<(usize, Option<numbers::Quantity>)> {
        let cells = || self.table.rows.iter().filter_map(|row| Some(row.cell(column)?.text.as_str()));
        let has_comma = numbers::has_decimal_comma(cells());
        let is_dated = self.is_dated(column);
        let value = |row: usize| {
            let cell = self.table.rows[row].cell(column)?;
            if is_dated {
                let order = whens(&cell.text).first()?.1.order()?;
                return Some(numbers::Quantity { value: order, unit: String::new() });
            }
            numbers::quantity(&cell.text, has_comma)
        };
        rows.iter().map(|&row| (row, value(row))).collect()
    }

    /// Whether nearly all cells of a column in these rows are numbers, two at least.
    pub(super) fn is_numeric(&self, column: usize, rows: &[usize]) -> bool {
        let filled: Vec<usize> =
            rows.iter().copied().filter(|&row| self.table.rows[row].cell(column).is_some()).collect();
        let num = self.values(column, &filled).iter().filter(|(_, value)| value.is_some()).count();
        !self.is_dated(column) && num > 0 && num * 5 >= filled.len() * 4
    }

    /// Whether some cell of a row has no other words than those that the terms name.
    pub(super) fn names_a_cell(&self, question: &Question, found: &[Found], row: usize) -> bool {
        let mut by_column: std::collections::BTreeMap<usize, Vec<&String>> = std::collections::BTreeMap::new();
        for (term, found) in question.terms.iter().zip(found) {
            for &(_, column, held) in found.cells.iter().filter(|(other, _, _)| *other == row) {
                if held == Held::Whole {
                    return true;
                }
                by_column.entry(column).or_default().extend(&term.stems);
            }
        }
        by_column.into_iter().any(|(column, stems)| {
            let cell = self.table.rows[row].cell(column).map_or("", |cell| cell.text.as_str());
            // What stands behind a comma or in brackets says more of it, such as its unit.
            let name = cell.split([',', '(', ';']).next().unwrap_or(cell);
            let wanted = words::cell_stems(name);
            !wanted.is_empty() && wanted.iter().all(|stem| stems.contains(&stem))
        })
    }

    /// Whether a column, or the key of a row, is called like a term, but for its number: `bench-07` like `bench-06`.
    pub(super) fn has_like(&self, term: &Term) -> bool {
        let is_word = |part: &&String| part.chars().all(char::is_alphabetic);
        let Some(first) = term.parts.first().filter(is_word) else { return false };
        let is_like = |parts: &[String]| parts.len() == term.parts.len() && parts.first() == Some(first);
        let key = self.table.key_column();
        let keys = self.table.rows.iter().filter_map(|row| row.cell(key)).take(50);
        term.parts.len() > 1
            && (self.columns.iter().any(|column| is_like(&column.parts))
                || keys.into_iter().any(|cell| is_like(&words::parts(&cell.text))))
    }

    /// Whether the file, or the innermost heading or key, is called like a term and nothing else.
    pub(super) fn is_called(&self, term: &Term) -> bool {
        self.subject.text.split('\n').any(|name| !name.trim().is_empty() && words::stems(name) == term.stems)
    }

    /// Whether the table is one record.
    pub(super) fn is_single(&self) -> bool {
        self.table.shape == Shape::Single || self.table.rows.len() == 1 && self.table.shape == Shape::Records
    }
}
