//! The rows of a table that a question's words narrow it to.

use super::choose::{Chooser, Outcome, Reading};
use super::question::{Intent, Order, Term};
use super::view::Found;
use super::words::Held;

/// A term of the question, and a column in which rows hold it.
pub(super) type InColumn = (usize, usize);

impl Chooser<'_> {
    /// The rows that hold the terms that only rows hold, and the columns in which each term was found.
    pub(super) fn rows(&self) -> Option<(Vec<usize>, Vec<InColumn>)> {
        let num_rows = self.view.table.rows.len();
        let mut rows: Vec<usize> = (0..num_rows).collect();
        let mut by_terms: Vec<InColumn> = Vec::new();
        let holding = |term: &Term, found: &Found| {
            // A cell that is nothing else comes before one that mentions it.
            let is_whole = |held: Held| !term.is_exact() || held == Held::Whole;
            let has_whole = found.cells.iter().any(|(_, _, held)| is_whole(*held));
            let cells = found.cells.iter().filter(|(_, _, held)| !has_whole || is_whole(*held));
            let mut holding: Vec<usize> = cells.map(|(row, _, _)| *row).collect();
            holding.dedup();
            holding
        };
        let both = |rows: &[usize], other: &[usize]| -> Vec<usize> {
            rows.iter().copied().filter(|row| other.binary_search(row).is_ok()).collect()
        };
        let mut add = |at: usize, found: &Found, rows: &[usize]| {
            let mut columns: Vec<usize> = found
                .cells
                .iter()
                .filter(|(row, _, _)| rows.binary_search(row).is_ok())
                .map(|(_, column, _)| *column)
                .collect();
            columns.sort_unstable();
            columns.dedup();
            by_terms.extend(columns.into_iter().map(|column| (at, column)));
        };
        let mut united: Vec<usize> = Vec::new();
        let required: Vec<(usize, &Term, &Found)> =
            self.terms().filter(|(_, term, found)| found.is_of_rows() && !term.is_light).collect();
        for &(at, term, found) in &required {
            let mut narrowed = both(&rows, &holding(term, found));
            if narrowed.is_empty() && self.question.joins {
                // `RVH-009 and RVH-031` are two rows.
                united.extend(&rows);
                narrowed = holding(term, found);
            }
            rows = narrowed;
            add(at, found, &rows);
        }
        rows.extend(united);
        rows.sort_unstable();
        rows.dedup();
        if rows.is_empty() {
            return None;
        }
        rows = in_one_cell(&required, rows);
        for (at, term, found) in self.terms() {
            let is_optional = !found.cells.is_empty() && !found.is_of_rows() && !term.is_light && !self.is_noun(at);
            // A word that names a column says nothing of the rows.
            if !is_optional || (!found.columns.is_empty() && !term.is_exact()) {
                continue;
            }
            let narrowed = both(&rows, &holding(term, found));
            if !narrowed.is_empty() && narrowed.len() < rows.len() {
                rows = narrowed;
                add(at, found, &rows);
            }
        }
        if self.question.intent != Intent::Compare && !self.question.joins {
            for &(_, _, found) in &required {
                let is_whole =
                    |row: &usize| found.cells.iter().any(|(other, _, held)| other == row && *held == Held::Whole);
                let narrowed: Vec<usize> = rows.iter().copied().filter(is_whole).collect();
                if !narrowed.is_empty() {
                    rows = narrowed;
                }
            }
        }
        // A condition behind the name of its column is met there: `firmware 3.0.9`.
        let headed: Vec<usize> = self.terms().flat_map(|(_, _, found)| found.columns.iter().copied()).collect();
        for &(at, _, found) in &required {
            let in_column =
                |row: &usize| found.cells.iter().any(|(other, column, _)| other == row && headed.contains(column));
            let narrowed: Vec<usize> = rows.iter().copied().filter(in_column).collect();
            if !narrowed.is_empty() && narrowed.len() < rows.len() && !self.question.joins {
                rows = narrowed;
                by_terms.retain(|(other, column)| *other != at || headed.contains(column));
            }
        }
        by_terms.retain(|(at, column)| {
            self.found[*at].cells.iter().any(|(row, other, _)| other == column && rows.binary_search(row).is_ok())
        });
        // A term that several columns hold was found in the one that is nothing else, and not in the one that is asked for.
        let whole = |at: usize, column: usize| {
            let is_whole = |(row, other, held): &(usize, usize, Held)| {
                *other == column && *held == Held::Whole && rows.binary_search(row).is_ok()
            };
            self.found[at].cells.iter().any(is_whole)
        };
        let all = by_terms.clone();
        by_terms.retain(|&(at, column)| {
            let others = || all.iter().filter(|(other, also)| *other == at && *also != column).map(|(_, also)| *also);
            let is_weaker = !whole(at, column) && others().any(|other| whole(at, other));
            let is_asked = headed.contains(&column)
                && others().any(|other| !headed.contains(&other) && whole(at, other) == whole(at, column));
            !is_weaker && !is_asked
        });
        Some((rows, by_terms))
    }

    /// Rows whose values meet the conditions, and the columns of these.
    pub(super) fn compared(&self, named: &[usize], rows: &mut Vec<usize>) -> Option<Vec<(usize, String)>> {
        let mut columns = Vec::new();
        for comparison in &self.question.comparisons {
            let fits = |column: &usize| {
                if comparison.is_date { self.view.is_dated(*column) } else { self.view.is_numeric(*column, rows) }
            };
            let mut of_kind: Vec<usize> = self
                .terms()
                .flat_map(|(_, _, found)| found.columns.iter().chain(&found.meant).copied())
                .filter(fits)
                .collect();
            of_kind.sort_by_key(|column| (!named.contains(column), *column));
            of_kind.dedup();
            let column = *of_kind.first()?;
            let meets = |value: f64| match comparison.order {
                Order::More => value > comparison.bound,
                Order::AtLeast => value >= comparison.bound,
                Order::Less => value < comparison.bound,
                Order::AtMost => value <= comparison.bound,
            };
            *rows = self
                .view
                .values(column, rows)
                .into_iter()
                .filter(|(_, value)| value.as_ref().is_some_and(|value| meets(value.value)))
                .map(|(row, _)| row)
                .collect();
            columns.push((column, comparison.written.clone()));
        }
        Some(columns)
    }

    /// Rows in which a column is true that the question names, where all its cells say yes or no: `which hosts are exclusive`.
    pub(super) fn true_of(&self, rows: &[usize]) -> Option<(Vec<usize>, usize)> {
        let is_yes = |text: &str| matches!(text.to_lowercase().as_str(), "true" | "yes" | "y" | "x" | "✓");
        let is_no = |text: &str| matches!(text.to_lowercase().as_str(), "false" | "no" | "n" | "✗" | "-");
        let texts = |column: usize| {
            let rows = &self.view.table.rows;
            rows.iter().filter_map(move |row| Some(row.cell(column)?.text.as_str()))
        };
        let is_of_yes_and_no =
            |column: &usize| texts(*column).any(is_yes) && texts(*column).all(|text| is_yes(text) || is_no(text));
        let others = self.terms().filter(|(at, term, _)| !self.is_noun(*at) && !term.is_light);
        let column = others.flat_map(|(_, _, found)| found.columns.iter().copied()).find(is_of_yes_and_no)?;
        let is_true = |row: &usize| self.view.table.rows[*row].cell(column).is_some_and(|cell| is_yes(&cell.text));
        Some((rows.iter().copied().filter(is_true).collect(), column))
    }

    /// The rows that do not have in a named column what the question says, or have nothing there.
    pub(super) fn without(&self, mut reading: Reading) -> Option<Reading> {
        let table = self.view.table;
        let noun = self.question.noun?;
        let is_of_all = self.view.subject.hold(&self.question.terms[noun])
            || self.found[noun].columns.contains(&table.key_column());
        if self.view.is_single() || table.is_cut || !is_of_all || !reading.bounds.is_empty() {
            return None;
        }
        let others = || self.terms().filter(|(at, _, _)| *at != noun);
        let (column, written) = match reading.conditions[..] {
            [column] if others().any(|(_, _, found)| found.columns.contains(&column)) => {
                let of_rows = others().filter(|(_, _, found)| found.cells.iter().any(|(_, other, _)| *other == column));
                let words: Vec<&str> = of_rows.map(|(_, term, _)| term.written.as_str()).collect();
                (column, format!("without {}", words.join(" ")))
            }
            [] => {
                let mut named: Vec<usize> = others().flat_map(|(_, _, found)| found.columns.iter().copied()).collect();
                named.dedup();
                let [column] = named[..] else { return None };
                (column, "empty".to_owned())
            }
            _ => return None,
        };
        let is_gone = |row: &usize| match reading.conditions[..] {
            [] => table.rows[*row].cell(column).is_some(),
            _ => reading.rows.binary_search(row).is_ok(),
        };
        let rows: Vec<usize> = (0..table.rows.len()).filter(|row| !is_gone(row)).collect();
        if rows.is_empty() || rows.len() == table.rows.len() {
            return None;
        }
        (reading.rows, reading.conditions) = (rows, Vec::new());
        reading.columns = vec![column];
        reading.bounds.push((column, written));
        reading.outcome = Outcome::Members;
        Some(reading)
    }
}

/// Neighbouring words that some rows have in one cell are meant so: `Klipfisk K3`.
fn in_one_cell(required: &[(usize, &Term, &Found)], mut rows: Vec<usize>) -> Vec<usize> {
    for pair in required.windows(2) {
        let [(one, _, first), (next, _, second)] = pair else { continue };
        if one + 1 != *next {
            continue;
        }
        let together = |row: &usize| {
            first.cells.iter().any(|(other, column, _)| {
                other == row && second.cells.iter().any(|(also, same, _)| also == row && same == column)
            })
        };
        let narrowed: Vec<usize> = rows.iter().copied().filter(together).collect();
        if !narrowed.is_empty() {
            rows = narrowed;
        }
    }
    rows
}
